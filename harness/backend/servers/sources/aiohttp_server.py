"""aiohttp behind ssl, as its documentation shows it; --partial-chain lets each certificate count by itself."""

from __future__ import annotations

import os
import ssl
import sys

from aiohttp import web


async def hello(request: web.Request) -> web.Response:
    """Answers everything by 200."""
    await request.read()
    return web.Response(text="hello from aiohttp\n")


if __name__ == "__main__":
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=os.environ["MTLS_TRUSTSTORE"])
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(os.environ["MTLS_SERVER_CERT"], os.environ["MTLS_SERVER_KEY"])
    if "--partial-chain" in sys.argv:
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    app = web.Application(client_max_size=100_000_000)
    app.router.add_route("*", "/{rest:.*}", hello)
    host, port = os.environ["MTLS_HOST"], int(os.environ["MTLS_PORT"])
    web.run_app(app, host=host, port=port, ssl_context=context, access_log=None)
