"""Tests with real sockets, servers and processes. A package, so that they can share ``peers``."""
