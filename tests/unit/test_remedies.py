"""Which server is at hand, and what it is told to change."""

from __future__ import annotations

import pytest

from pytest_mtls.harness.backend.target import Target
from pytest_mtls.harness.remedies import remedy_for, server_at_hand
from pytest_mtls.harness.scenario import catalogue

TRAP = catalogue()["rotation/both-old-first"]


def name_of(target: Target, header: str | None) -> str | None:
    server = server_at_hand(target, header)
    return None if server is None else server.name


@pytest.mark.parametrize(
    ("command", "header", "name"),
    [
        ("nginx -c nginx.conf", None, "nginx"),
        ("/usr/sbin/apache2 -DFOREGROUND", None, "apache"),
        ("httpd -X", None, "apache"),
        ("env A=b haproxy -f x.cfg", "uvicorn", "haproxy"),
        ("python3.11 server.py", None, "python"),
        ("python3 server.py", "uvicorn", "uvicorn"),
        ("python3 -m gunicorn app:wsgi", None, "gunicorn"),
        ("node server.js", None, "node"),
        ("node server.js", "nginx/1.22.1", "nginx"),
        ("java -jar app.jar", None, "java"),
        ("./server --port {port}", None, None),
        ("./server --port {port}", "Apache/2.4.71 (Debian)", "apache"),
    ],
)
def test_program_of_a_command_names_the_server(command: str, header: str | None, name: str | None) -> None:
    """Unless it only interprets another one; then the answers know better."""
    assert name_of(Target(kind="command", name=command), header) == name


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("nginx", "nginx"),
        ("lighttpd/1.4.69", "lighttpd"),
        ("Caddy", "caddy"),
        ("hypercorn-h11", "hypercorn"),
        ("granian", "granian"),
        ("BaseHTTP/0.6 Python/3.11.2", "python"),
        ("Python/3.11 aiohttp/3.14.5", "aiohttp"),
        ("Kestrel", None),
        ("", None),
        (None, None),
    ],
)
def test_server_header_names_a_server_that_runs_already(header: str | None, name: str | None) -> None:
    """Nothing else is known of it."""
    assert name_of(Target(kind="url", name="https://localhost/"), header) == name


@pytest.mark.parametrize("name", ["nginx", "nginx-pinned"])
def test_remedy_of_a_built_in_server_is_its_own(name: str) -> None:
    """A cure is told the same, under the server's name."""
    remedy = remedy_for(TRAP, Target(kind="server", name=name), "something else")

    assert remedy.startswith("nginx: ssl_verify_client optional_no_ca;")


def test_unknown_server_gets_the_general_remedy() -> None:
    """It names the ways out on several servers."""
    assert remedy_for(TRAP, Target(kind="url", name="https://localhost/"), None) == TRAP.remedy


def test_known_server_without_a_word_on_a_scenario_gets_the_general_remedy() -> None:
    """Nothing is made up."""
    scenario = catalogue()["server-identity/name-matches"]

    assert remedy_for(scenario, Target(kind="server", name="nginx"), None) == scenario.remedy
