"""Kits of each depth, made once for all tests beside this file."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from pytest_mtls.harness.kit import Kit, write_kit


@pytest.fixture(scope="module", params=[1, 2, 3, 4], ids="depth-{}".format)
def kit(request: pytest.FixtureRequest, kit_of: Callable[[int], Kit]) -> Kit:
    """A kit of each depth."""
    depth: int = request.param
    return kit_of(depth)


@pytest.fixture(scope="session")
def kit_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Kit]:
    """Makes the kit of a depth, once."""
    folder = tmp_path_factory.mktemp("kits")

    @cache
    def make(depth: int) -> Kit:
        return write_kit(folder / str(depth), depth=depth)

    return make


@pytest.fixture
def small(kit_of: Callable[[int], Kit]) -> Kit:
    """A kit of depth 1."""
    return kit_of(1)
