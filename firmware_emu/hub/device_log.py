"""The CHF Device Log: who may use the HAN, with which key; and the Historic Device Log behind it (reference chts 2).

Everything is in the hub's store: a change made inside a transaction is durable with it. Keys never leave this module but
as their hash (CS14, CCS07) or into the radio.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, IntEnum

from firmware_emu.crypto.aes_mmo import aes_mmo
from firmware_emu.device.store import Store
from firmware_emu.ids import Eui64

CURRENT = "hub/log/current/"
HISTORIC = "hub/log/historic/"


class RegisteredType(IntEnum):
    """Device type in ``register_device`` (reference chts-notes 3); not the 0..6 of :class:`DeviceType`."""

    ESME = 0
    GSME = 1
    HCALCS = 13
    IHD = 128
    CAD = 130
    PPMID = 132
    HAND_HELD = 254
    """Of this bench alone: a hand-held terminal in its window, which no ``register_device`` names."""
    UNKNOWN = 255
    """Of this bench alone: a Device of a restored log, whose type the backup does not tell."""

    @property
    def gets_gbcs(self) -> bool:
        """Type 2 Devices (IHD, CAD) have no GBCS credentials and get no messages; a hand-held terminal carries those of others."""
        return self not in (RegisteredType.IHD, RegisteredType.CAD, RegisteredType.HAND_HELD)


class ListedState(Enum):
    """Progress of a Device in the log."""

    LISTED = "listed"
    """In the log; has not joined."""
    JOINED = "joined"
    """Holds the network key; key establishment is not done."""
    ESTABLISHED = "established"
    """Has a Trust Centre link key of its own."""


@dataclass(frozen=True, slots=True)
class ListedDevice:
    """One Device of the CHF Device Log. Times are seconds since 2000, 0: never. Keys are secret: ``repr`` leaves them out.

    ``admission_key`` is the key it may join with (hashed install code, or the key of a restored log); ``link_key`` the
    Trust Centre link key in force, empty if none. ``window_opened``/``window_s``: the time given for joining, ``window_s`` 0
    when closed.
    """

    device: Eui64
    registered_type: RegisteredType
    admission_key: bytes = b""
    link_key: bytes = b""
    restored_hash: bytes = b""
    membership: ListedState = ListedState.LISTED
    added: int = 0
    last_communication: int = 0
    window_opened: int = 0
    window_s: int = 0
    sleepy: bool = False
    rssi: tuple[int, int, int] = (0, 0, 0)
    lqi: tuple[int, int, int] = (0, 0, 0)

    @property
    def key_hash(self) -> bytes:
        """Hash that CS14 and CCS07 show: 16 octets, or none without a link key.

        AES-MMO of the key, as a ZigBee trust centre swap-out has it (engineering knowledge; the GBCS text is not stored).
        """
        if self.link_key:
            return aes_mmo(self.link_key)
        return self.restored_hash

    @property
    def radio_key(self) -> bytes:
        """Key that the radio uses with it: the link key or, until one is established after a restore, the restored hash; empty if
        neither."""
        return self.link_key or self.restored_hash

    def __repr__(self) -> str:
        return f"LogEntry({self.device}, {self.registered_type.name}, {self.membership.value})"

    def encode(self) -> bytes:
        return json.dumps(
            {
                "type": int(self.registered_type),
                "admission_key": self.admission_key.hex(),
                "link_key": self.link_key.hex(),
                "restored_hash": self.restored_hash.hex(),
                "membership": self.membership.value,
                "added": self.added,
                "last": self.last_communication,
                "window_opened": self.window_opened,
                "window_s": self.window_s,
                "sleepy": self.sleepy,
                "rssi": self.rssi,
                "lqi": self.lqi,
            }
        ).encode()

    @classmethod
    def decode(cls, device: Eui64, octets: bytes) -> ListedDevice:
        data = json.loads(octets)
        return cls(
            device,
            RegisteredType(data["type"]),
            bytes.fromhex(data["admission_key"]),
            bytes.fromhex(data["link_key"]),
            bytes.fromhex(data["restored_hash"]),
            ListedState(data["membership"]),
            data["added"],
            data["last"],
            data["window_opened"],
            data["window_s"],
            data["sleepy"],
            tuple(data["rssi"]),
            tuple(data["lqi"]),
        )


@dataclass(frozen=True, slots=True)
class _Heard:
    at: int
    rssi: tuple[int, int, int]
    lqi: tuple[int, int, int]

    def of(self, entry: ListedDevice) -> ListedDevice:
        return replace(entry, last_communication=self.at, rssi=self.rssi, lqi=self.lqi)


class DeviceLog:
    """Current and historic log over a store. ``on_change`` is called in the transaction when what CS14 backs up has changed."""

    def __init__(self, store: Store, *, capacity: int, historic_capacity: int, now: Callable[[], int]) -> None:
        self._store = store
        self._capacity = capacity
        self._historic_capacity = historic_capacity
        self._now = now
        self._heard: dict[Eui64, _Heard] = {}
        self._read: dict[Eui64, tuple[bytes, _Heard | None, ListedDevice]] = {}
        """Entries as they were read last, by the octets and the hearing they were made of: every frame looks at its Device's."""
        self.on_change: Callable[[], None] | None = None

    # --- reading

    def entries(self) -> tuple[ListedDevice, ...]:
        """The current log in the order of addition."""
        found = [self.get(Eui64.parse(key[len(CURRENT) :])) for key in self._store.keys(CURRENT)]
        return tuple(sorted((entry for entry in found if entry is not None), key=lambda entry: (entry.added, entry.device)))

    def get(self, device: Eui64) -> ListedDevice | None:
        """The entry of ``device``, None if it is not in the current log."""
        octets = self._store.get(CURRENT + str(device))
        if octets is None:
            self._read.pop(device, None)
            return None
        heard, known = self._heard.get(device), self._read.get(device)
        if known is not None and known[0] == octets and known[1] is heard:
            return known[2]
        entry = ListedDevice.decode(device, octets)
        if heard is not None:
            entry = heard.of(entry)
        self._read[device] = octets, heard, entry
        return entry

    def historic(self) -> tuple[ListedDevice, ...]:
        """The historic log, oldest first."""
        keys = self._store.keys(HISTORIC)
        return tuple(entry for key in keys if (entry := self._read_historic(key)) is not None)

    def historic_entry(self, device: Eui64) -> ListedDevice | None:
        """The historic entry of ``device``."""
        return next((entry for entry in self.historic() if entry.device == device), None)

    # --- changing

    def add(self, entry: ListedDevice) -> bool:
        """Add a Device; False (and nothing changes) if the log is full. A Device that is there already is left as it is."""
        known = self.entries()
        if any(one.device == entry.device for one in known):
            return True
        if len(known) >= self._capacity:
            return False
        added = max((one.added for one in known), default=0) + 1
        with self._store.transaction():
            self._write(replace(entry, added=added))
            self._changed()
        return True

    def remove(self, device: Eui64, *, remember: bool = True) -> bool:
        """Copy a Device with its key to the historic log, then delete it; False if it is not there. ``remember`` False: no copy, as for
        a hand-held terminal (reference chts 1)."""
        entry = self.get(device)
        if entry is None:
            return False
        with self._store.transaction():
            if remember:
                self._remember(entry)
            self._store.delete(CURRENT + str(device))
            self._heard.pop(device, None)
            self._changed()
        return True

    def update(self, device: Eui64, change: Callable[[ListedDevice], ListedDevice]) -> ListedDevice | None:
        """Replace an entry; None if the Device is not there. A new link key hash counts as a change of the log."""
        entry = self.get(device)
        if entry is None:
            return None
        new = change(entry)
        if new != entry:
            with self._store.transaction():
                self._write(new)
                if new.key_hash != entry.key_hash:
                    self._changed()
        return new

    def heard(self, device: Eui64, rssi: int | None, lqi: int | None) -> bool:
        """A Device has communicated; False if it is not in the log. Kept in memory until :meth:`flush`: a frame costs no write."""
        entry = self.get(device)
        if entry is None:
            return False
        heard = self._heard[device] = _Heard(self._now(), _spread(entry.rssi, rssi), _spread(entry.lqi, lqi))
        self._read[device] = self._read[device][0], heard, heard.of(entry)
        return True

    def flush(self) -> None:
        """Write what :meth:`heard` has noted."""
        with self._store.transaction():
            for device in self._heard:
                entry = self.get(device)
                if entry is not None:
                    self._write(entry)
        self._heard.clear()

    def replace_all(self, entries: list[ListedDevice]) -> bool:
        """Take a restored log instead of the present one; False (and nothing changes) if it does not fit."""
        if len(entries) > self._capacity:
            return False
        with self._store.transaction():
            for key in self._store.keys(CURRENT):
                self._store.delete(key)
            self._heard.clear()
            for number, entry in enumerate(entries, 1):
                self._write(replace(entry, added=number))
            self._changed()
        return True

    # --- below

    def _changed(self) -> None:
        if self.on_change is not None:
            self.on_change()

    def _write(self, entry: ListedDevice) -> None:
        self._store.put(CURRENT + str(entry.device), entry.encode())

    def _read_historic(self, key: str) -> ListedDevice | None:
        octets = self._store.get(key)
        return None if octets is None else ListedDevice.decode(Eui64.parse(key.rpartition("/")[2]), octets)

    def _remember(self, entry: ListedDevice) -> None:
        keys = self._store.keys(HISTORIC)
        for key in keys:
            if key.endswith(f"/{entry.device}"):  # update in place
                self._store.put(key, entry.encode())
                return
        while len(keys) >= self._historic_capacity:
            self._store.delete(keys.pop(0))
        number = int(keys[-1].split("/")[-2]) + 1 if keys else 1
        self._store.put(f"{HISTORIC}{number:010d}/{entry.device}", entry.encode())


def _spread(known: tuple[int, int, int], value: int | None) -> tuple[int, int, int]:
    """Maximum, running average, minimum with one more value."""
    if value is None:
        return known
    if known == (0, 0, 0):
        return (value, value, value)
    return (max(known[0], value), (known[1] * 7 + value) // 8, min(known[2], value))
