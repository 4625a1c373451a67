"""The keypad of a meter for tokens: too many wrong ones in a row suspend it for a while (reference gbcs-spec-notes 14).

That is manual entry alone: a token that comes by Command or from a display is never locked out. Events 81C4 (suspended) and 81C5 (a token
rejected as locked out) are in the maker's table AC1; how many and how long are figures of this bench.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from firmware_emu.device.store import Store

SUSPENDED, LOCKED_OUT = 0x81C4, 0x81C5
TRIES = 5
"""One maker locks after five wrong codes in a row (Secure Liberty 100); SMETS gives none."""
PAUSE_S = 3600
"""The bench's own figure: makers say "a configured time"."""
_STATE = struct.Struct(">BI")


class Keypad:
    """Counts wrong tokens in the meter's store. ``take`` enters a token and says whether it was good; ``tell`` raises an event."""

    def __init__(self, store: Store, name: str, take: Callable[[str], bool], tell: Callable[[int], None]) -> None:
        self._store = store
        self._name = name
        self._take = take
        self._tell = tell

    def enter(self, utrn: str, now: float) -> bool:
        """Type a token in at ``now``; whether it was taken."""
        wrong, until = _STATE.unpack(self._store.get(self._name) or bytes(_STATE.size))
        if now < until:
            self._tell(LOCKED_OUT)
            return False
        if self._take(utrn):
            self._store.delete(self._name)
            return True
        wrong += 1
        if wrong >= TRIES:
            wrong, until = 0, int(now) + PAUSE_S
            self._tell(SUSPENDED)
        self._store.put(self._name, _STATE.pack(wrong, until))
        return False
