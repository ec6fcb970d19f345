"""Embedded Tomcat with a trust manager that looks at the dates of a pinned certificate too."""

from __future__ import annotations

from dataclasses import replace

from .tomcat import SERVER as _STOCK

__all__ = ["SERVER"]

SERVER = replace(
    _STOCK,
    name="tomcat-pinned",
    cures="tomcat",
    about="trustManagerClassName: checkValidity() before PKIX",
    command=(*_STOCK.command, "--check-dates"),
)
