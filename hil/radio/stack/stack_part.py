"""The stack of one node as its parts see it, and its user as it sees that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from firmware_emu.han.base import SimpleDescriptor
from firmware_emu.ids import Eui64
from hil.radio.air.air import Air, Link
from hil.radio.air.frames import MacPdu
from hil.radio.stack.aps import Aps, IncomingApdu
from hil.radio.stack.nwk import Nwk
from hil.radio.stack.status import Status
from hil.radio.stack.tokens import Child, Tokens
from hil.radio.stack.zdo import Described, Rules


class StackUser(Protocol):
    """Runner of the node: the EZSP host or a :class:`hil.radio.nodes.node.StackNode`."""

    def stack_status(self, status: Status) -> None: ...
    def incoming(self, message: IncomingApdu) -> None: ...
    def trust_centre_join(self, short: int, device: Eui64, update: int, decision: int, parent: int) -> None: ...
    def child_join(self, device: Eui64, child: Child, joining: bool) -> None: ...
    def polled(self, short: int) -> None: ...
    def inter_pan(self, frame: MacPdu, link: Link) -> None: ...
    def key_switched(self, sequence: int) -> None: ...
    def key_told(self, partner: Eui64, status: int) -> None:
        """Fate of a link key with ``partner`` that was asked for (EmberKeyStatus)."""
        ...

    def route_recorded(self, short: int, device: Eui64, relays: tuple[int, ...], link: Link) -> None: ...


class StackPart(Protocol):
    """Everything that joining, the Trust Centre and ZDO may use of the stack."""

    air: Air
    tokens: Tokens
    user: StackUser
    nwk: Nwk
    aps: Aps
    running: bool
    zdo_flags: int
    rules: Rules
    binds: bool
    bindings: list[bytes]
    endpoints: dict[int, SimpleDescriptor]
    association: asyncio.Future[tuple[int, int]] | None
    awaited_key: asyncio.Future[tuple[bytes, int, Eui64]] | None

    @property
    def network_key(self) -> asyncio.Future[tuple[bytes, int, Eui64]]:
        """The network key a joining node waits for."""
        ...

    def link_key(self, partner: Eui64) -> bytes | None:
        """The key in force with ``partner``."""
        ...

    def key_switched(self) -> None:
        """The next network key comes into force."""
        ...

    def change_channel(self, channel: int, update_id: int) -> None:
        """Go to another channel with the network."""
        ...

    def described(self) -> Described:
        """The node as ZDO tells of it."""
        ...

    def send_zdo(self, destination: int, cluster: int, payload: bytes, done: Callable[[Status], None] | None = None) -> None:
        """One ZDO frame."""
        ...

    def keep_link_key(self, partner: Eui64, key: bytes) -> None:
        """Into the key table."""
        ...

    def permit(self, seconds: int) -> Status:
        """Let Devices associate for ``seconds``."""
        ...

    def leave(self) -> Status:
        """Leave the network."""
        ...
