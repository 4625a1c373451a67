"""The page as a web application: routes, sign-in, headers. What is shown comes from :mod:`hil.ssi.views`."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib import resources

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from firmware_emu.errors import CommsHubError
from hil.ssi.accounts import AccountError, PageSession, TooManyRequests
from hil.ssi.page import COOKIE, NOTHING_HERE, Handler, Page, PageRefused, page_of, text_of
from hil.ssi.pages import ROUTES

LIVE_S = 1.0
"""Period at which a live page asks the store for changes of its user's things. The bench's own figure."""
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_OWN = ("same-origin", "none")
"""Sources of a form, as browsers name them: this page, or the person's own doing. The form of another page could sign a person in as
somebody else."""
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


def guarded(handler: Handler, function: str) -> Callable[[Request], Awaitable[Response]]:
    """A handler that runs for who is signed in and whose user type has ``function``; forms must be the page's own."""

    async def guard(request: Request) -> Response:
        page = page_of(request)
        session: PageSession | None = None
        try:
            session = page.session(request)
            if session is None:
                return RedirectResponse("/sign-in", 303)
            if function and not session.account.may(function):
                raise PageRefused(403, f"Your role ({session.account.role}) does not have this part of the page.")
            if request.method == "POST" and not secrets.compare_digest(
                text_of(await request.form(), "form", 200).encode(), session.form.encode()
            ):
                raise PageRefused(403, "This form is not one of this session's. Open the page again and send it from there.")
            return await handler(page, request, session)
        except PageRefused as refusal:
            return page.render("refused", session, request, refusal.status, text=refusal.text)
        except TooManyRequests as error:
            return page.render("refused", None, request, 429, text=str(error))
        except CommsHubError as error:
            return page.render("refused", session, request, 403 if session is None else 400, text=str(error))

    return guard


async def sign_in(request: Request) -> Response:
    """The sign-in form, and what it sends: an account's token."""
    page = page_of(request)
    if page.mutual_tls:
        return RedirectResponse("/", 303)
    if request.method == "GET":
        return page.render("sign-in", None, request, problem="")
    if request.headers.get("sec-fetch-site", "same-origin") not in _OWN:
        return page.render("refused", None, request, 403, text="This form is not this page's. Open the page and sign in there.")
    try:
        session = page.accounts.sign_in(text_of(await request.form(), "token", 200))
    except AccountError as error:
        return page.render("sign-in", None, request, 403, problem=str(error))
    answer = RedirectResponse("/", 303)
    answer.set_cookie(COOKIE, session.key, httponly=True, samesite="strict", secure=request.url.scheme == "https", path="/")
    return answer


async def sign_out(page: Page, request: Request, session: PageSession) -> Response:
    """End the session."""
    page.accounts.sign_out(session.key)
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(COOKIE)
    return answer


async def live(page: Page, request: Request, session: PageSession) -> Response:
    """Server-sent events: one when something of this user's has changed. Holds no data itself. 429 where the session has too many open."""
    most, key = page.settings.streams_per_session, session.key
    if page.streams[key] >= most:
        return PlainTextResponse(f"At most {most} streams of a session are open at a time: close a window of this page.", 429)
    page.streams[key] += 1

    async def events() -> AsyncIterator[str]:
        user = session.account.user
        seen, last = (page.views.store.revision(), page.under_way), (page.views.stamp(user), page.under_way)
        yield "retry: 3000\n\n"
        while not await request.is_disconnected():
            await asyncio.sleep(LIVE_S * page.clock.speed)
            if (now := (page.views.store.revision(), page.under_way)) == seen:
                continue
            seen = now
            if (shown := (page.views.stamp(user), page.under_way)) != last:
                last = shown
                yield "event: change\ndata: \n\n"

    return _Stream(page.streams, key, events())


class _Stream(StreamingResponse):
    """Events, counted to their session until the other end has gone."""

    def __init__(self, streams: Counter[str], key: str, events: AsyncIterator[str]) -> None:
        super().__init__(events, media_type="text/event-stream")
        self._streams = streams
        self._key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._streams[self._key] -= 1
            self._streams += Counter()  # what is none goes


class SmallBodies:
    """Refuses bodies above ``most`` octets with 413 before anything is read of them that was announced, and at the limit what was not."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        refusal = PlainTextResponse(f"At most {self._most} octets are taken here.", 413)
        if not announced.isdigit() or int(announced) > self._most:
            await refusal(scope, receive, send)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._most:
                raise _TooLarge
            return message

        try:
            await self._app(scope, counted, send)
        except _TooLarge:
            await refusal(scope, receive, send)


class _TooLarge(Exception):
    """A body without an announced length that went on beyond the limit."""


class Headers:
    """Adds the security headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", ()),
                    *((name.lower().encode(), value.encode()) for name, value in _HEADERS.items()),
                ]
            await send(message)

        await self._app(scope, receive, with_headers)


async def not_found(request: Request, error: Exception) -> Response:
    return page_of(request).render("refused", None, request, 404, text=NOTHING_HERE)


async def broken(request: Request, error: Exception) -> Response:
    return PlainTextResponse("The page failed to answer this. The DCC's log says why.", 500)


def make_app(page: Page, hosts: tuple[str, ...]) -> Starlette:
    """The application. ``hosts`` are the names it answers to (a foreign name may be a trap)."""
    own = [
        Route("/sign-in", sign_in, methods=["GET", "POST"]),
        Route("/sign-out", guarded(sign_out, ""), methods=["POST"]),
        Route("/live", guarded(live, ""), methods=["GET"]),
        Mount("/static", StaticFiles(directory=str(resources.files("hil.ssi").joinpath("static")))),
    ]
    routes = [Route(path, guarded(handler, function), methods=[method]) for path, function, method, handler in ROUTES]
    app = Starlette(
        routes=[*own, *routes],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts)),
            Middleware(Headers),
            Middleware(SmallBodies, most=page.settings.body_octets),
        ],
        exception_handlers={404: not_found, 405: not_found, Exception: broken},
    )
    app.state.page = page
    return app
