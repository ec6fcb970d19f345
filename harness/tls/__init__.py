"""One TLS connection: the probe, what it observed, the server side, and how a client certificate is judged."""
