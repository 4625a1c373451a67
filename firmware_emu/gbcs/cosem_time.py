"""Date and time as GBCS writes them (reference gbcs-messages 1.3, 5.3): 12-octet COSEM date-time, seconds since 2000, GeneralizedTime."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from enum import Enum

from firmware_emu.errors import IdentifierError

NOW = bytes.fromhex("0000000000000000008000ff")
"""Activation time "at once"."""
NEVER = bytes.fromhex("ffffffffffffffffff8000ff")
"""Activation time "never": cancels what was future-dated."""
UTC_NEVER = 0xFFFFFFFF
"""The same in seconds since 2000; 0 means at once."""
GENERALIZED_NEVER = "99991231235959Z"
"""The same as GeneralizedTime."""
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""Start of the seconds that ZCL, GBZ headers and CHF logs count."""
STATUS_NOT_STATED = 0xFF
_NO_DEVIATION = -0x8000


def encode_date_time(moment: datetime, status: int = STATUS_NOT_STATED) -> bytes:
    """UTC as 12 octets: weekday FF, hundredths 00, deviation 8000, then the clock status (reference gbcs-messages 1.3)."""
    at = _utc(moment)
    return at.year.to_bytes(2, "big") + bytes((at.month, at.day, 0xFF, at.hour, at.minute, at.second, 0, 0x80, 0x00, status))


def decode_date_time(octets: bytes) -> datetime | None:
    """The moment, or None for NOW, NEVER and anything with a wildcard or a field out of range. Raises IdentifierError unless 12 octets."""
    if len(octets) != 12:
        raise IdentifierError("a COSEM date-time", octets.hex(), "12 octets")
    deviation = int.from_bytes(octets[9:11], "big", signed=True)
    try:
        zone = UTC if deviation == _NO_DEVIATION else timezone(timedelta(minutes=-deviation))
        year = int.from_bytes(octets[:2], "big")
        hundredths = 0 if octets[8] == 0xFF else octets[8]
        return datetime(year, octets[2], octets[3], octets[5], octets[6], octets[7], hundredths * 10_000, tzinfo=zone)
    except ValueError:
        return None


def describe_date_time(octets: bytes) -> str:
    """For people: an ISO time, ``now``, ``never``, or its parts where fields are wildcards."""
    if octets == NOW:
        return "now"
    if octets == NEVER:
        return "never"
    moment = decode_date_time(octets)
    return describe_form("date-time", octets) if moment is None else moment.isoformat().replace("+00:00", "Z")


def encode_utc_seconds(moment: datetime) -> int:
    """Seconds since 2000-01-01 UTC. Raises IdentifierError outside 32 bits."""
    seconds = int((_utc(moment) - EPOCH).total_seconds())
    if not 0 <= seconds <= 0xFFFFFFFF:
        raise IdentifierError("a ZigBee UTC time", moment, "2000-01-01 to 2136-02-07")
    return seconds


def decode_utc_seconds(seconds: int) -> datetime:
    """The moment of a count of seconds since 2000."""
    return EPOCH + timedelta(seconds=seconds)


def describe_utc_seconds(seconds: int) -> str:
    """For people: an ISO time, ``now`` (0) or ``never`` (all ones)."""
    if seconds == 0:
        return "now"
    return "never" if seconds == UTC_NEVER else decode_utc_seconds(seconds).isoformat().replace("+00:00", "Z")


class Activation(Enum):
    """When a future-dateable setting takes effect, where that is no moment."""

    NOW = "now"
    NEVER = "never"


def activation_octets(when: datetime | Activation) -> bytes:
    """Activation time of a DLMS item: a date-time, the "now" value, or the one that cancels (reference gbcs-messages 5.4)."""
    if isinstance(when, Activation):
        return NOW if when is Activation.NOW else NEVER
    return encode_date_time(when)


def activation_seconds(when: datetime | Activation, *, second: bool = False) -> int:
    """Implementation time of a GBZ component: seconds since 2000, 0 at once, all ones to cancel.

    ``second`` gives FFFFFFFE, for a second component of the same cancellation in one command (reference gbcs-messages 7A, GCS01b).
    """
    if isinstance(when, Activation):
        return 0 if when is Activation.NOW else UTC_NEVER - second
    return encode_utc_seconds(when)


def activation_moment(when: datetime | Activation) -> datetime | None:
    """Execution time of an ASN.1 command: None at once, 9999-12-31T23:59:59Z to cancel."""
    if isinstance(when, Activation):
        return None if when is Activation.NOW else decode_generalized(GENERALIZED_NEVER)
    return when


def encode_generalized(moment: datetime) -> str:
    """``YYYYMMDDhhmmssZ``, 15 characters (reference gbcs-messages 6)."""
    at = _utc(moment)
    return f"{at.year:04d}{at:%m%d%H%M%S}Z"


def decode_generalized(text: str) -> datetime:
    """Raises IdentifierError unless ``YYYYMMDDhhmmssZ``."""
    digits = text[:14]
    if len(text) == 15 and text[14] == "Z" and digits.isascii() and digits.isdigit():
        month, day, hour, minute, second = (int(digits[place : place + 2]) for place in range(4, 14, 2))
        try:
            return datetime(int(digits[:4]), month, day, hour, minute, second, tzinfo=UTC)
        except ValueError:
            pass  # digits that name no moment are refused like what is no digit
    raise IdentifierError("a GeneralizedTime", text, "YYYYMMDDhhmmssZ")


def _utc(moment: datetime) -> datetime:
    """An aware moment in UTC; a naive one is taken for UTC, as every time in GBCS is."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DAYS = {0xFD: "the second last day", 0xFE: "the last day"}
_MONTHS = {0xFD: "the month summer time ends", 0xFE: "the month summer time begins"}
_ANY = 0xFF


def describe_form(form: str, octets: bytes) -> str:
    """For people: a ``date`` (5 octets), ``time`` (4), ``date-time`` (12) or ``zcl-date`` (4); FF is any. Empty for another size."""
    match form, len(octets):
        case "date", 5:
            return _date(int.from_bytes(octets[:2], "big"), 0xFFFF, octets[2], octets[3], octets[4])
        case "time", 4:
            return _time(octets)
        case "date-time", 12:
            return f"{describe_form('date', octets[:5])}, {_time(octets[5:9])}"
        case "zcl-date", 4:
            return _date(octets[0] if octets[0] == _ANY else octets[0] + 1900, _ANY, octets[1], octets[2], octets[3])
    return ""


def _date(year: int, any_year: int, month: int, day: int, weekday: int) -> str:
    """``2026-04-01``, or its parts where one is any: ``every year, month 4, day 1``; an impossible octet is shown as it is."""
    on = "" if weekday == _ANY else f", {_WEEKDAYS[weekday - 1] if 1 <= weekday <= 7 else f'weekday {weekday}'}"
    if year != any_year and 1 <= month <= 12 and 1 <= day <= 31:
        return f"{year:04d}-{month:02d}-{day:02d}{on}"
    if year == any_year and month == day == _ANY:
        return f"every day{on}"
    parts = ["every year" if year == any_year else f"year {year}"]
    parts.append("every month" if month == _ANY else _MONTHS.get(month, f"month {month}"))
    parts.append("every day" if day == _ANY else _DAYS.get(day, f"day {day}"))
    return ", ".join(parts) + on


def _time(octets: bytes) -> str:
    return ":".join(f"{octet:02d}" if octet != _ANY else "any" for octet in octets[:3])
