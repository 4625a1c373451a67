"""An electricity meter in prepayment mode: its settings, debts and top-ups."""

from __future__ import annotations

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import CellUsage
from firmware_emu.gbcs.axdr import (
    Array,
    BitString,
    DoubleLong,
    DoubleLongUnsigned,
    Integer,
    LongUnsigned,
    OctetString,
    Structure,
)
from firmware_emu.gbcs.axdr import Enum as DlmsEnum
from firmware_emu.gbcs.dlms import AccessResult, parse_obis
from firmware_emu.gbcs.utrn import make_utrn
from tests.devices.meter_bench import SUPPLIER, Bench, Item, at_once, charge, flat, put, run

POUND, PENNY = 100_000, 1000


IMPORT, DEBT_1, DEBT_2, PAYMENT, STANDING = (f"0-0:19.20.{n}" for n in range(5))


BALANCE, EMERGENCY, ACCUMULATED = (f"0-0:19.10.{n}" for n in range(3))


def prepayment_mode(threshold: int = 0, *, suspend_emergency: bool = False, suspend_disabled: bool = False) -> list[Item]:
    """The rows of RTDS ECS03."""
    pairs = [(BALANCE, one) for one in (IMPORT, STANDING, DEBT_1, DEBT_2, PAYMENT)]
    pairs += [(EMERGENCY, one) for one in (PAYMENT, IMPORT, STANDING)]
    pairs += [(EMERGENCY, DEBT_1), (EMERGENCY, DEBT_2)]
    pairs += [(ACCUMULATED, one) for one in (STANDING, DEBT_1, DEBT_2)] if suspend_emergency else []
    disabled = {(credit, debt) for credit in (BALANCE, EMERGENCY) for debt in (DEBT_1, DEBT_2)} if suspend_disabled else set()
    rows = tuple(
        Structure(
            (OctetString(parse_obis(credit)), OctetString(parse_obis(taken)), BitString.of("110" if (credit, taken) in disabled else "111"))
        )
        for credit, taken in pairs
    )
    return [
        put(111, "0-1:19.0.0", 2, Structure((DlmsEnum(2), DlmsEnum(1)))),
        put(9000, "0-0:94.44.128.22", 4, DoubleLong(threshold)),
        put(111, "0-1:19.0.0", 11, Array(rows)),
        put(9000, "0-0:94.44.128.22", 6, at_once()),
        put(111, "0-1:19.0.0", 13, at_once()),
    ]


def configuration(
    *,
    limit: int = 0,
    threshold: int = 0,
    low: int = 0,
    cap: int = 0,
    cap_period: int = 0,
    max_credit: int = 0,
    max_balance: int = 0,
    calendar: tuple[Structure, ...] = (),
) -> list[Item]:
    values = (
        ("94.44.128.2", DoubleLong(limit)),
        ("94.44.128.3", DoubleLong(threshold)),
        ("94.44.128.9", DoubleLong(low)),
        ("94.44.128.12", LongUnsigned(cap)),
        ("94.44.128.13", DoubleLong(cap_period)),
        ("94.44.2.10", DoubleLong(max_credit)),
        ("94.44.2.20", DoubleLong(max_balance)),
    )
    items = [put(10, "0-1:12.0.1", 2, Array(calendar))]
    items += [put(9000, f"0-0:{obis}", 4, value) for obis, value in values]
    items += [put(9000, f"0-0:{obis}", 6, at_once()) for obis, _ in values]
    return [*items, put(9000, "0-0:94.44.128.28", 6, at_once()), put(9000, "0-0:94.44.128.31", 6, at_once())]


def debts(
    payment: int,
    first: int,
    second: int,
    *,
    rates: tuple[int, int] = (0, 0),
    periods: tuple[int, int] = (3600, 86_400),
    proportion: int = 0,
) -> list[Item]:
    return [
        put(113, DEBT_1, 6, charge({0: rates[0]}, 0)),
        put(113, DEBT_2, 6, charge({0: rates[1]}, 0)),
        put(113, PAYMENT, 13, LongUnsigned(proportion)),
        put(113, DEBT_1, 8, DoubleLongUnsigned(periods[0])),
        put(113, DEBT_2, 8, DoubleLongUnsigned(periods[1])),
        run(113, DEBT_1, 2, Integer(0)),
        run(113, DEBT_2, 2, Integer(0)),
        run(113, PAYMENT, 4, DoubleLong(payment)),
        run(113, DEBT_1, 4, DoubleLong(first)),
        run(113, DEBT_2, 4, DoubleLong(second)),
    ]


def adjust(amount: int) -> list[Item]:
    return [run(112, BALANCE, 1, DoubleLong(amount))]


def token(bench: Bench, pounds: int, counter: int) -> str:
    z = bench.keystore.shared_secret(SUPPLIER, bench.esme.eui64, CellUsage.PREPAYMENT_TOP_UP)
    return make_utrn(z, supplier=SUPPLIER, meter=bench.esme.eui64, counter=counter << 32, value=pounds, value_class=1)


def top_up(bench: Bench, pounds: int, counter: int) -> list[AccessResult]:
    code = token(bench, pounds, counter)
    bench.counter = (counter << 32) - 1
    return bench.do(0x0007, [run(115, "0-0:19.40.0", 1, OctetString(code.encode()))])


def prepaying(device_pki: Keystore, balance: int = 0, *, price: int = 10 * PENNY, standing: int = 0, threshold: int = 0) -> Bench:
    """A meter in prepayment mode with 3.6 kW of load: a kWh each 1000 s."""
    bench = Bench(device_pki, load=lambda half_hour: 3600)
    bench.do(0x0019, flat(price, standing))
    bench.do(0x001C, adjust(balance))
    bench.do(0x001B, prepayment_mode(threshold))
    return bench
