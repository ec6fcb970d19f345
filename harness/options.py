"""The options of a check, once: the command line, pytest's options and ini values are all made from this table.

``--reload`` on the command line is ``--mtls-reload`` for pytest and ``mtls_reload`` in an ini file. This module imports
nothing but the standard library, because pytest reads it at every start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["OPTIONS", "Option", "Values", "as_command_line", "as_pytest_arguments"]

Values = Mapping[str, "str | bool | tuple[str, ...] | None"]
"""Option values by name, as text: None (or False, or an empty tuple) is what was not given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option. Without ``metavar`` it is a flag; ``many`` may be repeated."""

    name: str
    help: str
    metavar: str | None = None
    many: bool = False

    @property
    def key(self) -> str:
        """Its name in Python."""
        return self.name.replace("-", "_")

    @property
    def ini(self) -> str:
        """Its name in an ini file."""
        return f"mtls_{self.key}"

    @property
    def is_flag(self) -> bool:
        """Whether it takes no value."""
        return self.metavar is None


OPTIONS = (
    Option(
        name="command",
        metavar="CMD",
        help="start CMD (no shell); {host} {port} {server_cert} {server_key} {truststore} {crl} are filled in, "
        "and stand in MTLS_HOST … MTLS_CRL of its environment",
    ),
    Option(name="server", metavar="NAME", help="a built-in server: reference, nginx, node …"),
    Option(
        name="config",
        metavar="FILE",
        help="with --server: a configuration file of your own, with the placeholders of --command",
    ),
    Option(name="fault", metavar="NAME", many=True, help="with --server reference: a fault of its own (repeatable)"),
    Option(name="url", metavar="URL", help="a backend that already runs; needs --client-cert and --client-key"),
    Option(name="client-cert", metavar="PEM", help="with --url: the certificate that it lets in, with its chain"),
    Option(name="client-key", metavar="PEM", help="with --url: the certificate's private key, unencrypted"),
    Option(name="server-ca", metavar="PEM", help="with --url: what the server certificate must lead to"),
    Option(
        name="reload",
        metavar="HOW",
        help="after the truststore changed: restart (default), signal:HUP, command:CMD, or watch (it notices by itself)",
    ),
    Option(name="reload-within", metavar="SECONDS", help="how long a reload may take to be in effect (default 5)"),
    Option(name="start-within", metavar="SECONDS", help="how long the backend may take to start (default 30)"),
    Option(
        name="timeout",
        metavar="SECONDS",
        help="how long a connection may take to open, to shake hands, and to answer, each (default 5)",
    ),
    Option(name="path", metavar="PATH", help="what to request (default /)"),
    Option(name="accept-status", metavar="LIST", help="statuses of the good credential (default: the status it gets)"),
    Option(name="reject-status", metavar="LIST", help="statuses that refuse (default 400,401,403,495,496)"),
    Option(name="capability", metavar="NAME", many=True, help="something that the backend can do (repeatable)"),
    Option(name="profile", metavar="NAME", help="gateway (default), private-ca, forwarded-header or all"),
    Option(
        name="scenario",
        metavar="ID",
        many=True,
        help="only this scenario, or those of a pattern such as 'trust/*' (repeatable)",
    ),
    Option(name="level", metavar="LEVEL", help="only must, should or info"),
    Option(name="tls", metavar="VERSION", help="only TLS 1.2 or 1.3 (default: each that the backend speaks)"),
    Option(name="strict", help="a SHOULD that does not hold fails, and a partial result is not good enough"),
    Option(name="json", metavar="FILE", help="write the report as JSON"),
    Option(name="junit", metavar="FILE", help="write the report as JUnit XML"),
    Option(name="html", metavar="FILE", help="write the report as one HTML page"),
    Option(name="summary-markdown", metavar="FILE", help="add a summary in Markdown to FILE, for job summaries in CI"),
    Option(
        name="keep", metavar="DIR", help="leave the material there, so that the printed commands can be run by hand"
    ),
)


def as_command_line(values: Values, prefix: str = "--") -> list[str]:
    """The options that were given, as words of a command line."""
    arguments = []
    for option in OPTIONS:
        value = values.get(option.key)
        if value is True:
            arguments.append(f"{prefix}{option.name}")
        elif isinstance(value, tuple):
            arguments += [f"{prefix}{option.name}={one}" for one in value]
        elif value is not None and value is not False:
            arguments.append(f"{prefix}{option.name}={value}")
    return arguments


def as_pytest_arguments(values: Values) -> list[str]:
    """The same options as arguments of pytest."""
    return as_command_line(values, "--mtls-")
