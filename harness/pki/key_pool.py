"""RSA keys made in advance, beside other work."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import rsa

from .keys import new_rsa_key

__all__ = ["KeyPool"]

_READY = 4


class KeyPool:
    """RSA-2048 keys made in advance by a daemon thread, because one takes 30 to 60 ms and an answer should not wait.

    Safe for several threads: many may share it.
    """

    def __init__(self, ready: int = _READY, make: Callable[[], rsa.RSAPrivateKey] = new_rsa_key) -> None:
        self._wanted, self._make = ready, make
        self._keys: deque[rsa.RSAPrivateKey] = deque()
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False

    def start(self) -> None:
        """Begin to make keys, unless that has been done; ``take`` does it by itself."""
        with self._change:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._fill, name="mtls-keys", daemon=True)
                self._thread.start()

    def take(self) -> rsa.RSAPrivateKey:
        """A fresh key: at once if one is ready, else as fast as one can be made."""
        self.start()
        with self._change:
            key = self._keys.popleft() if self._keys else None
            self._change.notify_all()
        return key or self._make()

    def close(self) -> None:
        """Forget the keys and end the thread, after the key that it is at."""
        with self._change:
            self._closed = True
            self._keys.clear()
            self._change.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()

    @property
    def ready(self) -> int:
        """How many keys can be had at once."""
        return len(self._keys)

    def _fill(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._closed or len(self._keys) < self._wanted)
                if self._closed:
                    return
            key = self._make()
            with self._change:
                if not self._closed:
                    self._keys.append(key)
