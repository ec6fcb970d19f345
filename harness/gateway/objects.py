"""Objects of S3: from a folder that stands in for it, or from any S3 server."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import aiohttp
from yarl import URL

from .errors import ApiError, bad_request
from .truststores import Location

__all__ = ["Folder", "Objects", "Server"]

_SECONDS = 10.0
"""For the whole of one reading, so that a server that never answers holds nothing up but its own operation."""


class Objects:
    """Where objects are read."""

    async def read(self, where: Location, limit: int) -> bytes | ApiError:
        """The object, *limit* octets and one more at most; else why there is none, as BadRequestException."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Folder(Objects):
    """``ROOT/bucket/key``; version V of it is ``ROOT/bucket/key.versions/V``. Nothing outside *root* is ever read."""

    root: Path

    async def read(self, where: Location, limit: int) -> bytes | ApiError:
        """As Objects has it."""
        return await asyncio.to_thread(self._read, where, limit)

    def _read(self, where: Location, limit: int) -> bytes | ApiError:
        parts = [*where.key.split("/")]
        if where.version is not None:
            parts = [*parts[:-1], f"{parts[-1]}.versions", where.version]
        try:
            if any(part in ("", ".", "..") or "/" in part or "\0" in part for part in parts):
                raise FileNotFoundError
            root = self.root.resolve()
            path = root.joinpath(where.bucket, *parts).resolve()
            if not path.is_relative_to(root):
                raise FileNotFoundError
            # without O_NONBLOCK a pipe would be waited for
            with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise FileNotFoundError
                return file.read(limit + 1)
        except (OSError, ValueError):
            return _none(where, f": expected the file {'/'.join([where.bucket, *parts])} below the folder for S3")


@dataclass(frozen=True, slots=True)
class Server(Objects):
    """``GET ENDPOINT/bucket/key[?versionId=V]``, signed when credentials stand in the environment and botocore is there."""

    endpoint: str
    region: str

    async def read(self, where: Location, limit: int) -> bytes | ApiError:
        """As Objects has it."""
        url = f"{self.endpoint.rstrip('/')}/{where.bucket}/{quote(where.key)}"
        if where.version is not None:
            url += f"?versionId={quote(where.version, safe='')}"
        time_limit = aiohttp.ClientTimeout(total=_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=time_limit, auto_decompress=False) as session,
                session.get(URL(url, encoded=True), headers=_signed(url, self.region), allow_redirects=False) as answer,
            ):
                if answer.status == 200:
                    return await _at_most(answer.content, limit + 1)
                if answer.status == 404:
                    return _none(where)
                return bad_request(f"Truststore {where} cannot be read: the S3 server answered {answer.status}")
        except TimeoutError:
            return bad_request(f"Truststore {where} cannot be read: no answer from the S3 server in {_SECONDS:g} s")
        except (aiohttp.ClientError, OSError, ValueError):
            return bad_request(f"Truststore {where} cannot be read: no answer from the S3 server at {self.endpoint}")


def _none(where: Location, hint: str = "") -> ApiError:
    return bad_request(f"Truststore {where} cannot be read: no such object or version{hint}")


async def _at_most(stream: aiohttp.StreamReader, size: int) -> bytes:
    content = b""
    while len(content) < size and (piece := await stream.read(size - len(content))):
        content += piece
    return content


def _signed(url: str, region: str) -> Mapping[str, str]:
    """The headers of Signature Version 4, empty where there is nothing to sign with."""
    key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if not key or not secret:
        return {}
    try:
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials
    except ImportError:
        return {}
    request = AWSRequest(method="GET", url=url)
    S3SigV4Auth(Credentials(key, secret, os.environ.get("AWS_SESSION_TOKEN") or None), "s3", region).add_auth(request)
    return dict(request.headers.items())
