"""Node's https server with the options of AWS's own sample: ca, requestCert, rejectUnauthorized.

The sample reads its truststore once, so a changed one needs a restart. Node closes on a bad certificate without an alert.
"""

from __future__ import annotations

from ..server import TRAPPED, Server, program

__all__ = ["NEEDS", "REMEDIES", "SERVER"]

NEEDS = (program("node", "nodejs"),)

REMEDIES = {
    TRAPPED: "Give https.createServer a SNICallback that returns tls.createSecureContext({ key, cert, ca, "
    "allowPartialTrustChain: true }); the flag on createServer itself is ignored. Without it OpenSSL takes the first "
    "certificate of a name for the issuer, and all gateway certificates have one name. --server node-pinned shows it whole; "
    "before Node 20.18 compare fingerprints in the application (--server node-fingerprint).",
    "presence/* trust/self-signed-stranger": "requestCert: true with rejectUnauthorized: true. "
    "With false everybody is let in unless the application asks request.client.authorized (client-certificate-auth does).",
    "reload/* rotation/*": "On a signal read the truststore again and call server.setSecureContext({ key, cert, ca }), and give "
    "the SNICallback a new context too; or restart. ca is read once, when the server is made.",
    "resumption/from-*": "Ask request.socket.getPeerCertificate() for a certificate, not request.client.authorized alone: Node "
    "calls a client without certificate authorized when it resumes a TLS 1.3 session. rejectUnauthorized: true issues it none.",
    "resumption/*": "Make new contexts, with fresh ticket keys, when the truststore changes; to end sessions at expiry look at "
    "request.socket.getPeerCertificate().valid_to, or set secureOptions: constants.SSL_OP_NO_TICKET. OpenSSL does not look at "
    "the dates of a resumed session's certificate.",
}

SERVER = Server(
    name="node",
    about="AWS's sample: https.createServer with ca, requestCert, rejectUnauthorized",
    needs=NEEDS,
    copies=("node.js",),
    command=("node", "{folder}/node.js"),
    version=("node", "--version"),
    programs=("node", "nodejs"),
    interpreter=True,
    remedies=REMEDIES,
)
