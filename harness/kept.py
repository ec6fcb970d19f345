"""What was opened or kept before something changed, to be used after it: connections and sessions."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from .backend.instance import Instance
from .pki.credential import Credential
from .tls.observation import Observation, TlsVersion, Trouble
from .tls.probe import Conversation, Request, Session

__all__ = ["KeptConnection", "KeptSession"]


@dataclass(frozen=True, slots=True)
class KeptSession:
    """A session that a connection gave, if it gave one, with what was seen of that connection."""

    kind: str
    tls: TlsVersion
    seen: Observation
    session: Session | None


class KeptConnection:
    """One kept-alive connection with a credential, opened anew when the server has closed it in good order."""

    def __init__(self, instance: Instance, credential: Credential, tls: TlsVersion) -> None:
        self._instance, self._credential, self.tls = instance, credential, tls
        self._stack = ExitStack()
        self._conversation: Conversation | None = None
        self._served = False
        self.opened = 0

    def ask(self, *, reopen: bool = True) -> Observation:
        """One request on it; a second try on a fresh connection when the server has closed the old one since.

        Without *reopen* what is seen on the connection as it is, open or closed.
        """
        request = Request(keep=True)
        seen = (self._conversation or self._open()).ask(request)
        if (
            reopen
            and self._served
            and seen.answer is None
            and (seen.trouble is Trouble.NOT_KEPT or seen.closing is not None)
        ):
            seen = self._open().ask(request)
        self._served = seen.answer is not None
        if reopen and not self._served:
            self.close()  # it carries no other request: who asks again asks on a new one
        return seen

    def _open(self) -> Conversation:
        self.close()
        self.opened += 1
        self._conversation = self._stack.enter_context(self._instance.converse(self._credential, self.tls))
        return self._conversation

    def close(self) -> None:
        """Close it."""
        self._stack.close()
        self._conversation = None
