"""``--config``: a user's own configuration in the place of a built-in server's stock one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..errors import UsageError
from ..pki.credential import read_file
from .process import check_placeholders
from .server import Server
from .servers import servers

__all__ = ["with_own_config"]


def with_own_config(server: Server, path: Path) -> Server:
    """*server* with the configuration at *path*, in which the placeholders of our material have to stand.

    Files that lie beside it can be included by relative names. Raises UsageError for what cannot be used.
    """
    if server.config is None:
        able = ", ".join(sorted(one.name for one in servers().values() if one.config))
        raise UsageError(
            f"--config ({path}): expected a server that has a configuration file ({able}), saw --server {server.name}. "
            "Start your own program by --command."
        )
    try:
        text = read_file(path, "--config").decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"--config ({path}): expected text in UTF-8, saw octet {error.start} that is none.") from error
    check_placeholders(text, f"--config ({path})")
    missing = [name for name in server.config.required if f"{{{name}}}" not in text]
    if missing:
        raise UsageError(
            f"--config ({path}): expected the placeholder {{{missing[0]}}} in it, saw none. Put it where your file names "
            f"{_MEANING[missing[0]]}."
        )
    config = replace(
        server.config,
        name=f"own/{server.config.name}",
        stock=server.config.complete(text),
        beside=path.absolute().parent,
    )
    return replace(server, config=config)


_MEANING = {
    "port": "the port to listen on",
    "server_cert": "the server's certificate",
    "server_key": "the server's private key",
    "truststore": "the certificates of the clients to let in",
    "pins": "the fingerprints of the clients to let in",
}
