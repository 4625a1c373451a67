"""Store of the Gas Proxy Function for its gas meter: the mirrored attributes and the logs made from them (reference chts 5).

A push of the meter is one transaction. Logs are rings; times are seconds since 2000, volumes whole units of the meter's
CurrentSummationDelivered.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from firmware_emu.device.event_log import EventLog, LogName
from firmware_emu.device.store import Store
from firmware_emu.hub.profile import HubProfile
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from firmware_emu.zse.zcl import AttributeRecord, decode_records, encode_records

DAY_S = 86400
HALF_HOUR_S = 1800
_SUMMATION, _READING_TIME, _PAYMENT_CONTROL = 0x0000, 0x0007, 0x0000
_PREPAYMENT_MODE = 0x0002
"""Bit of PaymentControlConfiguration: prepayment enabled (0C94 credit; 0497, 0C97 prepayment, reference gbcs-messages 7A)."""
_SAMPLE = struct.Struct(">II")
_STATE = struct.Struct(">IQQ")
_TIME = struct.Struct(">I")
BILLING_DEPTH, TOP_UP_DEPTH, PAYMENT_DEPTH = 12, 5, 10
"""Entries of the billing data log: snapshots of registers and as many of balances, credits, payments of debt (reference chts 5)."""
_LAST = "gpf/last"
"""Time and total of the last reading, and the total at the end of the day before."""
_SLOT = "gpf/slot"
"""The total at the first reading in the half hour of the last one."""
_MISSING = "gpf/missing/"


class Missing(Enum):
    """Entries that may be missing here and stand in the meter's own logs."""

    SAMPLES = "samples"
    SNAPSHOTS = "snapshots"
    PREPAYMENT_SNAPSHOTS = "prepayment_snapshots"
    TOP_UPS = "top_ups"
    DEBT_PAYMENTS = "debt_payments"


@dataclass(frozen=True, slots=True)
class RegisterSample:
    """One entry of a consumption log: start of the period and volume in it."""

    start: int
    volume: int


class OctetRing:
    """A circular log of octets in a store."""

    def __init__(self, store: Store, name: str, capacity: int) -> None:
        self._store = store
        self._prefix = f"gpf/log/{name}/"
        self._capacity = capacity

    def add(self, octets: bytes) -> None:
        """Append, overwriting the oldest entry of a full ring."""
        written = self._written()
        self._store.put(f"{self._prefix}{written % self._capacity:05d}", octets)
        self._store.put(self._prefix + "written", (written + 1).to_bytes(4, "big"))

    def newest_first(self) -> Iterator[bytes]:
        """All entries."""
        written = self._written()
        for number in range(written - 1, max(-1, written - 1 - self._capacity), -1):
            octets = self._store.get(f"{self._prefix}{number % self._capacity:05d}")
            if octets is not None:
                yield octets

    def merge(self, found: Mapping[int, bytes]) -> None:
        """Put entries in their place by the time that each begins with; one of the same time is replaced."""
        if not found:
            return
        tail: dict[int, bytes] = {}
        while (newest := next(self.newest_first(), None)) is not None and _time_of(newest) >= min(found):
            tail[_time_of(newest)] = newest
            written = self._written() - 1
            self._store.delete(f"{self._prefix}{written % self._capacity:05d}")
            self._store.put(self._prefix + "written", written.to_bytes(4, "big"))
        for _, octets in sorted((tail | dict(found)).items()):
            self.add(octets)

    def __len__(self) -> int:
        return min(self._written(), self._capacity)

    def _written(self) -> int:
        return int.from_bytes(self._store.get(self._prefix + "written") or b"", "big")


def _total_of(snapshot: bytes) -> int:
    return int.from_bytes(snapshot[4:10], "little")


def _time_of(octets: bytes) -> int:
    return int.from_bytes(octets[:4], "big")


@lru_cache(maxsize=64)
def _records(octets: bytes) -> Mapping[int, AttributeRecord]:
    """Mirrored attributes as stored. Each push reads them several times, and a snapshot once for each of its values."""
    return {record.attribute: record for record in decode_records(octets)}


class GasStore:
    """The mirror's memory."""

    def __init__(self, store: Store, profile: HubProfile) -> None:
        self._store = store
        self.profile_data = OctetRing(store, "profile", profile.profile_data_log_capacity)
        self.daily_consumption = OctetRing(store, "daily_consumption", profile.daily_consumption_log_capacity)
        self.daily_read = OctetRing(store, "daily_read", profile.daily_read_log_capacity)
        self.prepayment_daily_read = OctetRing(store, "prepayment_daily_read", profile.daily_read_log_capacity)
        self.billing = OctetRing(store, "billing", BILLING_DEPTH)
        self.prepayment_billing = OctetRing(store, "prepayment_billing", BILLING_DEPTH)
        self.top_ups = OctetRing(store, "top_ups", TOP_UP_DEPTH)
        self.debt_payments = OctetRing(store, "debt_payments", PAYMENT_DEPTH)
        self.meter_logs = {name: EventLog(store, "gpf/meter/", name) for name in (LogName.EVENT, LogName.SECURITY)}
        """Copies of the meter's event and security logs."""

    def attributes(self, cluster: int) -> dict[int, AttributeRecord]:
        """The mirrored attributes of ``cluster`` by id."""
        octets = self._store.get(f"gpf/attributes/{cluster:04x}")
        return {} if octets is None else dict(_records(octets))

    def report(self, cluster: int, records: Iterable[AttributeRecord], now: int) -> None:
        """Take a push of the gas meter that arrived at ``now``; one that carries the total feeds the logs."""
        pushed = {record.attribute: record for record in records}
        with self._store.transaction():
            closing = (self.snapshot(), self.prepayment_snapshot())
            self._store.put(f"gpf/attributes/{cluster:04x}", encode_records((self.attributes(cluster) | pushed).values()))
            total = pushed.get(_SUMMATION)
            if cluster == METERING.id and total is not None and isinstance(total.value, int):
                read_at = pushed.get(_READING_TIME)
                at = read_at.value if read_at is not None and isinstance(read_at.value, int) else now
                self._log(total.value, at, closing)

    def bill(self, ring: OctetRing, entries: Mapping[int, bytes]) -> None:
        """Keep entries of the billing data log by their time; each is stored behind it."""
        with self._store.transaction():
            ring.merge({time: _TIME.pack(time) + octets for time, octets in entries.items()})

    def number(self, cluster: int, attribute: int) -> int | None:
        """A mirrored attribute that is a number; None if it was never reported."""
        record = self.attributes(cluster).get(attribute)
        return record.value if record is not None and isinstance(record.value, int) else None

    def samples(self, ring: OctetRing, earliest: int, count: int) -> tuple[RegisterSample, ...]:
        """Up to ``count`` (0: all) entries of a consumption log that begin at ``earliest`` or later, oldest first."""
        found: list[RegisterSample] = []
        for octets in ring.newest_first():
            sample = RegisterSample(*_SAMPLE.unpack(octets))
            if sample.start < earliest:
                break
            found.append(sample)
        found.reverse()
        return tuple(found[:count] if count else found)

    def _log(self, total: int, at: int, closing: tuple[bytes, bytes | None]) -> None:
        """One more reading. ``closing``: the snapshots as they stood before it, which are midnight's on the first push of a day.

        Of several readings in a half hour the first counts. What happened while none came is told from what was read after it, until the
        meter's own logs put it right (:meth:`missing`).
        """
        last = self._store.get(_LAST)
        day_total = slot_total = total
        slot = at - at % HALF_HOUR_S
        if last is None:
            for what in Missing:
                self._miss(what, 0)
        else:
            last_at, last_total, day_total = _STATE.unpack(last)
            if at <= last_at:
                return
            last_slot = last_at - last_at % HALF_HOUR_S
            slot_total = int.from_bytes(self._store.get(_SLOT) or last_total.to_bytes(8, "big"), "big")
            if slot > last_slot:
                self.profile_data.add(_SAMPLE.pack(last_slot, max(0, total - slot_total)))
                slot_total = total
            if slot > last_slot + HALF_HOUR_S:
                self._miss(Missing.SAMPLES, last_slot)
            midnight = at - at % DAY_S
            if last_at < midnight:
                published = self._published(self.daily_read, last_at, midnight)
                if published is None:
                    self._miss(Missing.SNAPSHOTS, last_at)
                    self.daily_read.add(_TIME.pack(midnight) + closing[0])
                else:
                    last_total = _total_of(published)
                self.daily_consumption.merge({(day := last_at - last_at % DAY_S): _SAMPLE.pack(day, max(0, last_total - day_total))})
                if closing[1] is not None and self._published(self.prepayment_daily_read, last_at, midnight) is None:
                    self._miss(Missing.PREPAYMENT_SNAPSHOTS, last_at)
                    self.prepayment_daily_read.add(_TIME.pack(midnight) + closing[1])
                day_total = last_total
        self._store.put(_LAST, _STATE.pack(at, total, day_total))
        self._store.put(_SLOT, slot_total.to_bytes(8, "big"))

    @staticmethod
    def _published(ring: OctetRing, last_at: int, midnight: int) -> bytes | None:
        """The snapshot of the one midnight since the last reading, if the meter has published it (GBCS 10.4.2.1)."""
        newest = next(ring.newest_first(), b"")
        return newest if newest and _time_of(newest) == midnight and last_at >= midnight - DAY_S else None

    # --- back-fill

    def _miss(self, what: Missing, since: int) -> None:
        """Entries are missing from then on. A midnight's snapshots are the meter's to tell: those made here are of the last push before."""
        if self._store.get(_MISSING + what.value) is None:
            self._store.put(_MISSING + what.value, _TIME.pack(since))

    def missing(self, what: Missing) -> int | None:
        """From when on the meter's own log is to be asked, seconds since 2000; None if nothing of it is missing."""
        octets = self._store.get(_MISSING + what.value)
        return None if octets is None else int.from_bytes(octets, "big")

    def found(self, what: Missing) -> None:
        """The meter has been asked for all of it."""
        self._store.delete(_MISSING + what.value)

    def fill_samples(self, start: int, volumes: Sequence[int]) -> None:
        """Half hours from ``start`` on, as the meter logged them. The one under way is not among them."""
        last = self._store.get(_LAST)
        end = 0 if last is None else _STATE.unpack(last)[0]
        with self._store.transaction():
            self.profile_data.merge(
                {
                    begins: _SAMPLE.pack(begins, volume)
                    for number, volume in enumerate(volumes)
                    if (begins := start + number * HALF_HOUR_S) + HALF_HOUR_S <= end
                }
            )

    def fill_snapshots(self, snapshots: Mapping[int, bytes]) -> None:
        """Registers at midnights, as the meter logged them: payloads of type 6. Daily consumption is what lies between two of them."""
        with self._store.transaction():
            self.daily_read.merge({midnight: _TIME.pack(midnight) + body for midnight, body in snapshots.items()})
            totals = {_time_of(entry): _total_of(entry) for entry in self.daily_read.newest_first()}
            self.daily_consumption.merge(
                {
                    midnight - DAY_S: _SAMPLE.pack(midnight - DAY_S, max(0, totals[midnight] - totals[midnight - DAY_S]))
                    for midnight in snapshots
                    if midnight - DAY_S in totals
                }
            )
            last = self._store.get(_LAST)
            if last is not None and snapshots:
                at, total, _ = _STATE.unpack(last)
                newest = at - at % DAY_S
                if newest in totals:
                    self._store.put(_LAST, _STATE.pack(at, total, totals[newest]))

    def fill_prepayment_snapshots(self, snapshots: Mapping[int, bytes]) -> None:
        """The same for balances."""
        with self._store.transaction():
            self.prepayment_daily_read.merge({midnight: _TIME.pack(midnight) + body for midnight, body in snapshots.items()})

    def snapshot(self) -> bytes:
        """Metering snapshot payload type 6 of the live attributes: total, four tiers, four block counters (RTDS GCS16a)."""
        values = [
            self.number(METERING.id, attribute) or 0
            for attribute in (_SUMMATION, 0x0100, 0x0102, 0x0104, 0x0106, 0x0700, 0x0701, 0x0702, 0x0703)
        ]
        packed = [value.to_bytes(6, "little") for value in values]
        return packed[0] + b"\x04" + b"".join(packed[1:5]) + b"\x14" + b"".join(packed[5:])

    def prepayment_snapshot(self) -> bytes | None:
        """Prepayment snapshot payload of the live attributes; None outside prepayment mode."""
        if not (self.number(PREPAYMENT.id, _PAYMENT_CONTROL) or 0) & _PREPAYMENT_MODE:
            return None
        octets = b""
        for attribute, signed in ((0x0005, True), (0x0211, False), (0x0221, False), (0x0231, False), (0x0002, False), (0x0001, True)):
            value = self.number(PREPAYMENT.id, attribute) or 0
            octets += value.to_bytes(4, "little", signed=True) if signed or value < 0 else value.to_bytes(4, "little")
        return octets
