"""Passages of the HAN, seen by content: whole GBCS messages at the Devices of this bench, and ZCL frames at the hub's radio.

Both are plain: the radio's security is off them, and is made anew for what goes on. A frame that does not go on is lost after its
acknowledgement, as by a fault of the firmware above the radio; :attr:`hil.radio.air.air.Air.disturbance` loses frames of the air itself.

Does not see messages of Devices that run elsewhere (real ones, and those of the open air): only the frames that carry them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from firmware_emu.clock import Clock
from firmware_emu.errors import DecodeError
from firmware_emu.gbcs.envelope import Message
from firmware_emu.han.base import ApsFrame, Passage
from firmware_emu.han.zigpy_radio import ZigpyRadio
from firmware_emu.ids import Eui64
from hil.devices.base.gbcs_device import GbcsHanDevice
from hil.devices.base.han_device import HanDevice

Arrival = tuple[float, bytes]
"""Seconds from now, and the octets that go on then."""


@dataclass(frozen=True, slots=True)
class Passing:
    """A message or a frame on its way. ``cluster`` is that of a ZCL frame; None: ``octets`` are a GBCS message."""

    sender: Eui64
    receiver: Eui64
    octets: bytes
    cluster: int | None = None

    @property
    def message(self) -> Message | None:
        """The GBCS message; None for a frame, and for octets that cannot be read."""
        if self.cluster is not None:
            return None
        try:
            return Message.decode(self.octets)
        except DecodeError:
            return None


Act = Callable[[Passing], Awaitable[Sequence[Arrival]]]
"""Called with each thing that passes; gives what goes on of it, and when."""


class Passages:
    """The passages of one home. They stand open, at no cost, while no act is laid on them."""

    def __init__(self, clock: Clock, hub: Eui64, devices: Mapping[str, HanDevice]) -> None:
        """``hub``: the address of its radio."""
        self._clock = clock
        self._hub = hub
        self._devices = devices
        self._acts: list[Act] = []
        self.radio: ZigpyRadio | None = None
        """The hub's radio; each boot makes another, with :attr:`frames` as its passage."""
        self.frames: Passage | None = None

    def lay(self, act: Act) -> None:
        """Let everything that passes go through ``act``, after those that are laid already."""
        self._acts.append(act)
        self._open()

    def lift(self, act: Act) -> None:
        """Take one off again; one that is not laid is no fault."""
        self._acts = [one for one in self._acts if one != act]
        self._open()

    def _open(self) -> None:
        self.frames = self._frame if self._acts else None
        if self.radio is not None:
            self.radio.passage = self.frames
        for device in self._devices.values():
            if isinstance(device, GbcsHanDevice):
                device.passage = self._message if self._acts else None

    async def _through(self, passing: Passing) -> AsyncIterator[bytes]:
        arrivals: list[Arrival] = [(0.0, passing.octets)]
        for act in tuple(self._acts):
            arrivals = [(late + more, octets) for late, before in arrivals for more, octets in await act(replace(passing, octets=before))]
        gone = 0.0
        for late, octets in sorted(arrivals, key=lambda arrival: arrival[0]):
            if late > gone:
                await self._clock.sleep(late - gone)
                gone = late
            yield octets

    async def _frame(self, sender: Eui64, receiver: Eui64, frame: ApsFrame) -> AsyncIterator[ApsFrame]:
        async for octets in self._through(Passing(sender, receiver, frame.payload, frame.cluster)):
            yield replace(frame, payload=octets)

    async def _message(self, device: Eui64, sent: bool, message: bytes) -> AsyncIterator[bytes]:
        sender, receiver = (device, self._hub) if sent else (self._hub, device)
        async for octets in self._through(Passing(sender, receiver, message)):
            yield octets
