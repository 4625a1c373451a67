"""The client certificate of a connection, which uvicorn does not hand to applications by itself."""

from __future__ import annotations

import asyncio
import ssl

from cryptography import x509
from cryptography.x509.oid import NameOID
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from firmware_emu.errors import IdentifierError, KeystoreError
from firmware_emu.ids import Eui64

_PEER = "chub.peer_certificate"


class _WithPeer:
    """Puts one connection's certificate into the scope of its requests."""

    def __init__(self, app: ASGIApp, certificate: bytes | None) -> None:
        self._app = app
        self._certificate = certificate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, _PEER: self._certificate}, receive, send)


class PeerProtocol(H11Protocol):
    """HTTP/1.1 that knows who is at the other end."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        certificate = tls.getpeercert(binary_form=True) if isinstance(tls, ssl.SSLObject) else None
        self.app = _WithPeer(self.app, certificate)
        # uvicorn ends a connection that is idle between requests; one that never sends a whole first request it would keep.
        self._head_due = asyncio.get_running_loop().call_later(self.timeout_keep_alive, self._end_without_a_request)

    def _end_without_a_request(self) -> None:
        begun: object = self.cycle  # uvicorn declares it as always there; before the first request it is None
        if begun is None and not self.transport.is_closing():
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The other end is gone."""
        self._head_due.cancel()
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
