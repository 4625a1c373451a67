"""The page as a web application: routes, sign-in, headers. What is shown comes from :mod:`hil.ssi.views`."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from importlib import resources
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.applications import Starlette
from starlette.datastructures import FormData
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from firmware_emu.clock import Clock
from firmware_emu.errors import CommsHubError, KeystoreError
from hil.ssi.accounts import AccountError, Accounts, Session, TooManyRequests
from hil.ssi.peer import peer_of
from hil.ssi.settings import PageSettings, functions
from hil.ssi.views import Views, moment

COOKIE = "chub_session"
LIVE_S = 1.0
"""How often a live page asks the store whether something of its user's has changed. The bench's own figure."""
TITLES = {
    "inventory": "Inventory",
    "device-log": "Device logs",
    "requests": "Requests",
    "alerts": "Alerts",
    "incidents": "Incidents",
    "measures": "Measures",
    "coverage": "Coverage",
    "hubs": "Hub orders",
    "reports": "Reports",
    "forms": "Forms",
    "feedback": "Feedback",
    "accounts": "Accounts",
}
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


class Refused(Exception):
    """Ends a request with a page that says why; ``status`` 403 or 404. What is another's and what is not there read the same."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


NOTHING_HERE = "There is nothing here that you may see. Go back to a list and choose from it."


@dataclass
class Page:
    """What the handlers share. ``mutual_tls``: users sign in by client certificate and by nothing else."""

    views: Views
    accounts: Accounts
    clock: Clock
    settings: PageSettings
    mutual_tls: bool
    _environment: Environment | None = None

    @property
    def environment(self) -> Environment:
        if self._environment is None:
            self._environment = Environment(
                loader=PackageLoader("hil.ssi"), autoescape=select_autoescape(("html", "j2")), trim_blocks=True, lstrip_blocks=True
            )
            self._environment.filters |= {"moment": moment, "query": lambda text: quote(str(text), safe="")}
        return self._environment

    def render(self, name: str, session: Session | None, request: Request, status: int = 200, **values: object) -> HTMLResponse:
        """A page of ``templates``."""
        menu = [] if session is None else [(name, TITLES[name]) for name in functions() if session.account.may(name)]
        html = self.environment.get_template(f"{name}.html.j2").render(
            menu=menu, session=session, here=request.url.path.split("/")[1], now=moment(self.views.now()), **values
        )
        return HTMLResponse(html, status)

    def session(self, request: Request) -> Session | None:
        """Who asks. Raises AccountError (403), TooManyRequests (429)."""
        if not self.mutual_tls:
            return self.accounts.session(request.cookies.get(COOKIE))
        try:
            return self.accounts.sign_in_by_certificate(peer_of(request.scope))
        except KeystoreError as error:
            raise AccountError(f"your certificate names no user: {error}") from error


Handler = Callable[[Page, Request, Session], Awaitable[Response]]


def page_of(request: Request) -> Page:
    """The page a request is for."""
    page: Page = request.app.state.page
    return page


def guarded(handler: Handler, function: str) -> Callable[[Request], Awaitable[Response]]:
    """A handler that runs for who is signed in and whose user type has ``function``; forms must be the page's own."""

    async def guard(request: Request) -> Response:
        page = page_of(request)
        session: Session | None = None
        try:
            session = page.session(request)
            if session is None:
                return RedirectResponse("/sign-in", 303)
            if function and not session.account.may(function):
                raise Refused(403, f"Your role ({session.account.role}) does not have this part of the page.")
            if request.method == "POST" and not secrets.compare_digest(str((await request.form()).get("form", "")), session.form):
                raise Refused(403, "This form is not one of this session's. Open the page again and send it from there.")
            return await handler(page, request, session)
        except Refused as refusal:
            return page.render("refused", session, request, refusal.status, text=refusal.text)
        except TooManyRequests as error:
            return page.render("refused", None, request, 429, text=str(error))
        except CommsHubError as error:
            return page.render("refused", session, request, 403 if session is None else 400, text=str(error))

    return guard


def text_of(form: FormData, name: str, most: int = 2000) -> str:
    """A text field of a form, cut at ``most`` characters."""
    found = form.get(name, "")
    return found.strip()[:most] if isinstance(found, str) else ""


async def sign_in(request: Request) -> Response:
    """The sign-in form, and what it sends: an account's token."""
    page = page_of(request)
    if page.mutual_tls:
        return RedirectResponse("/", 303)
    if request.method == "GET":
        return page.render("sign-in", None, request, problem="")
    try:
        session = page.accounts.sign_in(text_of(await request.form(), "token", 200))
    except AccountError as error:
        return page.render("sign-in", None, request, 403, problem=str(error))
    answer = RedirectResponse("/", 303)
    answer.set_cookie(COOKIE, session.key, httponly=True, samesite="strict", secure=request.url.scheme == "https", path="/")
    return answer


async def sign_out(page: Page, request: Request, session: Session) -> Response:
    """End the session."""
    page.accounts.sign_out(session.key)
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(COOKIE)
    return answer


async def live(page: Page, request: Request, session: Session) -> Response:
    """Server-sent events: one when something of this user's has changed. Holds no data itself."""

    async def events() -> AsyncIterator[str]:
        user, last, revision = session.account.user, page.views.stamp(session.account.user), page.views.store.revision()
        yield "retry: 3000\n\n"
        while not await request.is_disconnected():
            await asyncio.sleep(LIVE_S * page.clock.speed)
            if (now := page.views.store.revision()) == revision:
                continue
            revision, stamp = now, page.views.stamp(user)
            if stamp != last:
                last = stamp
                yield "event: change\ndata: \n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


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
    from hil.ssi.pages import ROUTES  # the handlers use this module

    own = [
        Route("/sign-in", sign_in, methods=["GET", "POST"]),
        Route("/sign-out", guarded(sign_out, ""), methods=["POST"]),
        Route("/live", guarded(live, ""), methods=["GET"]),
        Mount("/static", StaticFiles(directory=str(resources.files("hil.ssi").joinpath("static")))),
    ]
    routes = [Route(path, guarded(handler, function), methods=[method]) for path, function, method, handler in ROUTES]
    app = Starlette(
        routes=[*own, *routes],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts)), Middleware(Headers)],
        exception_handlers={404: not_found, 405: not_found, Exception: broken},
    )
    app.state.page = page
    return app
