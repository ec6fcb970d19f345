"""Node's https server with the options of AWS's own sample: ca, requestCert, rejectUnauthorized.

The sample reads its truststore once, so a changed one needs a restart.
"""

from __future__ import annotations

from pathlib import Path

from ..contract import Material
from . import Server

_PROGRAM = """\
const fs = require('fs');
const https = require('https');
const env = process.env;
https.createServer({
  key: fs.readFileSync(env.MTLS_SERVER_KEY),
  cert: fs.readFileSync(env.MTLS_SERVER_CERT),
  ca: fs.readFileSync(env.MTLS_TRUSTSTORE),
  requestCert: true,
  rejectUnauthorized: true,
}, (request, response) => {
  response.writeHead(200);
  response.end('hello world\\n');
}).listen(Number(env.MTLS_PORT), env.MTLS_HOST);
"""


def _prepare(material: Material, folder: Path) -> list[str]:
    program = folder / "server.js"
    program.write_text(_PROGRAM)
    return ["node", str(program)]


SERVER = Server(
    name="node",
    program="node",
    package="nodejs",
    about="AWS's sample: https.createServer with ca, requestCert, rejectUnauthorized",
    prepare=_prepare,
)
