"""A whole MMC document: header, GBCS data, SMETS data or alert content, results (MMC schema 5.4).

The original octets stand first among the GBCS data, so nothing of the message is lost where the schema has no element for it.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import Final

from lxml import etree

from firmware_emu.errors import CommsHubError
from firmware_emu.gbcs import asn1_types as types
from firmware_emu.gbcs.alerts import Alert, DeliveryFailure, GbzAlert, alert_name, read_alert
from firmware_emu.gbcs.asn1 import Asn1Payload
from firmware_emu.gbcs.dlms import AccessResponse, AccessResult, Choice, DataNotification
from firmware_emu.gbcs.gbz import Component, Gbz
from firmware_emu.gbcs.names import zcl_cluster
from firmware_emu.ids import CraFlag
from hil.parse_correlate.parse.mmc import configuration, electricity, electricity_logs, gas, hub
from hil.parse_correlate.parse.mmc.alerts import WITHOUT_PAYLOAD, payload
from hil.parse_correlate.parse.mmc.reading import Answer, answer_of
from hil.parse_correlate.parse.mmc.tree import NAMESPACE, Element, base64_text, build, group, leaf, moment
from hil.parse_correlate.parse.reading import Parsed

SCHEMA_VERSION: Final = "5.4"
_MAX_DATA: Final = 100
_CONTENTS: Final = {**configuration.CONTENTS, **electricity.CONTENTS, **electricity_logs.CONTENTS, **gas.CONTENTS, **hub.CONTENTS}
_DEFAULT_RESPONSE: Final = 0x0B
_METERING: Final = 0x0702
_START_SAMPLING_RESPONSE: Final = 0x0D
_NO_SAMPLE: Final = 0xFFFF
_CLOCK_STATUS: Final = {0x00: "reliable", 0x02: "unreliable", 0x04: "reliable"}
_DATA_RESULTS: Final = {
    AccessResult.LONG_GET_OR_ACTION_ABORTED: "long-get-aborted",
    AccessResult.NO_LONG_GET_OR_ACTION_IN_PROGRESS: "no-long-get-in-progress",
}
_ACTION_RESULTS: Final = {
    AccessResult.LONG_GET_OR_ACTION_ABORTED: "long-action-aborted",
    AccessResult.NO_LONG_GET_OR_ACTION_IN_PROGRESS: "no-long-action-in-progress",
}
_ZCL_STATUSES: Final = {
    0x00: "SUCCESS",
    0x01: "FAILURE",
    0x7E: "NOT_AUTHORIZED",
    0x7F: "RESERVED_FIELD_NOT_ZERO",
    0x80: "MALFORMED_COMMAND",
    0x81: "UNSUP_CLUSTER_COMMAND",
    0x82: "UNSUP_GENERAL_COMMAND",
    0x83: "UNSUP_MANUF_CLUSTER_COMMAND",
    0x84: "UNSUP_MANUF_GENERAL_COMMAND",
    0x85: "INVALID_FIELD",
    0x86: "UNSUPPORTED_ATTRIBUTE",
    0x87: "INVALID_VALUE",
    0x88: "READ_ONLY",
    0x89: "INSUFFICIENT_SPACE",
    0x8A: "DUPLICATE_EXISTS",
    0x8B: "NOT_FOUND",
    0x8D: "INVALID_DATA_TYPE",
    0x8F: "WRITE_ONLY",
    0x94: "TIMEOUT",
    0xC0: "HARDWARE_FAILURE",
    0xC1: "SOFTWARE_FAILURE",
    0xC2: "CALIBRATION_ERROR",
}


class MmcError(CommsHubError):
    """A message that has no place in MMC: names its message code and what the schema lacks."""

    def __init__(self, message_code: int, problem: str) -> None:
        super().__init__(f"message {message_code:04x}: {problem}")
        self.message_code = message_code
        self.problem = problem


@cache
def _services() -> dict[int, list[tuple[str, str]]]:
    rows: dict[int, list[tuple[str, str]]] = {}
    text = (files("hil.parse_correlate.parse.mmc") / "services.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        rows.setdefault(int(row["message_code"], 16), []).append((row["variant"], row["element"]))
    return rows


def to_mmc(parsed: Parsed, service_reference_variant: str | None = None) -> bytes:
    """The MMC document of a response or alert, as UTF-8.

    Some message codes answer several services (0062 both 6.11 and 8.1.1): ``service_reference_variant`` of the request says which; without
    it the first is taken. Raises MmcError for a command, which MMC does not describe.
    """
    header = parsed.message.header
    if header.cra is CraFlag.COMMAND:
        raise MmcError(header.message_code, "is a command; MMC describes responses and alerts")
    root = etree.Element(f"{{{NAMESPACE}}}GBCSResponse", nsmap={"ra": NAMESPACE}, schemaVersion=SCHEMA_VERSION)
    if header.cra is CraFlag.ALERT:
        body = group("DeviceAlertMessage", _gbcs_data(parsed), _alert_content(parsed))
        service = None
    else:
        service = _service(parsed, service_reference_variant)
        smets = group("SMETSData", _smets(parsed, service)) if service is not None and service[1] else ()
        body = group("ResponseMessage", _gbcs_data(parsed), smets, _debug(parsed))
    build(root, (*_header(parsed, service), *group("Body", body)))
    etree.indent(root)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def gaps(parsed: Parsed) -> str | None:
    """What of a message the schema has no element for, in words; None where everything named has its place."""
    header = parsed.message.header
    if header.cra is CraFlag.ALERT:
        alert = _alert(parsed)
        lacking = next((text for kind, text in WITHOUT_PAYLOAD.items() if isinstance(alert.content, kind)), None)
        return None if lacking is None else f"DeviceAlertMessagePayload has no element for {lacking}"
    if header.cra is CraFlag.RESPONSE and header.message_code not in _services():
        return f"no service's response element belongs to message code {header.message_code:04x}"
    if header.cra is CraFlag.RESPONSE and not _services()[header.message_code][0][1]:
        return f"SMETSData has no element for service {_services()[header.message_code][0][0]}"
    value = getattr(parsed.payload, "value", None)
    if isinstance(value, types.UpdateCredentialsResponse) and value.outcome is not None:
        outcome = value.outcome
        if len(outcome.seq_changes) > 1 or len(outcome.replacements) > 3:
            return "ExecutionOutcome holds one change of counters and three replacements"
    return None


def _service(parsed: Parsed, variant: str | None) -> tuple[str, str] | None:
    known = _services().get(parsed.message.message_code, [])
    return next((row for row in known if row[0] == variant), known[0] if known else None)


def _header(parsed: Parsed, service: tuple[str, str] | None) -> tuple[Element, ...]:
    header = parsed.message.header
    other = header.other
    variant = service[0] if service else None
    reference = ".".join(variant.split(".")[:2]) if variant else None
    stamp = moment(header.date_time) if header.date_time else None
    status = _CLOCK_STATUS.get(header.date_time[11]) if header.date_time else None
    attributes: dict[str, object] = {} if status is None else {"ClockStatus": status}
    return group(
        "Header",
        leaf("BusinessOriginatorID", header.originator),
        leaf("BusinessTargetID", header.recipient),
        leaf("OriginatorCounter", header.counter),
        leaf("SupplementaryRemotePartyID", other.supplementary_party),
        leaf("SupplementaryRemotePartyCounter", other.supplementary_counter),
        leaf("SupplementaryOriginatorCounter", other.supplementary_originator_counter),
        leaf("GBCSHexadecimalMessageCode", f"{header.message_code:04X}"),
        leaf("ServiceReference", reference),
        leaf("ServiceReferenceVariant", variant),
        leaf("Timestamp", stamp, **attributes),
    )


def _data(sequence: int, name: str, kind: str, octets: bytes, encrypted: bool = False) -> Element:
    attributes = {"format": "encrypted" if encrypted else "plain", "sequence": str(sequence), "name": name, "type": kind}
    return Element("GBCSData", base64_text(octets), (), attributes)


def _gbcs_data(parsed: Parsed) -> tuple[Element, ...]:
    """The message, then its data items; decrypted ones after them."""
    found = [_data(0, "GBCS message", "gbcs", parsed.octets)]
    content = parsed.payload
    if isinstance(content, AccessResponse):
        found += [_data(place, f"data {place - 1}", "dlms", item.encode()) for place, item in enumerate(content.data, 1)]
    elif isinstance(content, DataNotification):
        found.append(_data(1, "notification body", "dlms", content.body.encode()))
    elif isinstance(content, Gbz):
        for place, part in enumerate(content.components, 1):
            kind = "zigbeeCiphered" if part.encrypted else "zigbeePlain"
            found.append(_data(place, f"component {place - 1}", kind, part.payload, part.encrypted))
    else:
        found.append(_data(1, "payload", "gbcs", parsed.message.payload))
    for secret in parsed.opened:
        if secret.plaintext is not None:
            kind = "dlms" if not isinstance(content, Gbz | GbzAlert) else "zigbeePlain"
            found.append(_data(len(found), f"decrypted {secret.field}", kind, secret.plaintext))
    return tuple(found[:_MAX_DATA])


def _smets(parsed: Parsed, service: tuple[str, str]) -> tuple[Element, ...]:
    content = _CONTENTS.get(parsed.use_case)
    success = _success(parsed)
    inner = content(answer_of(parsed)) if content is not None else ()
    inner = inner or _required(service[1], parsed)
    return group(service[1], inner, MessageSuccess=success)


def _required(element: str, parsed: Parsed) -> tuple[Element, ...]:
    """The choice of supply that some elements must contain even where nothing could be read."""
    gas_use_case = parsed.use_case.startswith("G")
    supply = group("Gas" if gas_use_case else "Electricity")
    if element == "ReadDeviceConfigurationEventAndAlertBehavioursRsp":
        names = {"ECS25r1": "ElectricitySupplierAlertEventSettings", "ECS25r2": "ElectricityNetworkOperatorAlertEventSettings"}
        return group(names.get(parsed.use_case, "GasSupplierAlertEventSettings"))
    if element in ("ReadTariffPrimaryElementRsp",):
        return supply
    return ()


def _success(parsed: Parsed) -> bool:
    content = parsed.payload
    if isinstance(content, AccessResponse):
        return all(result.code is AccessResult.SUCCESS for result in content.results)
    if isinstance(content, Gbz):
        return _gas_success(content, answer_of(parsed))
    if isinstance(content, Asn1Payload):
        return _asn1_success(content.value)
    return True


def _gas_success(gbz: Gbz, answer: Answer) -> bool:
    """Default responses, attribute records and the results that some commands carry; an entry that is not there is no failure."""
    plain = all(status in (0x00, 0x8B) for component in gbz.components for status in _statuses(component))
    attributes = all(row.get("status") == 0 for zcl in answer.commands for row in zcl.rows("attributes"))
    refused = any(zcl.number("cleared_logs") == 0 for zcl in answer.commands) or any(
        zcl.number("sample_id") == _NO_SAMPLE for zcl in answer.all(_METERING, _START_SAMPLING_RESPONSE)
    )
    return plain and attributes and not refused


def _asn1_success(value: object) -> bool:
    if isinstance(value, int):
        return value == 0
    if isinstance(value, types.SetTimeResponse):
        return value.status == 0
    if isinstance(value, types.UpdateCredentialsResponse):
        return value.outcome is None or all(int(item.status) == 0 for item in value.outcome.replacements)
    if isinstance(value, tuple):
        return all(int(item.status) == 0 for item in value if isinstance(item, types.RemotePartyDetails))
    if isinstance(value, types.RestoreDeviceLogResponse):
        return all(item.join_code == 0 for item in value.outcomes)
    code = getattr(value, "code", 0)
    return isinstance(code, int) and code == 0


def _statuses(component: Component) -> list[int]:
    """Statuses that a component carries in clear: default responses and attribute records."""
    if component.encrypted:
        return []
    if component.profile_wide and component.command == _DEFAULT_RESPONSE and len(component.payload) == 2:
        return [component.payload[1]]
    return []


def _debug(parsed: Parsed) -> tuple[Element, ...]:
    """What each access or component answered."""
    content = parsed.payload
    if isinstance(content, AccessResponse) and content.results:
        entries = []
        for position, result in enumerate(content.results, 1):
            action = result.choice is Choice.ACTION
            names = _ACTION_RESULTS if action else _DATA_RESULTS
            name = names.get(result.code) or _allowed(result.code, action)
            shown = leaf("ActionResult" if action else "DataAccessResult", name)
            entries.append(group("COSEMResponse", shown, ResponseCode=int(result.code), Position=position))
        return group("DebugInfo", group("COSEMDebug", *entries))
    if isinstance(content, Gbz):
        clusters = [
            group(
                "ZIGBEEClusterResponse",
                leaf("ClusterName", zcl_cluster(part.cluster) or f"{part.cluster:04X}", id=f"{part.cluster:04X}"),
                group("ZIGBEECommandResponse", leaf("CommandID", f"{_answered(part):02X}"), _zcl_status(status)),
            )
            for part in content.components
            for status in _statuses(part)
        ]
        return group("DebugInfo", group("ZIGBEEDebug", *clusters)) if clusters else ()
    return ()


_WITHOUT_ACTION: Final = frozenset(
    (AccessResult.LONG_SET_ABORTED, AccessResult.NO_LONG_SET_IN_PROGRESS, AccessResult.DATA_BLOCK_NUMBER_INVALID)
)


def _allowed(code: AccessResult, action: bool) -> str:
    return "response-code-not-known" if action and code in _WITHOUT_ACTION else code.name.lower().replace("_", "-")


def _answered(component: Component) -> int:
    """The command a default response answers."""
    return component.payload[0] if component.payload else component.command


def _zcl_status(status: int) -> tuple[Element, ...]:
    return group("Status", leaf("ZCLStatus", _ZCL_STATUSES.get(status, "RESPONSE_CODE_NOT_KNOWN")), ResponseCode=f"{status:02X}")


def _alert(parsed: Parsed) -> Alert:
    content = parsed.payload
    assert isinstance(content, DataNotification | GbzAlert | Asn1Payload | DeliveryFailure), "an alert has one of these payloads"
    return read_alert(parsed.message.message_code, content, parsed.message.payload_offset)


def _alert_content(parsed: Parsed) -> tuple[Element, ...]:
    alert = _alert(parsed)
    if alert.at is None:
        # DeviceAlertContent demands a time stamp; an alert whose stamp names no moment is carried as GBCSData alone.
        return ()
    name = alert_name(alert.alert_code) or "not in the table of alerts"
    code = leaf("GBCSHexAlertCode", f"{alert.alert_code:04X}")
    return group(
        "DeviceAlertContent", code, leaf("AlertDescription", name[:250]), leaf("Timestamp", alert.at), payload(alert, parsed.opened)
    )
