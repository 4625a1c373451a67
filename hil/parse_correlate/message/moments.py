"""Times as messages carry them (reference gbcs-messages 5.3, 7A)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

START_OF_COUNT = datetime(2000, 1, 1, tzinfo=UTC)
NOW = bytes(9) + bytes.fromhex("8000ff")
NEVER = b"\xff" * 9 + bytes.fromhex("8000ff")
_NO_DEVIATION = -0x8000


def since_2000(seconds: int) -> datetime:
    """The moment of a count of seconds."""
    return START_OF_COUNT + timedelta(seconds=seconds)


def date_time(octets: bytes) -> datetime | None:
    """The moment of a 12-octet date-time; None where it does not name one. An unspecified deviation is UTC."""
    if len(octets) != 12:
        return None
    deviation = int.from_bytes(octets[9:11], "big", signed=True)
    try:
        found = datetime(int.from_bytes(octets[:2], "big"), octets[2], octets[3], octets[5], octets[6], octets[7], tzinfo=UTC)
        return found if deviation == _NO_DEVIATION else found + timedelta(minutes=deviation)
    except (ValueError, OverflowError):
        return None


def generalized_time(octets: bytes) -> datetime | None:
    """The moment of ``YYYYMMDDhhmmssZ``; None where it does not name one."""
    try:
        return datetime.strptime(octets.decode("latin-1"), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def date_time_text(octets: bytes) -> str:
    """A date-time in words: ``now``, ``never``, an ISO time, or the octets where parts are wildcards."""
    if octets == NOW:
        return "now"
    if octets == NEVER:
        return "never"
    found = date_time(octets)
    return octets.hex() if found is None else found.isoformat().replace("+00:00", "Z")


def seconds_text(count: int) -> str:
    """A count of seconds in words: ``now`` (0), ``never`` (all ones), or an ISO time."""
    if count in (0, 0xFFFFFFFF):
        return "now" if count == 0 else "never"
    return since_2000(count).isoformat().replace("+00:00", "Z")
