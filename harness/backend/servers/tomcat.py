"""Tomcat, embedded, as its documentation shows the connector: ``certificateVerification="required"`` and a truststore.

TLS by JSSE: PKIX does not look at the dates of a certificate that is itself in the truststore. It refuses by alert. Source:
tomcat.apache.org/tomcat-10.1-doc/config/http.html, "SSL Support".
"""

from __future__ import annotations

from ..server import Server, file_needed
from .java import NEEDS, REMEDIES, START

__all__ = ["SERVER"]

_JARS = tuple(
    f"/usr/share/java/tomcat10-{name}.jar" for name in ("embed-core", "annotations-api", "servlet-api", "juli")
)
_CLASSES = ":".join(("{program}", *_JARS))

SERVER = Server(
    name="tomcat",
    about="stock: embedded Tomcat 10, certificateVerification required, truststore",
    needs=(
        *NEEDS,
        file_needed(_JARS[0], "libtomcat10-embed-java"),
        *(file_needed(jar, "libtomcat10-java") for jar in _JARS[1:]),
    ),
    build=("javac", "-d", "{program}", "-cp", _CLASSES, "{sources}/HttpsBackend.java", "{sources}/TomcatBackend.java"),
    command=(*START, _CLASSES, "TomcatBackend"),
    version=("java", "-cp", _CLASSES, "org.apache.catalina.util.ServerInfo"),
    programs=("catalina.sh", "tomcat"),
    remedies={
        **REMEDIES,
        "validity/* rotation/expired-*": "In SSLHostConfig: trustManagerClassName with a trust manager that calls "
        "chain[0].checkValidity() before the PKIX one. PKIX takes a certificate of the truststore for a trust anchor and looks "
        "neither at its dates nor at its usage. --server tomcat-pinned shows it whole.",
        "presence/* trust/self-signed-stranger": 'certificateVerification="required" in every '
        "SSLHostConfig of the connector; 'optional' and 'optionalNoCA' let everybody in.",
        "reload/* rotation/*": "Connector MBean reloadSslHostConfigs(), or protocolHandler.addSslHostConfig(config, true), after "
        "each change of the truststore; or restart.",
    },
)
