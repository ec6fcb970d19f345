"""Apache httpd as its documentation shows it: ``SSLVerifyClient require`` and the truststore as SSLCACertificateFile.

It refuses by alert. ``SSLVerifyDepth`` stays at its default of 1, which takes no intermediate: a chain with one ends in
internal_error(80). Source: httpd.apache.org/docs/2.4/ssl/ssl_howto.html, "Client authentication and access control".
"""

from __future__ import annotations

from ..reload import ReloadWay
from ..server import TRAPPED, ConfigFile, Server, in_quotes, overruled, program

__all__ = ["CONFIG", "SERVER"]

_MODULES = ("mpm_event", "authz_core", "alias", "socache_shmcb", "ssl")  # alias answers 204 without any file
_FOLDER = "/usr/lib/apache2/modules"  # Debian's

_STOCK = (
    "".join(f"LoadModule {name}_module {_FOLDER}/mod_{name}.so\n" for name in _MODULES)
    + """\
ServerName localhost
ServerRoot "{folder}"
DefaultRuntimeDir "{folder}"
PidFile "{folder}/httpd.pid"
ErrorLog /dev/stderr
Listen {host}:{port}
SSLSessionCache "shmcb:{folder}/sessions(512000)"
<VirtualHost *:{port}>
  SSLEngine on
  SSLProtocol -all +TLSv1.2 +TLSv1.3
  SSLCertificateFile "{server_cert}"
  SSLCertificateKeyFile "{server_key}"
  SSLCACertificateFile "{truststore}"
  SSLVerifyClient require
  <Location />
    Redirect 204 /
  </Location>
</VirtualHost>
"""
)


def _completed(text: str) -> str:
    """*text* with what keeps it away from the machine's own Apache."""
    own = {"PidFile": 'PidFile "{folder}/httpd.pid"', "DefaultRuntimeDir": 'DefaultRuntimeDir "{folder}"'}
    return overruled(text, own, r"^[ \t]*{name}[ \t].*$")


CONFIG = ConfigFile("httpd.conf", _STOCK, escape=in_quotes, complete=_completed)

SERVER = Server(
    name="apache",
    about="stock: SSLVerifyClient require, truststore as SSLCACertificateFile",
    needs=(program("apache2", "apache2-bin"),),
    config=CONFIG,
    command=("apache2", "-DFOREGROUND", "-f", "{config}"),
    reload=ReloadWay("signal", ("USR1",)),
    version=("apache2", "-v"),
    programs=("apache", "httpd"),
    header="Apache",
    remedies={
        TRAPPED: "SSLVerifyClient optional_no_ca, and compare whole certificates: <Location /> Require expr "
        "\"sha1(%{SSL:SSL_CLIENT_CERT}) == '<SHA-1 of the PEM block, hex>'\", one line per certificate. mod_ssl asks OpenSSL for "
        "an issuer by name, and of several certificates with one name OpenSSL knows the first only. --server apache-pinned "
        "shows it whole.",
        "chain/* trust/bundle-with-intermediates": "SSLVerifyDepth 4 in the virtual host. The default of 1 refuses every chain "
        "with an intermediate, by internal_error(80) instead of an alert that would say why.",
        "presence/* trust/self-signed-stranger": "SSLVerifyClient require in the virtual host, for "
        "every virtual host of this port. In a <Location> TLS 1.3 asks too late (the gateway gets 403), and 'optional' lets "
        "everybody in.",
        "reload/* rotation/*": "apachectl graceful (SIGUSR1) after each change of SSLCACertificateFile; the old children finish "
        "their connections, new ones are judged by the new file.",
        "resumption/*": "SSLSessionTickets off and SSLSessionCache none for this server. mod_ssl takes a resumed session for as "
        "good as the handshake that it comes from, and does not look at the certificate's dates again.",
    },
)
