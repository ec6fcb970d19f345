"""Shared by all tests: pytest's own fixture for testing plugins."""

import pytest

pytest_plugins = ["pytester"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread the checks of real servers, which take ten seconds each, so that no worker of xdist is left with all of them."""
    slow = [item for item in items if "test_known_findings" in item.nodeid]
    others = [item for item in items if "test_known_findings" not in item.nodeid]
    step = len(others) // (len(slow) + 1)
    for number, item in enumerate(slow):
        others.insert(number * (step + 1), item)
    items[:] = others
