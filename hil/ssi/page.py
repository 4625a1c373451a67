"""One page of the self-service interface as its handlers see it: what they share, how they refuse, how they read a form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from firmware_emu.clock import Clock
from firmware_emu.errors import KeystoreError
from hil.ssi.accounts import AccountError, Accounts, PageSession
from hil.ssi.peer import peer_of
from hil.ssi.settings import PageSettings, functions
from hil.ssi.views import Views, moment

COOKIE = "chub_session"
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
    "guides": "Questions and guides",
    "feedback": "Feedback",
    "accounts": "Accounts",
}


class PageRefused(Exception):
    """Ends a request with a page that says why; ``status`` 403 or 404. What is another's and what is not there read the same."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


NOTHING_HERE = "There is nothing here that you may see. Go back to a list and choose from it."


@dataclass
class Page:
    """Common state of the handlers. ``mutual_tls``: users sign in by client certificate and by nothing else."""

    views: Views
    accounts: Accounts
    clock: Clock
    settings: PageSettings
    mutual_tls: bool
    streams: Counter[str] = field(default_factory=Counter)
    """Open streams by the key of their session."""
    under_way: str = ""
    """Sentence about the journey that fills this page; nothing beside a DCC of another process."""
    _environment: Environment | None = None

    @property
    def environment(self) -> Environment:
        if self._environment is None:
            self._environment = Environment(
                loader=PackageLoader("hil.ssi"), autoescape=select_autoescape(("html", "j2")), trim_blocks=True, lstrip_blocks=True
            )
            self._environment.filters |= {"moment": moment, "query": lambda text: quote(str(text), safe="")}
        return self._environment

    def render(self, name: str, session: PageSession | None, request: Request, status: int = 200, **values: object) -> HTMLResponse:
        """A page of ``templates``."""
        menu = [] if session is None else [(name, TITLES[name]) for name in functions() if session.account.may(name)]
        html = self.environment.get_template(f"{name}.html.j2").render(
            menu=menu,
            session=session,
            here=request.url.path.split("/")[1],
            now=moment(self.views.now()),
            under_way=self.under_way,
            **values,
        )
        return HTMLResponse(html, status)

    def session(self, request: Request) -> PageSession | None:
        """Session of the request. Raises AccountError (403), TooManyRequests (429)."""
        if not self.mutual_tls:
            return self.accounts.session(request.cookies.get(COOKIE))
        try:
            return self.accounts.sign_in_by_certificate(peer_of(request.scope))
        except KeystoreError as error:
            raise AccountError(f"your certificate names no user: {error}") from error


Handler = Callable[[Page, Request, PageSession], Awaitable[Response]]


def page_of(request: Request) -> Page:
    """The page a request is for."""
    page: Page = request.app.state.page
    return page


def text_of(form: FormData, name: str, most: int = 2000) -> str:
    """A text field of a form, cut at ``most`` characters."""
    found = form.get(name, "")
    return found.strip()[:most] if isinstance(found, str) else ""
