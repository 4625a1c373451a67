"""The page's web server, in the event loop of whoever runs it: a station's, or that of a page of its own."""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import ssl
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from firmware_emu.errors import NotAvailable, in_words
from firmware_emu.handshakes import Handshakes
from firmware_emu.ownership import ServedPort
from firmware_emu.supervised import supervised
from hil.ssi.peer import PeerProtocol
from hil.ssi.settings import page_settings

_HEAD_OCTETS = 16 * 1024
"""The longest head of a request that is read (own limit; browsers keep to 8 KiB)."""
_REFUSED = 200
"""Number of refused connections that are remembered (own limit)."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class _Server(uvicorn.Server):
    """Leaves signals to the program it runs in, and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.refused: list[str] = []
        """Why the latest connections were turned away, oldest first."""
        self.listens = asyncio.Event()
        self.over = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen as uvicorn does, but begin so many handshakes at once and no more."""
        await super().startup([])
        (port,) = sockets or []
        self._handshakes = Handshakes(port, "the web server's port", self._begin, self._turned_away)
        self.listens.set()

    async def _begin(self, connection: socket.socket, peer: str) -> None:
        loop, config = asyncio.get_running_loop(), self.config
        tls = config.ssl
        try:
            await loop.connect_accepted_socket(
                lambda: PeerProtocol(config, self.server_state, self.lifespan.state),
                connection,
                ssl=tls,
                ssl_handshake_timeout=None if tls is None else config.timeout_keep_alive,
            )
        except (OSError, TimeoutError) as error:
            connection.close()
            self._turned_away(f"{peer}: no TLS: {in_words(error)}")

    def _turned_away(self, reason: str) -> None:
        self.refused.append(reason)
        del self.refused[:-_REFUSED]

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._handshakes.close()
        await super().shutdown(sockets)

    async def main_loop(self) -> None:
        """Wait for the end: the one of uvicorn looks ten times a second, which a day on a warp clock has 864,000 times."""
        await self.on_tick(0)
        await self.over.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class PageServer:
    """``tls`` None serves plain HTTP, which is for loopback alone. ``speed``: bench seconds a second, where whoever connects lives in real
    time and the loop does not."""

    def __init__(self, app: ASGIApp, host: str, port: int, tls: ssl.SSLContext | None = None, *, speed: float = 1.0) -> None:
        if tls is None and host not in LOOPBACK:
            raise NotAvailable(f"a page at {host} without TLS", "serve it on 127.0.0.1, or with client certificates (--mtls)")
        self.host = host
        self._port = port
        self._tls = tls
        config = uvicorn.Config(
            app,
            http=PeerProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            limit_concurrency=page_settings().connections,
            timeout_keep_alive=math.ceil(page_settings().header_s * speed),
            h11_max_incomplete_event_size=_HEAD_OCTETS,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            ssl_context_factory=None if tls is None else lambda config, default: tls,
            timeout_graceful_shutdown=1,
        )
        self._server = _Server(config)
        self._served: ServedPort | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def refused(self) -> tuple[str, ...]:
        """Why the latest connections were turned away, oldest first."""
        return tuple(self._server.refused)

    @property
    def url(self) -> str:
        """Address for a browser."""
        return f"{'http' if self._tls is None else 'https'}://{self.host}:{self._port}"

    async def start(self) -> str:
        """Listen; returns the URL. Raises NotAvailable where the port is taken."""
        self._served = ServedPort(self.host, self._port, "the web server's port")
        self._port = self._served.port
        self._task = supervised(self._server.serve(sockets=[self._served.socket]), "the web server")
        await self._server.listens.wait()
        return self.url

    async def close(self) -> None:
        """End it; open live connections are cut."""
        self._server.should_exit = True
        self._server.over.set()
        if self._task is not None:
            await self._task
        if self._served is not None:
            self._served.close()
            self._served = None
