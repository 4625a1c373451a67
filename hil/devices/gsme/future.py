"""Future-dated GBZ settings of a gas meter: kept until their time, executed, told by alert 00CD (reference gbcs-messages 7.2, 7A).

Only the parts that carry a time of their own wait for it; day and week profiles and seasons of a calendar are stored at once.
"""

from __future__ import annotations

from collections.abc import Callable

from firmware_emu.device import alerting
from firmware_emu.device.future import FutureAction
from firmware_emu.errors import DecodeError
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.gbz import Component, Gbz
from firmware_emu.zse import clusters
from firmware_emu.zse.clusters.calendar import CALENDAR
from firmware_emu.zse.zcl import ZclStatus
from hil.devices.metering.part import MeterPart

KIND = "gbz"
FUTURE_DATEABLE = frozenset({0x006B, 0x006C, 0x006D, 0x006F, 0x00A3})
"""GCS01a, GCS02, GCS03, GCS05, GCS01b: the use cases whose execution alerts the RTDS shows."""
CANCELS = (0xFFFFFFFF, 0xFFFFFFFE)
"""Times that cancel what was future-dated (reference gbcs-messages 7A, GCS01b)."""
_DONE, _NOT_DONE, _ALERT_CODE = 0x8F66, 0x8F67, 0x00CD


def time_of(part: Component) -> int | None:
    """When a component is to act: its from date time, or the start or implementation time in its fields; None if it has none."""
    if part.from_date_time is not None:
        return part.from_date_time
    declared = clusters.BY_ID.get(part.cluster)
    command = None if declared is None else declared.command(part.command, to_client=part.from_server)
    if command is None:
        return None
    fields = command.decode(part.payload)
    for name in ("implementation", "start"):
        value = fields.get(name)
        if isinstance(value, int):
            return value
    return None


def _calendar_of(part: Component) -> str:
    """The type of the calendar that a component belongs to: one may wait for each type."""
    if part.cluster != CALENDAR.id:
        return ""
    return f".{CALENDAR.to_client[part.command].decode(part.payload).get('calendar_type')!r}"


def defer(gsme: MeterPart, part: Component, message: Message) -> bool:
    """Keep or cancel a component that is not to act now; whether it was one."""
    if message.message_code not in FUTURE_DATEABLE:
        return False
    when = time_of(part)
    if when is None or when <= gsme.now():
        return False
    key = f"{part.cluster:04x}.{part.command:02x}.{int(part.from_server)}{_calendar_of(part)}"
    if when in CANCELS:
        gsme.gbcs.future.cancel(KIND, key)
        return True
    header = message.header
    data = Gbz((part,)).encode()
    gsme.gbcs.future.put(FutureAction(when, KIND, key, message.message_code, header.originator, header.counter, data))
    return True


def execute_due(gsme: MeterPart, apply: Callable[[Component], ZclStatus], action: FutureAction) -> None:
    """Run a stored component and raise its execution alert to the party that sent the Command. Raises DecodeError for foreign data."""
    part = Gbz.decode(action.data).components[0]
    try:
        done = apply(part) is ZclStatus.SUCCESS
    except DecodeError:
        done = False
    event = _DONE if done else _NOT_DONE
    named = action.message_code.to_bytes(2, "big") + action.counter.to_bytes(8, "big")
    rest = named + part.cluster.to_bytes(2, "big") + bytes((part.frame_control, part.command))
    payload = alerting.gbz_alert(event, gsme.now(), bytes((len(rest),)) + rest)
    gsme.gbcs.raise_alert(event, payload=payload, message_code=_ALERT_CODE, recipient=action.originator)
