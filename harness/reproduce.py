"""How a case can be repeated by hand: a command line, on files that ``--keep`` left."""

from __future__ import annotations

import shlex
from dataclasses import replace

from .backend.approach import Approach
from .backend.instance import Instance
from .bench import Bench
from .pki.credential import Credential
from .scenario import Profile
from .tls.observation import TlsVersion
from .tls.probe import Endpoint

__all__ = ["Reproducer", "s_client_line"]


class Reproducer:
    """Remembers the first case that did not pass; ``command`` repeats it, or the whole scenario when all passed.

    ``note`` says how to start the backend that such a case needs, where it was one of ours.
    """

    def __init__(self, scenario_id: str, profile: Profile, bench: Bench) -> None:
        self._id, self._profile, self._bench = scenario_id, profile, bench
        self._line: str | None = None
        self.note: str | None = None

    def remember(self, instance: Instance, tls: TlsVersion, credential: Credential | None, approach: Approach) -> None:
        """Note a case; writes its credential where ``--keep`` asked for it."""
        if self._line is None and self._bench.keep is not None:
            self._line = self._write(instance, tls, credential, approach)
            script = instance.material.start_script if instance.material is not None else None
            if script is not None and script.exists():
                self.note = (
                    f"to reproduce, first run {shlex.quote(str(script))}: the backend afresh, with its last truststore"
                )

    @property
    def command(self) -> str:
        """The command line."""
        if self._line is not None:
            return self._line
        words = [
            "pytest-mtls",
            "check",
            *self._bench.target.arguments,
            "--scenario",
            self._id,
            "--profile",
            self._profile,
        ]
        kept = "" if self._bench.keep is not None else " --keep DIR"
        return shlex.join(words) + kept

    def _write(self, instance: Instance, tls: TlsVersion, credential: Credential | None, approach: Approach) -> str:
        endpoint = instance.endpoint if approach.send_server_name else replace(instance.endpoint, server_name=None)
        options: list[str] = []
        if credential is not None:
            folder = self._bench.folder / f"{self._id.replace('/', '.')}-{self._profile}"
            certificate, key = credential.write(folder, credential.name.replace(" ", "-"))
            options = ["-cert", str(certificate), "-key", str(key)]
            if credential.chain:
                chain = replace(credential, leaf=credential.chain[0], chain=credential.chain[1:])
                path = certificate.with_suffix(".chain.pem")
                path.write_bytes(chain.certificate_pem)
                options += ["-cert_chain", str(path)]
        return s_client_line(endpoint, tls, options, approach)


def s_client_line(endpoint: Endpoint, tls: TlsVersion, options: list[str], approach: Approach = Approach()) -> str:
    """A shell line that sends the request by ``openssl s_client`` and prints what comes back."""
    request = approach.request
    lines = [
        f"{request.method} {request.path or endpoint.path} HTTP/1.1",
        f"Host: {endpoint.authority}",
        *(f"{name}: {value}" for name, value in request.headers),
        "Connection: close",
    ]
    words = [
        "openssl",
        "s_client",
        "-quiet",
        "-connect",
        f"[{endpoint.host}]:{endpoint.port}" if ":" in endpoint.host else f"{endpoint.host}:{endpoint.port}",
        f"-tls{tls.replace('.', '_')}",
    ]
    words += ["-noservername"] if endpoint.server_name is None else ["-servername", endpoint.server_name]
    if approach.ciphers:
        words += ["-cipher", approach.ciphers]
    # what printf would take for its own comes through as it is
    text = "\r\n".join([*lines, "", ""]).replace("\\", "\\\\").replace("%", "%%").replace("\r\n", "\\r\\n")
    return f"printf {shlex.quote(text)} | {shlex.join([*words, *options])}"
