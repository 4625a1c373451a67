"""The network key of the HAN is changed from time to time: the hub gives the next one out, lets those that sleep fetch it, and switches.

Level-triggered as commissioning is: which key comes next and when it is switched to stands in the store before anybody is told, so that a
power cut in between only repeats the giving out. A Device that missed both comes back by its link key.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from firmware_emu.crypto.entropy import Entropy
from firmware_emu.device.store import Store
from firmware_emu.han.base import HanRadio, NetworkSettings
from firmware_emu.hub.profile import HubProfile
from firmware_emu.trace import Trace

_NEXT = struct.Struct(">I16s")
_NEXT_KEY, _SINCE = "hub/network/next", "hub/network/key_since"


@runtime_checkable
class RotatingRadio(Protocol):
    """A coordinator's radio whose network key can be changed."""

    async def give_network_key(self, key: bytes | None = None) -> None:
        """Give out the next key, which nobody uses yet. Raises RadioError."""
        ...

    async def switch_network_key(self) -> NetworkSettings:
        """Everybody takes the key that was given out. Raises RadioError."""
        ...


class NetworkKeyRotation:
    """``switched`` takes the network's settings with their new key. ``now``: the hub's time, seconds since 2000."""

    def __init__(
        self,
        radio: HanRadio,
        store: Store,
        now: Callable[[], float],
        trace: Trace,
        profile: HubProfile,
        switched: Callable[[NetworkSettings], None],
        entropy: Entropy,
    ) -> None:
        self._radio = radio
        self._store = store
        self._now = now
        self._trace = trace
        self._profile = profile
        self._switched = switched
        self._entropy = entropy
        self._given = False

    def begin(self) -> None:
        """Ask for a change of key now, out of its turn; one that is under way goes on."""
        if self._store.get(_NEXT_KEY) is None:
            switch_at = int(self._now()) + self._profile.network_key_spread_s
            self._store.put(_NEXT_KEY, _NEXT.pack(switch_at, self._entropy.octets(16)))

    def formed(self) -> None:
        """A network was formed, with a key of its own: what was under way for the last one is over."""
        with self._store.transaction():
            self._store.delete(_NEXT_KEY)
            self._store.put(_SINCE, int(self._now()).to_bytes(4, "big"))
        self._given = False

    async def reconcile(self) -> float | None:
        """Do what is due; the seconds until there is something to do again, None where the radio cannot. Raises RadioError."""
        radio: object = self._radio
        if not isinstance(radio, RotatingRadio):
            return None
        now = self._now()
        since = self._store.get(_SINCE)
        if since is None:
            self.formed()
            return float(self._profile.network_key_period_s)
        due = int.from_bytes(since, "big") + self._profile.network_key_period_s
        if now >= due:
            self.begin()
        waiting = self._store.get(_NEXT_KEY)
        if waiting is None:
            return due - now
        switch_at, key = _NEXT.unpack(waiting)
        if not self._given:
            await radio.give_network_key(key)
            self._given = True
            self._trace.emit("han", "hub", "network key given", switch_in=round(switch_at - now))
        if now < switch_at:
            return float(switch_at - now)
        settings = await radio.switch_network_key()
        with self._store.transaction():
            self._switched(settings)
            self.formed()
        self._trace.emit("han", "hub", "network key switched")
        return float(self._profile.network_key_period_s)
