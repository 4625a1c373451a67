"""The NWK layer of one node as its parts see it, and the layer above as it sees that."""

from __future__ import annotations

from typing import Protocol

from firmware_emu.ids import Eui64
from hil.radio.air.air import Link
from hil.radio.air.frames import MacPdu, NwkPdu, Update
from hil.radio.stack.mac import Done, Mac
from hil.radio.stack.tokens import Child, Tokens


class NwkUser(Protocol):
    """The layer above."""

    def nwk_data(self, frame: NwkPdu, link: Link, secured: bool) -> None: ...
    def child_joined(self, device: Eui64, child: Child, update: Update) -> None: ...
    def child_gone(self, device: Eui64, child: Child) -> None: ...
    def told_to_leave(self, rejoin: bool) -> None: ...
    def device_left(self, device: Eui64, short: int) -> None: ...
    def associated(self, short: int, status: int) -> None: ...
    def polled(self, short: int) -> None: ...
    def inter_pan(self, frame: MacPdu, link: Link) -> None: ...
    def key_switched(self) -> None: ...
    def route_recorded(self, short: int, device: Eui64, relays: tuple[int, ...], link: Link) -> None: ...


class NwkPart(Protocol):
    """Everything that children and routes may use of the NWK layer."""

    tokens: Tokens
    mac: Mac
    shorts: dict[Eui64, int]
    addresses: dict[int, Eui64]

    @property
    def routes_for_others(self) -> bool:
        """True if the node is a router or the coordinator."""
        ...

    def learn(self, short: int, device: Eui64) -> None:
        """Remember an address pair; the latest word counts."""
        ...

    def expect(self, short: int, device: Eui64) -> None:
        """Expect a Device at a short address that nobody is known by; nothing is proven yet."""
        ...

    def expect_no_more(self, short: int, device: Eui64) -> None:
        """A Device that was expected there, and nothing more, has proven nothing."""
        ...

    def free_short(self) -> int:
        """A short address that nobody is known by."""
        ...

    def forget_counter(self, device: Eui64) -> None:
        """A Device that joins afresh counts its frames from anywhere."""
        ...

    def first_hop(self, destination: int) -> int:
        """The neighbour that frames to ``destination`` go to first."""
        ...

    def has_end_device(self, short: int) -> bool:
        """True if ``short`` is an end device of this node, which answers for it."""
        ...

    def relay_broadcast(self, frame: NwkPdu, payload: bytes) -> None:
        """Relay a broadcast of another node, changed on its way."""
        ...

    def send(
        self,
        destination: int,
        payload: bytes,
        done: Done | None = None,
        *,
        command: bool = False,
        secured: bool = True,
        radius: int = ...,
        destination_eui: Eui64 | None = None,
        source_eui: bool = False,
    ) -> None:
        """One NPDU; ``done`` tells whether the first hop took it."""
        ...
