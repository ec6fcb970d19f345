"""The program ``openssl verify``."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

__all__ = ["Verify"]


class Verify:
    """Verifies PEM certificates at a moment of the caller's choice."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program, self._folder = program, folder

    def __call__(
        self, truststore: list[bytes], leaf: bytes, *options: str, at: int, chain: bytes = b""
    ) -> list[tuple[int, int]]:
        """The errors as code and depth; empty when *leaf* verifies *at* so many seconds after 1970."""
        words = ["verify", "-no-CApath", "-no-CAstore", "-attime", str(at), *options]
        words += ["-CAfile", self._file("truststore.pem", b"".join(truststore))]
        if chain:
            words += ["-untrusted", self._file("chain.pem", chain)]
        words.append(self._file("leaf.pem", leaf))
        done = subprocess.run([self._program, *words], capture_output=True, text=True, check=False)
        errors = re.findall(r"error (\d+) at (\d+) depth lookup", done.stderr)
        assert bool(errors) == bool(done.returncode), done.stderr
        return [(int(code), int(depth)) for code, depth in errors]

    def _file(self, name: str, content: bytes) -> str:
        path = self._folder / name
        path.write_bytes(content)
        return str(path)
