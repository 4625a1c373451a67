"""Requests of a folder through our DCC side to emulated Devices, and the answers' shapes beside those of reference responses."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.pki import DEFAULT_ORGANISATIONS
from firmware_emu.crypto.roles import DeviceType
from firmware_emu.device import joins
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.errors import CommsHubError, NotAvailable, ProtectionError
from firmware_emu.gbcs import protect
from firmware_emu.gbcs.asn1 import Asn1Payload
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.use_cases import decode_payload
from firmware_emu.gbcs.verify import MessageVerdict, ProtectionCheck, ProtectionState, check_message
from firmware_emu.ids import CraFlag, Eui64
from firmware_emu.trace import Record
from hil.coverage import bench, faults, firmware_image, shape
from hil.coverage.identities import PendingKey, Rewriter, make_identities
from hil.dcc.duis import RequestError, ServiceRequest, read_request
from hil.dcc.duis.request import Node
from hil.dcc.transform.check import COMMAND_SUFFIXES, CREATED, Checker, ReferenceDevice, pairs, reference_devices
from hil.dcc.transform.context import DeviceProfile, KnownDevice, StoredLog
from hil.dcc.transform.message import transform
from hil.devices.esme.variant import POLYPHASE, SINGLE_ELEMENT, TWIN_ELEMENT

RESPONSE_SUFFIX: Final = "_RESPONSE_GBCS.HEX"
BROKER_COUNTER: Final = 1300
"""First of the counters that the reference set's access control broker uses (reference gbcs-messages 1.5)."""
_HANDOVER: Final = "6.21"
_UNDOES: Final = {0x000F: 0, 0x0010: 2}
"""Unjoin commands to a method of join (methodAndRole) that each undoes."""
_PERIOD_ENDS: Final = ("EndDateTime", "EndDate")


@dataclass(frozen=True, slots=True)
class CoverageDifference:
    """A use case whose answer is not of the reference's shape, or that was not answered (``got`` empty)."""

    stem: str
    expected: str
    got: str
    why: str


@dataclass(slots=True)
class CoverageReport:
    """Outcome over all requests that address a Device and have a reference response; and what became of those without one, and of the
    reference commands that have no request, if they were sent (errors among them). ``sealed_references`` agree as far as nothing that
    is encrypted in the reference counts."""

    use_cases: int = 0
    answered: int = 0
    same_shape: int = 0
    differ: list[CoverageDifference] = field(default_factory=list)
    without_reference: int = 0
    without_reference_answered: int = 0
    without_reference_unanswered: list[CoverageDifference] = field(default_factory=list)
    sealed_references: list[str] = field(default_factory=list)
    other_exchanges: int = 0
    other_exchanges_answered: int = 0
    other_exchanges_same_shape: int = 0
    other_exchanges_differ: list[CoverageDifference] = field(default_factory=list)


class _Sender(Checker):
    """Our DCC side: transforms as the check of transforms does, signs as the user, MACs as the broker."""

    def command(self, stem: str, request: ServiceRequest, log: StoredLog, through_broker: bool) -> tuple[Message, DeviceProfile]:
        """The command and the profile that the Device has to have (:mod:`hil.dcc.transform.check`).

        ``through_broker``: whether the reference shows that the broker asked for the user, which a request does not tell."""
        context = replace(self.context(request, BROKER_COUNTER), device_log=lambda _: log)
        if through_broker:
            context = replace(context, known_party=False)
        named = self._named(stem, request, context)
        return self.protected(transform(request, named)), named.profile


class Coverage:
    """Sends requests to Devices on a generated PKI. ``reference_keys`` opens what is encrypted in reference responses, if given."""

    def __init__(
        self,
        keystore: Keystore,
        devices: Mapping[Eui64, ReferenceDevice],
        reference_keys: Keystore | None,
        names: bool = True,
    ) -> None:
        self._keystore = keystore
        self._devices = devices
        self._reference_keys = reference_keys
        self._sender = _Sender(keystore, devices, names)
        self._rewriter = Rewriter(keystore, firmware_image.image_hash())

    def run(self, report: CoverageReport, stem: str, request: ServiceRequest, response: Path | None) -> None:
        """Send one request and count what came of it."""
        if response is None:
            report.without_reference += 1
        else:
            report.use_cases += 1
        reference = None if response is None else self._reference(response)
        through_broker = reference is not None and reference.message.header.other.supplementary_party is not None
        sent, verdict, why = self._exchange(stem, request, through_broker)
        if verdict is None or sent is None:
            expected = "an answer" if reference is None or sent is None else str(shape.of_message(reference, sent.payload))
            (report.without_reference_unanswered if reference is None else report.differ).append(
                CoverageDifference(stem, expected, "", why)
            )
            return
        if reference is None:
            report.without_reference_answered += 1
            return
        report.answered += 1
        difference = _compared(stem, reference, verdict, sent, why)
        if difference is not None:
            report.differ.append(difference)
        elif any(part.plaintext is None for part in reference.encrypted):
            report.sealed_references.append(stem)
        else:
            report.same_shape += 1

    def run_command(self, report: CoverageReport, stem: str, command_file: Path, response: Path) -> None:
        """Send a reference command as it stands, protected anew, to a Device with the fault that the reference response shows: one that
        lacks what is asked for where that says "not found", a broken one where it tells of an error."""
        reference = self._reference(response)
        original = Message.decode(bytes.fromhex(command_file.read_text(encoding="ascii").strip()))
        unsigned = replace(original, signature=None if original.signature else b"", mac=None)
        report.other_exchanges += 1
        try:
            planted = faults.shown_by(original.payload, decode_payload(reference.message), reference.encrypted)
            command = self._protected(unsigned)
            if original.mac is None:
                command = replace(command, mac=None)
            identity = self._identity(original.header.recipient, DeviceProfile(elements=2 if "TWIN" in stem.split("_") else 1))
            sent, records = bench.exchange(
                identity,
                self._keystore,
                CREATED,
                command.encode(),
                lambda _, model: faults.plant(planted, model),
                new=faults.lacks_all(decode_payload(reference.message)),
            )
        except CommsHubError as problem:
            report.other_exchanges_differ.append(CoverageDifference(stem, "an answer", "", str(problem)))
            return
        verdict, why = self._answer(command, sent, records, None)
        difference = CoverageDifference(stem, "an answer", "", why)
        if verdict is not None:
            report.other_exchanges_answered += 1
            compared = _compared(stem, reference, verdict, command, why)
            if compared is None:
                report.other_exchanges_same_shape += 1
                return
            difference = compared
        report.other_exchanges_differ.append(difference)

    def _protected(self, message: Message) -> Message:
        """Message as the DCC sends it; one from Device to Device is under the secret of the two (reference gbcs-messages 10)."""
        header = message.header
        if self._keystore.role(header.originator) is None:
            return protect.with_mac(message, self._keystore.shared_secret(header.originator, header.recipient))
        return self._sender.protected(message)

    def _reference(self, path: Path) -> MessageVerdict:
        message = Message.decode(bytes.fromhex(path.read_text(encoding="ascii").strip()))
        return check_message(message, self._reference_keys or Keystore("no keys"))

    def _exchange(self, stem: str, request: ServiceRequest, through_broker: bool) -> tuple[Message | None, MessageVerdict | None, str]:
        """The command as sent, its answer with every check of its protection, and what the Device says of failures."""
        try:
            pending = self._rewriter.rewrite(request)
            command, profile = self._sender.command(stem, request, self._stored_log(request), through_broker)
        except CommsHubError as problem:
            return None, None, f"no command: {problem}"
        try:
            target = command.header.recipient
            identity = self._identity(target, profile, held_by_dcc=request.service_reference == _HANDOVER)
            sent, records = bench.exchange(
                identity,
                self._keystore,
                _moment(request),
                command.encode(),
                lambda device, _: prepare(device, self._keystore, command, pending),
            )
        except CommsHubError as problem:
            return command, None, str(problem)
        return (command, *self._answer(command, sent, records, pending))

    def _answer(
        self,
        command: Message,
        sent: list[bytes],
        records: list[Record],
        pending: PendingKey | None,
    ) -> tuple[MessageVerdict | None, str]:
        why = _said(records)
        for data in sent:
            message = Message.decode(data)
            if message.header.cra is CraFlag.RESPONSE and message.header.counter == command.header.counter:
                verdict = _verify(message, self._keystore, pending)
                return (verdict, why) if verdict.ok else (None, _unverified(verdict))
        return None, why or "the Device sent no response"

    def _identity(self, target: Eui64, profile: DeviceProfile, *, held_by_dcc: bool = False) -> bench.Identity:
        """The target as it stands before the request: what the DCC hands over (6.21) is its own until then, so its users' cells hold the
        broker's certificates (RTDS CS02b handover: existing ids)."""
        device = self._devices.get(target)
        if device is None:
            raise NotAvailable(f"the type of {target}", "it is none of the reference set's Devices")
        parties = {role: entity for role, entity in DEFAULT_ORGANISATIONS.values() if role not in bench.USERS}
        for party in device.parties:
            role = self._keystore.role(party)
            if role is not None:
                parties[role] = party
        home = {eui64: other.device_type for eui64, other in self._devices.items() if eui64 != target}
        return bench.Identity(target, device.device_type, parties, home, held_by_dcc, _variant(profile))

    def _stored_log(self, request: ServiceRequest) -> StoredLog:
        """Log of a hub or GPF as the DCC kept it, which the request replaces: the home's Devices."""
        target = request.request_id.target
        return StoredLog(
            tuple(KnownDevice(eui64, bytes(16), device.device_type) for eui64, device in list(self._devices.items())[:4] if eui64 != target)
        )


def prepare(device: GbcsDevice, keystore: Keystore, command: Message, pending: PendingKey | None) -> None:
    """Prepare what the command builds on: a key pair to be certified, a firmware image to be activated, a join to be undone."""
    if pending is not None:
        device.credentials.set_pending_key(pending.usage, pending.key)
    firmware_image.give(device, keystore)
    method = _UNDOES.get(command.message_code)
    payload = decode_payload(command)
    named = payload.value if isinstance(payload, Asn1Payload) else None
    if method is not None and isinstance(named, Eui64) and joins.method_of(device, named) is None:
        joins.add(device, named, DeviceType.TYPE_2, method)


def _verify(message: Message, keystore: Keystore, pending: PendingKey | None) -> MessageVerdict:
    """Check a response; one to a command that brought a new certificate may be signed with the key it certifies."""
    verdict = check_message(message, keystore)
    if verdict.signature.state is ProtectionState.INVALID and pending is not None:
        try:
            protect.check_signature(message, pending.key.public_key())
        except ProtectionError:
            return verdict
        return replace(verdict, signature=ProtectionCheck(ProtectionState.VALID))
    return verdict


def _moment(request: ServiceRequest) -> datetime:
    """The bench time of the exchange: the instant of the reference set, or the end of the period that the request asks for if that is
    earlier, since logs forget."""
    moments = [CREATED]
    for element in request.body.iter():
        if isinstance(element.tag, str) and Node(element).name in _PERIOD_ENDS:
            try:
                moments.append(Node(element).moment(""))
            except RequestError:
                continue
    return min(moments)


def _variant(profile: DeviceProfile) -> str:
    return (POLYPHASE if profile.phases > 1 else TWIN_ELEMENT if profile.elements > 1 else SINGLE_ELEMENT).name


def _compared(stem: str, reference: MessageVerdict, verdict: MessageVerdict, sent: Message, why: str) -> CoverageDifference | None:
    partings = list(shape.partings(shape.of_message(reference, sent.payload), shape.of_message(verdict, sent.payload)))
    if not partings:
        return None
    first = partings[0]
    more = f" and {len(partings) - 1} more" if len(partings) > 1 else ""
    return CoverageDifference(stem, first.expected, first.got, f"at {first.path or '/'}{more}{'; ' if why else ''}{why}")


def _said(records: list[Record]) -> str:
    reasons = [str(record.detail["reason"]) for record in records if record.detail.get("reason")]
    return "; ".join(dict.fromkeys(reasons))


def _unverified(verdict: MessageVerdict) -> str:
    return f"the answer does not verify: MAC {verdict.mac.state.value} {verdict.mac.reason}, signature {verdict.signature.state.value}"


def requests(templates: Path, messages: Path, devices: Mapping[Eui64, ReferenceDevice]) -> Iterator[tuple[str, Path, Path | None]]:
    """Stem, request file and reference response of every request that addresses a Device, or that has a reference response."""
    responses = {path.name: path for path in messages.rglob(f"*{RESPONSE_SUFFIX}")}
    for stem, request_file, _ in pairs(templates, messages):
        response = responses.get(stem + RESPONSE_SUFFIX)
        request = read_request(request_file.read_bytes())
        if response is not None or request.request_id.target in devices:
            yield stem, request_file, response


def exchanges(messages: Path, requested: Collection[str]) -> Iterator[tuple[str, Path, Path]]:
    """Stem, command and response of every reference exchange without a request."""
    files = {path.name: path for path in messages.rglob("*.HEX")}
    for name, path in sorted(files.items()):
        stem = name.removesuffix(COMMAND_SUFFIXES[0])
        response = files.get(stem + RESPONSE_SUFFIX)
        if stem != name and response is not None and stem not in requested:
            yield stem, path, response


def run(
    templates: Path,
    messages: Path,
    *,
    devices: Mapping[Eui64, ReferenceDevice] | None = None,
    keys: Keystore | None = None,
    names: bool = True,
    every_command: bool = False,
) -> CoverageReport:
    """Check every request of ``templates`` against the responses of ``messages``. Raises NotAvailable, KeystoreError, RequestError."""
    known = reference_devices() if devices is None else devices
    found = list(requests(templates, messages, known))
    report = CoverageReport()
    with tempfile.TemporaryDirectory() as folder:
        keystore = make_identities(
            Path(folder) / "pki",
            (read_request(path.read_bytes()) for _, path, _ in found),
            {eui64: device.device_type for eui64, device in known.items()},
        )
        coverage = Coverage(keystore, known, keys, names)
        for stem, request_file, response in found:
            coverage.run(report, stem, read_request(request_file.read_bytes()), response)
        for stem, command_file, response in exchanges(messages, {stem for stem, _, _ in found}) if every_command else ():
            coverage.run_command(report, stem, command_file, response)
    return report
