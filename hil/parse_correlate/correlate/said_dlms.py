"""DLMS values of a pre-command in plain values. Every reader insists on the exact type: another one is a difference."""

from __future__ import annotations

from ..message.dlms import NUMBER_KINDS, Value
from .asked import ANY, day
from .comparison import Meaning, Unreadable

_NO_STATUS = bytes.fromhex("8000ff")
_BEGINNING = bytes.fromhex("000000008000ff")


def of(data: Value, kind: str) -> Value:
    """The value, if it is of that type. Raises Unreadable."""
    if data.kind != kind:
        raise Unreadable(f"a {kind}", f"a {data.kind}")
    return data


def number(data: Value, kind: str) -> int:
    """A number of exactly that type. Raises Unreadable."""
    content = of(data, kind).content
    if kind not in NUMBER_KINDS or not isinstance(content, int):
        raise Unreadable(f"a {kind}", f"a {data.kind}")
    return content


def octets(data: Value, size: int | None = None) -> bytes:
    """Octets, of a size where one is given. Raises Unreadable."""
    found = of(data, "octet-string").content
    if not isinstance(found, bytes):
        raise Unreadable("an octet-string", data.text())
    if size is not None and len(found) != size:
        raise Unreadable(f"{size} octets", f"{len(found)} octets")
    return found


def structure(data: Value, size: int) -> tuple[Value, ...]:
    """The elements of a structure of that size. Raises Unreadable."""
    elements = of(data, "structure").values
    if len(elements) != size:
        raise Unreadable(f"a structure of {size}", f"a structure of {len(elements)}")
    return elements


def array(data: Value) -> tuple[Value, ...]:
    """The elements of an array. Raises Unreadable."""
    return of(data, "array").values


def boolean(data: Value) -> bool:
    """True is FF alone. Raises Unreadable."""
    content = of(data, "boolean").content
    if content not in (0, 0xFF):
        raise Unreadable("boolean 00 or ff", f"boolean {data.octets.hex()}")
    return content == 0xFF


def nothing(data: Value) -> None:
    """Null. Raises Unreadable."""
    of(data, "null")


def bits(data: Value, size: int) -> str:
    """A bit-string of that size; bits after the last must be 0. Raises Unreadable."""
    content = of(data, "bit-string").content
    if not isinstance(content, str) or len(content) != size:
        raise Unreadable(f"{size} bits", data.text())
    return content


def text(data: Value) -> str:
    """An octet-string that is ASCII text. Raises Unreadable."""
    found = octets(data)
    if not found.isascii():
        raise Unreadable("ASCII text", found.hex())
    return found.decode("ascii")


def visible(data: Value) -> str:
    content = of(data, "visible-string").content
    if not isinstance(content, str):
        raise Unreadable("a visible-string", data.text())
    return content


def activation(data: Value) -> str:
    """An activation time: ``now``, ``never`` or a moment. Raises Unreadable."""
    found = octets(data, 12)
    if found[:9] == bytes(9) and found[9:] == _NO_STATUS:
        return "now"
    if found[:9] == b"\xff" * 9 and found[9:] == _NO_STATUS:
        return "never"
    return moment(data)


def moment(data: Value) -> str:
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


def date(data: Value) -> str:
    """A date with wildcards. Raises Unreadable."""
    return _date(octets(data, 5))


def season_start(data: Value) -> str:
    """A date-time whose time is midnight, as its date. Raises Unreadable."""
    found = octets(data, 12)
    if found[5:] != _BEGINNING:
        raise Unreadable("midnight", found.hex())
    return _date(found[:5])


def clock(data: Value) -> str:
    """A time of day. Raises Unreadable."""
    found = octets(data, 4)
    if found[3]:
        raise Unreadable("hundredths 0", found.hex())
    return ":".join(ANY if part == 0xFF else f"{part:02d}" for part in found[:3])


def numbers(data: Value, type_name: str) -> list[Meaning]:
    """An array of numbers of one type."""
    return [number(element, type_name) for element in array(data)]
