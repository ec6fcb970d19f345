"""Waiting, with a clock and pauses of our own."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pytest_mtls.harness.wait import poll_until


class Time:
    """A clock that moves only by the pauses of who waits, and remembers them."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    @property
    def rounded_pauses(self) -> list[float]:
        """The pauses to the microsecond."""
        return [round(pause, 6) for pause in self.pauses]

    def monotonic(self) -> float:
        """The present moment."""
        return self.now

    def wait(self, seconds: float) -> bool:
        """Let *seconds* pass at once."""
        self.pauses.append(seconds)
        self.now += seconds
        return False


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    """The time that ``poll_until`` sees."""
    fake = Time()
    monkeypatch.setattr("pytest_mtls.harness.wait.time", SimpleNamespace(monotonic=fake.monotonic))
    event = SimpleNamespace(wait=fake.wait)
    monkeypatch.setattr("pytest_mtls.harness.wait.threading", SimpleNamespace(Event=lambda: event))
    return fake


def test_what_is_true_at_once_costs_no_time(time: Time) -> None:
    """No pause comes before the first question."""

    assert poll_until(lambda: True, 5)
    assert time.pauses == []


def test_what_becomes_true_is_told(time: Time) -> None:
    """The answer comes with the first question after it became true."""

    assert poll_until(lambda: time.now >= 1000.5, 5)
    assert time.now < 1000.5 + 0.1


def test_what_never_becomes_true_is_told_at_the_deadline(time: Time) -> None:
    """It gives up when the time has passed, neither before nor after."""

    assert not poll_until(lambda: False, 5)
    assert round(time.now, 6) == 1005


@pytest.mark.parametrize("seconds", [0, -1])
def test_without_any_time_it_asks_once(time: Time, seconds: float) -> None:
    """The condition is asked at least once, also when the deadline has passed already."""

    answers = iter([True])
    assert poll_until(lambda: next(answers), seconds)


def test_what_becomes_true_in_the_last_pause_is_still_seen(time: Time) -> None:
    """The last question comes at the deadline, after the last pause."""

    assert poll_until(lambda: time.now >= 1001, 1)


def test_pauses_grow_up_to_the_longest(time: Time) -> None:
    """Quick answers are found quickly, slow ones without asking all the time."""

    poll_until(lambda: False, 10, first=0.01, longest=0.03)
    assert time.rounded_pauses[:5] == [0.01, 0.015, 0.0225, 0.03, 0.03]


def test_no_pause_outlasts_the_deadline(time: Time) -> None:
    """The last pause is as long as the time that is left."""

    poll_until(lambda: False, 0.25, first=0.1, longest=0.1)
    assert time.rounded_pauses == [0.1, 0.1, 0.05]


def test_a_condition_that_fails_is_not_asked_again(time: Time) -> None:
    """Its error is the caller's, not a reason to wait."""

    def fail() -> bool:
        raise LookupError("it is gone")

    with pytest.raises(LookupError, match="it is gone"):
        poll_until(fail, 5)
    assert time.pauses == []
