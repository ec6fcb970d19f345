"""The gateway's connections to backends: HTTP/1.1 over TLS 1.2, with the stage's client certificate.

    egress = Egress(lambda: state.settings, trust=Trust(bundle), resolve=names, clock=state.now)   # on the event loop
    exchange = await egress.send(Outgoing("GET", "/pets?x=1", headers), Destination("https", "localhost", 8443, …), timeout=29)

``exchange.attempts`` (one or two) have what a log entry needs: ``tls`` is the contract's JSON object already. Either
``exchange.answer`` is there (``status``, ``reason``, ``headers`` as they came, ``body`` to iterate over, ``read()`` or
``body.close()``) or ``exchange.failure`` (``outcome``, ``line`` for the execution log). A body that ends too early raises
``BodyError`` with such a failure.

``connections()`` is the list of ``GET /_mtls/connections``. Call ``retire(ids in use)`` after every change of a stage,
``close_idle()`` after a change of settings, clock or trust, ``await aclose()`` at the end.

The modules: ``egress`` (send, retry), ``pool``, ``connection`` (asyncio), ``dial`` (names and TCP), ``tls`` (without
I/O), ``verify`` (the server's certificate), ``head`` and ``reader`` and ``body`` (HTTP/1.1), ``failures`` (AWS's words),
``flight`` (the handshake's plaintext), ``model``.

A body that ends with the connection is complete whether or not the backend said close_notify; ``not_presented`` knows two
words beside the contract's, ``expired`` (present_expired is off) and ``key-not-acceptable`` (the backend takes no
signature that our key can make).
"""

from __future__ import annotations

from .body import AnswerBody
from .egress import Egress, EgressSettings
from .model import Answer, Attempt, BodyError, ConnectionRecord, Destination, Exchange, Failure, Outgoing, TlsRecord
from .verify import Trust

__all__ = [
    "Answer",
    "AnswerBody",
    "Attempt",
    "BodyError",
    "ConnectionRecord",
    "Destination",
    "Egress",
    "EgressSettings",
    "Exchange",
    "Failure",
    "Outgoing",
    "TlsRecord",
    "Trust",
]
