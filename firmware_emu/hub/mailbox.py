"""Messages on their way to a Device on the HAN: stored before the WAN frame is acknowledged, deleted when delivered.

One queue a Device, in order. An ESME's is emptied through its tunnel; the sleepy gas meter fetches its own by GET, and an
entry is deleted when the transfer that carried it was confirmed (reference chts 4).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from firmware_emu.device.store import Store
from firmware_emu.ids import Eui64

_PREFIX = "hub/to/"
_HEAD = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Waiting:
    """One message in a queue: its ``key`` in the store, when it was stored (seconds since 2000) and its octets."""

    key: str
    stored: int
    message: bytes


class Mailbox:
    """The queues of all Devices."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def put(self, device: Eui64, message: bytes, now: int) -> None:
        """Append; durable with the transaction it is called in."""
        folder = f"{_PREFIX}{device}/"
        with self._store.transaction():
            number = int.from_bytes(self._store.get(f"hub/mailbox/next/{device}") or b"\x01", "big")
            self._store.put(f"hub/mailbox/next/{device}", (number + 1).to_bytes(8, "big"))
            self._store.put(f"{folder}{number:012d}", _HEAD.pack(now) + message)

    def first(self, device: Eui64) -> Waiting | None:
        """The oldest message for ``device``."""
        keys = self._store.keys(f"{_PREFIX}{device}/")
        return self._read(keys[0]) if keys else None

    def count(self, device: Eui64) -> int:
        """Number of messages that wait for ``device``."""
        return len(self._store.keys(f"{_PREFIX}{device}/"))

    def counts(self) -> dict[Eui64, int]:
        """Waiting messages by Device; only Devices with any."""
        found: dict[Eui64, int] = {}
        for key in self._store.keys(_PREFIX):
            device = Eui64.parse(key.split("/")[2])
            found[device] = found.get(device, 0) + 1
        return found

    def delivered(self, waiting: Waiting) -> None:
        """Delete one message."""
        self._store.delete(waiting.key)

    def expired(self, device: Eui64, before: int) -> tuple[Waiting, ...]:
        """The messages for ``device`` that were stored before ``before`` (seconds since 2000), oldest first."""
        return tuple(waiting for waiting in self.all_for(device) if waiting.stored < before)

    def all_for(self, device: Eui64) -> tuple[Waiting, ...]:
        """Every message for ``device``, oldest first."""
        found = (self._read(key) for key in self._store.keys(f"{_PREFIX}{device}/"))
        return tuple(waiting for waiting in found if waiting is not None)

    def _read(self, key: str) -> Waiting | None:
        octets = self._store.get(key)
        return None if octets is None else Waiting(key, _HEAD.unpack_from(octets)[0], octets[_HEAD.size :])
