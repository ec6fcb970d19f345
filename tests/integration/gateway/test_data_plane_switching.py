"""A stage's certificate is switched while traffic flows: who presents what, from when on, over which connection."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from pytest_mtls.harness.gateway.gateway import Options
from pytest_mtls.harness.pki.authority import new_hierarchy, server_credential
from pytest_mtls.harness.wait import poll_until

from ..dialogue import Dialogue, Gone
from ..peers import server_context
from .running import OK, Got, Running, running

HIERARCHY = new_hierarchy(1)
STAGE = "/clientCertificateId"


class Observer:
    """A TLS backend that takes any certificate and remembers, for each request, whose it was."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int | None]] = []
        """The number of the connection, and the serial of the certificate that was presented on it."""
        self.held, self.let_go = threading.Event(), threading.Event()
        self._context = server_context(server_credential(hierarchy=HIERARCHY))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://localhost:{self._listener.getsockname()[1]}/"
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                raw, _ = self._listener.accept()
                self._open.append(raw)
                self._threads.append(threading.Thread(target=self._serve, args=(raw, len(self._open))))
                self._threads[-1].start()

    def _serve(self, raw: socket.socket, number: int) -> None:
        with raw, suppress(Gone, OSError):
            dialogue = Dialogue(raw, self._context)
            dialogue.shake_hands()
            serial = dialogue.chain[0].serial_number if dialogue.chain else None
            while True:
                request = dialogue.read_request()
                self.seen.append((number, serial))
                if b"/hold" in request:
                    self.held.set()
                    assert self.let_go.wait(10)
                dialogue.say(OK)

    def end(self) -> None:
        """Close everything."""
        self.let_go.set()
        for one in (self._listener, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)


@pytest.fixture(scope="module")
def shared() -> Iterator[Running]:
    """One gateway for all."""
    with running(Options(ca_bundle=(HIERARCHY.root,), platform_trust=False)) as one:
        yield one


@pytest.fixture
def gateway(shared: Running) -> Iterator[Running]:
    """As after its start."""
    yield shared
    assert shared.manage("POST", "reset").status == 204


@pytest.fixture
def observer(gateway: Running) -> Iterator[Observer]:
    """A backend."""
    one = Observer()
    yield one
    one.end()


class Stage:
    """An API's stage in front of the observer, and two certificates."""

    def __init__(self, gateway: Running, observer: Observer) -> None:
        self._gateway, self._observer = gateway, observer
        self.api = gateway.api(f"{observer.url}{{proxy}}")
        self.old, self.new = self.certificate(), self.certificate()
        self.show(self.old)

    def certificate(self) -> str:
        """A fresh one."""
        return str(self._gateway.perform("GenerateClientCertificate")["clientCertificateId"])

    def show(self, certificate: str) -> None:
        """Attach it; nothing detaches."""
        operation = {"op": "replace", "path": STAGE, "value": certificate}
        self._gateway.perform("UpdateStage", restApiId=self.api, stageName="prod", patchOperations=[operation])

    def call(self, path: str = "/x") -> Got:
        """A request through the gateway."""
        return self._gateway.call("GET", self._gateway.path(self.api, path))

    def presents(self) -> str | None:
        """Whose certificate a request goes out with, by the backend; gateway and backend must agree."""
        assert self.call().body == b"ok"
        serial = self._observer.seen[-1][1]
        tls = self._gateway.log()[-1]["tls"]
        for name in (self.old, self.new):
            credential = self._gateway.gateway.state.credential(name)
            if credential is not None and credential.leaf.serial_number == serial:
                assert tls["presented"] == name
                return name
        assert (tls["presented"], tls["not_presented"], serial) == (None, "none-configured", None)
        return None


@pytest.fixture
def stage(gateway: Running, observer: Observer) -> Stage:
    """A stage that shows the old certificate."""
    return Stage(gateway, observer)


def connections(gateway: Running) -> list[str | None]:
    """What the open connections present."""
    return [one["presented"] for one in gateway.manage("GET", "connections").json["connections"]]


def test_a_switch_counts_for_every_request_after_the_answer(gateway: Running, observer: Observer, stage: Stage) -> None:
    assert stage.presents() == stage.presents() == stage.old
    stage.show(stage.new)
    assert stage.presents() == stage.presents() == stage.new
    stage.show("")
    assert stage.presents() is None

    assert [number for number, _ in observer.seen] == [1, 1, 2, 2, 3]


def test_idle_connections_with_a_certificate_that_nobody_uses_are_closed(gateway: Running, stage: Stage) -> None:
    stage.presents()
    assert connections(gateway) == [stage.old]

    stage.show(stage.new)

    assert poll_until(lambda: connections(gateway) == [], 1)


def test_a_request_in_flight_finishes_on_the_old_certificate(
    gateway: Running, observer: Observer, stage: Stage
) -> None:
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(stage.call, "/hold")
        assert observer.held.wait(10)
        stage.show(stage.new)
        assert stage.presents() == stage.new
        observer.let_go.set()
        assert held.result(10).body == b"ok"

    assert poll_until(lambda: connections(gateway) == [stage.new], 1)


def test_other_stages_keep_their_connections(gateway: Running, observer: Observer, stage: Stage) -> None:
    other = Stage(gateway, observer)
    other.presents()
    stage.show(stage.new)
    stage.presents()

    assert other.presents() == other.old
    assert connections(gateway) == [other.old, stage.new]
    assert len({number for number, _ in observer.seen}) == 2


def test_stages_without_certificate_present_nothing_while_others_do(
    gateway: Running, observer: Observer, stage: Stage
) -> None:
    bare = Stage(gateway, observer)
    bare.show("")

    assert (stage.presents(), bare.presents(), stage.presents()) == (stage.old, None, stage.old)


def test_a_switch_may_need_a_deployment(gateway: Running, stage: Stage) -> None:
    gateway.manage("PATCH", "settings", {"redeploy_required": True})
    stage.show(stage.new)

    shown = gateway.perform("GetStage", restApiId=stage.api, stageName="prod")["clientCertificateId"]
    assert (shown, stage.presents()) == (stage.new, stage.old)

    gateway.perform("CreateDeployment", restApiId=stage.api, stageName="prod")
    assert stage.presents() == stage.new


def test_a_switch_may_take_its_time_and_then_old_connections_are_closed(gateway: Running, stage: Stage) -> None:
    gateway.manage("PATCH", "settings", {"propagation_ms": 3_000})
    assert poll_until(lambda: stage.presents() == stage.old, 10)  # that was a switch too
    assert poll_until(lambda: stage.old in connections(gateway), 1)

    stage.show(stage.new)

    assert stage.presents() == stage.old
    assert stage.old in connections(gateway)
    assert poll_until(lambda: stage.old not in connections(gateway), 10)  # nobody asks meanwhile
    assert stage.presents() == stage.new


def test_old_connections_may_linger(gateway: Running, observer: Observer, stage: Stage) -> None:
    gateway.manage("PATCH", "settings", {"linger_ms": 600_000})
    stage.presents()
    stage.show(stage.new)

    assert stage.presents() == stage.old
    assert {number for number, _ in observer.seen} == {1}


def test_under_traffic_no_request_fails_and_none_goes_back(gateway: Running, observer: Observer, stage: Stage) -> None:
    """Four callers ask all the time, while the stage goes from one certificate to the next.

    Each request goes out with a certificate that was in force at some moment between its beginning and its end.
    """
    certificates = [stage.old, *(stage.certificate() for _ in range(12))]
    stopped = threading.Event()
    begun = done = 0

    def ask() -> list[tuple[Got, int, int]]:
        asked = []
        while not stopped.is_set():
            earliest = done
            answered = stage.call()
            asked.append((answered, earliest, begun))
        return asked

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        try:
            for number, certificate in enumerate(certificates[1:], start=1):
                before = len(observer.seen)
                begun = number
                stage.show(certificate)
                done = number
                assert poll_until(_more(observer, before + 4), 10)
        finally:
            stopped.set()
        asked = [one for caller in asking for one in caller.result(10)]

    logged = {entry["request_id"]: entry["tls"]["presented"] for entry in gateway.log()}
    assert {answered.status for answered, _, _ in asked} == {200}
    for answered, earliest, latest in asked:
        presented = logged[answered["x-amzn-RequestId"]]
        assert earliest <= certificates.index(presented) <= latest
    credentials = {name: gateway.gateway.state.credential(name) for name in certificates}
    serials = {name: one.leaf.serial_number for name, one in credentials.items() if one is not None}
    assert Counter(serial for _, serial in observer.seen) == Counter(serials[name] for name in logged.values())


def _more(observer: Observer, wanted: int) -> Callable[[], bool]:
    return lambda: len(observer.seen) >= wanted
