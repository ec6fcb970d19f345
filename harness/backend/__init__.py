"""The server under test: what it is given, how it is started, reloaded and ended; and the reference backend."""
