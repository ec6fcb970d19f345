"""The JDK's own HTTPS server (com.sun.net.httpserver) with a PKIX trust manager; compiled once for a run.

PKIX does not look at the dates of a certificate that is itself in the truststore. It closes without an alert. Source:
docs.oracle.com, package com.sun.net.httpserver and the JSSE reference guide.
"""

from __future__ import annotations

from ..server import Server, program

__all__ = ["NEEDS", "REMEDIES", "SERVER", "START"]

NEEDS = (program("javac", "default-jdk-headless"), program("java", "default-jdk-headless"))

START = ("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp")

REMEDIES = {
    "validity/* rotation/expired-*": "Wrap the trust manager: chain[0].checkValidity() before the PKIX one's checkClientTrusted. "
    "PKIX takes a certificate of the truststore for a trust anchor and looks neither at its dates nor at its usage. --server "
    "java-pinned shows it whole.",
    "presence/* trust/self-signed-stranger": "setNeedClientAuth(true), not setWantClientAuth, and "
    "the trust managers of a TrustManagerFactory initialised with the truststore; null stands for the JDK's own roots.",
    "reload/* rotation/*": "Make a new SSLContext from the changed truststore and use it for new connections, or restart. With a "
    "swapped trust manager in one SSLContext the sessions of removed certificates go on.",
    "resumption/*": "context.getServerSessionContext().setSessionTimeout(…) below the time that you can bear, or "
    "-Djdk.tls.server.enableSessionTicketExtension=false and setSessionCacheSize(1). JSSE does not look at a certificate again "
    "when it resumes.",
}

SERVER = Server(
    name="java",
    about="stock: com.sun HttpsServer, PKIX trust manager, setNeedClientAuth",
    needs=NEEDS,
    build=("javac", "-d", "{program}", "{sources}/HttpsBackend.java"),
    command=(*START, "{program}", "HttpsBackend"),
    version=("java", "-version"),
    programs=("java",),
    interpreter=True,
    remedies=REMEDIES,
)
