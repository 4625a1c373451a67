"""The web service as an application: addresses, media types, refusals of HTTP. What is said comes from :mod:`exchange`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from firmware_emu.errors import CommsHubError, NotAvailable
from firmware_emu.ids import Eui64
from hil.dcc.base.store import DccStore
from hil.dcc.duis.document import MAX_OCTETS
from hil.dcc.duis.request import RequestError
from hil.dcc.duis.simplified import document_of, simplified
from hil.dcc.service.exchange import Exchange, NotARequest, WebService

MEDIA_TYPE, JSON_TYPE = "application/xml", "application/json"
Caller = Callable[[Request], Eui64 | None]
"""The user that a connection is with, None where that is not asked (plain HTTP). Raises KeystoreError."""


def make_app(exchange: Exchange, caller: Caller) -> Starlette:
    """The application; each web service has the address ``/api/v1/`` and its name (reference duis-gateway 1.1)."""

    def route(service: WebService) -> Route:
        return Route(f"/api/v1/{service}", partial(_post, exchange, caller, service), methods=["POST"])

    return Starlette(routes=[route(service) for service in WebService])


@dataclass(frozen=True, slots=True)
class Durable:
    """An application whose answers go out once all that is committed in ``store`` is on the medium; if it cannot be, 503 says why."""

    app: ASGIApp
    store: DccStore

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        over = False

        async def told(message: Message) -> None:
            nonlocal over
            if over:
                return
            if message["type"] == "http.response.start":
                try:
                    await self.store.durable()
                except NotAvailable as trouble:
                    over = True
                    await _said(503, str(trouble))(scope, receive, send)
                    return
            await send(message)

        await self.app(scope, receive, told)


async def _post(exchange: Exchange, caller: Caller, service: WebService, request: Request) -> Response:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in (MEDIA_TYPE, JSON_TYPE):
        return _said(415, f"read the content type {kind or 'none'}, expected {MEDIA_TYPE}, or {JSON_TYPE} in the simplified form")
    try:
        who = caller(request)
    except CommsHubError as error:
        return _said(403, str(error))
    octets = await _body(request)
    if octets is None:
        return _said(413, f"expected at most {MAX_OCTETS} octets")
    try:
        if kind == MEDIA_TYPE:
            return Response(await exchange.answer(service, octets, who), media_type=MEDIA_TYPE)
        document = document_of(json.loads(octets), exchange.settings.schema_version)
        return JSONResponse(simplified(await exchange.answer(service, document, who)))
    except NotAvailable as trouble:  # the store's medium takes nothing, or its server is away: no fault of the request
        return _said(503, str(trouble))
    except RecursionError:
        return _said(400, "the JSON is nested deeper than a request can be")
    except (NotARequest, RequestError, ValueError) as error:
        return _said(400, str(error))


async def _body(request: Request) -> bytes | None:
    """The octets that were posted, None for more than a request may have."""
    octets = bytearray()
    async for piece in request.stream():
        octets += piece
        if len(octets) > MAX_OCTETS:
            return None
    return bytes(octets)


def _said(status: int, sentence: str) -> Response:
    return PlainTextResponse(sentence + "\n", status)
