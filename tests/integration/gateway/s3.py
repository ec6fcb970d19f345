"""A real S3 server on loopback (moto's), and clients of boto3."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import httpx
from botocore.config import Config
from moto.server import ThreadedMotoServer

__all__ = ["client", "s3_server"]


@contextmanager
def s3_server() -> Iterator[str]:
    """A server without a bucket: its URL."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        url = "http://{}:{}".format(*server.get_host_and_port())
        httpx.post(f"{url}/moto-api/reset", trust_env=False).raise_for_status()  # buckets are kept in this process
        yield url
    finally:
        server.stop()


def client(service: str, url: str) -> Any:
    """boto3's, at *url*."""
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    config = Config(retries={"total_max_attempts": 1}, proxies={})
    return boto3.client(  # type: ignore[call-overload, unused-ignore]
        service, endpoint_url=url, region_name="us-east-1", config=config, **keys
    )
