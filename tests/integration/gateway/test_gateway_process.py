"""``pytest-mtls gateway`` as a process: options, the ready line, signals, exit codes, what is left behind."""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
import socket
import ssl
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from pytest_mtls.harness.backend.ports import free_port
from pytest_mtls.harness.cli import main
from pytest_mtls.harness.gateway import foreground
from pytest_mtls.harness.wait import poll_until

from ..runs import Run, Runs
from .running import OK

STOPS = [signal.SIGINT, signal.SIGTERM]


class Process:
    """A gateway that has told where it is."""

    def __init__(self, runs: Runs, *arguments: str) -> None:
        self._runs = runs
        self._process = runs.start("gateway", *arguments)
        assert self._process.stdout is not None
        self.line = self._process.stdout.readline()
        self.told: dict[str, Any] = json.loads(self.line)

    def call(self, method: str, path: str, value: Any = None) -> tuple[int, bytes]:
        """A request to the plain port."""
        connection = http.client.HTTPConnection(urlsplit(self.told["endpoint"]).netloc, timeout=10)
        try:
            connection.request(method, path, None if value is None else json.dumps(value))
            answered = connection.getresponse()
            return answered.status, answered.read()
        finally:
            connection.close()

    def api(self, uri: str) -> str:
        """A REST API whose root passes everything on; returns its default endpoint's path."""
        created = json.loads(self.call("POST", "/restapis", {"name": "test"})[1])
        place = f"/restapis/{created['id']}/resources/{created['rootResourceId']}/methods/GET"
        self.call("PUT", place, {"authorizationType": "NONE"})
        self.call("PUT", f"{place}/integration", {"type": "HTTP_PROXY", "httpMethod": "GET", "uri": uri})
        assert self.call("POST", f"/restapis/{created['id']}/deployments", {"stageName": "prod"})[0] == 201
        return f"/_aws/execute-api/{created['id']}/prod/"

    def tell(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> Run:
        """Send a signal and wait for the end."""
        self.tell(number)
        return self.wait()

    def wait(self) -> Run:
        """Wait for the end."""
        return self._runs.end(self._process, within=20)

    def accepts(self) -> bool:
        """Whether the plain port takes connections."""
        try:
            socket.create_connection(("127.0.0.1", urlsplit(self.told["endpoint"]).port or 0), timeout=5).close()
        except OSError:
            return False
        return True


@contextmanager
def held_backend() -> Iterator[tuple[str, threading.Event, threading.Event]]:
    """A backend that answers one request when it is told to: its URI, whether it was asked, and the word."""
    asked, word = threading.Event(), threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(20)

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            asked.set()
            if word.wait(20):
                connection.sendall(OK)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/", asked, word
    finally:
        word.set()
        thread.join(20)
        listener.close()


# --- one life


@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: stop.name)
def test_it_tells_where_it_is_serves_and_leaves_nothing_behind(runs: Runs, stop: signal.Signals) -> None:
    ready = runs.folder / "ready.json"
    process = Process(runs, "--ready-file", "ready.json", "--region", "eu-west-1", "--account-id", "210987654321")
    told = process.told

    assert told == {
        "endpoint": told["endpoint"],
        "execute_api": f"{told['endpoint']}/_aws/execute-api/{{api_id}}/{{stage}}/",
        "custom_domain": {"host": "127.0.0.1", "port": told["custom_domain"]["port"]},
        "ca": told["ca"],
        "s3_root": told["s3_root"],
        "region": "eu-west-1",
        "account_id": "210987654321",
        "pid": process._process.pid,
        "version": version("pytest-mtls"),
    }
    assert poll_until(ready.exists, 10)
    assert ready.read_text() == process.line
    assert list(Path(told["s3_root"]).iterdir()) == []
    assert process.call("GET", "/_mtls/health")[0] == 200
    assert process.call("GET", "/restapis/x")[1].decode().endswith('specified 210987654321:x"}')

    run = process.end(stop)

    assert (run.code, run.out, run.err, run.left) == (0, "", "", ())
    assert not ready.exists()
    assert list(runs.folder.iterdir()) == []


def test_the_ca_signs_the_tls_port_and_no_key_is_seen(runs: Runs) -> None:
    process = Process(runs, "-v")
    ca = Path(process.told["ca"])
    context = ssl.create_default_context(cafile=str(ca))

    for name in ("x.execute-api.us-east-1.amazonaws.com", "x.execute-api.localhost", "localhost"):
        with (
            socket.create_connection(("127.0.0.1", process.told["custom_domain"]["port"]), timeout=10) as raw,
            context.wrap_socket(raw, server_hostname=name) as connection,
        ):
            connection.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            assert connection.recv(65_536).startswith(b"HTTP/1.1 403 ")
    process.call("POST", "/clientcertificates", {})
    files = [path for path in runs.temporary.rglob("*") if path.is_file()]
    assert files == [ca]
    assert stat.S_IMODE(ca.parent.stat().st_mode) == 0o700
    assert "PRIVATE KEY" not in ca.read_text()
    assert ca.read_text().count("BEGIN CERTIFICATE") == 1
    _, log = process.call("GET", "/_mtls/log")

    run = process.end()

    assert "PRIVATE" not in run.err + run.out + log.decode()
    assert "control" in run.err and "GenerateClientCertificate" in run.err
    assert (run.code, run.out, run.left) == (0, "", ())


def test_a_folder_of_the_user_s_own_is_left_alone(runs: Runs) -> None:
    root = runs.folder / "s3"
    (root / "bucket").mkdir(parents=True)
    process = Process(runs, "--s3-root", "s3")

    assert process.told["s3_root"] == str(root)
    assert process.end().code == 0
    assert (root / "bucket").is_dir()


def test_with_an_s3_server_there_is_no_folder(runs: Runs) -> None:
    process = Process(runs, "--s3-endpoint", "http://127.0.0.1:9000")

    assert process.told["s3_root"] is None
    assert process.end().code == 0


def test_options_reach_the_gateway(runs: Runs) -> None:
    (runs.folder / "authorizers.py").write_text("def allow(event, context): ...\n")
    function = ("--function", "auth=authorizers:allow", "--function", "far=http://127.0.0.1:9/x")
    process = Process(
        runs,
        *function,
        "--set",
        "linger_ms=7",
        "--set",
        "ca_names=strict",
        "--redeploy-required",
        "--resolve",
        "A.b=[::1]:5",
    )

    settings = json.loads(process.call("GET", "/_mtls/settings")[1])
    assert (settings["linger_ms"], settings["ca_names"], settings["redeploy_required"]) == (7, "strict", True)
    assert json.loads(process.call("GET", "/_mtls/functions/auth")[1]) == {"function": "authorizers:allow"}
    assert json.loads(process.call("GET", "/_mtls/functions/far")[1]) == {"url": "http://127.0.0.1:9/x"}
    assert process.call("DELETE", "/_mtls/resolve/a.b")[0] == 204
    assert process.end().code == 0


def test_it_listens_where_it_is_told(runs: Runs) -> None:
    process = Process(runs, "--host", "::1")

    assert process.told["endpoint"].startswith("http://[::1]:")
    assert process.call("GET", "/_mtls/health")[0] == 200
    assert process.end().code == 0


# --- the end under load


@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: stop.name)
def test_requests_in_flight_finish(runs: Runs, stop: signal.Signals) -> None:
    process = Process(runs)
    with held_backend() as (uri, asked, word), ThreadPoolExecutor(1) as pool:
        path = process.api(uri)
        answered = pool.submit(process.call, "GET", path)
        assert asked.wait(10)
        process.tell(stop)
        assert poll_until(lambda: not process.accepts(), 10)
        word.set()

        assert answered.result(10) == (200, b"ok")
    run = process.wait()
    assert (run.code, run.err, run.left) == (0, "", ())


def test_a_body_that_is_on_its_way_is_still_read(runs: Runs) -> None:
    process = Process(runs)
    address = ("127.0.0.1", urlsplit(process.told["endpoint"]).port or 0)
    body = json.dumps({"name": "x" * 1_000}).encode()
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(b"POST /restapis HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body))
        connection.sendall(body[:10])
        assert process.call("GET", "/_mtls/health")[0] == 200  # so the first piece was read before the signal
        process.tell(signal.SIGTERM)
        assert poll_until(lambda: not process.accepts(), 10)
        connection.sendall(body[10:])
        said = b"".join(iter(lambda: connection.recv(65_536), b""))

    assert said.startswith(b"HTTP/1.1 201 Created\r\n")
    assert b"\r\nConnection: close\r\n" in said
    assert process.wait().code == 0


@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: stop.name)
def test_a_second_signal_ends_it_at_once(runs: Runs, stop: signal.Signals) -> None:
    process = Process(runs, "--ready-file", "ready.json")
    with held_backend() as (uri, asked, _), ThreadPoolExecutor(1) as pool:
        path = process.api(uri)
        answered = pool.submit(process.call, "GET", path)
        assert asked.wait(10)
        process.tell(stop)
        assert poll_until(lambda: not process.accepts(), 10)
        run = process.end(stop)

        with pytest.raises((OSError, http.client.HTTPException)):
            answered.result(10)
    assert run.left == ()
    assert "Traceback" not in run.err
    assert list(runs.folder.iterdir()) == []


def test_a_second_signal_does_not_wait_for_the_grace() -> None:
    """The same without a clock: what would never stop by itself is given up, and may still put its files away."""
    put_away = []

    class Stuck:
        async def stop(self) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                put_away.append(True)

    async def both() -> None:
        hurry = asyncio.Event()
        hurry.set()
        async with asyncio.timeout(10):
            await foreground._stop(Stuck(), hurry)  # type: ignore[arg-type]

    asyncio.run(both())

    assert put_away == [True]


def test_traffic_until_the_end_is_answered_or_not_accepted(runs: Runs) -> None:
    """Clients that open a connection for each request: none that was accepted is cut off."""
    process = Process(runs)
    broken: list[Exception] = []
    stopped, busy = threading.Event(), threading.Barrier(5)

    def ask() -> None:
        busy.wait(10)
        while not stopped.is_set():
            try:
                assert process.call("GET", "/_mtls/health")[0] == 200
            except ConnectionRefusedError:
                return
            except Exception as error:
                broken.append(error)
                return

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        busy.wait(10)
        process.tell(signal.SIGTERM)
        for one in asking:
            one.result(20)
        stopped.set()
    run = process.wait()

    # the kernel resets what waits to be accepted when a listening socket closes
    assert [error for error in broken if not isinstance(error, ConnectionResetError)] == []
    assert (run.code, run.left) == (0, ())


# --- options that cannot be used

USAGE: dict[str, tuple[str, ...]] = {
    "an unknown option": ("--nonsense",),
    "a port that is none": ("--port", "http"),
    "a port that is too large": ("--tls-port", "70000"),
    "a region that is none": ("--region", "Europe!"),
    "an account that is none": ("--account-id", "123"),
    "both S3 options": ("--s3-root", ".", "--s3-endpoint", "http://localhost:9000"),
    "no such folder": ("--s3-root", "nothing"),
    "an S3 endpoint that is no URL": ("--s3-endpoint", "localhost:9000"),
    "no such PEM": ("--ca-bundle", "nothing.pem"),
    "a PEM that is none": ("--ca-bundle", "text.pem"),
    "a place without port": ("--resolve", "a.b=127.0.0.1"),
    "a place without name": ("--resolve", "=127.0.0.1:1"),
    "a function without target": ("--function", "auth"),
    "a function that is no callable": ("--function", "auth=module"),
    "a function with too large a port": ("--function", "auth=http://localhost:70000/"),
    "a function with a blank": ("--function", "auth=http://localhost/a b"),
    "a function with a line end": ("--function", "auth=http://localhost/\r"),
    "an unknown setting": ("--set", "nonsense=1"),
    "an unfit value": ("--set", "alert_status=200"),
    "a setting without value": ("--set", "linger_ms"),
    "a ready file in no folder": ("--ready-file", "nothing/ready.json"),
    "a ready file that is a folder": ("--ready-file", "."),
    "an empty ready file": ("--ready-file", ""),
    "an empty folder": ("--s3-root", ""),
    "a folder that is a file": ("--s3-root", "text.pem"),
    "an empty S3 endpoint": ("--s3-endpoint", ""),
    "an S3 endpoint with a port that is none": ("--s3-endpoint", "http://localhost:s3"),
    "an S3 endpoint with too large a port": ("--s3-endpoint", "http://localhost:90000"),
    "an S3 endpoint with credentials": ("--s3-endpoint", "http://me:secret@localhost:9000"),
    "an S3 endpoint with a query": ("--s3-endpoint", "http://localhost:9000/?secret=x"),
    "an empty port": ("--port", ""),
}


@pytest.mark.parametrize("arguments", USAGE.values(), ids=USAGE)
def test_what_cannot_be_used_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.pem").write_text("text")

    code = main(["gateway", *arguments])

    said = capsys.readouterr()
    assert (code, said.out) == (2, "")
    assert said.err.startswith("pytest-mtls: ")
    assert said.err.count("\n") == 1
    assert arguments[0].removeprefix("--") in said.err
    assert "secret" not in said.err


def test_one_port_for_both_is_in_use(runs: Runs) -> None:
    port = str(free_port())
    run = runs("gateway", "--port", port, "--tls-port", port)

    assert (run.code in (2, 3), run.out, run.left) == (True, "", ())
    assert run.err.startswith(f"pytest-mtls: --tls-port (127.0.0.1:{port}): expected an address to listen on")
    assert run.err.count("\n") == 1


@pytest.mark.parametrize("option", ["--port", "--tls-port"])
def test_a_port_in_use_is_said_in_one_line(runs: Runs, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        run = runs("gateway", option, str(port))

    assert (run.code in (2, 3), run.out, run.left) == (True, "", ())
    assert run.err == (
        f"pytest-mtls: {option} (127.0.0.1:{port}): expected an address to listen on, saw: Address already in use. "
        "Choose another one, or 0.\n"
    )


def test_whoever_does_not_read_the_line_ends_it(runs: Runs) -> None:
    process = runs.start("gateway")
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None

    run = runs.end(process, within=20)

    assert run.code == 3
    assert (run.left, "Traceback" in run.err) == ((), False)
