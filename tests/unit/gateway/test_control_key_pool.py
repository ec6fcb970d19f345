"""Keys made in advance: at once when there are some, never the same twice, and a thread that ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from pytest_mtls.harness.pki.key_pool import KeyPool
from pytest_mtls.harness.pki.keys import new_rsa_key
from pytest_mtls.harness.wait import poll_until

_SECONDS = 20


class Maker:
    """Makes keys, small ones, and says how often; can be told to wait."""

    def __init__(self) -> None:
        self.made = 0
        self.may = threading.Event()
        self.may.set()

    def __call__(self) -> rsa.RSAPrivateKey:
        assert self.may.wait(_SECONDS)
        self.made += 1
        return new_rsa_key(1024)


@pytest.fixture
def maker() -> Maker:
    """A fresh one."""
    return Maker()


@pytest.fixture
def pool(maker: Maker) -> Iterator[KeyPool]:
    """A pool of three keys."""
    pool = KeyPool(3, maker)
    yield pool
    maker.may.set()
    pool.close()


def test_no_key_is_made_before_one_is_wanted(pool: KeyPool, maker: Maker) -> None:
    """A gateway that makes no certificates costs nothing."""

    assert (pool.ready, maker.made) == (0, 0)


def test_pool_fills_up_and_no_further(pool: KeyPool, maker: Maker) -> None:
    """Three ready, and then the thread waits."""
    pool.start()

    assert poll_until(lambda: pool.ready == 3, _SECONDS)
    assert maker.made == 3


def test_ready_key_is_taken_without_making_one(pool: KeyPool, maker: Maker) -> None:
    """That is what the pool is for."""
    pool.start()
    assert poll_until(lambda: pool.ready == 3, _SECONDS)
    maker.may.clear()  # whoever makes a key now waits
    keys = [pool.take() for _ in range(3)]

    assert len({key.private_numbers().p for key in keys}) == 3


def test_pool_is_filled_again_after_use(pool: KeyPool) -> None:
    """The next rotation is as quick."""
    pool.take()

    assert poll_until(lambda: pool.ready == 3, _SECONDS)
    pool.take()
    assert poll_until(lambda: pool.ready == 3, _SECONDS)


def test_many_keys_in_a_row_are_all_fresh(pool: KeyPool) -> None:
    """More than there are in stock."""
    keys = [pool.take() for _ in range(20)]

    assert len({key.private_numbers().p for key in keys}) == 20


def test_closed_pool_has_no_thread_and_still_gives_keys(pool: KeyPool) -> None:
    """It ends with the gateway, after the key that it is at."""
    others = set(threading.enumerate())
    pool.take()
    pool.close()

    assert set(threading.enumerate()) <= others
    assert (pool.ready, pool.take().key_size) == (0, 1024)


def test_pool_that_was_never_used_can_be_closed(pool: KeyPool) -> None:
    """And does not start afterwards."""
    pool.close()
    pool.start()

    assert pool.ready == 0
