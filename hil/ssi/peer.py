"""One connection of a web server: its client certificate, which uvicorn does not hand to applications, and an end to all waiting.

uvicorn waits for ever for a request that has begun to come, whatever its answer was, and for whoever does not read an answer.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress

import h11
from cryptography import x509
from cryptography.x509.oid import NameOID
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from firmware_emu.errors import IdentifierError, KeystoreError
from firmware_emu.ids import Eui64

_PEER = "chub.peer_certificate"
_TIMES = {"head": 1, "body": 6, "reading": 6}
"""Times that what the other end owes is waited for, as multiples of that of a head (own limit)."""
_OWED: dict[object, str] = {h11.IDLE: "head", h11.SEND_BODY: "body"}


class _WithPeer:
    """Puts one connection's certificate into the scope of its requests."""

    def __init__(self, app: ASGIApp, certificate: bytes | None) -> None:
        self._app = app
        self._certificate = certificate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(ClientDisconnect):  # it went in the middle of what it sent: there is nobody to answer, and no fault of the page's
            await self._app({**scope, _PEER: self._certificate}, receive, send)


class PeerProtocol(H11Protocol):
    """HTTP/1.1 that knows who is at the other end."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        certificate = tls.getpeercert(binary_form=True) if isinstance(tls, ssl.SSLObject) else None
        self.app = _WithPeer(self.app, certificate)
        self._owed: str | None = None
        self._due: asyncio.TimerHandle | None = None
        self._full = False
        self._wait()

    def _wait(self) -> None:
        """Wait for what the other end owes now: a whole head, then a whole body, and that it reads what it is told."""
        reading = self._full or self.transport.is_closing()
        owed = "reading" if reading else _OWED.get(self.conn.their_state)
        if owed == self._owed:
            return
        self._owed = owed
        if self._due is not None:
            self._due.cancel()
        times = 0 if owed is None else _TIMES[owed]
        self._due = asyncio.get_running_loop().call_later(times * self.timeout_keep_alive, self._over) if times else None

    def _over(self) -> None:
        if self._owed == "reading":
            self.transport.abort()
        else:
            self.transport.close()
            self._wait()

    def data_received(self, data: bytes) -> None:
        """A piece of a request."""
        super().data_received(data)
        self._wait()

    def on_response_complete(self) -> None:
        """The answer is said; what is left of the request, or the next one, may come."""
        super().on_response_complete()
        self._wait()

    def pause_writing(self) -> None:
        """The other end does not read."""
        super().pause_writing()
        self._full = True
        self._wait()

    def resume_writing(self) -> None:
        """It reads again."""
        super().resume_writing()
        self._full = False
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """The other end is gone."""
        if self._due is not None:
            self._due.cancel()
        super().connection_lost(exc)


def peer_of(scope: Scope) -> Eui64:
    """The User ID that the client certificate of a request names. Raises KeystoreError."""
    shown = scope.get(_PEER)
    if not isinstance(shown, bytes):
        raise KeystoreError("the page", "the browser showed no certificate")
    names = x509.load_der_x509_certificate(shown).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    name = names[0].value if names else ""
    try:
        return Eui64.parse(str(name))
    except IdentifierError as error:
        raise KeystoreError("the page", f"the certificate is for {name!r}: expected a User ID") from error
