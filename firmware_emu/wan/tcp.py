"""The SM WAN as TCP with mutual TLS: the hub's link, and the DCC's server with one link a hub.

The server reads a connection's first frame, which must be HELLO and must name the CHF of the TLS certificate, and
gives the connection to that hub's link; a newer connection of the same hub takes the place of the older.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections import deque
from collections.abc import Callable

from firmware_emu.errors import DecodeError, WanError, in_words
from firmware_emu.handshakes import Handshakes
from firmware_emu.ids import Eui64
from firmware_emu.ownership import ServedPort
from firmware_emu.wan.base import WanFrame, WanKind
from firmware_emu.wan.framing import FrameReader, encode
from firmware_emu.wan.tls import DCC_NAME, TlsFiles

_CHUNK = 1 << 16
_REFUSED = 200
"""Number of refused connections that are remembered (own limit)."""
CONNECT_TIMEOUT_S = 20.0
"""Until TCP, TLS and the first HELLO must be through. Profile value of this bench."""


class _Stream:
    """Frames over one TLS connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._frames = FrameReader()
        self._arrived: deque[WanFrame] = deque()
        self.open = True

    async def send(self, frame: WanFrame) -> None:
        try:
            self._writer.write(encode(frame))
            await self._writer.drain()
        except OSError as error:
            self.abort()
            raise WanError(f"the connection broke while sending {frame.kind.name}: {in_words(error)}") from error

    async def receive(self) -> WanFrame:
        while not self._arrived:
            try:
                octets = await self._reader.read(_CHUNK)
                self._arrived.extend(self._frames.feed(octets))
            except OSError as error:
                self.abort()
                raise WanError(f"the connection broke: {in_words(error)}") from error
            except DecodeError as error:
                self.abort()
                raise WanError(f"the far end broke the framing: {error}") from error
            if not octets:
                self.abort()
                raise WanError("the far end closed the connection")
        return self._arrived.popleft()

    def push_back(self, frame: WanFrame) -> None:
        self._arrived.appendleft(frame)

    def abort(self) -> None:
        self.open = False
        self._writer.transport.abort()

    async def close(self) -> None:
        self.open = False
        self._writer.close()
        with contextlib.suppress(OSError):  # the far end may be gone already: closed is what was asked for
            await self._writer.wait_closed()

    def common_name(self) -> str:
        """The common name of the far end's certificate, checked by TLS before."""
        certificate = self._writer.get_extra_info("peercert") or {}
        for group in certificate.get("subject", ()):
            for name, value in group:
                if name == "commonName":
                    return str(value)
        return ""


class _TcpLink:
    """Handling of a connection that both ends share."""

    _stream: _Stream | None = None

    @property
    def connected(self) -> bool:
        return self._stream is not None and self._stream.open

    def _connection(self) -> _Stream:
        if self._stream is None or not self._stream.open:
            raise WanError("not connected")
        return self._stream

    async def send(self, frame: WanFrame) -> None:
        """Raises WanError."""
        await self._connection().send(frame)

    async def receive(self) -> WanFrame:
        """Raises WanError."""
        return await self._connection().receive()

    async def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.close()


class TcpWanLink(_TcpLink):
    """The hub's end."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext) -> None:
        self._host = host
        self._port = port
        self._context = context

    @classmethod
    def client(cls, host: str, port: int, tls: TlsFiles) -> TcpWanLink:
        """A link to the DCC at ``host`` and ``port``. Raises KeystoreError where a file of ``tls`` is not usable."""
        return cls(host, port, tls.client_context())

    async def connect(self) -> None:
        """Raises WanError that names the address and what failed."""
        await self.close()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(self._host, self._port, ssl=self._context, server_hostname=DCC_NAME)
        except (OSError, TimeoutError) as error:
            raise WanError(
                f"cannot reach the DCC at {self._host}:{self._port}: {in_words(error) if str(error) else 'no answer in time'}"
            ) from error
        self._stream = _Stream(reader, writer)


class TcpHubLink(_TcpLink):
    """The DCC's end for one hub: ``connect`` waits until that hub comes."""

    def __init__(self, chf: Eui64) -> None:
        self.chf = chf
        self._offered: _Stream | None = None
        self._arrival = asyncio.Event()

    def offer(self, stream: _Stream) -> None:
        """A connection of this hub has come; it ends the one before."""
        if self._offered is not None:
            self._offered.abort()
        if self._stream is not None:
            self._stream.abort()
        self._offered = stream
        self._arrival.set()

    async def connect(self) -> None:
        """Wait for the hub."""
        await self.close()
        while self._offered is None or not self._offered.open:
            self._arrival.clear()
            await self._arrival.wait()
        self._stream, self._offered = self._offered, None


class TcpWanServer:
    """The DCC's listening side. ``on_hub`` is called at the first connection of a hub that nobody asked for by :meth:`link`."""

    def __init__(self, host: str, port: int, tls: TlsFiles, on_hub: Callable[[TcpHubLink], None] | None = None) -> None:
        self._host = host
        self._asked_port = port
        self._context = tls.server_context()
        self._on_hub = on_hub
        self._links: dict[Eui64, TcpHubLink] = {}
        self._handshakes: Handshakes | None = None
        self._served: ServedPort | None = None
        self.refused: list[str] = []
        """Why the latest connections were turned away, oldest first."""

    @property
    def port(self) -> int:
        """The port in use (0 was asked for: the one the system chose)."""
        if self._served is None:
            raise WanError("the WAN server is not started: call start() first")
        return self._served.port

    def link(self, chf: Eui64) -> TcpHubLink:
        """The link of one hub, made at the first call; its ``connect`` waits for the hub."""
        return self._links.setdefault(chf, TcpHubLink(chf))

    async def start(self) -> None:
        """Listen. Raises NotAvailable, OwnedElsewhere."""
        self._served = ServedPort(self._host, self._asked_port, "the DCC's port for hubs")
        self._handshakes = Handshakes(self._served.socket, "the DCC's port for hubs", self._begin, self._told_refused)

    async def _begin(self, connection: socket.socket, peer: str) -> None:
        """The TLS handshake and HELLO of one connection."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol, connection, ssl=self._context, ssl_handshake_timeout=CONNECT_TIMEOUT_S
            )
        except (OSError, TimeoutError) as error:
            connection.close()
            self._told_refused(f"{peer}: no TLS: {in_words(error)}")
            return
        await self._accept(reader, asyncio.StreamWriter(transport, protocol, reader, loop))

    async def close(self) -> None:
        """Stop listening and end every connection."""
        if self._handshakes is not None:
            await self._handshakes.close()
            for link in self._links.values():
                if link._offered is not None:
                    link._offered.abort()
                await link.close()
            self._handshakes = None
        if self._served is not None:
            self._served.close()
            self._served = None

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stream = _Stream(reader, writer)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                hello = await stream.receive()
        except (WanError, TimeoutError) as error:
            self._refuse(stream, f"no HELLO: {error}")
            return
        name = stream.common_name()
        if hello.kind is not WanKind.HELLO or len(hello.body) < 16:
            self._refuse(stream, f"{name} began with {hello.kind.name} of {len(hello.body)} octets: expected HELLO")
            return
        chf = Eui64(hello.body[:8])
        if str(chf) != name:
            self._refuse(stream, f"the certificate of {name or 'nobody'} said HELLO as {chf}: expected its own CHF EUI-64")
            return
        known = chf in self._links
        link = self.link(chf)
        stream.push_back(hello)
        link.offer(stream)
        if not known and self._on_hub is not None:
            self._on_hub(link)

    def _refuse(self, stream: _Stream, reason: str) -> None:
        self._told_refused(reason)
        stream.abort()

    def _told_refused(self, reason: str) -> None:
        self.refused.append(reason)
        del self.refused[:-_REFUSED]
