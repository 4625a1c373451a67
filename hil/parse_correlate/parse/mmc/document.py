"""A whole MMC document: header, GBCS data, SMETS data or alert content, results (MMC schema 5.4).

The original octets stand first among the GBCS data, so nothing of the message is lost where the schema has no element for it.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import Final

from lxml import etree

from ...errors import ParseCorrelateError
from ...message import asn1, dlms
from ...message.alerts import Alert, Undelivered, read_alert
from ...message.asn1 import Asn1Alert, Asn1Response
from ...message.dlms import AccessResponse, DataNotification
from ...message.envelope import ALERT, COMMAND, RESPONSE
from ...message.gbz import Component, GbzAlert
from ...names.tables import alert_name, zcl_cluster
from ..reading import ZCL_STATUSES, Parsed
from . import configuration, electricity, electricity_logs, gas, hub
from .alerts import payload, without_place
from .reading import Answer, answer_of
from .tree import NAMESPACE, Element, base64_text, build, group, leaf, moment

SCHEMA_VERSION: Final = "5.4"
_MAX_DATA: Final = 100
_CONTENTS: Final = {**configuration.CONTENTS, **electricity.CONTENTS, **electricity_logs.CONTENTS, **gas.CONTENTS, **hub.CONTENTS}
_DEFAULT_RESPONSE: Final = 0x0B
_METERING: Final = 0x0702
_START_SAMPLING_RESPONSE: Final = 0x0D
_NO_SAMPLE: Final = 0xFFFF
_CLOCK_STATUS: Final = {0x00: "reliable", 0x02: "unreliable", 0x04: "reliable"}
_ACTION_RESULTS: Final = {15: "long-action-aborted", 16: "no-long-action-in-progress"}
_NO_ACTION_RESULTS: Final = frozenset((17, 18, 19))
"""Results that the schema does not know for actions."""


class MmcError(ParseCorrelateError):
    """A message that has no place in MMC: names its message code and what the schema lacks."""

    def __init__(self, message_code: int, problem: str) -> None:
        super().__init__(f"message {message_code:04x}: {problem}")
        self.message_code = message_code
        self.problem = problem


@cache
def _services() -> dict[int, list[tuple[str, str]]]:
    rows: dict[int, list[tuple[str, str]]] = {}
    text = (files(__package__) / "services.csv").read_text(encoding="utf-8")
    for row in csv.DictReader(text.splitlines()):
        rows.setdefault(int(row["message_code"], 16), []).append((row["variant"], row["element"]))
    return rows


def to_mmc(parsed: Parsed, service_reference_variant: str | None = None) -> bytes:
    """The MMC document of a response or alert, as UTF-8.

    Some message codes answer several services (0062 both 6.11 and 8.1.1): ``service_reference_variant`` of the request says which; without
    it the first is taken. Raises MmcError for a command, which MMC does not describe.
    """
    header = parsed.message.header
    if header.kind == COMMAND:
        raise MmcError(header.message_code, "is a command; MMC describes responses and alerts")
    root = etree.Element(f"{{{NAMESPACE}}}GBCSResponse", nsmap={"ra": NAMESPACE}, schemaVersion=SCHEMA_VERSION)
    if header.kind == ALERT:
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
    """Parts of a message that the schema has no element for, in words; None where everything named has its place."""
    header = parsed.message.header
    if header.kind == ALERT:
        alert = _alert(parsed)
        lacking = without_place(alert)
        return None if lacking is None else f"DeviceAlertMessagePayload has no element for {lacking}"
    if header.kind == RESPONSE and header.message_code not in _services():
        return f"no service's response element belongs to message code {header.message_code:04x}"
    if header.kind == RESPONSE and not _services()[header.message_code][0][1]:
        return f"SMETSData has no element for service {_services()[header.message_code][0][0]}"
    value = parsed.payload.value if isinstance(parsed.payload, Asn1Response) else None
    if isinstance(value, asn1.CredentialsUpdated) and value.outcome is not None:
        outcome = value.outcome
        if len(outcome.changes) > 1 or len(outcome.replacements) > 3:
            return "ExecutionOutcome holds one change of counters and three replacements"
    return None


def _service(parsed: Parsed, variant: str | None) -> tuple[str, str] | None:
    known = _services().get(parsed.message.header.message_code, [])
    return next((row for row in known if row[0] == variant), known[0] if known else None)


def _header(parsed: Parsed, service: tuple[str, str] | None) -> tuple[Element, ...]:
    header = parsed.message.header
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
        leaf("SupplementaryRemotePartyID", header.party),
        leaf("SupplementaryRemotePartyCounter", header.party_counter),
        leaf("SupplementaryOriginatorCounter", header.party_originator_counter),
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
        found += [_data(place, f"data {place - 1}", "dlms", item.octets) for place, item in enumerate(content.data, 1)]
    elif isinstance(content, DataNotification):
        found.append(_data(1, "notification body", "dlms", content.body.octets))
    elif isinstance(content, tuple):
        for place, part in enumerate(content, 1):
            kind = "zigbeeCiphered" if part.encrypted else "zigbeePlain"
            found.append(_data(place, f"component {place - 1}", kind, part.payload, part.encrypted))
    else:
        found.append(_data(1, "payload", "gbcs", parsed.message.payload))
    for secret in parsed.opened:
        if secret.plaintext is not None:
            kind = "dlms" if not isinstance(content, tuple | GbzAlert) else "zigbeePlain"
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
        return all(answer.result == 0 for answer in content.answers)
    if isinstance(content, tuple):
        return _gas_success(content, answer_of(parsed))
    if isinstance(content, Asn1Response):
        return _asn1_success(content.value)
    return True


def _gas_success(components: tuple[Component, ...], answer: Answer) -> bool:
    """Default responses, attribute records and the results that some commands carry; an entry that is not there is no failure."""
    plain = all(status in (0x00, 0x8B) for component in components for status in _statuses(component))
    attributes = all(row.get("status") == 0 for zcl in answer.commands for row in zcl.rows("attributes") if "status" in row)
    refused = any(zcl.number("cleared_logs") == 0 for zcl in answer.commands) or any(
        zcl.number("sample_id") == _NO_SAMPLE for zcl in answer.all(_METERING, _START_SAMPLING_RESPONSE)
    )
    return plain and attributes and not refused


def _asn1_success(value: asn1.Asn1Value) -> bool:
    match value:
        case int():
            return value == 0
        case asn1.CredentialsUpdated():
            return value.outcome is None or all(item.status == 0 for item in value.outcome.replacements)
        case tuple():
            return all(role.status == 0 for role in value)
        case asn1.RestoredLog():
            return all(code == 0 for _, code in value.outcomes)
        case asn1.ClockSet() | asn1.DeviceLog() | asn1.Activated() | asn1.Version():
            return value.code == 0
        case _:
            return True


def _statuses(component: Component) -> list[int]:
    """Statuses that a component carries in clear: default responses and attribute records."""
    if component.encrypted:
        return []
    if component.profile_wide and component.command == _DEFAULT_RESPONSE and len(component.payload) == 2:
        return [component.payload[1]]
    return []


def _debug(parsed: Parsed) -> tuple[Element, ...]:
    """Answers by access or component."""
    content = parsed.payload
    if isinstance(content, AccessResponse) and content.answers:
        entries = []
        for position, answer in enumerate(content.answers, 1):
            action = answer.choice == "action"
            shown = leaf("ActionResult" if action else "DataAccessResult", _result(answer.result, action))
            entries.append(group("COSEMResponse", shown, ResponseCode=answer.result, Position=position))
        return group("DebugInfo", group("COSEMDebug", *entries))
    if isinstance(content, tuple):
        clusters = [
            group(
                "ZIGBEEClusterResponse",
                leaf("ClusterName", zcl_cluster(part.cluster) or f"{part.cluster:04X}", id=f"{part.cluster:04X}"),
                group("ZIGBEECommandResponse", leaf("CommandID", f"{_answered(part):02X}"), _zcl_status(status)),
            )
            for part in content
            for status in _statuses(part)
        ]
        return group("DebugInfo", group("ZIGBEEDebug", *clusters)) if clusters else ()
    return ()


def _result(code: int, action: bool) -> str:
    if action and code in _NO_ACTION_RESULTS:
        return "response-code-not-known"
    return (_ACTION_RESULTS.get(code) if action else None) or dlms.RESULTS[code]


def _answered(component: Component) -> int:
    """The command a default response answers."""
    return component.payload[0] if component.payload else component.command


def _zcl_status(status: int) -> tuple[Element, ...]:
    return group("Status", leaf("ZCLStatus", _zcl_name(status)), ResponseCode=f"{status:02X}")


def _zcl_name(status: int) -> str:
    return ZCL_STATUSES[status].upper().replace(" ", "_") if status in ZCL_STATUSES else "RESPONSE_CODE_NOT_KNOWN"


def _alert(parsed: Parsed) -> Alert:
    content = parsed.payload
    assert isinstance(content, DataNotification | GbzAlert | Asn1Alert | Undelivered), "an alert has one of these payloads"
    return read_alert(parsed.message.header.message_code, content)


def _alert_content(parsed: Parsed) -> tuple[Element, ...]:
    alert = _alert(parsed)
    if alert.at is None:
        # DeviceAlertContent demands a time stamp; an alert whose stamp names no moment is carried as GBCSData alone.
        return ()
    name = alert_name(alert.code) or "not in the table of alerts"
    code = leaf("GBCSHexAlertCode", f"{alert.code:04X}")
    return group(
        "DeviceAlertContent", code, leaf("AlertDescription", name[:250]), leaf("Timestamp", alert.at), payload(alert, parsed.opened)
    )
