"""Go's net/http as its documentation shows it: ``RequireAndVerifyClientCert`` and ClientCAs; compiled once for a run.

It refuses by alert, bad_certificate(42) whatever the reason before Go 1.21. Source: pkg.go.dev/crypto/tls#Config.
"""

from __future__ import annotations

from ..contract import Capability
from ..server import Server, program

__all__ = ["SERVER"]

SERVER = Server(
    name="go",
    about="stock: net/http with RequireAndVerifyClientCert, ClientCAs",
    needs=(program("go", "golang-go"),),
    build=(
        *("env", "GO111MODULE=off", "GOFLAGS=", "GOPATH={program}/path", "GOCACHE={program}/cache"),
        *("go", "build", "-o", "{program}/server", "{sources}/server.go"),
    ),
    command=("{program}/server",),
    capabilities=frozenset({Capability.H2}),
    version=("go", "version"),
    programs=("go",),
    remedies={
        "presence/* trust/self-signed-stranger": "tls.Config{ClientAuth: "
        "tls.RequireAndVerifyClientCert, ClientCAs: pool}. RequireAnyClientCert verifies nothing, and VerifyClientCertIfGiven "
        "lets everybody in who gives none.",
        "trust/missing-* trust/empty-* reload/broken-*": "Look at what AppendCertsFromPEM returns: false means that the pool is "
        "empty. ClientCAs nil stands for the machine's own roots.",
        "reload/* rotation/*": "Return a new *tls.Config from GetConfigForClient after each change of the truststore (at "
        "SIGHUP, say), or restart; a CertPool in use must not be changed.",
        "resumption/*": "SessionTicketsDisabled: true, or a VerifyConnection that verifies PeerCertificates again: it is called "
        "for resumed connections too, VerifyPeerCertificate is not.",
    },
)
