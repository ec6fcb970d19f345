"""Options that are refused: words that are not known, and options that do not go together."""

from __future__ import annotations

import re

import pytest

from pytest_mtls.harness.backend import server

from .refusals import URL, Refuse, table

# --- words that are not known


@table(
    ("command", "message"),
    (
        "check --server nod",
        r"--server \(nod\): expected one of .*node.*\. Did you mean node\? Or start yours by .*",
    ),
    ("check --server x", r"--server \(x\): expected one of .*reference.*\. Or start yours by --command\."),
    (
        "check --fault dn-onli",
        r"--fault \(dn-onli\): expected one of .*\. Did you mean dn-only\? See 'pytest-mtls backend --list-faults'\.",
    ),
    ("backend --fault dn-onli", r"--fault \(dn-onli\): expected one of .*\. Did you mean dn-only\? See .*"),
    (
        "check --scenario trust/gatewy-certificate",
        r"--scenario \(trust/gatewy-certificate\): no scenario of that id\. "
        r"Did you mean trust/gateway-certificate\? See 'pytest-mtls scenarios'\.",
    ),
    (
        "check --scenario 'turst/*'",
        r"--scenario \(turst/\*\): no scenario of that id\..* See 'pytest-mtls scenarios'\.",
    ),
    ("check --profile gatway", r"--profile \(gatway\): expected one of gateway, .*, all\. Did you mean gateway\?"),
    ("check --profile private_ca", r"--profile \(private_ca\): expected one of .*\. Did you mean private-ca\?"),
    ("check --tls 1.1", r"--tls \(1\.1\): expected 1\.2 or 1\.3\. Older versions are not probed\."),
    ("check --level most", r"--level \(most\): expected one of must, should, info\. Did you mean must\?"),
    (
        "check --capability live-relod",
        r"--capability \(live-relod\): expected one of .*\. Did you mean live-reload\?",
    ),
    (
        "check --command true --reload sometimes",
        r"--reload \(sometimes\): expected restart, signal:NAME, command:CMD or watch\. Choose one of these\.",
    ),
    (
        "check --command true --reload signal:HIP",
        r"--reload \(signal:HIP\): expected a signal's name as in signal:HUP, saw HIP\. See 'kill -l'\.",
    ),
    ("check --command true --reload signal:", r"--reload \(signal:\): expected a signal's name .*, saw none\. .*"),
    ("check --command true --reload command:", r"--reload command: expected a command line, saw nothing\. .*"),
)
def test_an_unknown_word_is_named_with_the_known_ones(refuse: Refuse, command: str, message: str) -> None:
    """The message has the option, the word, what there is, and the word that was probably meant."""

    assert re.fullmatch(message, refuse(command))


def test_a_server_that_is_not_installed_is_named_with_its_package(
    refuse: Refuse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not the same as an unknown server."""

    monkeypatch.setattr(server, "find_program", lambda _: None)
    assert re.fullmatch(
        r"--server \(nginx\): expected the program 'nginx', which is not installed\. On Debian: apt-get install nginx\S*\.",
        refuse("check --server nginx"),
    )


# --- options that do not go together


@table(
    ("command", "message"),
    (
        "check --url https://localhost/ --command true",
        r"--command with --url: expected one target, saw 2\. Leave one out\.",
    ),
    (
        "check --server node --command true",
        r"--command with --server: expected one target, saw 2\. Leave one out\.",
    ),
    (
        "check --fault dn-only --server nginx",
        r"--fault \(dn-only\): expected --server reference with it, saw --server nginx\. "
        r"Leave it out, or change the target\.",
    ),
    (
        "check --fault dn-only --command true",
        r"--fault \(dn-only\): expected .*, saw --command\. Leave it out, or .*",
    ),
    (
        "check --client-cert a.pem",
        r"--client-cert \(a\.pem\): expected --url with it, saw no target\. Leave it out, or .*",
    ),
    (
        "check --client-key a.key --command true",
        r"--client-key \(a\.key\): expected --url with it, saw --command\. .*",
    ),
    (
        "check --server-ca a.pem --server node",
        r"--server-ca \(a\.pem\): expected --url with it, saw --server node\. .*",
    ),
    (
        "check --reload watch",
        r"--reload \(watch\): expected --command or --server with it, saw no target\. Leave it out, or .*",
    ),
    (
        "check --server reference --reload watch",
        r"--reload \(watch\): .*, saw --server reference\. Leave it out, or .*",
    ),
    (f"{URL} --reload signal:HUP", r"--reload \(signal:HUP\): expected --command or --server .*, saw --url\. .*"),
    (f"{URL} --reload-within 1", r"--reload-within \(1\): expected .* with it, saw --url\. Leave it out, or .*"),
    (f"{URL} --start-within 1", r"--start-within \(1\): expected .* with it, saw --url\. Leave it out, or .*"),
    (
        "check --url https://localhost/ --client-cert a.pem",
        r"--url \(https://localhost/\): expected --client-key too\. Give the certificate .*, and its key\.",
    ),
    ("check --url https://localhost/", r"--url \(https://localhost/\): expected --client-cert too\. Give .*"),
    (
        "check --accept-status 200,403 --reject-status 403",
        r"--accept-status and --reject-status \(403\): expected different statuses\. Name it in one of them\.",
    ),
    (
        "check --profile private-ca --scenario rotation/both-old-first",
        r"no scenario is left by --profile, --scenario and --level together\. Loosen one; see 'pytest-mtls scenarios'\.",
    ),
    ("check --json a --junit ./a", r"--json and --junit \(a\): expected two files, saw one\. Give another name .*"),
    (
        "backend --server-cert client.pem",
        r"--server-cert with --server-key: expected both or neither\. Give the other one too\.",
    ),
)
def test_options_that_mean_nothing_together_are_refused(refuse: Refuse, command: str, message: str) -> None:
    """Somebody would rely in vain on an option that was silently left out."""

    assert re.fullmatch(message, refuse(command))
