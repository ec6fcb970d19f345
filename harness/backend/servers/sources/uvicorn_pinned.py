"""uvicorn with VERIFY_X509_PARTIAL_CHAIN, which has no option."""

from __future__ import annotations

import os
import ssl

import uvicorn
from app import asgi  # type: ignore[import-not-found]

if __name__ == "__main__":
    config = uvicorn.Config(
        asgi,
        host=os.environ["MTLS_HOST"],
        port=int(os.environ["MTLS_PORT"]),
        access_log=False,
        ssl_certfile=os.environ["MTLS_SERVER_CERT"],
        ssl_keyfile=os.environ["MTLS_SERVER_KEY"],
        ssl_ca_certs=os.environ["MTLS_TRUSTSTORE"],
        ssl_cert_reqs=ssl.CERT_REQUIRED,
    )
    config.load()
    assert config.ssl is not None
    config.ssl.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    uvicorn.Server(config).run()
