"""The logs of a gas meter that its balance and its billing fill: snapshots of registers and prepayment, top-ups, debt payments.

Depths: SMETS 4.6.5.3 (billing: 12 calendar-triggered and 12 change-triggered snapshots, 5 credits, 10 debt payments), 4.6.5.7 and
4.6.5.14 (daily reads: 31); reference smets 2. Amounts of money in millipence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from firmware_emu.clock import EPOCH
from firmware_emu.device.gbz_server import ZclAnswer
from firmware_emu.errors import KeystoreError, ProtectionError
from firmware_emu.gbcs.gbz import Component
from firmware_emu.zse.clusters.metering import GB_SNAPSHOT, METERING
from firmware_emu.zse.clusters.prepayment import GB_PREPAY_SNAPSHOT, PREPAYMENT
from firmware_emu.zse.clusters.price import PRICE
from firmware_emu.zse.declare import Cluster, FieldValue, number
from firmware_emu.zse.zcl import ZclStatus
from hil.devices.base.gbcs_device import Outbox
from hil.devices.gsme.alerts import BILLING_UPDATED, billing_alert
from hil.devices.gsme.metering import GasMetering
from hil.devices.gsme.part import GsmePart
from hil.devices.gsme.published import Published
from hil.devices.gsme.tariff import GAS_BLOCKS, GAS_TIERS
from hil.devices.metering.billing import Payment, balances
from hil.devices.metering.registers import DAILY_DEPTH, DAY_S, HALF_HOUR_S, RecordRing

Result = ZclStatus | Sequence[ZclAnswer]

GENERAL, END_OF_BILLING_PERIOD, CHANGE_OF_TARIFF = 1 << 0, 1 << 1, 1 << 3
CHANGE_OF_SUPPLIER, CHANGE_OF_MODE = 1 << 13, 1 << 14
"""Snapshot causes: 01, 02 and 6008 are what RTDS GCS16a, GCS15c and GCS15b ask for; which bit is which change is recalled from ZigBee."""
BILLING_DEPTH, TOP_UP_DEPTH, PAYMENT_DEPTH = 12, 5, 10
PAYMENT_DEBT = 2
"""Debt type of the payment-based debt in the log (RTDS GCS15d)."""
_GB_PAYLOAD, _GB_PREPAY_PAYLOAD = 6, 0
_WEEKS, _MONTHS = 2, 3
"""Low four bits of a billing period's duration type: 22 stands for weeks, 23 for months (RTDS GCS21d, GCS21k); 1 is days."""
_SNAPSHOT = "II9Q"
"""Time, cause, total, four tiers, four blocks; in litres."""
_PREPAY = "IIiIIIIi"


class Logged(GsmePart, Protocol):
    """A gas meter whose metering is logged."""

    metering: GasMetering


class GasLogs:
    """The rings, and the commands that read them."""

    def __init__(self, gsme: Logged, published: Published) -> None:
        self._gsme = gsme
        self._periods = published
        prefix = gsme.gbcs.prefix + "log/gas/"
        store = gsme.store
        depths = {GENERAL: DAILY_DEPTH, END_OF_BILLING_PERIOD: BILLING_DEPTH, CHANGE_OF_TARIFF: BILLING_DEPTH}
        self._registers = {cause: RecordRing(store, f"{prefix}registers/{cause}", _SNAPSHOT, depth) for cause, depth in depths.items()}
        self._balances = {cause: RecordRing(store, f"{prefix}balances/{cause}", _PREPAY, depth) for cause, depth in depths.items()}
        self._top_ups = RecordRing(store, prefix + "top_ups", "IiQB", TOP_UP_DEPTH)
        self._payments = RecordRing(store, prefix + "payments", "IIBI", PAYMENT_DEPTH)
        self.to_publish = Outbox(store, prefix + "publish/")
        """Publications that the GPF is to have at the next push: cluster, command and payload of one published command each."""

    # --- writing

    def half_hour(self, moment: int) -> bool:
        """The snapshots of a midnight, and those of a billing period that ends, which it does at the time of day at which it began (to the
        half hour); whether the block counters begin anew."""
        if moment % DAY_S == 0:
            self._take(GENERAL, moment, GENERAL)
        billed = self._ends(0x09, moment)
        if billed:
            self._take(END_OF_BILLING_PERIOD, moment, END_OF_BILLING_PERIOD)
            self._tell_billing()
        return billed or self._ends(0x01, moment)

    def changed(self, cause: int) -> None:
        """A change of tariff, supplier or payment mode: register and prepayment snapshot of this moment."""
        self._take(CHANGE_OF_TARIFF, int(self._gsme.now()), cause)

    def topped_up(self, utrn: str, payment: Payment, owed: int) -> None:
        """Note an accepted top-up, and what it paid off the payment-based debt, of which ``owed`` is left."""
        now = int(self._gsme.now())
        self._top_ups.append(now, payment.amount, int(utrn[:19]), int(utrn[19]))
        self._publish(PREPAYMENT, 0x05, _top_up_log(list(self._top_ups)[::-1]))
        if payment.to_payment_debt:
            self._payments.append(now, payment.to_payment_debt, PAYMENT_DEBT, owed)
            self._publish(PREPAYMENT, 0x06, _debt_log([(now, payment.to_payment_debt, PAYMENT_DEBT, owed)]))

    def _take(self, log: int, time: int, cause: int) -> None:
        metering = self._gsme.metering
        self._registers[log].append(time, cause, metering.register.total, *metering.tiers(), *metering.blocks())
        newest = list(self._registers[log])[-1]
        self._publish(METERING, 0x06, _head(METERING, 0x06, newest, 0, 1) + _registers(newest))
        if metering.settings.terms.prepayment:
            accumulated, emergency, balance, payment_debt, *time_debts = balances(metering.account)
            self._balances[log].append(time, cause, accumulated, *time_debts, payment_debt, emergency, balance)
            newest = list(self._balances[log])[-1]
            self._publish(PREPAYMENT, 0x01, _head(PREPAYMENT, 0x01, newest, 0, 1) + _balances(newest))

    def _publish(self, cluster: Cluster, command: int, payload: bytes) -> None:
        if self._gsme.knows_gpf():
            self.to_publish.put(cluster.id.to_bytes(2, "big") + bytes((command,)) + payload)

    def _tell_billing(self) -> None:
        """Alert 8F0A with the snapshot just taken, for the supplier's eyes (GCS53)."""
        gsme = self._gsme
        newest = list(self._registers[END_OF_BILLING_PERIOD])[-1]
        try:
            gsme.send(billing_alert(gsme.gbcs, _head(METERING, 0x06, newest, 0, 1) + _registers(newest)))
        except (KeystoreError, ProtectionError) as problem:
            gsme.trace.emit("device", gsme.name, "alert not sent", code=f"{BILLING_UPDATED:04x}", reason=str(problem))

    def _ends(self, command: int, moment: int) -> bool:
        """True if a billing period (09) or block period (01) that was published ends at ``moment``."""
        period = self._periods.latest(PRICE.id, command)
        if period is None:
            return False
        fields = PRICE.to_client[command].decode(period)
        start, duration = number(fields, "start"), max(1, number(fields, "duration"))
        start -= start % HALF_HOUR_S
        first, here = EPOCH + timedelta(seconds=start), EPOCH + timedelta(seconds=moment)
        if here.date() <= first.date() or here.time() != first.time():
            return False
        return _falls_on(first, here, duration, number(fields, "duration_type") & 0x0F)

    # --- reading

    def snapshot(self, part: Component) -> Result:
        """GetSnapshot: the register snapshot at the asked offset among those of the asked causes and period."""
        return self._published(part, METERING.to_server[0x06].decode(part.payload), self._registers, 0x06, _registers)

    def prepay_snapshot(self, part: Component) -> Result:
        """GetPrepaySnapshot: the same for balances; there are none outside prepayment mode."""
        return self._published(part, PREPAYMENT.to_server[0x07].decode(part.payload), self._balances, 0x01, _balances)

    def _published(
        self,
        part: Component,
        fields: dict[str, FieldValue],
        rings: dict[int, RecordRing],
        command: int,
        body: Callable[[Sequence[int]], bytes],
    ) -> Result:
        self._gsme.update()
        first, last, offset, causes = (number(fields, name) for name in ("from", "to", "offset", "cause"))
        found = [record for ring in rings.values() for record in ring if record[1] & causes and first <= record[0] <= last]
        if offset >= len(found):
            return ZclStatus.NOT_FOUND
        cluster = METERING if part.cluster == METERING.id else PREPAYMENT
        return [ZclAnswer(command, _head(cluster, command, found[offset], offset, len(found)) + body(found[offset]))]

    def top_up_log(self, part: Component) -> Result:
        """GetTopUpLog: the newest first, from the asked end backwards; the command's own start bounds it (RTDS GCS15e)."""
        found = self._within(part, number(PREPAYMENT.to_server[0x08].decode(part.payload), "count"), "latest_end", self._top_ups, 0x08)
        if not found:
            return ZclStatus.NOT_FOUND
        return [ZclAnswer(0x05, _top_up_log(found))]

    def debt_log(self, part: Component) -> Result:
        """GetDebtRepaymentLog: as the top-up log, for one type of debt."""
        fields = PREPAYMENT.to_server[0x0A].decode(part.payload)
        found = self._within(part, number(fields, "count"), "latest_end", self._payments, 0x0A)
        of_type = [record for record in found if record[2] == number(fields, "debt_type")]
        return [ZclAnswer(0x06, _debt_log(of_type))] if of_type else ZclStatus.NOT_FOUND

    @staticmethod
    def _within(part: Component, count: int, end: str, ring: RecordRing, command: int) -> list[tuple[int, ...]]:
        latest = number(PREPAYMENT.to_server[command].decode(part.payload), end)
        found = [record for record in ring if (part.from_date_time or 0) <= record[0] <= latest]
        found.reverse()
        return found[: count or None]


def _falls_on(first: datetime, here: datetime, duration: int, unit: int) -> bool:
    days = (here.date() - first.date()).days
    if unit == _MONTHS:
        months = (here.year - first.year) * 12 + here.month - first.month
        return here.day == first.day and months % duration == 0
    return days % (duration * (7 if unit == _WEEKS else 1)) == 0


def _head(cluster: Cluster, command: int, record: Sequence[int], offset: int, found: int) -> bytes:
    """The head of a published snapshot."""
    return cluster.to_client[command].encode(
        {
            "snapshot": offset,
            "time": record[0],
            "total_found": found,
            "command_index": 0,
            "command_count": 1,
            "cause": record[1],
            "payload_type": _GB_PAYLOAD if cluster is METERING else _GB_PREPAY_PAYLOAD,
        }
    )


def _registers(record: Sequence[int]) -> bytes:
    """The body of a register snapshot."""
    values = tuple({"value": value} for value in record[3:])
    return GB_SNAPSHOT.encode(
        {
            "summation": record[2],
            "tiers": GAS_TIERS,
            "tier_summations": values[:GAS_TIERS],
            "tiers_and_blocks": GAS_BLOCKS,
            "block_summations": values[GAS_TIERS:],
        }
    )


def _balances(record: Sequence[int]) -> bytes:
    """The body of a prepayment snapshot."""
    names = ("accumulated_debt", "time_debt_1", "time_debt_2", "payment_debt", "emergency_credit", "credit_remaining")
    return GB_PREPAY_SNAPSHOT.encode(dict(zip(names, record[2:], strict=True)))


def _top_up_log(records: Sequence[Sequence[int]]) -> bytes:
    entries: FieldValue = tuple(
        {"code": f"{code:019d}{digit}".encode(), "amount": amount, "time": time} for time, amount, code, digit in records
    )
    return PREPAYMENT.to_client[0x05].encode({"command_index": 0, "command_count": 1, "top_ups": entries})


def _debt_log(records: Sequence[Sequence[int]]) -> bytes:
    entries: FieldValue = tuple(
        {"time": time, "amount": amount, "debt_type": kind, "outstanding": owed} for time, amount, kind, owed in records
    )
    return PREPAYMENT.to_client[0x06].encode({"command_index": 0, "command_count": 1, "payments": entries})
