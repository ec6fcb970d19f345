"""The words of ``--command``: split as a shell would, with placeholders filled in, and no shell."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_mtls.harness.backend.contract import Material
from pytest_mtls.harness.backend.process import fill_in, split_command
from pytest_mtls.harness.errors import UsageError


@pytest.fixture
def material() -> Material:
    """Material of which only the values matter."""
    return Material(Path("/material of one"), "127.0.0.1", 20443)


# --- splitting


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("serve", ["serve"]),
        ("  serve   --port 1  ", ["serve", "--port", "1"]),
        ("serve 'two words' \"and two\"", ["serve", "two words", "and two"]),
        (r"serve a\ b", ["serve", "a b"]),
        ("serve ''", ["serve", ""]),
        ("serve $HOME *.pem ; rm x && y | z", ["serve", "$HOME", "*.pem", ";", "rm", "x", "&&", "y", "|", "z"]),
        ("serve # not a comment", ["serve", "#", "not", "a", "comment"]),
        ("serve\n--port\n1", ["serve", "--port", "1"]),
    ],
)
def test_a_command_is_split_without_a_shell(command: str, words: list[str]) -> None:
    """Quotes and backslashes hold words together; nothing is expanded, and nothing else is run."""

    assert split_command(command, "--command") == words


@pytest.mark.parametrize("command", ["serve 'unfinished", 'serve "unfinished', "serve \\"])
def test_unbalanced_quotes_are_told(command: str) -> None:
    """The message names the option and says where to look."""

    with pytest.raises(
        UsageError, match=r"^--command \(serve .*\): expected a command line, saw No .* Check the quotes\.$"
    ):
        split_command(command, "--command")


@pytest.mark.parametrize("command", ["", "   ", "\n"])
def test_an_empty_command_is_told(command: str) -> None:
    """There is nothing to start; the message says what to give."""

    with pytest.raises(UsageError, match=r"^--command: expected a command line, saw nothing\. Give the command"):
        split_command(command, "--command")


def test_the_message_names_the_option_at_fault() -> None:
    """Several options hold commands."""

    with pytest.raises(UsageError, match=r"^--reload command: "):
        split_command("", "--reload command")


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("prot", "port"),
        ("ports", "port"),
        ("hosts", "host"),
        ("servercert", "server_cert"),
        ("server_certs", "server_cert"),
        ("serverkey", "server_key"),
        ("trust_store", "truststore"),
        ("crls", "crl"),
    ],
)
def test_a_misspelt_placeholder_is_told(wrong: str, right: str) -> None:
    """It would reach the server as it stands, and the server's error would not tell why."""

    message = (
        rf"^--command: unknown placeholder \{{{wrong}\}}: .*\{{host\}} \{{port\}} .* Did you mean \{{{right}\}}\?$"
    )
    with pytest.raises(UsageError, match=message):
        split_command(f"serve --value={{{wrong}}}", "--command")


def test_known_placeholders_are_left_in_the_words() -> None:
    """They are filled in later, at each start."""

    command = "serve {host}:{port} {server_cert} {server_key} {truststore} {crl}"
    assert split_command(command, "--command") == command.split()


@pytest.mark.parametrize("word", ["{}", "{0}", '{"tls":1}', "{name}", "{{port}}", "${host}", "${prot}", "{print $1}"])
def test_other_braces_are_the_commands_own(word: str) -> None:
    """JSON, awk, templates and shell variables use them too."""

    assert split_command(f"serve '{word}'", "--command") == ["serve", word]


# --- filling in


@pytest.mark.parametrize(
    ("word", "filled"),
    [
        ("{host}", "127.0.0.1"),
        ("{port}", "20443"),
        ("{server_cert}", "/material of one/server.pem"),
        ("{server_key}", "/material of one/server.key"),
        ("{truststore}", "/material of one/truststore.pem"),
        ("{crl}", "/material of one/crl.pem"),
        ("--listen={host}:{port}", "--listen=127.0.0.1:20443"),
        ("{port}{port}", "2044320443"),
    ],
)
def test_placeholders_are_filled_in(material: Material, word: str, filled: str) -> None:
    """Anywhere in a word, as often as they stand there; a value with blanks stays one word."""

    assert fill_in([word], material) == [filled]


@pytest.mark.parametrize("word", ["{}", "{name}", "${host}", '{"host": 1}', "plain"])
def test_what_is_no_placeholder_stays(material: Material, word: str) -> None:
    """A dollar sign before the brace makes it the shell's."""

    assert fill_in([word], material) == [word]


def test_further_values_can_be_filled_in(material: Material) -> None:
    """Built-in servers have files of their own."""

    assert fill_in(["-c", "{config}"], material, {"config": "/nginx.conf"}) == ["-c", "/nginx.conf"]


def test_a_filled_in_value_is_not_read_again(material: Material) -> None:
    """Braces in a value are not placeholders."""

    assert fill_in(["{config}"], material, {"config": "{port}"}) == ["{port}"]


def test_the_words_given_are_left_alone(material: Material) -> None:
    """The same words serve the next start."""

    words = ["{port}"]
    fill_in(words, material)
    assert words == ["{port}"]
