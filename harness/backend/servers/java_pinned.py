"""The JDK's HTTPS server with a trust manager that looks at the dates of a pinned certificate too."""

from __future__ import annotations

from dataclasses import replace

from .java import SERVER as _STOCK

__all__ = ["SERVER"]

SERVER = replace(
    _STOCK,
    name="java-pinned",
    cures="java",
    about="a trust manager that calls checkValidity() before PKIX",
    command=(*_STOCK.command, "--check-dates"),
)
