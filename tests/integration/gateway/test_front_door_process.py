"""Ctrl-C while the front door waits for somebody: an S3 server, an authorizer, a client in the middle of a handshake."""

from __future__ import annotations

import json
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any

import pytest

from pytest_mtls.harness.wait import poll_until

from ..runs import Runs
from .guarded import uri_of
from .test_gateway_process import Process

NAME = "api.example.com"

pytestmark = pytest.mark.timeout(90)


@contextmanager
def silent() -> Iterator[tuple[int, threading.Event]]:
    """A port where everybody is heard and nobody answered, and the event that somebody came."""
    came, held = threading.Event(), []
    listener = socket.create_server(("127.0.0.1", 0))

    def listen() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            held.append(connection)
            connection.recv(65_536)
            came.set()

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield listener.getsockname()[1], came
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)
        for connection in held:
            connection.close()


def interrupted(runs: Runs, process: Process, path: str, value: Any, waiting: Callable[[], bool]) -> None:
    """Ctrl-C twice while this call waits; the second one does not wait for the first one's grace."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(process.call, "GET" if value is None else "POST", path, value)
        assert waiting()
        process.tell(signal.SIGINT)
        assert poll_until(lambda: not process.accepts(), 10)
        run = process.end(signal.SIGINT)
        with pytest.raises((OSError, HTTPException)):
            asked.result(10)

    assert (run.code, run.out, run.left) == (0, "", ())
    assert "Traceback" not in run.err
    assert not (runs.folder / "gateway.json").exists()


def test_while_an_s3_server_keeps_silent(runs: Runs) -> None:
    with silent() as (port, came):
        process = Process(runs, "--s3-endpoint", f"http://127.0.0.1:{port}", "--ready-file", "gateway.json")
        value = {"domainName": NAME, "mutualTlsAuthentication": {"truststoreUri": "s3://bucket/truststore.pem"}}
        interrupted(runs, process, "/domainnames", value, lambda: came.wait(10))


HANGS = """\
import threading
from pathlib import Path


def handler(event, context):
    Path("asked").touch()
    threading.Event().wait(60)
"""


def test_while_an_authorizer_hangs(runs: Runs) -> None:
    (runs.folder / "hanging.py").write_text(HANGS)
    process = Process(runs, "--function", "f=hanging:handler", "--ready-file", "gateway.json")
    api = json.loads(process.call("POST", "/restapis", {"name": "test"})[1])
    root, resource = f"/restapis/{api['id']}", api["rootResourceId"]
    authorizer = {"name": "a", "type": "REQUEST", "authorizerUri": uri_of("f"), "authorizerResultTtlInSeconds": 0}
    made = json.loads(process.call("POST", f"{root}/authorizers", authorizer)[1])
    method = {"authorizationType": "CUSTOM", "authorizerId": made["id"]}
    process.call("PUT", f"{root}/resources/{resource}/methods/GET", method)
    process.call("PUT", f"{root}/resources/{resource}/methods/GET/integration", {"type": "MOCK"})
    assert process.call("POST", f"{root}/deployments", {"stageName": "prod"})[0] == 201
    asked = runs.folder / "asked"

    interrupted(runs, process, f"/_aws/execute-api/{api['id']}/prod/", None, lambda: poll_until(asked.exists, 10))


def test_while_a_client_is_in_the_middle_of_its_handshake(runs: Runs) -> None:
    """One that has sent half a record, and one that has sent nothing."""
    process = Process(runs, "--ready-file", "gateway.json")
    there = ("127.0.0.1", process.told["custom_domain"]["port"])
    with socket.create_connection(there, timeout=10) as first, socket.create_connection(there, timeout=10) as second:
        first.sendall(b"\x16\x03\x01\x02\x00")
        run = process.end(signal.SIGINT)
        ends = [_end(one) for one in (first, second)]

    assert (run.code, run.out, run.err, run.left) == (0, "", "", ())
    assert ends == [b"", b""]


def _end(connection: socket.socket) -> bytes:
    """What still came."""
    try:
        return connection.recv(65_536)
    except ConnectionError:
        return b""
