"""``--config``: a team's own configuration of a built-in server."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from pytest_mtls.harness.backend.servers import servers

from .checks import PROGRAM, finished, require_server

NGINX = """\
user root;
events {}
http {
  include snippets/*.conf;
  server {
    listen 127.0.0.1:{port} ssl;
    include tls.conf;
    ssl_certificate {server_cert};
    ssl_certificate_key {server_key};
    ssl_client_certificate {truststore};
    ssl_verify_client VERIFY;
    location / { return 200 "${scheme} ours\\n"; }
  }
}
"""


def check(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command's end, its output without line breaks."""
    return finished(folder, PROGRAM, "check", *arguments, within=120)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the team's files lie, with a blank in its name."""
    folder = tmp_path / "our files"
    (folder / "snippets").mkdir(parents=True)
    (folder / "snippets" / "log.conf").write_text("access_log off;\n")
    (folder / "tls.conf").write_text("ssl_session_tickets off;\n")
    return folder


@pytest.mark.parametrize(("verify", "code"), [("on", 0), ("optional", 1)])
def test_own_nginx_configuration_is_judged_with_what_it_includes(folder: Path, verify: str, code: int) -> None:
    """It needs no word on the foreground or the pid file, and is found wanting where it is."""
    require_server("nginx")
    (folder / "nginx.conf").write_text(NGINX.replace("VERIFY", verify))
    run = check(folder, "--server", "nginx", "--config", "nginx.conf", "--scenario", "presence/no-certificate")

    assert run.returncode == code, run.stdout + run.stderr
    if code:
        assert "nginx: ssl_verify_client on; in every server block" in " ".join(run.stdout.split())
        assert "--server nginx --config nginx.conf" in run.stdout


def test_configuration_of_the_machine_leaves_its_pid_file_alone(folder: Path) -> None:
    """As distributions ship it: in the background, with a pid file, and paths below the compiled prefix."""
    require_server("nginx")
    pid = folder / "machine.pid"
    site = NGINX.replace("VERIFY", "on").replace('return 200 "${scheme} ours\\n";', "root html;")
    (folder / "nginx.conf").write_text(f'daemon on;\npid "{pid}";\n{site}')
    run = check(folder, "--server", "nginx", "--config", "nginx.conf", "--scenario", "presence/no-certificate")

    assert run.returncode == 0, run.stdout + run.stderr
    assert not pid.exists()


@pytest.mark.parametrize(
    ("name", "theirs", "ours"),
    [
        ("nginx", ["  pid /run/nginx.pid; # here", "daemon on;"], ["daemon off;", "pid nginx.pid;"]),
        ("apache", ["PIDFILE /run/httpd.pid", "DefaultRuntimeDir /run"], ["PidFile", "DefaultRuntimeDir"]),
        ("stunnel", ["pid = /run/stunnel.pid", "foreground=no"], ["pid =", "foreground = yes"]),
        ("lighttpd", ['server.pid-file             = "/run/lighttpd.pid"'], []),
    ],
)
def test_what_would_touch_the_machine_s_own_server_is_overruled(name: str, theirs: list[str], ours: list[str]) -> None:
    """Once, and the lines of the rest keep their numbers, or follow ours."""
    config = servers()[name].config
    assert config is not None
    own = [line for line in config.complete("\n".join(["first", *theirs, "last"])).split("\n") if line]

    assert not any("/run" in line or line.endswith(("on;", "no")) for line in own)
    assert [sum(line.startswith(one) for line in own) for one in ours] == [1] * len(ours)
    assert {"first", "last"} <= set(own)


def test_configuration_that_the_server_refuses_is_told_in_its_words(folder: Path) -> None:
    """The log's last lines are the reason."""
    require_server("nginx")
    (folder / "nginx.conf").write_text(NGINX.replace("VERIFY", "perhaps"))
    run = check(folder, "--server", "nginx", "--config", "nginx.conf", "--scenario", "presence/no-certificate")

    assert run.returncode == 3
    assert 'invalid value "perhaps"' in " ".join(run.stdout.split())


@pytest.mark.parametrize("name", sorted(name for name, one in servers().items() if one.config))
def test_stock_configuration_holds_the_placeholders_that_a_team_must_keep(name: str) -> None:
    """What is asked of others holds for ours."""
    config = servers()[name].config
    assert config is not None

    assert [one for one in config.required if f"{{{one}}}" not in config.stock] == []
    assert config.complete(config.stock).endswith(config.stock)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--server", "nginx", "--config", "none.conf"), r"--config \(none\.conf\): .*No such file.*"),
        (
            ("--server", "nginx", "--config", "tls.conf"),
            r"--config \(tls\.conf\): expected the placeholder \{port\} in it, saw none\. "
            r"Put it where your file names the port to listen on\.",
        ),
        (
            ("--server", "nginx", "--config", "misspelt.conf"),
            r"--config \(misspelt\.conf\): unknown placeholder \{trustsore\}: .* Did you mean \{truststore\}\?",
        ),
        (("--server", "nginx", "--config", "binary.conf"), r"--config \(binary\.conf\): expected text in UTF-8, .*"),
        (
            ("--server", "python", "--config", "tls.conf"),
            r"--config \(tls\.conf\): expected a server that has a configuration file \(apache, .*\), saw --server python\. "
            r"Start your own program by --command\.",
        ),
        (("--command", "true", "--config", "tls.conf"), r"--config \(tls\.conf\): expected --server with it, saw .*"),
    ],
)
def test_configuration_that_cannot_be_used_is_one_clear_line(
    folder: Path, arguments: tuple[str, ...], message: str
) -> None:
    """Exit code 2."""
    if "nginx" in arguments:
        require_server("nginx")
    (folder / "misspelt.conf").write_text("listen {port}; ssl_client_certificate {trustsore};")
    (folder / "binary.conf").write_bytes(b"listen \xff;")
    run = check(folder, *arguments)

    assert run.returncode == 2
    assert re.fullmatch(f"pytest-mtls: {message}\n", run.stderr), run.stderr
