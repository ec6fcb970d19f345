"""A small HTTP client: ``load.py HOST PORT PATH CONNECTIONS REQUESTS [CERT KEY CA]`` prints requests a second and p50."""

from __future__ import annotations

import asyncio
import json
import ssl
import statistics
import sys
import time

LENGTH = b"\r\ncontent-length:"


async def call(
    host: str, port: int, path: str, requests: int, tls: ssl.SSLContext | None, latencies: list[float]
) -> None:
    """So many requests on one kept-alive connection."""
    reader, writer = await asyncio.open_connection(host, port, ssl=tls)
    octets = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: load\r\nAccept: */*\r\n\r\n".encode()
    for _ in range(requests):
        began = time.perf_counter()
        writer.write(octets)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"expected 200, saw {head[:60]!r}")
        at = head.lower().index(LENGTH) + len(LENGTH)
        await reader.readexactly(int(head[at : head.index(b"\r\n", at)]))
        latencies.append(time.perf_counter() - began)
    writer.close()


async def main(host: str, port: str, path: str, connections: str, requests: str, *files: str) -> None:
    """All connections at once."""
    tls = None
    if files:
        certificate, key, authority = files
        tls = ssl.create_default_context(cafile=authority)
        tls.maximum_version = ssl.TLSVersion.TLSv1_2
        tls.load_cert_chain(certificate, key)
    latencies: list[float] = []
    each = int(requests) // int(connections)
    began = time.perf_counter()
    await asyncio.gather(*(call(host, int(port), path, each, tls, latencies) for _ in range(int(connections))))
    spent = time.perf_counter() - began
    print(json.dumps({"rate": len(latencies) / spent, "p50_ms": statistics.median(latencies) * 1000}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
