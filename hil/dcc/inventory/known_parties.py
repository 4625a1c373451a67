"""Which remote parties each Device holds, as far as the DCC knows: it decides between known and unknown remote party
(sec2-rules PR-06 [137], reference gbcs-messages 1.4)."""

from __future__ import annotations

from collections.abc import Mapping

from firmware_emu.crypto.roles import RemotePartyRole
from firmware_emu.device.credentials import cells_of
from firmware_emu.ids import Eui64
from hil.dcc.base.store import DccStore
from hil.dcc.inventory.inventory import Device


class KnownParties:
    """One party per Device and role, in the DCC's store. ``new_devices`` are the parties that a Device holds as its maker delivers it."""

    def __init__(self, store: DccStore, new_devices: Mapping[RemotePartyRole, Eui64]) -> None:
        self._store = store
        self._new_devices = dict(new_devices)

    def hold(self, device: Eui64, role: RemotePartyRole, party: Eui64) -> None:
        """The Device now holds ``party`` in ``role``."""
        self._store.execute("INSERT OR REPLACE INTO held_parties VALUES (?, ?, ?)", (str(device), int(role), str(party)))

    def install(self, device: Device) -> None:
        """A Device as its maker delivers it: a party in every role that its kind has trust anchor cells for."""
        for role in {cell.role for cell in cells_of(device.type)} & set(self._new_devices):
            if self.party(device.eui, role) is None:
                self.hold(device.eui, role, self._new_devices[role])

    def party(self, device: Eui64, role: RemotePartyRole) -> Eui64 | None:
        """Party that the Device holds in ``role``."""
        row = self._store.row("SELECT party FROM held_parties WHERE device = ? AND party_role = ?", (str(device), int(role)))
        return None if row is None else Eui64.parse(row["party"])

    def knows(self, device: Eui64, party: Eui64) -> bool:
        """True if the Device holds ``party`` in any role."""
        return self._store.row("SELECT 1 FROM held_parties WHERE device = ? AND party = ?", (str(device), str(party))) is not None
