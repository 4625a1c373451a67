"""A Device onto the HAN: associate under the install code's key, establish a link key by suite 2, take the hub's time, keep watch.

Reference zigbee-han 5 (joining), gbcs-spec-notes 9 (time comes before the tunnel) and 10.5 (keep-alive).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

from firmware_emu.clock import Clock
from firmware_emu.crypto.aes_mmo import install_code_link_key
from firmware_emu.crypto.ecqv import CbkeCredentials
from firmware_emu.errors import CommsHubError, RadioError
from firmware_emu.han.base import HanNode
from firmware_emu.han.key_establishment import establish
from firmware_emu.han.zcl_port import ZclPort
from firmware_emu.ids import Eui64, InstallCode
from firmware_emu.trace import Trace

TIME = 0x000A
KEEP_ALIVE = 0x0025
_TIME_ATTRIBUTE, _TIME_STATUS = 0x0000, 0x0001
_BASE, _JITTER = 0x0000, 0x0001
_MASTER = 0x01

DEFAULT_BASE_MIN, DEFAULT_JITTER_S = 2, 60
"""Keep-alive values of a Device that has not read the hub's (stack default, reference gbcs-spec-notes 10.5)."""
MISSES = 3
"""Misses in a row after which the search for the hub starts (reference gbcs-spec-notes 10.5)."""
KEEP_ALIVE_ANSWER_S = 5.0
LOWEST_PERIOD_S, HIGHEST_PERIOD_S = 5 * 60, 20 * 60
"""The period must lie between 5 and 20 minutes (reference gbcs-spec-notes 10.5)."""


@dataclass(frozen=True, slots=True)
class ServedTime:
    """Time as the hub serves it: seconds since 2000 (UTC), and whether it calls itself a master of time."""

    seconds: int
    reliable: bool


@dataclass(frozen=True, slots=True)
class Membership:
    """The outcome of a join: the coordinator, and the hub's time if it serves one."""

    coordinator: Eui64
    time: ServedTime | None


async def join_han(
    node: HanNode,
    zcl: ZclPort,
    install_code: InstallCode,
    cbke: CbkeCredentials,
    *,
    trace: Trace,
    name: str,
    extended_pan_id: Eui64 | None = None,
    sleepy: bool = False,
    on_key: Callable[[Eui64], None] | None = None,
) -> Membership:
    """Join, establish and import the link key, read the hub's time.

    ``on_key`` is called with the coordinator once there is a link key: from then on it may ask for a tunnel, before its time was read.
    Endpoints and the tunnel server must be registered before. Raises RadioError (no network that lets this Device in, no
    answer) or ProtectionError (key establishment refused).
    """
    coordinator = await node.join(install_code_link_key(install_code), extended_pan_id=extended_pan_id, sleepy=sleepy)
    trace.emit("han", name, "joined", target=str(coordinator))
    try:
        key = await establish(zcl, coordinator, cbke)
    except CommsHubError:
        # Without a link key the Device has no use for the network: it leaves, so that another try begins afresh.
        await node.leave()
        raise
    await node.import_link_key(coordinator, key)
    if on_key is not None:
        on_key(coordinator)
    trace.emit("han", name, "key established", target=str(coordinator), suite=cbke.suite)
    return Membership(coordinator, await read_time(zcl, coordinator))


async def read_time(zcl: ZclPort, coordinator: Eui64) -> ServedTime | None:
    """The hub's time, None if it serves none or does not answer."""
    try:
        endpoint = await zcl.find_endpoint(coordinator, TIME)
        values = await zcl.read_attributes(coordinator, endpoint, TIME, (_TIME_ATTRIBUTE, _TIME_STATUS), secured=True)
    except RadioError:
        return None
    seconds, status = values.get(_TIME_ATTRIBUTE), values.get(_TIME_STATUS)
    if not isinstance(seconds, int) or seconds == 0xFFFFFFFF:
        return None
    return ServedTime(seconds, isinstance(status, int) and bool(status & _MASTER))


class KeepAliveWatch:
    """Reads the hub's keep-alive cluster at its period and tells when the hub is lost.

    ``on_lost`` is called after :data:`MISSES` misses in a row, ``on_found`` after the first success that follows. ``seed``
    makes the jitter repeatable.
    """

    def __init__(
        self,
        zcl: ZclPort,
        coordinator: Eui64,
        clock: Clock,
        *,
        on_lost: Callable[[], None],
        on_found: Callable[[], None],
        seed: str,
    ) -> None:
        self._zcl = zcl
        self._coordinator = coordinator
        self._clock = clock
        self._on_lost = on_lost
        self._on_found = on_found
        self._random = random.Random(seed)
        self._base_s = DEFAULT_BASE_MIN * 60
        self._jitter_s = DEFAULT_JITTER_S
        self.misses = 0

    @property
    def lost(self) -> bool:
        return self.misses >= MISSES

    def move_to(self, coordinator: Eui64) -> None:
        """Another hub has taken over."""
        self._coordinator = coordinator

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            await self._clock.sleep(self._period())
            await self.check()

    def _period(self) -> float:
        base = min(max(self._base_s, LOWEST_PERIOD_S), HIGHEST_PERIOD_S)
        return base + self._random.uniform(0, self._jitter_s)

    async def check(self) -> bool:
        """One read; whether the hub answered as it should. No answer, an error and a wrong status all count as a miss."""
        try:
            async with asyncio.timeout(KEEP_ALIVE_ANSWER_S):
                endpoint = await self._zcl.find_endpoint(self._coordinator, KEEP_ALIVE)
                values = await self._zcl.read_attributes(
                    self._coordinator,
                    endpoint,
                    KEEP_ALIVE,
                    (_BASE, _JITTER),
                    secured=True,
                    timeout_s=KEEP_ALIVE_ANSWER_S,
                )
        except (RadioError, TimeoutError):
            values = {}
        base, jitter = values.get(_BASE), values.get(_JITTER)
        if not isinstance(base, int) or not isinstance(jitter, int):
            self.misses += 1
            if self.misses == MISSES:
                self._on_lost()
            return False
        self._base_s, self._jitter_s = base * 60, jitter
        if self.lost:
            self._on_found()
        self.misses = 0
        return True
