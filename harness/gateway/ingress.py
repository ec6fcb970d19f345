"""Who answers what: management, data plane and control plane on the plain port, default endpoints on the TLS port."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aiohttp import web

from .answers import Refused, Reply, json_reply
from .control_plane import ControlPlane, Fetch, refusal
from .custom_domain import FrontDoor
from .data_plane import DataPlane
from .errors import ApiError
from .faults import Faults
from .ids import new_request_id
from .incoming import CallerGone, read
from .invocation import Invoker
from .listeners import server_name, target_of
from .log import Log
from .management import PREFIX, Management, ManagementError, trusted
from .model import TestInvoke
from .objects import Objects
from .routing import addressed
from .state import State
from .test_invoke import carry_out
from .wire import Answer, answer

__all__ = ["Ingress"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingress:
    """The handlers of both ports, over the parts of a gateway; *own_host* is ``--host``."""

    state: State
    log: Log
    faults: Faults
    control_plane: ControlPlane
    data_plane: DataPlane
    invoker: Invoker
    management: Management
    front_door: FrontDoor
    objects: Objects
    own_host: str

    async def answer_plain(self, request: web.BaseRequest) -> web.StreamResponse:
        """A request to the plain port."""
        path, query = target_of(request)
        if path.startswith(PREFIX):
            return await self._manage(request, path, query)
        address = addressed(request.headers.get("Host", ""), path, self.state.region)
        if address is not None:
            return await self.data_plane.answer(request, address, query)
        return await self._control(request, path, query)

    async def answer_tls(self, request: web.BaseRequest) -> web.StreamResponse:
        """A request to the TLS port: SNI and Host must name the same domain or API; any other name is forbidden."""
        path, query = target_of(request)
        at_domain = await self.front_door.answer(request, path, query)
        if at_domain is not None:
            return at_domain
        host = request.headers.get("Host", "")
        address = addressed(host, path, self.state.region, by_path=False)
        if address is None or server_name(request) != host.partition(":")[0].rstrip(".").lower():
            return self.data_plane.forbidden()
        return await self.data_plane.answer(request, address, query)

    async def _manage(self, request: web.BaseRequest, path: str, query: str) -> Reply:
        identity = {"x-amzn-RequestId": new_request_id()}
        if not trusted(request.headers.get("Host"), request.headers.get("Origin"), self.own_host):
            text = "expected a Host that is loopback or --host, and no Origin: no browser page may drive the mock"
            return json_reply(403, {"error": text}, identity)
        try:
            status, value = self.management.answer(request.method, path, query, await read(request))
        except ManagementError as error:
            return json_reply(error.status, {"error": str(error)}, identity)
        except Refused as refused:
            reply = json_reply(
                refused.answer.status, {"error": "body: expected all of it, and not over 10 MB"}, identity
            )
            reply.force_close()
            return reply
        except CallerGone:
            return Reply(400, (), close=True)
        return Reply(status, list(identity.items())) if value is None else json_reply(status, value, identity)

    async def _control(self, request: web.BaseRequest, path: str, query: str) -> Reply:
        request_id = new_request_id()
        identity = ("x-amzn-RequestId", request_id)
        try:
            body = await read(request)
        except Refused as refused:
            return Reply(refused.answer.status, [*refused.answer.headers, identity], refused.answer.body, close=True)
        except CallerGone:
            return Reply(400, (), close=True)
        if self.faults.control_latency:
            await asyncio.sleep(self.faults.control_latency)
        given = await self._operate(request, path, query, body, request_id)
        self.log.add(
            "control",
            request_id,
            service=given.service,
            operation=given.operation,
            status=given.status,
            error=given.error,
        )
        return Reply(given.status, [*given.headers.items(), identity], given.body)

    async def _operate(self, request: web.BaseRequest, path: str, query: str, body: bytes, request_id: str) -> Answer:
        method, headers = request.method, request.headers
        operation = self.control_plane.find(method, path, headers, query) if self.faults.errors else None
        injected = None if operation is None else self.faults.take(operation.name)
        if injected is not None and operation is not None:
            error = ApiError(injected.code, "Injected by PUT /_mtls/faults", status=injected.status)
            return refusal(error, operation)
        given = self.control_plane.handle(method, path, query, headers, body)
        while isinstance(given, Fetch):
            given = given.again(await self.objects.read(given.location, given.limit))
        if isinstance(given, TestInvoke):
            result = await carry_out(given, request_id, self.state, self.invoker)
            return answer(200, result, "apigateway", "TestInvokeMethod")
        return given
