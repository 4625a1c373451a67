"""A gas meter's billing, top-up, debt and network logs, its calendars, and what follows a failed component."""

from __future__ import annotations

import pytest

from firmware_emu.crypto.roles import CellUsage, DeviceType
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.gbz import Component, Gbz
from firmware_emu.gbcs.use_cases import by_code
from firmware_emu.gbcs.utrn import make_utrn
from firmware_emu.ids import CraFlag
from firmware_emu.zse.clusters.calendar import CALENDAR
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from firmware_emu.zse.clusters.price import PRICE
from firmware_emu.zse.declare import Cluster, FieldValue
from firmware_emu.zse.zcl import ZclStatus, encode_attribute_ids
from hil.devices import Gsme
from tests.devices.device_home import SUPPLIER, Home

DAY_S = 86_400
FOREVER = 0xFFFFFFFE
PENNY = 1000
"""Millipence."""


class Meter:
    """A gas meter that takes components as its executor gets them."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.gsme = Gsme(*home.parts(DeviceType.GSME))
        self.tokens = 0

    def ask(self, *parts: Component, code: int = 0x00C3) -> list[Component]:
        header = GroupingHeader(CraFlag.COMMAND, 1, SUPPLIER, self.gsme.eui64, OtherInformation(code))
        return list(Gbz.decode(self.gsme.execute(by_code(code), Message(header, Gbz(parts).encode()))).components)

    def tell(self, cluster: Cluster, name: str, /, **fields: FieldValue) -> object:
        """Run one command and return its status or its answers."""
        command = cluster.command_named(name)
        from_server = cluster.to_client.get(command.id) is command
        run = self.gsme.model.zcl.commands[cluster.id, command.id, from_server]
        return run(Component(cluster.id, 0x09 if from_server else 0x01, 0, command.id, command.encode(fields)))

    def answer(self, cluster: Cluster, name: str, /, **fields: FieldValue) -> dict[str, FieldValue]:
        """The fields of the only answer to a command."""
        answers = self.tell(cluster, name, **fields)
        assert isinstance(answers, list), answers
        (answer,) = answers
        return cluster.to_client[answer.command].decode(answer.payload)

    def prepay(self) -> None:
        assert isinstance(
            self.tell(PREPAYMENT, "ChangePaymentMode", provider=0, event=1, implementation=0, configuration=0x0C97, cut_off_value=0), list
        )

    def top_up(self, pounds: int) -> None:
        self.tokens += 1
        secret = self.home.keystore.shared_secret(SUPPLIER, self.gsme.eui64, CellUsage.PREPAYMENT_TOP_UP)
        utrn = make_utrn(secret, supplier=SUPPLIER, meter=self.gsme.eui64, counter=self.tokens << 32, value=pounds)
        self.answer(PREPAYMENT, "ConsumerTopUp", originating_device=0, code=utrn.encode())

    async def days(self, count: int) -> None:
        for _ in range(count):
            await self.home.clock.go(DAY_S)
            self.gsme.update()


def period(earliest: int = 0) -> dict[str, FieldValue]:
    return {"from": earliest, "to": FOREVER, "offset": 0}


@pytest.mark.clause("SMETS 4.6.5.3")
async def test_a_week_s_billing_period_leaves_a_snapshot_of_registers_and_of_balances(home: Home) -> None:
    meter = Meter(home)
    meter.prepay()
    meter.tell(
        PRICE, "PublishBillingPeriod", provider=0, event=1, start=int(home.clock.now()), duration=1, duration_type=0x22, tariff_type=0
    )
    assert meter.tell(METERING, "GetSnapshot", **period(), cause=2) is ZclStatus.NOT_FOUND
    await meter.days(15)
    registers = meter.answer(METERING, "GetSnapshot", **period(), cause=2)
    balances = meter.answer(PREPAYMENT, "GetPrepaySnapshot", **period(), cause=2)
    assert registers["total_found"] == balances["total_found"] == 2
    assert registers["time"] == balances["time"]
    assert registers["cause"] == 2


@pytest.mark.clause("SMETS 4.6.5.14")
async def test_there_are_no_prepayment_snapshots_in_credit_mode(home: Home) -> None:
    meter = Meter(home)
    await meter.days(2)
    assert meter.answer(METERING, "GetSnapshot", **period(), cause=1)["total_found"] == 2
    assert meter.tell(PREPAYMENT, "GetPrepaySnapshot", **period(), cause=1) is ZclStatus.NOT_FOUND


@pytest.mark.clause("SMETS 4.6.5.7")
async def test_daily_snapshots_keep_their_depth(home: Home) -> None:
    meter = Meter(home)
    await meter.days(40)
    assert meter.answer(METERING, "GetSnapshot", **period(), cause=1)["total_found"] == 31


async def test_a_top_up_pays_off_its_share_of_the_payment_debt_and_both_are_logged(home: Home) -> None:
    meter = Meter(home)
    meter.prepay()
    meter.tell(
        PREPAYMENT,
        "ChangeDebt",
        event=1,
        label=b"",
        amount=250 * PENNY,
        recovery_method=2,
        amount_type=5,
        recovery_start=0,
        collection_time=0,
        recovery_frequency=0,
        recovery_amount=0,
        balance_percentage=1000,
    )
    for _ in range(3):
        meter.top_up(10)  # a tenth is a pound, and the third finds fifty pence left
    paid = meter.answer(PREPAYMENT, "GetDebtRepaymentLog", latest_end=FOREVER, count=10, debt_type=2)["payments"]
    assert isinstance(paid, tuple)
    assert [(one["amount"], one["outstanding"]) for one in paid] == [
        (50 * PENNY, 0),
        (100 * PENNY, 50 * PENNY),
        (100 * PENNY, 150 * PENNY),
    ]
    assert meter.gsme.model.number(PREPAYMENT.id, 0x0001) == 3000 * PENNY - 250 * PENNY
    tokens = meter.answer(PREPAYMENT, "GetTopUpLog", latest_end=FOREVER, count=10)["top_ups"]
    assert isinstance(tokens, tuple)
    assert [one["amount"] for one in tokens] == [1000 * PENNY] * 3


@pytest.mark.clause("SMETS 4.6.5.3")
async def test_five_top_ups_are_kept_newest_first(home: Home) -> None:
    meter = Meter(home)
    for pounds in range(1, 8):
        meter.top_up(pounds)
    tokens = meter.answer(PREPAYMENT, "GetTopUpLog", latest_end=FOREVER, count=0)["top_ups"]
    assert isinstance(tokens, tuple)
    assert [one["amount"] for one in tokens] == [pounds * 100 * PENNY for pounds in (7, 6, 5, 4, 3)]


@pytest.mark.clause("RTDS GCS18")
async def test_the_network_data_log_holds_forty_one_samples_that_add_up_to_the_register(home: Home) -> None:
    meter = Meter(home)
    await home.clock.go(3595)  # to the full hour
    meter.gsme.update()
    before = meter.gsme.register.total
    meter.tell(METERING, "StartSampling", event=1, start=0, sample_type=0, interval=360, max_samples=41)
    await home.clock.go(3600)
    meter.gsme.update()
    hour = meter.answer(METERING, "GetSampledData", sample=2, earliest=1, sample_type=0, count=0)
    samples = hour["samples"]
    assert isinstance(samples, tuple)
    assert len(samples) == 10
    assert sum(one["value"] for one in samples if isinstance(one["value"], int)) == meter.gsme.register.total - before
    await home.clock.go(DAY_S)
    assert meter.answer(METERING, "GetSampledData", sample=2, earliest=1, sample_type=0, count=0)["count"] == 41


@pytest.mark.clause("RTDS GCS21b, GCS21f")
async def test_the_tariff_s_calendar_and_that_of_the_non_disablement_periods_are_read_apart(home: Home) -> None:
    meter = Meter(home)
    for calendar, kind in ((11, 0), (12, 3)):
        meter.tell(
            CALENDAR,
            "PublishCalendar",
            provider=0,
            event=1,
            calendar=calendar,
            start=0,
            calendar_type=kind,
            time_reference=0,
            name=b"",
            seasons=1,
            weeks=1,
            days=1,
        )
        meter.tell(
            CALENDAR,
            "PublishDayProfile",
            provider=0,
            event=1,
            calendar=calendar,
            day=1,
            total=1,
            command_index=0,
            command_count=1,
            calendar_type=kind,
            entries=({"minute": 0, "value": 1},),
        )
    asked: dict[str, FieldValue] = {"provider": 0, "first_day": 1, "count": 0}
    assert meter.answer(CALENDAR, "GetDayProfiles", calendar=0xFFFFFFFF, **asked)["calendar"] == 11
    assert meter.answer(CALENDAR, "GetDayProfiles", calendar=0xFFFFFFFE, **asked)["calendar"] == 12
    assert meter.answer(CALENDAR, "GetDayProfiles", calendar=12, **asked)["calendar_type"] == 3
    assert meter.tell(CALENDAR, "GetDayProfiles", calendar=13, **asked) is ZclStatus.NOT_FOUND


@pytest.mark.clause("RTDS GCS15b ERROR")
async def test_nothing_is_tried_after_a_failed_component(home: Home) -> None:
    meter = Meter(home)
    meter.gsme.model.zcl.broken[METERING.id, 0x0014] = ZclStatus.HARDWARE_FAILURE
    payload = PREPAYMENT.to_server[0x09].encode({"level": 77})
    parts = (
        Component(METERING.id, 0x00, 0, 0x00, encode_attribute_ids((0x0014, 0x0000))),
        Component(PREPAYMENT.id, 0x01, 1, 0x09, payload),
    )
    read, rest = meter.ask(*parts, code=0x0085)
    assert read.payload.startswith(b"\x14\x00\xc0\x00\x00\x00")
    assert (rest.command, rest.payload, rest.sequence) == (0x0B, b"\xff\x01", 1)
    assert meter.gsme.model.number(PREPAYMENT.id, 0x0031) == 0


@pytest.mark.clause("RTDS GCS21f NOT_FOUND")
async def test_what_is_not_found_does_not_stop_the_rest(home: Home) -> None:
    meter = Meter(home)
    missing = PREPAYMENT.to_server[0x08].encode({"latest_end": FOREVER, "count": 5})
    first, second = meter.ask(
        Component(PREPAYMENT.id, 0x01, 0, 0x08, missing), Component(PREPAYMENT.id, 0x01, 1, 0x08, missing), code=0x00C5
    )
    assert first.payload == second.payload == b"\x08\x8b"
