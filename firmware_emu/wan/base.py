"""The seam of the SM WAN: frames between a hub and the DCC, and the link that carries them.

The protocol between DCC and hub is not published (reference gbcs-messages 14): these frames are this bench's own. What
they keep is what the rules ask: GBCS messages pass unopened, nothing is lost when either end dies between two frames,
nothing is delivered twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol


class WanKind(IntEnum):
    """Kind of a WAN frame's content."""

    HELLO = 1
    """Hub to DCC at each connection: CHF EUI-64, GPF EUI-64 (8 octets each), then the boot count (4)."""
    TIME = 2
    """DCC to hub after HELLO: UTC as u32 seconds since 2000. The hub's time source is the WAN provider."""
    MESSAGE = 3
    """A GBCS message, either way, byte for byte."""
    ACKNOWLEDGE = 4
    """``sequence`` names the frame that has been stored safely by the receiver; empty body."""
    POWER_LOST = 5
    """Hub to DCC, last gasp: u32 seconds since 2000 when AC Lost was seen (reference requirements CH-11)."""
    IMAGE = 6
    """DCC to hub: a piece of a firmware image for the hub's OTA store."""
    ALERT = 7
    """Hub to DCC: u32 seconds since 2000 when the CHF was notified (reference requirements CH-10), then a GBCS Alert, byte for byte."""


@dataclass(frozen=True, slots=True)
class WanFrame:
    """``sequence`` counts per direction and is kept over restarts, so that the receiver can drop a repeat; HELLO, TIME
    and ACKNOWLEDGE are not themselves acknowledged."""

    kind: WanKind
    sequence: int
    body: bytes = b""


class WanLink(Protocol):
    """One end of a link to one peer. Raises WanError from every call when the link is down."""

    @property
    def connected(self) -> bool: ...

    async def connect(self) -> None:
        """Reach the far end (the hub's side) or wait for it (the DCC's side)."""
        ...

    async def send(self, frame: WanFrame) -> None: ...

    async def receive(self) -> WanFrame:
        """The next frame in order."""
        ...

    async def close(self) -> None: ...


class PassingLink(WanLink):
    """Another link, passed on as it is: the base of those that change one thing of it."""

    def __init__(self, link: WanLink) -> None:
        self._link = link

    @property
    def connected(self) -> bool:
        return self._link.connected

    async def connect(self) -> None:
        await self._link.connect()

    async def send(self, frame: WanFrame) -> None:
        await self._link.send(frame)

    async def receive(self) -> WanFrame:
        return await self._link.receive()

    async def close(self) -> None:
        await self._link.close()
