"""Power of the hub: what it does when the supply or the mains goes and comes back (reference chts 8, ichis 1-2).

The table says which event in which state leads to which state and actions; :class:`PowerMonitor` keeps in NVM what the next
boot must know: whether an outage was under way and since when.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum

from firmware_emu.device.store import Store

_MOMENT = struct.Struct(">Q")
"""Milliseconds since 2000: an outage just short of its threshold is told as one, wherever in a second it begins."""
LOST_AT = "hub/power/lost_at"
_ALIVE = "hub/power/alive_at"
_BOOTS = "hub/power/boots"
_REASON = "hub/power/reason"


class PowerEvent(Enum):
    """Event that the connector reports. AC Lost is pin 9; supply is the 12 V rail."""

    SUPPLY_ON = "supply on"
    SUPPLY_OFF = "supply off"
    AC_LOST = "ac lost"
    AC_RESTORED = "ac restored"
    HOLD_UP_ENDED = "hold-up ended"
    BOOTED = "booted"


class PowerState(Enum):
    """Power state of the hub."""

    OFF = "off"
    BOOTING = "booting"
    RUNNING = "running"
    HOLD_UP = "hold-up"
    """AC Lost was seen; the hub lives on what is stored in it."""
    EXHAUSTED = "exhausted"
    """The hold-up is used up; nothing runs until the supply returns."""


class PowerAction(Enum):
    """Action of a transition, in order."""

    BOOT = "boot"
    LAST_GASP = "send the last gasp"
    FLUSH = "flush NVM"
    START_HOLD_UP = "start the hold-up time"
    STOP_HOLD_UP = "stop the hold-up time"
    REPORT_RESTORED = "report the outage as restored"
    STOP = "stop everything"


TRANSITIONS: dict[tuple[PowerState, PowerEvent], tuple[PowerState, tuple[PowerAction, ...]]] = {
    (PowerState.OFF, PowerEvent.SUPPLY_ON): (PowerState.BOOTING, (PowerAction.BOOT,)),
    (PowerState.BOOTING, PowerEvent.BOOTED): (PowerState.RUNNING, (PowerAction.REPORT_RESTORED,)),
    (PowerState.BOOTING, PowerEvent.SUPPLY_OFF): (PowerState.OFF, (PowerAction.STOP,)),
    (PowerState.BOOTING, PowerEvent.AC_LOST): (PowerState.HOLD_UP, (PowerAction.START_HOLD_UP, PowerAction.FLUSH, PowerAction.LAST_GASP)),
    (PowerState.RUNNING, PowerEvent.AC_LOST): (PowerState.HOLD_UP, (PowerAction.START_HOLD_UP, PowerAction.FLUSH, PowerAction.LAST_GASP)),
    (PowerState.RUNNING, PowerEvent.SUPPLY_OFF): (PowerState.OFF, (PowerAction.STOP,)),
    (PowerState.HOLD_UP, PowerEvent.AC_RESTORED): (PowerState.RUNNING, (PowerAction.STOP_HOLD_UP, PowerAction.REPORT_RESTORED)),
    (PowerState.HOLD_UP, PowerEvent.HOLD_UP_ENDED): (PowerState.EXHAUSTED, (PowerAction.STOP,)),
    (PowerState.HOLD_UP, PowerEvent.SUPPLY_OFF): (PowerState.OFF, (PowerAction.STOP,)),
    (PowerState.EXHAUSTED, PowerEvent.AC_RESTORED): (PowerState.BOOTING, (PowerAction.BOOT,)),
    (PowerState.EXHAUSTED, PowerEvent.SUPPLY_OFF): (PowerState.OFF, ()),
}
"""An event that is not here for a state changes nothing."""


class BootReason(Enum):
    """Why the hub starts."""

    FIRST = "first power-on"
    OUTAGE = "supply returned after AC Lost"
    UNEXPECTED = "supply had gone without AC Lost"
    RESET = "factory reset"


@dataclass(frozen=True, slots=True)
class Outage:
    """An outage that is over: seconds since 2000, to the millisecond where AC Lost told its start.

    ``warned``: AC Lost told its start. Otherwise the last alive mark dates it, and it may have begun up to ``uncertain_s`` later.
    """

    start: float
    end: float
    warned: bool
    uncertain_s: int = 0

    @property
    def seconds(self) -> float:
        """Shortest time that it can have lasted, to the millisecond."""
        return max(0.0, round(self.end - self.start - self.uncertain_s, 3))


class PowerMonitor:
    """The state, and the marks in NVM that survive."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.state = PowerState.OFF
        self.reason = BootReason.FIRST
        self.boots = int.from_bytes(store.get(_BOOTS) or b"", "big")
        self._last_alive: float | None = None

    def on(self, event: PowerEvent) -> tuple[PowerAction, ...]:
        """Take an event; the actions to carry out, in order."""
        state, actions = TRANSITIONS.get((self.state, event), (self.state, ()))
        self.state = state
        return actions

    def boot(self) -> None:
        """Count this boot and record its reason."""
        if self._store.get(_ALIVE) is None and self._store.get(LOST_AT) is None:
            self.reason = BootReason.RESET if self._store.get(_REASON) == BootReason.RESET.name.encode() else BootReason.FIRST
        elif self._store.get(LOST_AT) is not None:
            self.reason = BootReason.OUTAGE
        else:
            self.reason = BootReason.UNEXPECTED
            self._last_alive = _moment(self._store.get(_ALIVE) or b"")
        self.boots += 1
        with self._store.transaction():
            self._store.put(_BOOTS, self.boots.to_bytes(4, "big"))
            self._store.put(_REASON, self.reason.name.encode())

    def reset(self) -> None:
        """The hub goes back to factory state: the next boot says so. Call in the transaction that empties the store."""
        self._store.put(_REASON, BootReason.RESET.name.encode())
        self.boots = 0
        self._last_alive = None

    def lost(self, at: float) -> None:
        """AC Lost was seen at ``at``."""
        self._store.put(LOST_AT, _MOMENT.pack(round(at * 1000)))

    def alive(self, at: float) -> None:
        """The hub runs at ``at``."""
        self._store.put(_ALIVE, _MOMENT.pack(round(at * 1000)))

    def outage(self, now: float, alive_mark_s: int) -> Outage | None:
        """The outage that NVM tells of and that ends now; None if there was none. ``alive_mark_s``: between two alive marks."""
        lost = self._store.get(LOST_AT)
        if lost is not None:
            return Outage(_moment(lost), now, True)
        return None if self._last_alive is None else Outage(self._last_alive, now, False, alive_mark_s)

    def outage_reported(self, now: float) -> None:
        """Forget the outage; call in the transaction that stores its report."""
        self._store.delete(LOST_AT)
        self.alive(now)
        self._last_alive = None


def _moment(octets: bytes) -> float:
    """A stored moment; an older store has whole seconds in four octets."""
    return int.from_bytes(octets, "big") / (1000 if len(octets) == _MOMENT.size else 1)
