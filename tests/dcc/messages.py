"""Requests and alerts that tests of several folders send to the far end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, time
from typing import Any

from firmware_emu.gbcs.alert_contents import WhitelistBackup
from firmware_emu.gbcs.alerts import dlms_alert
from firmware_emu.gbcs.cosem_time import encode_date_time
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.ids import CraFlag, Eui64
from hil.dcc.base.results import Outcome
from hil.dcc.base.services import schedule
from tests.dcc.far_end import ACB, CHF, ESME, FarEnd

Run = Callable[[Callable[[FarEnd], Awaitable[None]]], None]


COMMISSION = {"CurrentDateTime": datetime(2026, 1, 5, 12, tzinfo=UTC), "TolerancePeriod": 60}


async def send(
    far_end: FarEnd,
    variant: str,
    target: Any = ESME,
    body: Any = None,
    *,
    user: Any = None,
    command_variant: int | None = None,
    **options: Any,
) -> Outcome:
    who = user or far_end.supplier
    request = far_end.dcc.request(who, variant, target, body, command_variant=command_variant)
    return await far_end.dcc.send(who, request, **options)


def octets(outcome: Outcome, kind: str) -> bytes:
    return next(one.octets for one in outcome.messages if one.kind == kind)


NEW = Eui64.parse("00db1234567890f0")


def notification(eui: Eui64, kind: str = "ESME", **more: object) -> dict[str, object]:
    version = {} if kind == "IHD" else {"SMETSCHTSVersion": "SMETS V5.2", "FirmwareVersion": "00000001"}
    variant = {"ESMEVariant": "A"} if kind == "ESME" else {}
    return {"DeviceID": eui, "DeviceManufacturer": "BENCH", "DeviceModel": "BENCH", "DeviceType": kind, **version, **variant, **more}


PAN = bytes(range(8))


def alert_of(
    far_end: FarEnd,
    device: Eui64,
    recipient: Eui64,
    code: int = 0x8F3F,
    *,
    signed: bool = True,
    message_code: int | None = None,
    content: WhitelistBackup | None = None,
) -> bytes:
    """A protected alert as the Device itself makes it."""
    unit = far_end.home.devices[device]
    counter = unit.credentials.next_counter()
    header = GroupingHeader(CraFlag.ALERT, counter, device, recipient, OtherInformation(message_code or (0x1000 if signed else 0x1001)))
    payload = dlms_alert(counter, code, far_end.clock.datetime(), content).encode()
    return unit.protect(Message(header, payload), signed=signed).encode()


def backup(far_end: FarEnd, *entries: tuple[Eui64, bytes]) -> bytes:
    content = WhitelistBackup(encode_date_time(far_end.clock.datetime()), PAN, entries)
    return alert_of(far_end, CHF, ACB, 0x8F12, signed=False, message_code=0x0018, content=content)


TODAY = date(2026, 1, 5)


OFFSETS = {"StartDateOffset": -1, "StartTime": time(0), "EndDateOffset": 0, "EndTime": time(0)}


CONTENT = {
    "4.8.1": {"DSPReadActiveImportProfileData": OFFSETS},
    "4.10": {"DSPReadNetworkData": OFFSETS},
    "4.12.1": {"DSPReadMaximumDemandImportRegisters": {}},
    "4.15": {"DSPReadLoadLimitData": {}},
    "4.16": {"DSPReadActivePowerImport": {}},
    "4.17": {"DSPRetrieveDailyConsumptionLog": OFFSETS},
    "4.6.1": {"DSPRetrieveImportDailyReadLog": OFFSETS},
}


def body(variant: str = "4.12.1", frequency: str = "Daily", start: date = TODAY, **more: Any) -> dict[str, Any]:
    return {
        "ScheduleFrequency": frequency,
        "ScheduleStartDate": start,
        "ScheduleExecutionStartTime": time(18, 0),
        "DSPScheduledServiceReference": schedule()[variant].reference,
        "DSPScheduledServiceReferenceVariant": variant,
        "DeviceID": ESME,
        **CONTENT[variant],
        **more,
    }


async def create(far_end: FarEnd, variant: str = "4.12.1", *, user: Any = None, **more: Any) -> Outcome:
    return await send(far_end, "5.1", None, body(variant, **more), user=user)
