"""The GPF's billing data log: what the gas meter hands on after a billing period, a change and a top-up, and who reads it."""

from __future__ import annotations

import pytest

from firmware_emu.crypto.roles import CellUsage
from firmware_emu.device.store import MemoryStore
from firmware_emu.gbcs.utrn import ValueClass, make_utrn
from firmware_emu.hub.gas_store import BILLING_DEPTH, PAYMENT_DEPTH, TOP_UP_DEPTH
from firmware_emu.zse.clusters.device_management import DEVICE_MANAGEMENT
from firmware_emu.zse.clusters.metering import GB_SNAPSHOT, METERING
from firmware_emu.zse.clusters.prepayment import GB_PREPAY_SNAPSHOT, PREPAYMENT
from firmware_emu.zse.clusters.price import PRICE
from firmware_emu.zse.declare import Cluster, FieldValue
from hil.devices import Gsme, Ppmid
from tests.hub.gas_home import display, gas, gas_meter, link, part
from tests.hub.hub_bench import GPF, GSME, SUPPLIER, Bench

DAY, HOUR, FOREVER, POUND = 86_400, 3600, 0xFFFFFFFE, 100_000
TENANCY, MODE, DEBT, BILLING = 0x0072, 0x006D, 0x006E, 0x007E
END_OF_PERIOD, ANY_CHANGE = 1 << 1, 0xFFFFFFFC
SNAPSHOTS, BALANCES = (METERING, 0x06, 0x06, GB_SNAPSHOT), (PREPAYMENT, 0x07, 0x01, GB_PREPAY_SNAPSHOT)


async def asked(ppmid: Ppmid, cluster: Cluster, command: int, fields: dict[str, FieldValue]) -> bytes | None:
    """Answer of the GPF to a display on the HAN; None if it has nothing."""
    (endpoint, *_) = await ppmid.zcl.port.match_descriptors(GPF, METERING.id, server=True)
    answer = await ppmid.zcl.request(GPF, endpoint, cluster.id, command, cluster.to_server[command].encode(fields))
    return None if answer.default_response is not None else answer.payload


async def snapshots(ppmid: Ppmid, kind: tuple[Cluster, int, int, object], cause: int) -> list[tuple[int, int, bytes]]:
    """Time, cause and body of each snapshot with one of the causes."""
    cluster, command, answer, _ = kind
    found: list[tuple[int, int, bytes]] = []
    while (payload := await asked(ppmid, cluster, command, {"from": 0, "to": FOREVER, "offset": len(found), "cause": cause})) is not None:
        head = cluster.to_client[answer].decode(payload)
        found.append((int(str(head["time"])), int(str(head["cause"])), payload[16:]))
    return found


async def amounts(ppmid: Ppmid, command: int, name: str, **more: FieldValue) -> list[int]:
    payload = await asked(ppmid, PREPAYMENT, command, {"latest_end": FOREVER, "count": 0, **more})
    groups = () if payload is None else PREPAYMENT.to_client[{0x08: 0x05, 0x0A: 0x06}[command]].decode(payload)[name]
    assert isinstance(groups, tuple)
    return [int(str(one["amount"])) for one in groups]


def top_up(bench: Bench, gsme: Gsme, number: int, pounds: int) -> None:
    z = bench.keystore.shared_secret(SUPPLIER, GSME, CellUsage.PREPAYMENT_TOP_UP)
    assert gsme.enter_token(make_utrn(z, supplier=SUPPLIER, meter=GSME, counter=number << 32, value=pounds, value_class=ValueClass.POUNDS))


async def prepaying(bench: Bench) -> tuple[Gsme, Ppmid]:
    """A home with a debt that a tenth of each top-up pays off, billed each day."""
    gsme = await gas_meter(bench, lambda half_hour: 1800)
    mode = part(PREPAYMENT, "ChangePaymentMode", provider=0, event=1, implementation=0, configuration=0x0C97, cut_off_value=-2_000_000_000)
    owed = part(
        PREPAYMENT,
        "ChangeDebt",
        event=1,
        label=b"",
        amount=90 * POUND,
        recovery_method=2,
        amount_type=5,
        recovery_start=0,
        collection_time=0,
        recovery_frequency=0,
        recovery_amount=0,
        balance_percentage=1000,
    )
    period = part(PRICE, "PublishBillingPeriod", provider=0, event=1, start=0, duration=1, duration_type=0x01, tariff_type=0)
    for code, component in ((MODE, mode), (DEBT, owed), (BILLING, period)):
        await gas(bench, gsme, code, component, target=GSME)
    return gsme, await display(bench)


async def test_billing_periods_and_a_change_of_mode_leave_snapshots_of_registers_and_balances(bench: Bench) -> None:
    gsme, ppmid = await prepaying(bench)
    await bench.clock.sleep(2 * DAY + HOUR)
    own = [record for ring in gsme.model.logs._registers.values() for record in ring if record[1] == END_OF_PERIOD]
    billed = await snapshots(ppmid, SNAPSHOTS, END_OF_PERIOD)
    assert [(time, GB_SNAPSHOT.decode(body)["summation"]) for time, _, body in billed] == [(record[0], record[2]) for record in own]
    assert len(billed) == 2
    balances = await snapshots(ppmid, BALANCES, END_OF_PERIOD)
    assert [GB_PREPAY_SNAPSHOT.decode(body)["payment_debt"] for *_, body in balances] == [90 * POUND] * 2
    ((_, cause, _),) = await snapshots(ppmid, SNAPSHOTS, ANY_CHANGE)
    assert cause == 1 << 14
    await bench.clock.sleep(11 * DAY)
    assert len(await snapshots(ppmid, SNAPSHOTS, END_OF_PERIOD | ANY_CHANGE)) == BILLING_DEPTH
    await gsme.stop()


async def test_the_latest_top_ups_and_payments_of_debt_are_there_after_the_next_wake(bench: Bench) -> None:
    gsme, ppmid = await prepaying(bench)
    for number in range(1, 13):
        top_up(bench, gsme, number, number)
        await bench.clock.sleep(60)
    assert await amounts(ppmid, 0x08, "top_ups") == []
    await gsme.wake()
    assert await amounts(ppmid, 0x08, "top_ups") == [number * POUND for number in (12, 11, 10, 9, 8)]
    assert await amounts(ppmid, 0x0A, "payments", debt_type=2) == [number * POUND // 10 for number in range(12, 2, -1)]
    assert await amounts(ppmid, 0x0A, "payments", debt_type=1) == []
    assert (TOP_UP_DEPTH, PAYMENT_DEPTH) == (5, 10)
    await gsme.stop()


@pytest.mark.requirement("SVC-3.2")
async def test_a_change_of_tenancy_hides_the_billing_log_too(bench: Bench) -> None:
    gsme, ppmid = await prepaying(bench)
    top_up(bench, gsme, 1, 10)
    await bench.clock.sleep(DAY + HOUR)
    logs = (
        await snapshots(ppmid, SNAPSHOTS, ANY_CHANGE),
        await snapshots(ppmid, BALANCES, END_OF_PERIOD),
        await amounts(ppmid, 0x08, "top_ups"),
        await amounts(ppmid, 0x0A, "payments", debt_type=2),
    )
    assert all(logs)
    fields: dict[str, FieldValue] = {"provider": 0, "event": 1, "tariff_type": 0, "implementation": 0, "control": 0}
    await gas(bench, None, TENANCY, part(DEVICE_MANAGEMENT, "PublishChangeOfTenancy", **fields))
    assert await snapshots(ppmid, SNAPSHOTS, ANY_CHANGE | END_OF_PERIOD) == []
    assert await snapshots(ppmid, BALANCES, END_OF_PERIOD) == []
    assert await amounts(ppmid, 0x08, "top_ups") == await amounts(ppmid, 0x0A, "payments", debt_type=2) == []
    await gsme.stop()


async def test_a_new_gpf_is_given_the_meters_billing_log(bench: Bench) -> None:
    gsme, ppmid = await prepaying(bench)
    top_up(bench, gsme, 1, 10)
    await bench.clock.sleep(2 * DAY + HOUR)
    before = (await snapshots(ppmid, SNAPSHOTS, 0xFFFFFFFF), await amounts(ppmid, 0x08, "top_ups"))
    await bench.cut()
    bench.store, bench.radio.network = MemoryStore(), None
    bench.radio.link_keys.clear()
    for device in (gsme, ppmid):
        await device.node.leave()
    await bench.power_on()
    await link(bench, gsme)
    await ppmid.stop()
    ppmid = await display(bench)
    await bench.clock.sleep(2 * HOUR)
    assert (await snapshots(ppmid, SNAPSHOTS, 0xFFFFFFFF), await amounts(ppmid, 0x08, "top_ups")) == before
    await gsme.stop()
