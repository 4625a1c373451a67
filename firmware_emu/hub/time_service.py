"""The hub's time, taken from the WAN provider, and the Time and Keep-Alive clusters that give it to the HAN (CHTS 4.6.3.1)."""

from __future__ import annotations

from firmware_emu.clock import Clock
from firmware_emu.device.store import Store
from firmware_emu.han.attributes import Attributes
from firmware_emu.han.zcl_port import ZclPort
from firmware_emu.hub.profile import HubProfile
from firmware_emu.trace import Trace
from firmware_emu.zse import clusters

_OFFSET = "hub/time/offset"
_PROPOSED = "hub/time/proposed"
_SAME_S = 60
"""Two tellings of one time may differ by this much (own limit: clocks drift between two connections)."""
MASTER_AND_SUPERSEDING = 0x09
"""Time status of a GB hub (reference zigbee-han 4); 0 until the WAN provider has told the time."""
TIME, KEEP_ALIVE = 0x000A, 0x0025


class HubTime:
    """Seconds since 2000, UTC: bench time plus what the WAN provider said the difference is. Kept over power cuts."""

    def __init__(self, store: Store, clock: Clock, trace: Trace, profile: HubProfile) -> None:
        self._store = store
        self._profile = profile
        self._clock = clock
        self._trace = trace
        stored = store.get(_OFFSET)
        self._offset = 0 if stored is None else int.from_bytes(stored, "big", signed=True)
        self.reliable = stored is not None

    def now(self) -> float:
        """The hub's time."""
        return self._clock.now() + self._offset

    def set(self, utc: int) -> bool:
        """Take the time of the WAN provider; True if the hub's clock was set.

        Up to a second off is left as it is, and a time outside the profile's bounds is refused. One that jumps further than the profile
        allows is taken when it is told again at a later connection: a provider that lost its time once moves no hub.
        """
        if not self._profile.earliest_time <= utc <= self._profile.latest_time:
            bounds = f"expected {self._profile.earliest_time} to {self._profile.latest_time} seconds since 2000"
            self._trace.emit("hub", "chf", "refused", reason=f"the WAN provider tells {utc}, {bounds}")
            return False
        offset = utc - int(self._clock.now())
        if self.reliable and abs(offset - self._offset) <= 1:
            self._store.delete(_PROPOSED)
            return False
        if self.reliable and abs(offset - self._offset) > self._profile.time_jump_longest_s and not self._proposed_before(offset):
            self._store.put(_PROPOSED, offset.to_bytes(8, "big", signed=True))
            jump = f"{offset - self._offset:+d} s from the hub's own time"
            self._trace.emit("hub", "chf", "refused", reason=f"the WAN provider tells {utc}, {jump}: taken if it is told again")
            return False
        self._trace.emit("hub", "chf", "clock set", seconds=offset - self._offset)
        self._offset = offset
        self.reliable = True
        with self._store.transaction():
            self._store.put(_OFFSET, offset.to_bytes(8, "big", signed=True))
            self._store.delete(_PROPOSED)
        return True

    def _proposed_before(self, offset: int) -> bool:
        kept = self._store.get(_PROPOSED)
        return kept is not None and abs(int.from_bytes(kept, "big", signed=True) - offset) <= _SAME_S


def serve_time(zcl: ZclPort, endpoints: tuple[int, ...], time: HubTime) -> None:
    """Answer reads of the Time cluster on ``endpoints``."""
    cluster = clusters.BY_ID.get(TIME)
    if cluster is None:
        raise KeyError("the Time cluster is not declared")
    attributes = Attributes(
        cluster,
        {
            "time": lambda: int(time.now()),
            "time_status": lambda: MASTER_AND_SUPERSEDING if time.reliable else 0,
        },
    )
    for endpoint in endpoints:
        zcl.serve(endpoint, TIME, None, attributes=attributes)


def serve_keep_alive(zcl: ZclPort, endpoint: int, profile: HubProfile) -> None:
    """Answer reads of the Keep-Alive cluster."""
    cluster = clusters.BY_ID.get(KEEP_ALIVE)
    if cluster is None:
        raise KeyError("the Keep-Alive cluster is not declared")
    zcl.serve(
        endpoint,
        KEEP_ALIVE,
        None,
        attributes=Attributes(
            cluster,
            {
                0x0000: profile.keep_alive_base_min,
                0x0001: profile.keep_alive_jitter_s,
            },
        ),
    )
