"""The page of a bench as a web application. Its key stands in its address: who does not know it gets nothing."""

from __future__ import annotations

import asyncio
import shlex
from html import escape
from importlib import resources

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from firmware_emu.errors import CommsHubError
from hil.ssi.app import Headers, SmallBodies
from hil.watch.sources import WatchedBench
from hil.watch.views import BenchView

_BODY = 4096
"""Octets of what the page sends (own limit): one sentence."""
_ASKED_EVERY = 4
"""A bench is asked for the state of its Devices at each so manyth look at its records (own figure)."""


class WatchPage:
    """Handlers of one bench; a thread waits for it, so the page answers while it is slow."""

    def __init__(self, bench: WatchedBench) -> None:
        self.bench = bench
        self.view = BenchView(bench.board())
        self._asked: dict[str, object] = {}
        self._looks = 0
        self._one = asyncio.Lock()

    async def page(self, request: Request) -> Response:
        text = resources.files("hil.watch").joinpath("static", "watch.html").read_text("utf-8")
        return HTMLResponse(text.replace("{{ bench }}", escape(self.bench.name)))

    async def state(self, request: Request) -> Response:
        """Everything that changed behind the record ``behind``."""
        behind = request.query_params.get("behind", "0")
        async with self._one:
            try:
                await asyncio.to_thread(self._look)
            except CommsHubError as gone:
                return JSONResponse({**self.view.as_json(_number(behind)), **self._asked, "gone": str(gone)})
        return JSONResponse({**self.view.as_json(_number(behind)), **self._asked, "live": self.bench.live, "bench": self.bench.name})

    def _look(self) -> None:
        while new := self.bench.records(self.view.last):
            self.view.take(new)
        if self.bench.live and self._looks % _ASKED_EVERY == 0:
            self._asked = {
                "faults": (self.bench.look("fault list") or {}).get("rows", []),
                "jig": (self.bench.look("jig status") or {}).get("values", {}),
                "registers": {
                    one.name: (self.bench.look(f"{one.name} status") or {}).get("values", {}) for one in self.view.members.values()
                },
            }
        self._looks += 1

    async def why(self, request: Request) -> Response:
        """The cause of what a record tells."""
        number = _number(request.query_params.get("record", ""))
        try:
            return JSONResponse(await asyncio.to_thread(self.bench.why, number, self.view.records))
        except CommsHubError as trouble:
            return JSONResponse({"ok": False, "said": str(trouble)})

    async def add(self, request: Request) -> Response:
        """A fault, as a sentence."""
        return await self._say(f"fault add {shlex.join((await _sent(request, 'sentence')).split())}")

    async def lift(self, request: Request) -> Response:
        """The end of a fault, by its number."""
        return await self._say(f"fault clear {_number(await _sent(request, 'number'))}")

    async def _say(self, said: str) -> Response:
        try:
            async with self._one:
                done = await asyncio.to_thread(self.bench.say, said)
                self._looks = 0
        except CommsHubError as trouble:
            done = {"ok": False, "said": str(trouble)}
        return JSONResponse(done)


async def _sent(request: Request, name: str) -> str:
    """A value of the JSON that the page sends; empty where there is none, as in what another site's form would send."""
    try:
        sent = await request.json()
    except ValueError:
        return ""
    return str(sent.get(name, "")) if isinstance(sent, dict) and request.headers.get("content-type") == "application/json" else ""


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 19 else 0


def watch_app(bench: WatchedBench, key: str) -> Starlette:
    """The application for one bench under ``/KEY/``. Raises CommsHubError where the bench cannot be asked."""
    page = WatchPage(bench)
    routes = [
        Route("/", page.page),
        Route("/state", page.state),
        Route("/why", page.why),
        Route("/faults", page.add, methods=["POST"]),
        Route("/lift", page.lift, methods=["POST"]),
        Mount("/static", StaticFiles(directory=str(resources.files("hil.watch").joinpath("static")))),
    ]
    guards = [
        Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"]),
        Middleware(Headers),
        Middleware(SmallBodies, most=_BODY),
    ]
    return Starlette(routes=[Mount(f"/{key}", routes=routes)], middleware=guards)
