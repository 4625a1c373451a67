"""The tariff of a gas meter: what GCS01a, GCS01b, GCS05, GCS23 and GCS25 set, as the exact objects of :mod:`.tariff`.

The engine counts units times seconds and prices a thousand of them: for gas litres, so a price is millipence per cubic metre. Rate n is
script n; block prices are the first set, script 101. A calendar of ZCL parts is put into the COSEM form that the engine reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from firmware_emu.gbcs.axdr import Array, Data, LongUnsigned, OctetString, Structure, Unsigned
from firmware_emu.zse.clusters.calendar import CALENDAR
from firmware_emu.zse.clusters.price import PRICE
from firmware_emu.zse.declare import FieldValue, number
from hil.devices.gsme.part import GasSettings
from hil.devices.gsme.published import Published
from hil.devices.metering.tariff import SwitchingTable, Tariff

GAS_TIERS = GAS_BLOCKS = 4
DELIVERED, FRIENDLY_CREDIT = 0, 3
"""Calendar types: the tariff's, and that of the non-disablement periods (reference gbcs-messages 7A)."""
SUPPLY_MAY_STOP, SUPPLY_STAYS = 0, 1
"""Entries of a non-disablement day (RTDS GCS05: 1 from midnight, 0 from 08:00, 1 from 18:00)."""
BLOCK_SCRIPT = 101
_FIRST_BLOCK_PRICE = (0xA1, 0xB1, 0xC1, 0xD1)
_SCHEME, _BLOCK_SCHEME = 0xF0, 0x10
"""Type and scheme of PublishTariffInformation: 00 time of use, 10 block (reference gbcs-messages 7A)."""
_KWH = 0
_MEGAJOULES_A_KWH = Fraction(36, 10)
_MILLIPENCE_DIGITS = 5
_DAY_PROFILE, _WEEK_PROFILE, _SEASONS, _SPECIAL_DAYS = 0x01, 0x02, 0x03, 0x04
_ANY = 0xFF


def _shifted(value: int, trailing_digit: int) -> Fraction:
    """A number whose decimal point is told by the upper four bits of its trailing digit octet (RTDS: 50 is five decimals)."""
    return Fraction(value, 10 ** (trailing_digit >> 4))


def kwh_per_cubic_metre(settings: GasSettings) -> Fraction:
    """Calorific value (MJ a cubic metre) x conversion factor / 3.6."""
    factor = _shifted(settings.number(PRICE.id, 0x0302), settings.number(PRICE.id, 0x0303))
    return _shifted(settings.number(PRICE.id, 0x0304), settings.number(PRICE.id, 0x0306)) * factor / _MEGAJOULES_A_KWH


def in_blocks(settings: GasSettings) -> bool:
    """True if the tariff in force prices by block; without a tariff it does not."""
    payload = settings.published.latest(PRICE.id, 0x04)
    if payload is None:
        return False
    scheme = PRICE.to_client[0x04].decode(payload)["type_and_scheme"]
    return isinstance(scheme, int) and scheme & _SCHEME == _BLOCK_SCHEME


def read_tariff(settings: GasSettings) -> Tariff:
    """The tariff in force, in millipence per cubic metre and litres. A threshold is reached at the first whole litre at or past it."""
    kwh = kwh_per_cubic_metre(settings)
    pounds = Fraction(10**_MILLIPENCE_DIGITS, 10 ** (settings.number(PRICE.id, 0x0617) >> 4))
    if in_blocks(settings):
        table = SwitchingTable(Array(()), Array(()), Array(()), Array(()), range(BLOCK_SCRIPT, BLOCK_SCRIPT + 1))
        raw = {key: settings.number(PRICE.id, 0x0400 + block) for block, key in enumerate(_FIRST_BLOCK_PRICE)}
    else:
        table = switching_table(settings.published, DELIVERED, range(1, GAS_TIERS + 1))
        raw = {tier: settings.number(PRICE.id, 0x0400 + 0x10 * tier) for tier in range(1, GAS_TIERS + 1)}
    prices = {key: price * pounds * kwh for key, price in raw.items()}
    return Tariff(table, table, prices, {}, (_litres(settings, kwh),), settings.number(PRICE.id, 0x0301) * pounds)


def _litres(settings: GasSettings, kwh: Fraction) -> tuple[int, ...]:
    """The block thresholds that were set; the tariff says whether they count kWh or cubic metres."""
    multiplier, divisor = settings.number(PRICE.id, 0x0202) or 1, settings.number(PRICE.id, 0x0203) or 1
    a_cubic_metre = kwh if settings.number(PRICE.id, 0x0615) == _KWH else Fraction(1)
    found = []
    for place in range(GAS_BLOCKS - 1):
        threshold = settings.number(PRICE.id, 0x0100 + place)
        if threshold and a_cubic_metre:
            litres = Fraction(threshold * multiplier, divisor) * 1000 / a_cubic_metre
            found.append(-(-litres.numerator // litres.denominator))
    return tuple(found)


def non_disablement(published: Published) -> SwitchingTable:
    """When supply stays on without credit; never where no calendar says so."""
    return switching_table(published, FRIENDLY_CREDIT, range(SUPPLY_MAY_STOP, SUPPLY_MAY_STOP + 1), range(SUPPLY_STAYS, SUPPLY_STAYS + 1))


def switching_table(published: Published, kind: int, scripts: range, extra: range = range(0)) -> SwitchingTable:
    """The calendar of a type that is in force."""

    def parts(command: int) -> list[dict[str, FieldValue]]:
        return [CALENDAR.to_client[command].decode(payload) for payload in published.calendar_parts(command, kind)]

    seasons = [
        Structure((OctetString(b""), OctetString(_date(one) + b"\0" * 3 + b"\xff\x80\0\xff"), OctetString(_octet(one, "week"))))
        for part in parts(_SEASONS)
        for one in _groups(part, "seasons")
    ]
    weeks = [
        Structure((OctetString(_octet(part, "week")), *(Unsigned(number(one, "day")) for one in _groups(part, "days"))))
        for part in parts(_WEEK_PROFILE)
    ]
    days: dict[int, list[Data]] = {}
    for part in parts(_DAY_PROFILE):
        days.setdefault(number(part, "day"), []).extend(_action(one) for one in _groups(part, "entries"))
    specials = [
        Structure((LongUnsigned(place), OctetString(_date(one)), Unsigned(number(one, "day"))))
        for place, one in enumerate(one for part in parts(_SPECIAL_DAYS) for one in _groups(part, "days"))
    ]
    profiles = [Structure((Unsigned(day), Array(tuple(actions)))) for day, actions in days.items()]
    return SwitchingTable(Array(tuple(seasons)), Array(tuple(weeks)), Array(tuple(profiles)), Array(tuple(specials)), scripts, extra)


def _action(entry: dict[str, FieldValue]) -> Data:
    hour, minute = divmod(number(entry, "minute"), 60)
    return Structure((OctetString(bytes((hour % 24, minute, 0, 0))), OctetString(b""), LongUnsigned(number(entry, "value"))))


def _groups(fields: dict[str, FieldValue], name: str) -> Iterator[dict[str, FieldValue]]:
    groups = fields[name]
    return (dict(group) for group in groups) if isinstance(groups, tuple) else iter(())


def _date(fields: dict[str, FieldValue]) -> bytes:
    """A ZCL date (year less 1900, month, day, weekday) as a COSEM date."""
    octets = fields["date"]
    if not isinstance(octets, bytes):
        return b"\xff" * 5
    year = 0xFFFF if octets[0] == _ANY else 1900 + octets[0]
    return year.to_bytes(2, "big") + octets[1:4]


def _octet(fields: dict[str, FieldValue], name: str) -> bytes:
    return bytes((number(fields, name),))
