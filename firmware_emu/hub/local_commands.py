"""Which Commands came through a hand-held terminal, so that their Responses go back to it (sec2-rules LC-01, LC-03 [193]).

No source states where the Response of a local Command goes. Chosen here: to the terminal that handed the Command over, if it is still
on the HAN, and else over the SM WAN; over both where the same Command has come over both.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from firmware_emu.device.store import Store
from firmware_emu.gbcs.envelope import GroupingHeader
from firmware_emu.hub.device_log import DeviceLog, RegisteredType
from firmware_emu.ids import CraFlag, Eui64, MessageIdentifier

_NOTES = "hub/local/"
_NOTES_KEPT = 100
_WAN_KEPT = 100
"""Local Commands without a Response, and Commands that came over the SM WAN, that the hub remembers. Chosen here."""


@dataclass(frozen=True, slots=True)
class Way:
    """Destination of a Response."""

    terminal: Eui64 | None
    wan: bool


class LocalCommands:
    """Notes in the hub's store; each call is inside the transaction of the message."""

    def __init__(self, store: Store, log: DeviceLog) -> None:
        self._store = store
        self._log = log
        self._over_wan: deque[MessageIdentifier] = deque(maxlen=_WAN_KEPT)

    def came_over_wan(self, command: MessageIdentifier) -> None:
        """A Command for a Device has come over the SM WAN."""
        self._over_wan.append(command)

    def came_from(self, terminal: Eui64, command: MessageIdentifier) -> bool:
        """A terminal has handed over a Command for a Device; False (and nothing is noted) when too many are without Response."""
        if len(self._store.keys(_NOTES)) >= _NOTES_KEPT:
            return False
        self._store.put(f"{_NOTES}{command}", terminal.octets)
        return True

    def way_of(self, response: GroupingHeader) -> Way:
        """Destination of a Device's message that is for nobody on the HAN; the note of a Response has served then."""
        if response.cra is not CraFlag.RESPONSE:
            return Way(None, True)
        command = MessageIdentifier(response.recipient, response.originator, CraFlag.COMMAND, response.counter)
        noted = self._store.get(f"{_NOTES}{command}")
        if noted is None:
            return Way(None, True)
        self._store.delete(f"{_NOTES}{command}")
        entry = self._log.get(Eui64(noted))
        if entry is None or entry.registered_type is not RegisteredType.HAND_HELD:
            return Way(None, True)
        return Way(entry.device, command in self._over_wan)

    def forget(self, terminal: Eui64) -> None:
        """A terminal is gone."""
        for key in self._store.keys(_NOTES):
            if self._store.get(key) == terminal.octets:
                self._store.delete(key)
