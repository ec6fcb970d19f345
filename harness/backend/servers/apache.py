"""Apache httpd as its documentation shows it: ``SSLVerifyClient require`` and the truststore as SSLCACertificateFile.

It refuses by alert. ``SSLVerifyDepth`` stays at its default of 1, which takes no intermediate: a chain with one ends in
internal_error(80).
"""

from __future__ import annotations

from pathlib import Path

from ..contract import Material
from ..reload import ReloadWay
from . import Server

_MODULES = ("mpm_event", "authz_core", "alias", "socache_shmcb", "ssl")  # alias answers 204 without any file
_FOLDER = "/usr/lib/apache2/modules"  # Debian's

_CONFIGURATION = """\
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
  Redirect 204 /
</VirtualHost>
"""


def _prepare(material: Material, folder: Path) -> list[str]:
    load = [f"LoadModule {name}_module {_FOLDER}/mod_{name}.so" for name in _MODULES]
    configuration = folder / "httpd.conf"
    configuration.write_text("\n".join([*load, _CONFIGURATION.format(folder=folder, **material.placeholders)]))
    return ["apache2", "-DFOREGROUND", "-f", str(configuration)]


SERVER = Server(
    name="apache",
    program="apache2",
    package="apache2-bin",
    about="stock: SSLVerifyClient require, truststore as SSLCACertificateFile",
    prepare=_prepare,
    reload=ReloadWay("signal", ("USR1",)),
)
