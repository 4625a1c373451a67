"""Device alert content of MMC documents."""

from __future__ import annotations

import json

from ...message import alerts as contents
from ...message import asn1
from ...message.alerts import Alert
from ...message.dlms import Value
from ...message.zcl import ZclCommand
from ..reading import Opened
from .electricity_logs import billing_alert
from .gas import billing_entry
from .hub import credentials_outcome, firmware_outcome
from .tree import Content, group, leaf, moment

_WARNINGS = (
    "Other",
    "Error Non Volatile Memory",
    "Error Program Execution",
    "Error Program Storage",
    "Error RAM",
    "Error Unexpected Hardware Reset",
    "Error Watchdog",
    "Error Metrology Firmware Verification Failure",
    "Error Measurement Fault",
    "Unspecified Smart Meter Operational Integrity Error",
)


def without_place(alert: Alert) -> str | None:
    """The content for which DeviceAlertMessagePayload has no element, in words: it travels as GBCSData alone."""
    match alert.content:
        case contents.Unnamed(what=what):
            return what
        case asn1.LogBackup():
            return "the GPF's device log (GCS62)"
        case asn1.ImageTransfer():
            return "the Device, version and outcome of a firmware transfer (CCS08)"
        case asn1.ActivationReport():
            return "the version and outcome of a PPMID's activation (CS09)"
        case _:
            return None


def payload(alert: Alert, opened: tuple[Opened, ...]) -> Content:
    """The payload element, empty where the alert has no content or the schema no element for it."""
    inner = _inner(alert, opened)
    return group("Payload", inner) if inner else ()


def _inner(alert: Alert, opened: tuple[Opened, ...]) -> Content:
    found = alert.content
    match found:
        case contents.DelayedDlms():
            place = group(
                "DLMSCOSEMFDInstructionIdentification",
                leaf("ClassId", f"{found.class_id:04X}"),
                leaf("InstanceId", found.obis),
                leaf("AttributeId", f"{found.attribute:02X}"),
            )
            return _outcome("COSEMFutureDatedAlert", _command(found.message_code, found.counter), place)
        case contents.DelayedGbz():
            place = group(
                "GBZFDInstructionIdentification",
                leaf("ExtendedHeaderClusterID", f"{found.cluster:04X}"),
                leaf("FrameControl", f"{found.frame_control:02X}"),
                leaf("CommandIdentifier", f"{found.command:02X}"),
            )
            return _outcome("GBZFutureDatedAlert", _command(found.message_code, found.counter), place)
        case asn1.DelayedUpdate():
            executed = credentials_outcome("UpdateSecurityCredentialsExecutionOutcome", found.outcome)
            return _outcome("UpdateSecurityCredentialsDeviceAlert", executed)
        case asn1.DelayedActivation():
            counter = leaf("OriginatorCounterFromCommand", found.counter)
            at = leaf("ExecutionDateTime", alert.at)
            return _outcome("FirmwareActivationDeviceAlert", at, counter, firmware_outcome(found.outcome))
        case contents.ImageReceived():
            return group("FirmwareVerificationDeviceAlert", leaf("ManufacturerImageHash", found.image_hash))
        case contents.Outage():
            return _outage(found)
        case contents.Integrity() if 0 <= found.issue < len(_WARNINGS):
            return group("SmartMeterIntegrityIssueWarningDeviceAlert", leaf("Warning", _WARNINGS[found.issue]))
        case contents.NotSupported():
            code = leaf("MessageCodeofCommandReceived", f"{found.message_code:04X}")
            return group("CommandNotSupportedbyDevice", code, leaf("OriginatorCounterfromCommandReceived", found.counter))
        case contents.LimitStarted():
            return _limit_processed(found)
        case contents.LimitEnded():
            return group("LimitAPCLevelEndedDeviceAlert", *_controller(found.controller, found.level))
        case contents.Operational():
            return _operational(found.text)
        case _:
            return _billing(opened)


def _command(message_code: int, counter: int) -> Content:
    code = leaf("FutureDatedCommandMessageCode", f"{message_code:04X}")
    return (*code, *leaf("FutureDatedCommandOriginatorCounter", counter))


def _outcome(name: str, *parts: Content) -> Content:
    return group("FutureDatedCommandOutcomeDeviceAlert", group(name, *parts))


def _outage(found: contents.Outage) -> Content:
    start, end = moment(found.start), moment(found.end)
    if start is None or end is None:
        return ()
    return group("SupplyOutageRestoreAlert", leaf("interruptionValue", start), leaf("restorationValue", end))


def _controller(controller: int, level: int) -> tuple[Content, ...]:
    """The low four bits number the controller, the high ones say 1 output or 2 input from the load (RTDS ECS101, ECS102)."""
    feeding = group("InputFromControlledLoad") if controller >> 4 == 2 else ()
    return leaf("AuxiliaryControllerN", controller & 0x0F), leaf("ResultingLevel", min(level, 100)), feeding


def _limit_processed(found: contents.LimitStarted) -> Content:
    start, end = moment(found.start), moment(found.end)
    if start is None or end is None:
        return ()
    period = (*leaf("APCLimitPeriodStart", start), *leaf("APCLimitPeriodEnd", end))
    return group("LimitAPCLevelCommandProcessedDeviceAlert", period, *_controller(found.controller, found.level))


def _operational(text: str) -> Content:
    try:
        states = json.loads(text)
    except ValueError:
        states = {}
    levels = states if isinstance(states, dict) else {}

    def level(name: str) -> int | None:
        value = levels.get(name)
        return value if isinstance(value, int) and 0 <= value <= 100 else None

    return group(
        "OperationalUpdateDeviceAlert",
        leaf("OutputState", level("outputState")),
        leaf("InputState", level("inputState")),
        leaf("StateAndAssociatedInformation", text[:1200]),
    )


def _billing(opened: tuple[Opened, ...]) -> Content:
    """Alerts 0061 and 008B carry a billing entry that only its reader can open."""
    for part in opened:
        if isinstance(part.values, ZclCommand):
            return group("BillingDataLogDeviceAlert", billing_entry(part.values))
        if isinstance(part.values, Value):
            inner = billing_alert(part.values.values)
            return group("BillingDataLogDeviceAlert", inner) if inner else ()
    return ()
