"""The DCC's copy of each hub's device log, its versions, and the comparison of copy, hub and inventory.

The copy follows the hub: every CS14 and every read (8.9) that differs makes a new version (sec2-rules DL-01, DL-02 [188,
189]). It holds Device IDs and the hashes of their link keys; nothing of the Gas Proxy's data (DL-04 [191]).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from firmware_emu.crypto.roles import DeviceType
from firmware_emu.errors import DecodeError
from firmware_emu.gbcs.alert_contents import WhitelistBackup
from firmware_emu.gbcs.axdr import Array, Data, OctetString, Structure
from firmware_emu.gbcs.dlms import AccessResponse, AccessResult
from firmware_emu.ids import Eui64
from hil.dcc.base.store import DccStore
from hil.dcc.inventory.inventory import Inventory

READ_WITH_HASHES = 0x00FE
"""CCS07: two logs with hashes, the present one first (reference gbcs-messages 9)."""
READ_LISTS = frozenset({0x0004, 0x010F})
"""CCS05/CCS04 and CCS06: the list with link quality and last contact, without hashes."""


@dataclass(frozen=True, slots=True)
class LogVersion:
    """One version of the copy. ``entries``: Device to hash of its link key, empty while none is established."""

    chf: Eui64
    version: int
    time: float
    source: str
    backup_time: bytes
    extended_pan_id: bytes
    entries: Mapping[Eui64, bytes]

    @property
    def backup(self) -> WhitelistBackup:
        """As CS14 and CCS03 carry it."""
        return WhitelistBackup(self.backup_time, self.extended_pan_id, tuple(self.entries.items()))


@dataclass(frozen=True, slots=True)
class LogDifference:
    """One finding of the comparison; ``sentence`` says what is where and what to do."""

    device: Eui64
    kind: str
    sentence: str


class DeviceLogCopy:
    """The copies of all hubs in the DCC's store."""

    def __init__(self, store: DccStore, inventory: Inventory, now: Callable[[], float]) -> None:
        self._store = store
        self._inventory = inventory
        self._now = now

    def copy(self, chf: Eui64) -> LogVersion | None:
        """The newest version, None if this hub has sent none."""
        found = self.versions(chf)
        return found[-1] if found else None

    def versions(self, chf: Eui64) -> tuple[LogVersion, ...]:
        """All versions, oldest first."""
        return tuple(
            LogVersion(
                chf,
                row["version"],
                row["time"],
                row["source"],
                bytes.fromhex(row["backup_time"]),
                bytes.fromhex(row["extended_pan_id"]),
                {Eui64.parse(eui): bytes.fromhex(link_hash) for eui, link_hash in json.loads(row["entries"]).items()},
            )
            for row in self._store.rows("SELECT * FROM device_logs WHERE chf = ? ORDER BY version", (str(chf),))
        )

    def keep(self, chf: Eui64, backup: WhitelistBackup, source: str, request: str | None = None) -> LogVersion:
        """A new version if it differs from the newest, and the inventory follows it. ``source`` names the message (``CS14``)."""
        entries = dict(backup.devices)
        with self._store.transaction():
            before = self.copy(chf)
            if before is not None and (before.entries, before.extended_pan_id) == (entries, backup.extended_pan_id):
                return before
            number = 1 if before is None else before.version + 1
            self._store.insert(
                "device_logs",
                chf=str(chf),
                version=number,
                time=self._now(),
                source=source,
                backup_time=backup.date_time.hex(),
                extended_pan_id=backup.extended_pan_id.hex(),
                entries=json.dumps({str(eui): link_hash.hex() for eui, link_hash in entries.items()}),
            )
            self._follow(chf, entries, {} if before is None else before.entries, source, request)
        return self.versions(chf)[-1]

    def keep_gpf(self, gpf: Eui64, entries: Mapping[Eui64, DeviceType]) -> None:
        """The Device log of a Gas Proxy Function as its last GCS62 told it: identifiers and types, none of its data (DL-04 [191])."""
        with self._store.transaction():
            self._store.execute("DELETE FROM gpf_logs WHERE gpf = ?", (str(gpf),))
            for eui, kind in entries.items():
                self._store.insert("gpf_logs", gpf=str(gpf), device=str(eui), type=kind.value, time=self._now())

    def gpf_log(self, gpf: Eui64) -> dict[Eui64, DeviceType]:
        """Log that :meth:`keep_gpf` kept last; empty if none."""
        rows = self._store.rows("SELECT device, type FROM gpf_logs WHERE gpf = ? ORDER BY rowid", (str(gpf),))
        return {Eui64.parse(row["device"]): DeviceType(row["type"]) for row in rows}

    def _follow(self, chf: Eui64, entries: Mapping[Eui64, bytes], before: Mapping[Eui64, bytes], source: str, request: str | None) -> None:
        for eui, link_hash in entries.items():
            if self._inventory.device(eui) is None:
                continue  # an unlisted Device in the log is a finding of compare(), not a reason to list it
            if self._inventory.hub_of(eui) != chf:
                self._inventory.associate(eui, "chf", chf)
            event, what = ("joined", "with a link key") if link_hash else ("whitelisted", "without a link key")
            if self._inventory.may_move(eui, event):
                self._inventory.move(eui, event, reason=f"{source} of hub {chf} lists it {what} [184]", request=request)
        for eui in before:
            if eui not in entries and self._inventory.device(eui) is not None:
                self._inventory.dissociate(eui, "chf", chf)
                if self._inventory.may_move(eui, "removed from the device log"):
                    self._inventory.move(
                        eui, "removed from the device log", reason=f"{source} of hub {chf} lists it no more", request=request
                    )

    def compare(self, chf: Eui64, hub: Mapping[Eui64, bytes | None] | None = None) -> tuple[LogDifference, ...]:
        """Copy, hub's own log and inventory against each other (DL-06); ``hub`` None leaves the hub's log out.

        A hash of None in ``hub`` means that the read did not carry hashes.
        """
        newest = self.copy(chf)
        copied = {} if newest is None else dict(newest.entries)
        known = (self._inventory.device(eui) for eui in self._inventory.on_hub(chf))
        listed = {device.eui for device in known if device is not None and device.type is not DeviceType.GPF}
        found: list[LogDifference] = []
        for eui in sorted(set(copied) | set(hub or ()) | listed):
            found += self._compare_one(chf, eui, copied, hub, eui in listed)
        return tuple(found)

    def _compare_one(
        self, chf: Eui64, eui: Eui64, copied: Mapping[Eui64, bytes], hub: Mapping[Eui64, bytes | None] | None, listed: bool
    ) -> list[LogDifference]:
        device = self._inventory.device(eui)
        if device is not None and device.type is DeviceType.GPF:
            return []  # the hub's own second Device: it may be missing from the log (reference gbcs-messages 9)
        found = []
        if hub is not None and eui in hub and eui not in copied:
            found.append(
                LogDifference(
                    eui,
                    "missing in copy",
                    f"{eui} is in the log of hub {chf} and not in the DCC's copy: a CS14 was missed; read the log (8.9).",
                )
            )
        if hub is not None and eui in copied and eui not in hub:
            found.append(
                LogDifference(
                    eui,
                    "missing on hub",
                    f"{eui} is in the DCC's copy and not in the log of hub {chf}: the hub lost it; "
                    "restore it (8.12.1) or remove it (8.11).",
                )
            )
        if hub is not None and eui in hub and eui in copied and hub[eui] is not None and hub[eui] != copied[eui]:
            theirs, ours = hub[eui] or b"", copied[eui]
            what = (
                "the hub has a link key and the copy none"
                if theirs and not ours
                else "the copy has a link key and the hub none"
                if ours and not theirs
                else "they hold different link keys"
            )
            found.append(
                LogDifference(
                    eui, "credential mismatch", f"For {eui} on hub {chf} {what}: read the log (8.9), and rejoin the Device if it stays so."
                )
            )
        present = eui in (copied if hub is None else hub)
        if device is None:
            found.append(
                LogDifference(
                    eui,
                    "not in inventory",
                    f"{eui} is on hub {chf} and not in the inventory: pre-notify it (12.2) or remove it from the log (8.11).",
                )
            )
        elif not listed and present:
            other = self._inventory.hub_of(eui)
            where = "no hub" if other is None else f"hub {other}"
            found.append(
                LogDifference(
                    eui,
                    "associated elsewhere",
                    f"The log of hub {chf} has {eui}, which the inventory puts on {where}: correct the association.",
                )
            )
        elif listed and not present:
            found.append(
                LogDifference(
                    eui,
                    "missing in log",
                    f"The inventory puts {eui} ({device.status}) on hub {chf}, whose log does not have it: "
                    "add it (8.11) or decommission it (8.3).",
                )
            )
        return found


def read_log(message_code: int, response: AccessResponse) -> tuple[Mapping[Eui64, bytes | None], WhitelistBackup | None]:
    """The hub's own log out of the answer to 8.9: Device to hash (None where the read carries none), and the backup of CCS07.

    Raises DecodeError.
    """
    if any(result.code is not AccessResult.SUCCESS for result in response.results):
        raise DecodeError(0, "device log", f"the hub answered {', '.join(result.code.name for result in response.results)}")
    first = response.data[0] if response.data else None
    if message_code == READ_WITH_HASHES and first is not None:
        backup = WhitelistBackup.of((first,), 0)
        return dict(backup.devices), backup
    if message_code in READ_LISTS and isinstance(first, Array):
        return {_listed(entry): None for entry in first.elements}, None
    raise DecodeError(0, "device log", f"message {message_code:04x} carries no device log")


def _listed(entry: Data) -> Eui64:
    if (
        isinstance(entry, Structure)
        and entry.elements
        and isinstance(entry.elements[0], OctetString)
        and len(entry.elements[0].octets) == 8
    ):
        return Eui64(entry.elements[0].octets)
    raise DecodeError(0, "device log entry", "expected a structure that begins with a Device ID")
