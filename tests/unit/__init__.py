"""Tests without sockets. A package, so that they can share what they judge."""
