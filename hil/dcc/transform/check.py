"""Transforming a folder of requests and comparing the result with reference messages, octet by octet.

From a reference message only the originator counter is taken, and that only where the request does not hold it. Everything else comes
from the request, the keystore, the facts about the reference devices (``rtds_devices.csv``, or told) and the tables of the use cases.
The creation time is the instant the reference set is built around.

Some requests can mean two use cases, told apart by facts of the Device (phases, elements, GBCS version) that neither the request nor
the keys hold, and the reference set addresses one EUI-64 as if it were several Devices. Its file names say which is meant: the first
word is the use case, SINGLE and TWIN the elements (rtds README). ``names`` lets a profile be chosen that fits that name, and the
report lists every pair where that was done; a name can never select what the request's content does not allow.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType, KeyUsage, RemotePartyRole
from firmware_emu.errors import CommsHubError, NotAvailable
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.protect import with_mac, with_signature
from firmware_emu.ids import Eui64
from hil.dcc.duis import ServiceRequest, read_request
from hil.dcc.transform.context import SINGLE_PHASE, DeviceProfile, Edition, StoredLog, TransformContext, TransformError
from hil.dcc.transform.field_names import field_at
from hil.dcc.transform.message import codes_of, select, transform
from hil.dcc.transform.reasons import proven_reason

REQUEST_SUFFIX: Final = "_REQUEST_DUIS.XML"
COMMAND_SUFFIXES: Final = ("_COMMAND_GBCS.HEX", "_PRECOMMAND_GBCS.HEX")
CREATED: Final = datetime(2015, 1, 1, tzinfo=UTC)
"""The instant the Reference Test Data Set is built around (rtds README)."""
UNEXPLAINED: Final = "unexplained"
CUSTOMER_IDENTIFICATION_NUMBER: Final = "1234"
"""The number that the reference set's customer identification messages show (RTDS ECS50, GCS36)."""


@dataclass(frozen=True, slots=True)
class ReferenceDevice:
    """A Device as an inventory would hold it: its type, profile, and the parties whose certificates it holds."""

    device_type: DeviceType
    profile: DeviceProfile = SINGLE_PHASE
    parties: tuple[Eui64, ...] = ()


@dataclass(frozen=True, slots=True)
class CommandDifference:
    """The first octet that differs: offset in the message, field, hex from there on, and the proven reason or :data:`UNEXPLAINED`."""

    stem: str
    message: str
    offset: int
    field: str
    expected: str
    got: str
    reason: str


@dataclass(slots=True)
class TransformReport:
    """Outcome over all pairs; a pair is a request and one message (command or pre-command)."""

    pairs: int = 0
    identical: int = 0
    identical_but_signature: int = 0
    differ: list[CommandDifference] = field(default_factory=list)
    unsupported: list[dict[str, str]] = field(default_factory=list)
    without_message: list[str] = field(default_factory=list)
    profile_from_name: list[str] = field(default_factory=list)
    same_by_name: int = 0

    @property
    def unexplained(self) -> list[CommandDifference]:
        """Differences for which no reason is proven."""
        return [one for one in self.differ if one.reason == UNEXPLAINED]


def reference_devices() -> dict[Eui64, ReferenceDevice]:
    """The devices of the reference set."""
    text = (files(__package__) / "rtds_devices.csv").read_text(encoding="utf-8")
    return {
        Eui64.parse(row["eui"]): ReferenceDevice(
            DeviceType[row["device_type"]],
            DeviceProfile(elements=int(row["elements"])),
            tuple(Eui64.parse(party) for party in row["parties"].split()),
        )
        for row in csv.DictReader(text.splitlines())
    }


OF_SECOND_ELEMENT = frozenset({"ECS01c", "ECS01d", "ECS24b"})
"""Use cases about the second element of a twin element meter (reference smets 11: 5.13.1, 5.13.2.9)."""
OF_FURTHER_PHASES = frozenset({"ECS23b", "ECS29b", "ECS29d", "ECS29f"})
"""Use cases about the further phases of a polyphase meter (reference smets 11: 5.18, 5.19)."""


def pairs(templates: Path, messages: Path) -> Iterator[tuple[str, Path, list[Path]]]:
    """Stem, request and the messages of that stem, found recursively. Raises NotAvailable where a folder is missing."""
    for folder in (templates, messages):
        if not folder.is_dir():
            raise NotAvailable(str(folder), "point at a folder of DUIS requests and a folder of reference messages")
    found = {path.name: path for path in messages.rglob("*.HEX")}
    for request in sorted(templates.glob(f"*{REQUEST_SUFFIX}")):
        stem = request.name.removesuffix(REQUEST_SUFFIX)
        yield stem, request, [found[stem + suffix] for suffix in COMMAND_SUFFIXES if stem + suffix in found]


class Checker:
    """Transforms with a keystore and the facts about devices."""

    def __init__(self, keystore: Keystore, devices: Mapping[Eui64, ReferenceDevice], names: bool = True) -> None:
        self._names = names
        self._keystore = keystore
        self._devices = devices
        self._broker = self._one(RemotePartyRole.ACCESS_CONTROL_BROKER)
        cos = keystore.find(RemotePartyRole.TRANSITIONAL_COS)
        self._cos = cos[0] if cos else None

    def _one(self, role: RemotePartyRole) -> Eui64:
        found = self._keystore.find(role)
        if not found:
            raise NotAvailable("an access control broker", f"{self._keystore.source} holds no certificate with that role")
        return found[0]

    def context(self, request: ServiceRequest, counter: int) -> TransformContext:
        """The context for a request; ``counter`` serves where the DCC originates. Raises NotAvailable for a target of unknown type."""
        identifier = request.request_id
        device = self._devices.get(identifier.target)
        if device is None:
            raise NotAvailable(f"the device type of {identifier.target}", f"give --device {identifier.target}=TYPE")
        supplier = next((party for party in device.parties if self._keystore.role(party) is RemotePartyRole.SUPPLIER), None)
        return TransformContext(
            device_type=device.device_type,
            access_control_broker=self._broker,
            acb_counter=counter,
            created=CREATED,
            certificate_of=self._certificate,
            device_log=lambda _: StoredLog(()),
            known_party=None if identifier.originator in device.parties else False,
            originator_role=self._keystore.role(identifier.originator),
            device_type_of=self._type_of,
            profile=device.profile,
            customer_identification_number=CUSTOMER_IDENTIFICATION_NUMBER,
            transitional_cos=self._cos,
            responsible_supplier=supplier,
        )

    def _type_of(self, eui: Eui64) -> DeviceType | None:
        device = self._devices.get(eui)
        return device.device_type if device else None

    def _certificate(self, eui: Eui64, usage: KeyUsage) -> bytes:
        return self._keystore.certificate(eui, usage).public_bytes(Encoding.DER)

    def _named(self, stem: str, request: ServiceRequest, context: TransformContext) -> TransformContext:
        """The context with the profile that fits the use case and the elements which the stem names; unchanged where none does."""
        use_case, *words = stem.split("_")
        default = context.profile
        twin = "TWIN" in words or use_case in OF_SECOND_ELEMENT
        elements = 1 if "SINGLE" in words else 2 if twin else default.elements
        first = 3 if use_case in OF_FURTHER_PHASES else default.phases
        for phases, edition in product((first, 4 - first), (default.edition, *Edition)):
            candidate = replace(context, profile=DeviceProfile(phases, elements, edition))
            try:
                if use_case.startswith(select(request, candidate).use_case) and _closest(use_case, request, candidate):
                    return candidate
            except TransformError:
                return context
        return context

    def protected(self, message: Message, signature: bytes | None = None) -> Message:
        """The message signed by its originator where it is to be signed (or with ``signature``), and MACed by the broker."""
        if message.signature is None:
            if signature is None:
                key = self._keystore.private_key(message.header.originator, KeyUsage.DIGITAL_SIGNATURE)
                message = with_signature(message, key)
            else:
                message = replace(message, signature=signature)
        return with_mac(message, self._keystore.shared_secret(self._broker, message.header.recipient))

    def check(self, report: TransformReport, stem: str, request_file: Path, message_file: Path) -> None:
        """Compare one pair and count it."""
        report.pairs += 1
        expected = bytes.fromhex(message_file.read_text(encoding="ascii").strip())
        reference = Message.decode(expected)
        try:
            request = read_request(request_file.read_bytes())
            context = self.context(request, reference.header.counter)
            named = self._named(stem, request, context) if self._names else context
            made = transform(request, named)
            result = made if reference.signature is None else self.protected(made)
        except CommsHubError as trouble:
            report.unsupported.append({"stem": stem, "message": message_file.name, "problem": str(trouble)})
            return
        by_name = named != context and transform(request, context) != made
        if by_name and stem not in report.profile_from_name:
            report.profile_from_name.append(stem)
        if result.encode() == expected:
            report.identical += 1
            report.same_by_name += by_name
            return
        if result.signature and reference.signature:
            result = self.protected(made, reference.signature)
            if result.encode() == expected:
                report.identical_but_signature += 1
                report.same_by_name += by_name
                return
        reason = proven_reason(stem, request, context, reference, made)
        report.differ.append(_difference(stem, message_file.name, reference, result.encode(), expected, reason or UNEXPLAINED))


def _closest(name: str, request: ServiceRequest, context: TransformContext) -> bool:
    """True if no other use case of the request's service fits the name better: ECS08a begins with ECS08 too."""
    chosen = select(request, context).use_case
    return not any(name.startswith(other) and len(other) > len(chosen) for other in codes_of(request.service_reference_variant).values())


def _difference(stem: str, name: str, reference: Message, got: bytes, expected: bytes, reason: str) -> CommandDifference:
    # A difference in length shows up in every length field first: the first difference after the lengths says more.
    made = Message.decode(got)
    if made.signed_bytes != reference.signed_bytes and made.header == reference.header:
        start, other = made.payload_offset, reference.payload_offset
        inner = _first_difference(made.payload, reference.payload)
        offset, other_offset = start + inner, other + inner
    else:
        offset = other_offset = _first_difference(got, expected)
    place = field_at(reference, other_offset)
    return CommandDifference(
        stem,
        name,
        other_offset,
        place,
        expected[other_offset : other_offset + 16].hex(),
        got[offset : offset + 16].hex(),
        reason,
    )


def _first_difference(a: bytes, b: bytes) -> int:
    return next((at for at, (left, right) in enumerate(zip(a, b, strict=False)) if left != right), min(len(a), len(b)))


def run(
    templates: Path, messages: Path, keystore: Keystore, devices: Mapping[Eui64, ReferenceDevice], names: bool = True
) -> TransformReport:
    """Check every pair of two folders."""
    checker = Checker(keystore, devices, names)
    report = TransformReport()
    for stem, request_file, message_files in pairs(templates, messages):
        if not message_files:
            report.without_message.append(stem)
        for message_file in message_files:
            checker.check(report, stem, request_file, message_file)
    return report
