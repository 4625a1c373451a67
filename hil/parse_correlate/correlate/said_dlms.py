"""What DLMS values of a pre-command say, in plain values. Every reader insists on the exact type: another one is a difference."""

from __future__ import annotations

from typing import TypeVar

from firmware_emu.gbcs.axdr import Array, BitString, Boolean, Data, Null, Number, OctetString, Structure, VisibleString
from hil.parse_correlate.correlate.asked import ANY, day
from hil.parse_correlate.correlate.comparison import Meaning, Unreadable

_Kind = TypeVar("_Kind", bound=Data)
_NO_STATUS = bytes.fromhex("8000ff")
_BEGINNING = bytes.fromhex("000000008000ff")


def of(data: Data, kind: type[_Kind]) -> _Kind:
    """The value as ``kind``. Raises Unreadable."""
    if type(data) is not kind:
        raise Unreadable(f"a {kind.type_name}", f"a {data.type_name}")
    return data


def number(data: Data, type_name: str) -> int:
    """A number of exactly that type. Raises Unreadable."""
    if not isinstance(data, Number) or data.type_name != type_name:
        raise Unreadable(f"a {type_name}", f"a {data.type_name}")
    return data.value


def octets(data: Data, size: int | None = None) -> bytes:
    """Octets, of a size where one is given. Raises Unreadable."""
    found = of(data, OctetString).octets
    if size is not None and len(found) != size:
        raise Unreadable(f"{size} octets", f"{len(found)} octets")
    return found


def structure(data: Data, size: int) -> tuple[Data, ...]:
    """The elements of a structure of that size. Raises Unreadable."""
    elements = of(data, Structure).elements
    if len(elements) != size:
        raise Unreadable(f"a structure of {size}", f"a structure of {len(elements)}")
    return elements


def array(data: Data) -> tuple[Data, ...]:
    """The elements of an array. Raises Unreadable."""
    return of(data, Array).elements


def boolean(data: Data) -> bool:
    """True is FF alone. Raises Unreadable."""
    value = of(data, Boolean)
    if value.value and value.true_octet != 0xFF:
        raise Unreadable("boolean 00 or ff", f"boolean {value.true_octet:02x}")
    return value.value


def nothing(data: Data) -> None:
    """Null. Raises Unreadable."""
    of(data, Null)


def bits(data: Data, size: int) -> str:
    """A bit-string of that size; bits after the last must be 0. Raises Unreadable."""
    value = of(data, BitString)
    spare = len(value.octets) * 8 - value.size
    if value.size != size or (spare and value.octets[-1] & ((1 << spare) - 1)):
        raise Unreadable(f"{size} bits", f"{value.size} bits {value.octets.hex()}")
    return value.bits


def text(data: Data) -> str:
    """An octet-string that is ASCII text. Raises Unreadable."""
    found = octets(data)
    if not found.isascii():
        raise Unreadable("ASCII text", found.hex())
    return found.decode("ascii")


def visible(data: Data) -> str:
    return of(data, VisibleString).text


def activation(data: Data) -> str:
    """An activation time: ``now``, ``never`` or a moment. Raises Unreadable."""
    found = octets(data, 12)
    if found[:9] == bytes(9) and found[9:] == _NO_STATUS:
        return "now"
    if found[:9] == b"\xff" * 9 and found[9:] == _NO_STATUS:
        return "never"
    return moment(data)


def moment(data: Data) -> str:
    """A date-time that is fully specified. Raises Unreadable."""
    found = octets(data, 12)
    year, month, date, weekday, hour, minute, second, hundredths = int.from_bytes(found[:2], "big"), *found[2:9]
    if weekday != 0xFF or hundredths or found[9:] != _NO_STATUS:
        raise Unreadable("a date-time without weekday, hundredths and deviation", found.hex())
    return f"{year:04d}-{month:02d}-{date:02d} {hour:02d}:{minute:02d}:{second:02d}"


def _date(found: bytes) -> str:
    year = int.from_bytes(found[:2], "big")
    named: dict[int, str | None] = {0xFF: None, 0xFE: "last", 0xFD: "second last"}
    date: int | str | None = named.get(found[3], str(found[3])) if found[3] in named else found[3]
    return day(
        None if year == 0xFFFF else year,
        None if found[2] == 0xFF else found[2],
        date,
        None if found[4] == 0xFF else found[4],
    )


def date(data: Data) -> str:
    """A date with wildcards. Raises Unreadable."""
    return _date(octets(data, 5))


def season_start(data: Data) -> str:
    """A date-time whose time is midnight, as its date. Raises Unreadable."""
    found = octets(data, 12)
    if found[5:] != _BEGINNING:
        raise Unreadable("midnight", found.hex())
    return _date(found[:5])


def clock(data: Data) -> str:
    """A time of day. Raises Unreadable."""
    found = octets(data, 4)
    if found[3]:
        raise Unreadable("hundredths 0", found.hex())
    return ":".join(ANY if part == 0xFF else f"{part:02d}" for part in found[:3])


def numbers(data: Data, type_name: str) -> list[Meaning]:
    """An array of numbers of one type."""
    return [number(element, type_name) for element in array(data)]
