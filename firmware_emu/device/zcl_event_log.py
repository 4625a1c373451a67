"""Event logs over ZCL (cluster Events): how a gas meter and a GPF answer GetEventLog, alike.

The order is that of the reference messages, the oldest first; a count takes the newest ones, an offset leaves out so many of the newest.
"""

from __future__ import annotations

from collections.abc import Sequence

from firmware_emu.device.event_log import LogEntry
from firmware_emu.device.gbz_server import ZclAnswer
from firmware_emu.zse.clusters.events import EVENTS
from firmware_emu.zse.declare import FieldValue, number
from firmware_emu.zse.zcl import ZclStatus

EVENT_LOG, SECURITY_LOG, METER_EVENT_LOG, METER_SECURITY_LOG = 3, 4, 6, 7
"""Log ids; the last two are a GPF's copies of its gas meter's logs (GBCS 20, reference gbcs-text 4)."""
_GET, _PUBLISH = 0x00, 0x01


def asked_log(payload: bytes) -> int:
    """Id of the log that a GetEventLog asks for. Raises DecodeError."""
    return number(EVENTS.to_server[_GET].decode(payload), "control_and_log") & 0x0F


def answer(payload: bytes, entries: Sequence[LogEntry], since: int = 0) -> ZclStatus | list[ZclAnswer]:
    """The answer to a GetEventLog out of ``entries``, oldest first; nothing from before ``since`` is shown. Raises DecodeError."""
    fields = EVENTS.to_server[_GET].decode(payload)
    first, last, event = max(since, number(fields, "from")), number(fields, "to"), number(fields, "event")
    found = [entry for entry in entries if first <= entry.time <= last and event in (0, entry.code)]
    count, newest = number(fields, "count"), len(found) - number(fields, "offset")
    shown = found[max(0, newest - count) if count else 0 : max(0, newest)]
    if not shown:
        return ZclStatus.NOT_FOUND
    log = asked_log(payload)
    events: FieldValue = tuple(
        {"log": log, "event": entry.code, "time": entry.time, "data": without_length(entry.other)} for entry in shown
    )
    published = {"total": len(found), "command_index": 0, "command_count": 1, "control": 0, "events": events}
    return [ZclAnswer(_PUBLISH, EVENTS.to_client[_PUBLISH].encode(published))]


def without_length(other: bytes) -> bytes:
    """Other information of an entry less the length that a DLMS log writes before it: a ZCL octet string has its own."""
    return other[1:] if other and other[0] == len(other) - 1 else other
