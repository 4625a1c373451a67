"""Short addresses of Devices: learned from joins, announcements and the dongle's tables, and asked for on the air.

The ZDO requests under way are kept here too, since finding an address is most of what is asked by ZDO.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from firmware_emu.errors import DecodeError, RadioError
from firmware_emu.han import zdo
from firmware_emu.ids import Eui64
from firmware_emu.supervised import supervised

LOGGER = logging.getLogger(__name__)

SEEK_AGAIN_S = 300.0
"""Time between two questions to the air for a Device that does not answer (own limit: each is a broadcast)."""
ZDO_TIMEOUT_S = 10.0
"""Waiting time for a ZDO answer: our own figure, over the 7.68 s that a sleepy child's parent may hold a frame."""


class ZdoPort(Protocol):
    """Radio functions that the book needs."""

    async def send_zdo(self, short: int | None, cluster: int, payload: bytes) -> None: ...
    async def lookup_short(self, device: Eui64) -> int | None: ...
    async def lookup_device(self, short: int) -> Eui64 | None: ...


class AddressBook:
    """Short addresses of Devices, both ways, and the ZDO requests under way."""

    def __init__(self, port: ZdoPort) -> None:
        self._port = port
        self._short: dict[Eui64, int] = {}
        self._device: dict[int, Eui64] = {}
        self._doubted: set[Eui64] = set()
        self._sought: dict[Eui64, float] = {}
        self._waiting: dict[int, list[Callable[[Eui64], None]]] = {}
        self._asked: dict[tuple[int | None, int, int], asyncio.Future[bytes]] = {}
        self._sequence = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def learn(self, device: Eui64, short: int) -> None:
        """``device`` has ``short`` from now on."""
        self.forget(device)
        old = self._device.get(short)
        if old is not None:
            self.forget(old)
        self._short[device] = short
        self._device[short] = device

    def forget(self, device: Eui64) -> None:
        """The Device left."""
        short = self._short.pop(device, None)
        self._doubted.discard(device)
        if short is not None:
            self._device.pop(short, None)

    def doubt(self, device: Eui64) -> None:
        """A frame did not arrive: ask again before the next one."""
        self._doubted.add(device)

    def clear(self) -> None:
        """A new network."""
        self._short.clear()
        self._device.clear()
        self._doubted.clear()

    def stop(self) -> None:
        """Drop what waits for an address."""
        for task in self._tasks:
            task.cancel()
        self._waiting.clear()

    async def short_of(self, device: Eui64) -> int:
        """The Device's short address; one that is in doubt is sought again. Raises RadioError where nobody knows it."""
        known = self._short.get(device)
        if known is not None and device not in self._doubted:
            return known
        found = await self._port.lookup_short(device)
        if found is not None and found != known:
            self.learn(device, found)
            return found
        if known is None:
            found = await self._seek(device)
        else:
            found = await self._seek_again(device) or known  # where nobody knows better, the old one is tried again
        self.learn(device, found)
        return found

    async def _seek_again(self, device: Eui64) -> int | None:
        now = asyncio.get_running_loop().time()
        if now - self._sought.get(device, -SEEK_AGAIN_S) < SEEK_AGAIN_S:
            return None
        self._sought[device] = now
        try:
            return await self._seek(device)
        except RadioError:
            return None

    async def _seek(self, device: Eui64) -> int:
        try:
            answer = await self.ask(None, zdo.NWK_ADDRESS_REQUEST, lambda sequence: zdo.encode_nwk_request(sequence, device))
            named, short = zdo.decode_address_response(answer)
        except (RadioError, DecodeError) as error:
            raise RadioError(f"{device} is not on the HAN, or does not answer", "UNKNOWN_DEVICE") from error
        if named != device:
            raise RadioError(f"the question for {device} was answered with {named}: it is not on the HAN", "UNKNOWN_DEVICE")
        return short

    def with_device(self, short: int, act: Callable[[Eui64], None]) -> None:
        """Call ``act`` with the Device behind ``short``: at once where known, else in order when it has been asked for."""
        device = self._device.get(short)
        if device is not None and short not in self._waiting:
            self._doubted.discard(device)
            act(device)
            return
        waiting = self._waiting.setdefault(short, [])
        waiting.append(act)
        if len(waiting) == 1:
            task = supervised(self._identify(short), f"the question who 0x{short:04X} is")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _identify(self, short: int) -> None:
        try:
            device = await self._device_of(short)
        except (RadioError, DecodeError) as error:
            LOGGER.info("frames of the unknown short address 0x%04X are dropped: %s", short, error)
            self._waiting.pop(short, None)
            return
        self.learn(device, short)
        for act in self._waiting.pop(short, []):
            act(device)

    async def _device_of(self, short: int) -> Eui64:
        device = await self._port.lookup_device(short)
        if device is not None:
            return device
        answer = await self.ask(short, zdo.IEEE_ADDRESS_REQUEST, lambda sequence: zdo.encode_ieee_request(sequence, short))
        named, theirs = zdo.decode_address_response(answer)
        if theirs != short:
            raise RadioError(f"0x{short:04X} answers that it is 0x{theirs:04X}")
        return named

    async def ask(self, short: int | None, cluster: int, encode: Callable[[int], bytes]) -> bytes:
        """A ZDO request and its answer's payload. ``short`` None: broadcast, anyone may answer. Raises RadioError."""
        self._sequence = (self._sequence + 1) % 256
        key = (short, cluster | zdo.RESPONSE, self._sequence)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._asked[key] = answer
        try:
            async with asyncio.timeout(ZDO_TIMEOUT_S):
                await self._port.send_zdo(short, cluster, encode(self._sequence))
                return await answer
        except TimeoutError:
            raise RadioError(f"no answer to ZDO request 0x{cluster:04X}", "TIMEOUT") from None
        finally:
            self._asked.pop(key, None)

    def answered(self, short: int, cluster: int, payload: bytes) -> None:
        """A ZDO frame arrived: an answer that somebody waits for, or nothing to us."""
        if not payload:
            return
        for origin in (short, None):
            answer = self._asked.get((origin, cluster, payload[0]))
            if answer is not None and not answer.done():
                answer.set_result(payload)
                return
