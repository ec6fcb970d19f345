"""Values that are refused: numbers, paths, commands, URLs, certificates and keys that cannot be used."""

from __future__ import annotations

import re

import pytest

from pytest_mtls.harness.options import OPTIONS

from .refusals import URL, Refuse, table

HTTPS = r"expected https://HOST\[:PORT\]/PATH"
WITH_PORT = f"{HTTPS} with a port from 1 to 65535"


@pytest.mark.parametrize("option", ["reload-within", "start-within", "timeout"])
@pytest.mark.parametrize("value", ["soon", "0", "-1", "nan", "inf", "3601", "1,5"])
def test_seconds_have_to_be_seconds(refuse: Refuse, option: str, value: str) -> None:
    """Anything else than a number in reach is refused."""

    assert refuse(f"check --command true --{option}={value}") == (
        f"--{option} ({value}): expected seconds, more than 0 and at most 3600. Give a number."
    )


@pytest.mark.parametrize("option", ["accept-status", "reject-status"])
@pytest.mark.parametrize("value", ["OK", "20x", "99", "600", "200,", "200 201", "²00"])
def test_statuses_have_to_be_statuses(refuse: Refuse, option: str, value: str) -> None:
    """Anything else than numbers from 100 to 599 with commas between them is refused."""

    assert refuse(f"check --{option}='{value}'") == (
        f"--{option} ({value}): expected HTTP statuses such as 401,403. Separate them by commas."
    )


@pytest.mark.parametrize("value", ["health", "/two words", "/\x01", "/grün"])
def test_a_path_has_to_be_one_that_can_be_sent(refuse: Refuse, value: str) -> None:
    """What cannot stand in a request line is refused."""

    assert refuse(f"check --path '{value}'") == (
        f"--path ({value}): expected a path that begins with / and has no blanks. Percent-encode the rest."
    )


@pytest.mark.parametrize("option", [one for one in OPTIONS if not one.is_flag], ids=lambda one: one.name)
def test_an_empty_value_is_refused(refuse: Refuse, option: object) -> None:
    """A variable that was not set must not lead to another backend's being judged, nor to another selection."""

    name, metavar = getattr(option, "name"), getattr(option, "metavar")  # noqa: B009 - parametrize gives objects
    assert refuse(f"check --{name}=''") == (
        f"--{name}: expected {metavar}, saw an empty value. Give one, or leave it out."
    )


@pytest.mark.parametrize("name", ["host", "port", "server-cert", "server-key", "truststore"])
def test_an_empty_value_is_refused_by_backend_too(refuse: Refuse, name: str) -> None:
    """To serve whom nobody named would be worse than not to serve."""

    assert refuse(f"backend --{name}=''") == f"--{name}: expected a value, saw an empty one. Give one, or leave it out."


@table(
    ("command", "message"),
    (
        "check --command no-such-server",
        r"--command \(no-such-server\): expected a program that can be run, saw none\. "
        r"Check the name, or give its full path\.",
    ),
    (
        "check --command './notes.txt --port 1'",
        r"--command \(\./notes\.txt\): expected a program that can be run, saw a file that is not executable\. "
        r"Make it so \(chmod \+x\), or name its interpreter first\.",
    ),
    (
        "check --command ./folder",
        r"--command \(\./folder\): expected a program that can be run, saw .*\. Make it so .*",
    ),
    (
        'check --command "node \'server.js"',
        r"--command \(node 'server\.js\): expected a command line, saw No closing quotation\. Check the quotes\.",
    ),
    ("check --command ' '", r"--command: expected a command line, saw nothing\. Give the command .*"),
    (
        "check --command 'true {truststor}'",
        r"--command: unknown placeholder \{truststor\}: expected one of .*\. Did you mean \{truststore\}\?",
    ),
    (
        "check --command true --reload 'command:kill {prot}'",
        r"--reload command: unknown placeholder \{prot\}: expected one of .*\. Did you mean \{port\}\?",
    ),
)
def test_a_command_that_cannot_work_is_refused(refuse: Refuse, command: str, message: str) -> None:
    """The message has what is wrong with it, and nothing was started."""

    assert re.fullmatch(message, refuse(command))


@table(
    ("url", "message"),
    ("http://localhost/", rf"{HTTPS}, saw http\. mTLS needs https\."),
    ("localhost:8443", rf"{HTTPS}, saw localhost\. mTLS needs https\."),
    ("//localhost/", rf"{HTTPS}, saw no scheme\. mTLS needs https\."),
    ("https://", rf"{HTTPS}, saw no host\. mTLS needs https\."),
    ("https://:8443/", rf"{HTTPS}, saw no host\. mTLS needs https\."),
    ("https://localhost:0/", rf"{WITH_PORT}, saw 0\. Correct the port\."),
    ("https://localhost:99999/", rf"{WITH_PORT}, saw: Port out of range 0-65535\. Correct the URL\."),
    ("https://localhost:abc/", rf"{WITH_PORT}, saw: Port could not be cast .*\. Correct the URL\."),
    ("https://[::1/", rf"{WITH_PORT}, saw: Invalid IPv6 URL\. Correct the URL\."),
    ("https://a..b/", rf"{HTTPS}, saw a host that no name can have\. Correct the host\."),
    (f"https://{'a' * 64}.test/", rf"{HTTPS}, saw a host that no name can have\. Correct the host\."),
    ("https://localhost/two words", rf"{HTTPS} in ASCII without blanks, saw others\. Percent-encode .*"),
    ("https://bücher.test/", rf"{HTTPS} in ASCII without blanks, saw others\. .* write the host as xn--…\."),
)
def test_a_url_that_cannot_be_called_is_refused(refuse: Refuse, url: str, message: str) -> None:
    """The message has the URL and what is wrong with it."""

    said = refuse(f"check --url '{url}' --client-cert client.pem --client-key client.key")
    assert re.fullmatch(rf"--url \({re.escape(url)}\): {message}", said)


def test_a_password_in_a_url_is_refused_and_not_repeated(refuse: Refuse) -> None:
    """The request would not send it, and reports would show it."""

    said = refuse("check --url https://user:hunter2@localhost/ --client-cert client.pem --client-key client.key")
    assert said == "--url: expected no user name or password in the URL, saw one for localhost. Leave it out."


@table(
    ("certificate", "key", "message"),
    (
        "none.pem",
        "client.key",
        r"client certificate \(none\.pem\): .*, saw: No such file or directory\. Check the path\.",
    ),
    ("folder", "client.key", r"client certificate \(folder\): .*, saw: Is a directory\. Check the path\."),
    (
        "garbage.pem",
        "client.key",
        r"client certificate \(garbage\.pem\): expected PEM certificates, saw none that can be parsed \(.*\)\. Give .*",
    ),
    (
        "empty.pem",
        "client.key",
        r"client certificate \(empty\.pem\): expected PEM certificates, saw none .*\. Give .*",
    ),
    ("cut.pem", "client.key", r"client certificate \(cut\.pem\): expected PEM certificates, saw none .*\. Give .*"),
    ("client.pem", "none.key", r"private key \(none\.key\): .*, saw: No such file or directory\. Check the path\."),
    ("client.pem", "client.pem", r"private key \(client\.pem\): expected a PEM private key, saw none .*\. Give .*"),
    (
        "client.pem",
        "other.key",
        r"private key \(other\.key\): expected the key of the certificate in client\.pem, saw another one\. Give .*",
    ),
    (
        "client.pem",
        "encrypted.key",
        r"private key \(encrypted\.key\): expected an unencrypted key, saw an encrypted one\. Decrypt a copy .*",
    ),
    (
        "ed25519.pem",
        "ed25519.key",
        r"private key \(ed25519\.key\): expected RSA or EC, saw Ed25519PrivateKey\. Give .*",
    ),
)
def test_a_client_certificate_that_cannot_be_presented_is_refused(
    refuse: Refuse, certificate: str, key: str, message: str
) -> None:
    """The message has the file and what to do about it; no link to somebody's documentation, and no key."""

    said = refuse(f"check --url https://localhost:1/ --client-cert {certificate} --client-key {key}")
    assert re.fullmatch(message, said)
    assert "http" not in said


@table(
    ("file", "message"),
    (
        "none.pem",
        r"--server-ca \(none\.pem\): expected a readable PEM file, saw: No such file .*\. Check the path\.",
    ),
    (
        "garbage.pem",
        r"--server-ca \(garbage\.pem\): expected PEM certificates, saw none that can be parsed .*\. Give .*",
    ),
)
def test_an_unreadable_server_ca_is_refused(refuse: Refuse, file: str, message: str) -> None:
    """To go on without it would mean to talk to anybody."""

    assert re.fullmatch(message, refuse(f"{URL} --server-ca {file}"))
