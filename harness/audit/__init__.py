"""``pytest-mtls audit``: what the control plane of an account says about its client certificates and mutual TLS."""
