"""Device alert content of MMC documents."""

from __future__ import annotations

import json

from firmware_emu.gbcs import alert_contents as contents
from firmware_emu.gbcs import asn1_types as types
from firmware_emu.gbcs.alerts import Alert
from firmware_emu.gbcs.axdr import Data, Structure
from firmware_emu.gbcs.verify import EncryptedPart
from firmware_emu.gbcs.zcl_layouts import ZclCommand
from hil.parse_correlate.parse.mmc.electricity_logs import billing_alert
from hil.parse_correlate.parse.mmc.gas import billing_entry
from hil.parse_correlate.parse.mmc.hub import credentials_outcome, firmware_outcome
from hil.parse_correlate.parse.mmc.reading import Zcl
from hil.parse_correlate.parse.mmc.tree import Content, group, leaf, moment

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
WITHOUT_PAYLOAD = {
    contents.WhitelistBackup: "the hub's device log with hashed link keys (CS14)",
    contents.SubGhzDevice: "a Device at sub-GHz (DBCH06, DBCH11)",
    contents.ChannelChanged: "the new sub-GHz channel (DBCH07)",
    contents.ScanAssessed: "the outcome of a channel scan request (DBCH08)",
    contents.SubGhzConfiguration: "the new sub-GHz configuration (DBCH09)",
    contents.MessageDiscarded: "the message that was discarded (DBCH10)",
    types.DeviceLogBackupAlert: "the GPF's device log (GCS62)",
    types.FirmwareTransferAlert: "the Device, version and outcome of a firmware transfer (CCS08)",
    types.FirmwareActivationAlert: "the version and outcome of a PPMID's activation (CS09)",
}
"""Alert contents for which DeviceAlertMessagePayload has no element: they travel as GBCSData alone."""


def payload(alert: Alert, opened: tuple[EncryptedPart, ...]) -> Content:
    """The payload element, empty where the alert has no content or the schema no element for it."""
    inner = _inner(alert, opened)
    return group("Payload", inner) if inner else ()


def _inner(alert: Alert, opened: tuple[EncryptedPart, ...]) -> Content:
    found = alert.content
    match found:
        case contents.FutureDatedDlms():
            place = group(
                "DLMSCOSEMFDInstructionIdentification",
                leaf("ClassId", f"{found.class_id:04X}"),
                leaf("InstanceId", found.obis),
                leaf("AttributeId", f"{found.attribute:02X}"),
            )
            return _outcome("COSEMFutureDatedAlert", _command(found.message_code, found.counter), place)
        case contents.FutureDatedGbz():
            place = group(
                "GBZFDInstructionIdentification",
                leaf("ExtendedHeaderClusterID", f"{found.cluster:04X}"),
                leaf("FrameControl", f"{found.frame_control:02X}"),
                leaf("CommandIdentifier", f"{found.command:02X}"),
            )
            return _outcome("GBZFutureDatedAlert", _command(found.message_code, found.counter), place)
        case types.UpdateCredentialsAlert():
            executed = credentials_outcome("UpdateSecurityCredentialsExecutionOutcome", found.outcome)
            return _outcome("UpdateSecurityCredentialsDeviceAlert", executed)
        case types.ActivateFirmwareAlert():
            counter = leaf("OriginatorCounterFromCommand", found.originator_counter)
            at = leaf("ExecutionDateTime", found.at)
            return _outcome("FirmwareActivationDeviceAlert", at, counter, firmware_outcome(found.outcome))
        case contents.FirmwareReceipt():
            return group("FirmwareVerificationDeviceAlert", leaf("ManufacturerImageHash", found.image_hash))
        case contents.SupplyOutage():
            return _outage(found)
        case contents.MeterIntegrity() if 0 <= found.issue < len(_WARNINGS):
            return group("SmartMeterIntegrityIssueWarningDeviceAlert", leaf("Warning", _WARNINGS[found.issue]))
        case contents.CommandNotSupported():
            code = leaf("MessageCodeofCommandReceived", f"{found.message_code:04X}")
            return group("CommandNotSupportedbyDevice", code, leaf("OriginatorCounterfromCommandReceived", found.counter))
        case contents.LimitProcessed():
            return _limit_processed(found)
        case contents.LimitEnded():
            return group("LimitAPCLevelEndedDeviceAlert", *_controller(found.controller, found.reason))
        case contents.OperationalUpdate():
            return _operational(found.text)
        case _:
            return _billing(opened)


def _command(message_code: int, counter: int) -> Content:
    code = leaf("FutureDatedCommandMessageCode", f"{message_code:04X}")
    return (*code, *leaf("FutureDatedCommandOriginatorCounter", counter))


def _outcome(name: str, *parts: Content) -> Content:
    return group("FutureDatedCommandOutcomeDeviceAlert", group(name, *parts))


def _outage(found: contents.SupplyOutage) -> Content:
    start, end = moment(found.start), moment(found.restored)
    if start is None or end is None:
        return ()
    return group("SupplyOutageRestoreAlert", leaf("interruptionValue", start), leaf("restorationValue", end))


def _controller(controller: int, level: int) -> tuple[Content, ...]:
    """The low four bits number the controller, the high ones say 1 output or 2 input from the load (RTDS ECS101, ECS102)."""
    feeding = group("InputFromControlledLoad") if controller >> 4 == 2 else ()
    return leaf("AuxiliaryControllerN", controller & 0x0F), leaf("ResultingLevel", min(level, 100)), feeding


def _limit_processed(found: contents.LimitProcessed) -> Content:
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


def _billing(opened: tuple[EncryptedPart, ...]) -> Content:
    """Alerts 0061 and 008B carry a billing entry that only its reader can open."""
    for part in opened:
        if isinstance(part.values, ZclCommand):
            return group("BillingDataLogDeviceAlert", billing_entry(Zcl(part.cluster, part.values)))
        if isinstance(part.values, Structure):
            entries: tuple[Data, ...] = part.values.elements
            inner = billing_alert(entries)
            return group("BillingDataLogDeviceAlert", inner) if inner else ()
    return ()
