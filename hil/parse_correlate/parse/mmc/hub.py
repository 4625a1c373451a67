"""SMETS data of communications hub, event log, security and join responses."""

from __future__ import annotations

from collections.abc import Callable

from ...message import asn1
from ...message.envelope import Entity
from .reading import Answer, at, bits, elements, number, octets
from .tree import Content, Element, base64_text, group, leaf, moment, seconds, written

_ROLES = {
    0: "Root",
    1: "Recovery",
    2: "Supplier",
    3: "NetworkOperator",
    4: "ACB",
    5: "TransCoS",
    8: "LoadController",
}
_MODES = {
    2: "SupplierBySupplier",
    3: "NetworkOperatorByNetworkOperator",
    4: "ACBByACB",
    7: "SupplierByTransCoS",
    11: "LoadControllerBySupplier",
}
_USAGES = {
    (asn1.DIGITAL_SIGNATURE, 0): "DigitalSigning",
    (asn1.KEY_AGREEMENT, 0): "KeyAgreement",
    (asn1.KEY_AGREEMENT, 1): "KeyAgreementTopUp",
    (asn1.KEY_CERT_SIGN, 0): "KeyCertSign",
}
_STATUS_NAMES = {
    0: "success",
    5: "badCertificate",
    10: "noTrustAnchor",
    17: "insufficientMemory",
    25: "trustAnchorNotFound",
    30: "resourcesBusy",
    127: "other",
}
_JOIN_NAMES = (
    *("success", "invalidMessageCodeForJoinMethodAndRole", "invalidJoinMethodAndRole", "incompatibleWithExistingEntry"),
    *("deviceLogFull", "writeFailure", "keyAgreementNoResources", "keyAgreementUnknownIssuer", "keyAgreementUnsupportedSuite"),
    *("keyAgreementBadMessage", "keyAgreementBadKeyConfirm", "invalidOrMissingCertificate", "noPartnerLinkKeyReceived"),
    "noCBKEResponse",
)
_CERTIFICATE_NAMES = (
    *("success", "invalidCertificate", "wrongDeviceIdentity", "invalidKeyUsage", "noCorrespondingKeyPairGenerated"),
    *("wrongPublicKey", "certificateStorageFailed", "privateKeyChangeFailed"),
)
_ISSUE_NAMES = ("success", "invalidKeyUsage", "keyPairGenerationFailed", "cRProductionFailed")
_RETRIEVE_NAMES = ("success", "invalidKeyUsage", "noCertificateHeld", "certificateRetrievalFailure")
_DEVICE_TYPES = {0: "GSME", 1: "ESME", 2: "CHF", 3: "GPF", 4: "HCALCS", 5: "PPMID", 6: "Type2"}


def status(name: str, code: int, names: tuple[str, ...]) -> Content:
    """An ASN.1 status by its table of names; a code the schema has no name for is ``notKnown``."""
    shown = names[code] if 0 <= code < len(names) else "notKnown"
    return group(name, leaf("ASN1Status", shown), ResponseCode=code)


def _credential_status(name: str, code: int) -> Content:
    return group(name, leaf("ASN1Status", _STATUS_NAMES.get(code, "notKnown")), ResponseCode=code)


def credentials_outcome(name: str, outcome: asn1.CredentialsOutcome) -> Content:
    """Outcome of a credentials update. The schema takes one change of counters and three replacements: more are left to GBCSData."""
    changes: Content = ()
    for change in outcome.changes[:1]:
        changes = group(
            "RemotePartySeqNumberChange",
            leaf("RemotePartyRole", _ROLES.get(change.role)),
            leaf("RemotePartyFloorSeqNumber", change.floor),
            leaf("RemotePartyPrepaymentTopUpFloorSeqNumber", change.top_up_floor),
        )
    replacements: list[Element] = []
    for item in outcome.replacements[:3]:
        cell = item.cell
        replacements += group(
            "ReplacementOutcome",
            _credential_status("StatusCode", item.status),
            leaf("CertificateType", _USAGES.get((cell.usage, cell.top_up))),
            leaf("RemotePartyRole", _ROLES.get(cell.role)),
            leaf("ExistingRemotePartyID", item.party),
            leaf("NewRemotePartyID", item.new_party),
            leaf("ExistingCertificateHash", base64_text(item.key)),
            leaf("NewCertificateHash", base64_text(item.new_key)),
        )
    return group(
        name,
        leaf("AuthorisingRemotePartyOriginatorCounter", outcome.counter),
        leaf("CredentialsReplacementMode", _MODES.get(outcome.mode)),
        changes,
        replacements,
    )


def credentials_update(answer: Answer) -> Content:
    value = answer.value
    if isinstance(value, asn1.CredentialsUpdated) and value.outcome is not None:
        return credentials_outcome("ExecutionOutcome", value.outcome)
    return ()


def credentials_details(answer: Answer) -> Content:
    """One entry a trust anchor cell; an entry of its own where a role answers with a status alone."""
    entries: list[Element] = []
    value = answer.value
    for party in value if isinstance(value, tuple) else ():
        head = (*leaf("RemotePartyRole", _ROLES.get(party.role)), *_credential_status("StatusCode", party.status))
        if not party.cells:
            entries += group("RemotePartyDetails", head)
        for cell in party.cells:
            entries += group(
                "RemotePartyDetails",
                head,
                leaf("RemotePartyFloorSeqNumber", party.counter),
                leaf("CertificateUsage", _USAGES.get((cell.usage, cell.top_up))),
                leaf("ExistingRemotePartyID", cell.party),
                leaf("ExistingCertificateHash", base64_text(cell.key)),
            )
    return tuple(entries)


def _code(answer: Answer) -> int | None:
    return answer.value if isinstance(answer.value, int) else None


def issue_credentials(answer: Answer) -> Content:
    value = answer.value
    if isinstance(value, bytes):
        code = status("IssueCredentialsResponseCode", 0, _ISSUE_NAMES)
        return (*code, *leaf("CertificationRequest", base64_text(value)))
    code_number = _code(answer)
    return () if code_number is None else status("IssueCredentialsResponseCode", code_number, _ISSUE_NAMES)


def retrieve_certificate(answer: Answer) -> Content:
    name, value = "RetrieveDeviceSecurityCredentialsStatusCode", answer.value
    if isinstance(value, bytes):
        return (*status(name, 0, _RETRIEVE_NAMES), *leaf("Certificate", base64_text(value)))
    code = _code(answer)
    return () if code is None else status(name, code, _RETRIEVE_NAMES)


def update_certificate(answer: Answer) -> Content:
    code = _code(answer)
    return status("UpdateSecurityCredentialsResponseCode", 127 if code is None else code, _CERTIFICATE_NAMES)


def join(answer: Answer) -> Content:
    code = _code(answer)
    return status("joinResponseCode", 127 if code is None else code, _JOIN_NAMES)


def unjoin(answer: Answer) -> Content:
    code = _code(answer)
    return status("unjoinResponseCode", 127 if code is None else code, ("success", "otherDeviceNotInDeviceLog", "otherFailure"))


def _entry(entry: asn1.LogEntry, name: str) -> Content:
    return group(name, leaf("DeviceID", entry.device), leaf("DeviceType", _DEVICE_TYPES.get(entry.device_type)))


def device_log(answer: Answer) -> Content:
    value = answer.value
    entries = value.entries if isinstance(value, asn1.DeviceLog) else None
    return group("DeviceLogEntries", *(_entry(entry, "LogEntry") for entry in entries or ()))


def restored_log(answer: Answer) -> Content:
    outcomes: list[Element] = []
    if isinstance(answer.value, asn1.RestoredLog):
        for entry, join_code in answer.value.outcomes:
            code = status("joinResponseCode", join_code, _JOIN_NAMES)
            outcomes += group("RestoreDeviceLogOutcome", _entry(entry, "DeviceLogEntry"), code)
    return tuple(outcomes)


def hub_device_log(answer: Answer) -> Content:
    entries: list[Element] = []
    for entry in elements(answer.item(0)):
        eui = octets(at(entry, 0))
        entries += group(
            "CHFDeviceLogEntry",
            leaf("DeviceID", Entity(eui) if eui is not None and len(eui) == 8 else None),
            leaf("LastCommunicationsDateTime", moment(octets(at(entry, 8)))),
        )
    return group("CHFDeviceLog", entries)


def hub_connected_log(answer: Answer) -> Content:
    entries: list[Element] = []
    for place, name in enumerate(("CHFCurrentConnectedDeviceLogEntry", "CHFHistoricConnectedDeviceLogEntry")):
        for entry in elements(at(answer.item(place), 2)):
            eui, key_hash = octets(at(entry, 0)), octets(at(entry, 1))
            entries += group(
                name,
                leaf("DeviceID", Entity(eui) if eui is not None and len(eui) == 8 else None),
                leaf("DeviceSecurityDetails", None if key_hash is None else key_hash.hex().upper()),
            )
    return group("CHFConnectedDeviceLog", entries)


def event_log(answer: Answer) -> Content:
    entries: list[Element] = []
    for entry in elements(answer.item(0)):
        count, code = number(at(entry, 0)), number(at(entry, 1))
        other = octets(at(entry, 2))
        if count is not None and code is not None:
            information = leaf("OtherInformation", other or None)
            entries += group("LogEntry", leaf("Timestamp", seconds(count)), leaf("LogCode", f"{code:04X}"), information)
    return group("Log", entries)


_OUTCOMES = {0: "Outcome not known", 1: "Success", 2: "Failure"}
_ACTIONS = {0x11: "On", 0x12: "Off", 0x20: "Revert to calendar control"}


def switch_log(answer: Answer) -> Content:
    """Switch number and action are the octets of the script selector (RTDS ECS35f, ECS47)."""
    entries: list[Element] = []
    for entry in elements(answer.item(0)):
        count, selector, outcome, command = (number(at(entry, place)) for place in range(4))
        if count is None or selector is None:
            continue
        switch = selector >> 8 & 0x0F
        entries += group(
            "ALCSEventLogEntry",
            leaf("Timestamp", seconds(count)),
            leaf("SwitchNumber", switch if 1 <= switch <= 5 else None),
            leaf("SwitchAction", _ACTIONS.get(selector & 0xFF)),
            leaf("Outcome", _OUTCOMES.get(outcome if outcome is not None else -1)),
            leaf("HANCommandID", command),
        )
    return group("ALCSEvent", entries)


_LOWER_PAGES = {28: ("LowerBand", 0), 29: ("LowerBand", 27), 30: ("LowerBand", 35), 31: ("UpperBand", 0)}


def _mask(answer_bits: str | None) -> tuple[int, list[int]]:
    """Page and channels of a 32-bit channel mask."""
    if answer_bits is None or len(answer_bits) != 32:
        return 0, []
    page, mask = int(answer_bits[:5], 2), int(answer_bits[5:], 2)
    first = _LOWER_PAGES.get(page, ("", 0))[1]
    return page, [first + bit for bit in range(27) if mask >> bit & 1]


def operating_channel(value: str | None) -> Content:
    """The one channel that a mask names."""
    page, channels = _mask(value)
    if page not in _LOWER_PAGES or len(channels) != 1:
        return ()
    band = _LOWER_PAGES[page][0]
    return group("OperatingSubGHzChannel", group(f"Operating{band}SubGHzChannel", group(f"Channel{channels[0]}")))


def channel(answer: Answer) -> Content:
    return operating_channel(bits(answer.item(0)))


def sub_ghz_configuration(answer: Answer) -> Content:
    block = elements(answer.item(0))
    if len(block) != 15:
        return ()
    bands = ("LowerBandSubGHzChannels0To26", "LowerBandSubGHzChannels27To34", "LowerBandSubGHzChannels35To61")
    masks = (*bands, "UpperBandSubGHzChannels0To26")
    parts = [
        element
        for name, value in zip(masks, block, strict=False)
        for element in group(name, *(group(f"Channel{found}") for found in _mask(bits(value))[1]))
    ]
    names = (
        ("NormalLimitedDutyCycleThreshold", 100),
        ("LimitedCriticalDutyCycleThreshold", 100),
        ("MaximumSubGHzChannelChangesPerWeek", 1),
        ("GSMECurfew", 1),
        ("ChannelQuieterThreshold", 1),
        ("ChannelNoisierThreshold", 1),
        ("NonGSMEPoorCommsPercentageThreshold", 100),
        ("NonGSMEPoorCommsMeasurementPeriods", 1),
        ("LocalCHNoiseMeasurementPeriod", 1),
        ("LocalCHFailurePercentage", 100),
        ("LocalCHRetryPercentage", 100),
    )
    for (name, scale), value in zip(names, block[4:], strict=False):
        found = number(value)
        if found is not None:
            parts += leaf(name, found if scale == 1 else f"{found / scale:.2f}")
    return tuple(parts)


def clock(answer: Answer) -> Content:
    value = answer.value
    if not isinstance(value, asn1.ClockSet):
        return ()
    known = status("GasClockTimeStatus", value.code, ("reliable", "invalid", "unreliable"))
    return (*leaf("DeviceTime", value.at), *group("Gas", known))


def firmware(answer: Answer) -> Content:
    value = answer.value
    return leaf("FirmwareVersion", written(value.version)) if isinstance(value, asn1.Version) else ()


def firmware_outcome(outcome: asn1.Activated) -> Content:
    names = ("success", "noImageHeld", "hashMismatch", "activationFailure")
    return (*status("ActivateImageResponseCode", outcome.code, names), *leaf("FirmwareVersion", written(outcome.version)))


def activated(answer: Answer) -> Content:
    value = answer.value
    return firmware_outcome(value) if isinstance(value, asn1.Activated) else ()


CONTENTS: dict[str, Callable[[Answer], Content]] = {
    "CCS05": hub_device_log,
    "CCS06": hub_device_log,
    "CCS07": hub_connected_log,
    "CS02a": credentials_details,
    "CS02f": credentials_details,
    "CS02c": issue_credentials,
    "CS02d": update_certificate,
    "CS02e": retrieve_certificate,
    "CS03A1": join,
    "CS03A2": join,
    "CS03B": join,
    "CS03C": join,
    "CS04AC": unjoin,
    "CS04B": unjoin,
    "CS06": activated,
    "CS07": device_log,
    "CS08": firmware,
    "DBCH01": channel,
    "DBCH03": sub_ghz_configuration,
    "ECS35a": event_log,
    "ECS35b": event_log,
    "ECS35c": event_log,
    "ECS35d": event_log,
    "ECS35e": event_log,
    "ECS35f": switch_log,
    "ECS35g": switch_log,
    "GCS28": clock,
    "GCS59": restored_log,
}
