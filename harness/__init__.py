"""The engine: certificates, connections, backends, verdicts. It knows nothing of pytest (``cli`` alone starts it)."""
