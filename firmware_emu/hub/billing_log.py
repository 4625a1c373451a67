"""The GPF's billing data log: snapshots of registers and of balances, credits and payments of debt, as the gas meter publishes them.

Depths: reference chts 5. An entry begins with its time; snapshots keep cause and body, the others their fields.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence

from firmware_emu.errors import DecodeError
from firmware_emu.hub.gas_store import GasStore, OctetRing
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from firmware_emu.zse.declare import FieldValue, number
from firmware_emu.zse.zcl import ZclStatus

GENERAL = 1
"""Cause of a midnight's snapshot, which is no billing entry."""
SNAPSHOT_HEAD = 16
"""Octets of a published snapshot before its body."""
_HEAD = struct.Struct(">II")
_TOP_UP = struct.Struct(">i20s")
_PAYMENT = struct.Struct(">IBI")
_SNAPSHOT, _PREPAY_SNAPSHOT = (METERING.id, 0x06), (PREPAYMENT.id, 0x01)
_TOP_UPS, _DEBT_PAYMENTS = (PREPAYMENT.id, 0x05), (PREPAYMENT.id, 0x06)


class BillingLog:
    """Billing data that the meter published, and their reading."""

    def __init__(self, gas: GasStore) -> None:
        self._gas = gas

    def take(self, cluster: int, command: int, payload: bytes) -> ZclStatus:
        """One published command of the meter. Raises DecodeError."""
        gas = self._gas
        if (cluster, command) in (_SNAPSHOT, _PREPAY_SNAPSHOT):
            metering = cluster == METERING.id
            head = (METERING if metering else PREPAYMENT).to_client[command].decode(payload)
            time, cause, body = number(head, "time"), number(head, "cause"), payload[SNAPSHOT_HEAD:]
            if cause & GENERAL:
                (gas.fill_snapshots if metering else gas.fill_prepayment_snapshots)({time: body})
            else:
                gas.bill(gas.billing if metering else gas.prepayment_billing, {time: cause.to_bytes(4, "big") + body})
        elif (cluster, command) == _TOP_UPS:
            gas.bill(
                gas.top_ups,
                {
                    number(one, "time"): _TOP_UP.pack(number(one, "amount"), _octets(one, "code"))
                    for one in _groups(PREPAYMENT.to_client[command].decode(payload), "top_ups")
                },
            )
        elif (cluster, command) == _DEBT_PAYMENTS:
            gas.bill(
                gas.debt_payments,
                {
                    number(one, "time"): _PAYMENT.pack(number(one, "amount"), number(one, "debt_type"), number(one, "outstanding"))
                    for one in _groups(PREPAYMENT.to_client[command].decode(payload), "payments")
                },
            )
        else:
            return ZclStatus.UNSUP_CLUSTER_COMMAND
        return ZclStatus.SUCCESS

    def snapshots(self, *, metering: bool, causes: int) -> list[tuple[int, int, bytes]]:
        """Time, cause and body of the snapshots with one of these causes, the oldest first: billing's, and a midnight's."""
        gas = self._gas
        daily, billing = (gas.daily_read, gas.billing) if metering else (gas.prepayment_daily_read, gas.prepayment_billing)
        found = [(int.from_bytes(entry[:4], "big"), GENERAL, entry[4:]) for entry in daily.newest_first()] if causes & GENERAL else []
        for entry in billing.newest_first():
            time, cause = _HEAD.unpack_from(entry)
            if cause & causes:
                found.append((time, cause, entry[_HEAD.size :]))
        return sorted(found, key=lambda one: one[0])

    def top_ups(self, since: int, end: int, count: int) -> bytes | None:
        """A published log of the top-ups from ``since`` to ``end``, the newest first, up to ``count`` (0: all); None if there are none."""
        entries: list[dict[str, FieldValue]] = []
        for time, octets in _within(self._gas.top_ups, since, end, count):
            amount, code = _TOP_UP.unpack(octets)
            entries.append({"code": code, "amount": amount, "time": time})
        return _published(0x05, "top_ups", entries)

    def debt_payments(self, since: int, end: int, count: int, kind: int) -> bytes | None:
        """The same of the payments of one type of debt."""
        entries: list[dict[str, FieldValue]] = []
        for time, octets in _within(self._gas.debt_payments, since, end, 0):
            amount, debt, outstanding = _PAYMENT.unpack(octets)
            if debt == kind:
                entries.append({"time": time, "amount": amount, "debt_type": debt, "outstanding": outstanding})
        return _published(0x06, "payments", entries[: count or None])


def _published(command: int, name: str, entries: Sequence[Mapping[str, FieldValue]]) -> bytes | None:
    if not entries:
        return None
    return PREPAYMENT.to_client[command].encode({"command_index": 0, "command_count": 1, name: tuple(entries)})


def _within(ring: OctetRing, since: int, end: int, count: int) -> list[tuple[int, bytes]]:
    found = [(int.from_bytes(entry[:4], "big"), entry[4:]) for entry in ring.newest_first()]
    return [one for one in found if since <= one[0] <= end][: count or None]


def _groups(fields: Mapping[str, FieldValue], name: str) -> Iterator[Mapping[str, FieldValue]]:
    groups = fields[name]
    return iter(groups if isinstance(groups, tuple) else ())


def _octets(fields: Mapping[str, FieldValue], name: str) -> bytes:
    value = fields[name]
    if not isinstance(value, bytes):
        raise DecodeError(0, name, f"read {value!r}, expected octets")
    return value
