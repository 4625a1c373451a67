"""The use-case catalogue: every message code as data, read by devices, transform, parser, console and documentation alike; and the kind of
payload that a message code and the first octets tell (reference gbcs-messages 4).

Rows stand in ``use_cases.csv`` (one per message code; column ``source`` says where it is from and what in it is inferred); the access
lists, GBZ components and answers of each in ``access_lists.csv``, ``protected_attributes.csv``, ``gbz_components.csv``,
``response_lists.csv`` and ``gbz_responses.csv``.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import TypeAlias, TypeVar

from firmware_emu.crypto.roles import DeviceType
from firmware_emu.errors import DecodeError, IdentifierError, nearest, one_of
from firmware_emu.gbcs.alerts import DELIVERY_FAILURE, GENERIC_CRITICAL, GENERIC_NON_CRITICAL, DeliveryFailure, GbzAlert
from firmware_emu.gbcs.asn1 import Asn1Payload, codes
from firmware_emu.gbcs.dlms import (
    ACCESS_REQUEST,
    ACCESS_RESPONSE,
    DATA_NOTIFICATION,
    AccessRequest,
    AccessResponse,
    Choice,
    DataNotification,
    parse_obis,
)
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.gbz import PROFILE, Gbz
from firmware_emu.ids import CraFlag


class UseCaseKind(Enum):
    """Kind of a row: a command with its response, an alert, a ZSE-only message, an image distributed outside GBCS messages."""

    COMMAND = "command"
    ALERT = "alert"
    ZSE = "zse"
    IMAGE = "image"


class Protection(Enum):
    """Protection of the command or alert (reference gbcs-messages 2). A signed command also carries the ACB's MAC."""

    MAC = "mac-only"
    SIGNATURE = "signed"
    MIXED = "mixed"
    UNKNOWN = ""


@dataclass(frozen=True, slots=True)
class ProtectedItem:
    """One attribute that a protected read asks for; ``restriction`` is ``none`` or ``range <type of its ends>``."""

    class_id: int
    obis: bytes
    attribute: int
    data_index: int
    restriction: str


@dataclass(frozen=True, slots=True)
class RangeClock:
    """The clock a range selection restricts by, and the A-XDR type of its two ends."""

    class_id: int
    obis: bytes
    attribute: int
    data_index: int
    end_type: str


@dataclass(frozen=True, slots=True)
class AccessItem:
    """One access specification of a command. ``shape`` is its data item's A-XDR shape, ``constant`` the value a use case fixes."""

    choice: Choice
    class_id: int
    obis: bytes
    attribute: int
    shape: str
    constant: int | None = None
    clock: RangeClock | None = None
    protected: tuple[ProtectedItem, ...] = ()


@dataclass(frozen=True, slots=True)
class AccessList:
    """The access specifications of one form of a use case, in order; ``variant`` tells the forms apart."""

    variant: str
    items: tuple[AccessItem, ...]


@dataclass(frozen=True, slots=True)
class GbzItem:
    """One component of a GBZ command; ``attributes`` are the ids of a read-attributes command."""

    cluster: int
    frame_control: int
    command: int
    title: str
    attributes: tuple[int, ...] = ()
    from_date_time: bool = False


@dataclass(frozen=True, slots=True)
class GbzList:
    """The components of one form of a use case, in order."""

    variant: str
    items: tuple[GbzItem, ...]


@dataclass(frozen=True, slots=True)
class ResponseItem:
    """One item of a successful DLMS answer; ``decrypted`` is the shape inside a protected one."""

    choice: Choice
    shape: str
    decrypted: str = ""


@dataclass(frozen=True, slots=True)
class ResponseList:
    """A successful DLMS answer as the reference set shows it."""

    variant: str
    items: tuple[ResponseItem, ...]


@dataclass(frozen=True, slots=True)
class GbzAnswer:
    """One component of a successful GBZ answer; ``sequence`` is that of the command component answered."""

    cluster: int
    frame_control: int
    sequence: int
    command: int
    title: str
    encrypted: bool


@dataclass(frozen=True, slots=True)
class GbzAnswerList:
    """A successful GBZ answer as the reference set shows it."""

    variant: str
    items: tuple[GbzAnswer, ...]


@dataclass(frozen=True, slots=True)
class UseCase:
    """One row of the catalogue.

    ``critical`` is None where it varies or is not known. ``targets`` are device names (ESME, GSME, CHF, GPF, HCALCS, PPMID, SAPC);
    ``header_date_time`` says whether responses carry one; ``encrypted`` whether content may be; ``supplementary`` whether the reference set
    shows it with supplementary party fields. ``code`` is None for images.
    """

    code: int | None
    name: str
    aliases: tuple[str, ...]
    title: str
    kind: UseCaseKind
    category: str
    critical: bool | None
    protection: Protection
    payload_kind: str
    targets: tuple[str, ...]
    service_references: tuple[str, ...]
    header_date_time: bool
    encrypted: bool
    supplementary: bool
    alert_codes: tuple[int, ...]
    source: str
    access_lists: tuple[AccessList, ...] = ()
    gbz_lists: tuple[GbzList, ...] = ()
    response_lists: tuple[ResponseList, ...] = ()
    gbz_answers: tuple[GbzAnswerList, ...] = ()

    @property
    def response_signed(self) -> bool:
        """True if the answer is signed: that of a signed command, and that of CS02b ACB by ACB (reference gbcs-messages 2)."""
        return self.protection is Protection.SIGNATURE or self.code == ACB_BY_ACB

    def applies_to(self, device_type: DeviceType) -> bool:
        """True if a device of that type is among the targets."""
        return device_type.name in self.targets

    def access_list(self, variant: str | None = None) -> AccessList:
        """The access list of a variant, the first without one. Raises IdentifierError."""
        return _chosen(self, self.access_lists, variant)

    def gbz_list(self, variant: str | None = None) -> GbzList:
        """The GBZ components of a variant, the first without one. Raises IdentifierError."""
        return _chosen(self, self.gbz_lists, variant)


ACB_BY_ACB = 0x0104


_List = TypeVar("_List", AccessList, GbzList)


def _chosen(use_case: UseCase, lists: tuple[_List, ...], variant: str | None) -> _List:
    for candidate in lists:
        if variant is None or candidate.variant == variant:
            return candidate
    raise IdentifierError(f"a variant of {use_case.name}", variant, one_of(variant, [candidate.variant for candidate in lists]))


@cache
def catalogue() -> Mapping[str, UseCase]:
    """Every use case by its name."""
    access, responses, gbz, answers = _access_lists(), _response_lists(), _gbz_lists(), _gbz_answers()
    return {row["name"]: _use_case(row, access, responses, gbz, answers) for row in _rows("use_cases.csv")}


@cache
def _by_code() -> dict[int, UseCase]:
    return {use_case.code: use_case for use_case in catalogue().values() if use_case.code is not None}


@cache
def _by_any_name() -> dict[str, UseCase]:
    names = {use_case.name.lower(): use_case for use_case in catalogue().values()}
    for use_case in catalogue().values():
        for alias in use_case.aliases:
            names.setdefault(alias.lower(), use_case)
    return names


def find(code: int) -> UseCase | None:
    """The use case of a message code, or None for a code the catalogue does not know."""
    return _by_code().get(code)


@cache
def by_code(code: int) -> UseCase:
    """The use case of a message code. Raises IdentifierError."""
    use_case = find(code)
    if use_case is None:
        raise IdentifierError("a GBCS message code", f"{code:04x}", "a code of the use-case catalogue")
    return use_case


def by_name(name: str) -> UseCase:
    """The use case of a name or alias, in any case: ``ECS17b``, ``CS02bNOByNO``. Raises IdentifierError, with the near ones named."""
    use_case = _by_any_name().get(name.strip().lower())
    if use_case is None:
        near = [known for known in catalogue() if known.lower().startswith(name.strip().lower()[:4])]
        told = one_of(name.strip(), near[:12]) if near else f"a name of the catalogue, as ECS17b{nearest(name.strip(), catalogue())}"
        raise IdentifierError("a use case", name, told)
    return use_case


def for_alert(alert_code: int, device_type: DeviceType, *, critical: bool) -> UseCase:
    """The use case under which an alert code is sent: its own where there is one for that device, else the generic one (1000 or 1001).

    Raises IdentifierError where several use cases share the code (8F66, 8F67): there the command that fell due decides.
    """
    generic = by_code(GENERIC_CRITICAL if critical else GENERIC_NON_CRITICAL)
    own = [
        use_case
        for use_case in catalogue().values()
        if alert_code in use_case.alert_codes
        and use_case.code not in (GENERIC_CRITICAL, GENERIC_NON_CRITICAL)
        and use_case.applies_to(device_type)
        and use_case.critical is critical
    ]
    if len(own) > 1:
        names = ", ".join(use_case.name for use_case in own)
        raise IdentifierError("an alert with one use case", f"{alert_code:04x}", f"a choice of {names}")
    return own[0] if own else generic


def _rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(files(__package__).joinpath(name).read_text("utf-8").splitlines()))


def _use_case(
    row: dict[str, str],
    access: Mapping[int, tuple[AccessList, ...]],
    responses: Mapping[int, tuple[ResponseList, ...]],
    gbz: Mapping[int, tuple[GbzList, ...]],
    answers: Mapping[int, tuple[GbzAnswerList, ...]],
) -> UseCase:
    code = int(row["code"], 16) if row["code"] else None
    key = -1 if code is None else code
    return UseCase(
        code,
        row["name"],
        tuple(row["aliases"].split()),
        row["title"],
        UseCaseKind(row["kind"]),
        row["category"],
        {"yes": True, "no": False}.get(row["critical"]),
        Protection(row["protection"]),
        row["payload"],
        tuple(row["targets"].split()),
        tuple(row["service_references"].split()),
        row["header_date_time"] == "yes",
        row["encrypted"] == "yes",
        row["supplementary"] == "yes",
        tuple(int(alert, 16) for alert in row["alert_codes"].split()),
        row["source"],
        access.get(key, ()),
        gbz.get(key, ()),
        responses.get(key, ()),
        answers.get(key, ()),
    )


_CHOICES = {"get": Choice.GET, "set": Choice.SET, "action": Choice.ACTION, "get-with-selection": Choice.GET_WITH_SELECTION}


def _grouped(name: str) -> dict[int, dict[str, list[dict[str, str]]]]:
    """Rows of a list file by message code and variant, in order."""
    groups: dict[int, dict[str, list[dict[str, str]]]] = {}
    for row in _rows(name):
        groups.setdefault(int(row["code"], 16), {}).setdefault(row["variant"], []).append(row)
    return groups


def _access_lists() -> dict[int, tuple[AccessList, ...]]:
    protected: dict[tuple[int, str], list[ProtectedItem]] = {}
    for row in _rows("protected_attributes.csv"):
        place = (int(row["class_id"]), parse_obis(row["obis"]), int(row["attribute"]), int(row["data_index"]))
        item = ProtectedItem(*place, row["restriction"])
        protected.setdefault((int(row["code"], 16), row["action_index"]), []).append(item)
    return {
        code: tuple(
            AccessList(variant, tuple(_access_item(row, tuple(protected.get((code, row["index"]), ()))) for row in rows))
            for variant, rows in variants.items()
        )
        for code, variants in _grouped("access_lists.csv").items()
    }


def _access_item(row: dict[str, str], protected: tuple[ProtectedItem, ...]) -> AccessItem:
    constant = int(row["constant"]) if row["constant"] else None
    place = (int(row["class_id"]), parse_obis(row["obis"]), int(row["attribute"]))
    if int(row["class_id"]) != DATA_PROTECTION:
        protected = ()
    return AccessItem(_CHOICES[row["access"]], *place, row["shape"], constant, _clock(row["range"]), protected)


DATA_PROTECTION = 30
"""Class of the objects whose method 1 reads protected attributes."""


def _clock(text: str) -> RangeClock | None:
    if not text:
        return None
    class_id, obis, attribute, data_index, end_type = text.split()
    return RangeClock(int(class_id), parse_obis(obis), int(attribute), int(data_index), end_type)


def _response_lists() -> dict[int, tuple[ResponseList, ...]]:
    return {
        code: tuple(
            ResponseList(variant, tuple(ResponseItem(_CHOICES[row["access"]], row["shape"], row["decrypted_shape"]) for row in rows))
            for variant, rows in variants.items()
        )
        for code, variants in _grouped("response_lists.csv").items()
    }


def _gbz_lists() -> dict[int, tuple[GbzList, ...]]:
    return {
        code: tuple(GbzList(variant, tuple(_gbz_item(row) for row in rows)) for variant, rows in variants.items())
        for code, variants in _grouped("gbz_components.csv").items()
    }


def _gbz_item(row: dict[str, str]) -> GbzItem:
    attributes = tuple(int(attribute, 16) for attribute in row["attributes"].split())
    numbers = (int(row["cluster"], 16), int(row["frame_control"], 16), int(row["command"], 16))
    return GbzItem(*numbers, row["title"], attributes, row["from_date_time"] == "yes")


def _gbz_answers() -> dict[int, tuple[GbzAnswerList, ...]]:
    return {
        code: tuple(GbzAnswerList(variant, tuple(_gbz_answer(row) for row in rows)) for variant, rows in variants.items())
        for code, variants in _grouped("gbz_responses.csv").items()
    }


def _gbz_answer(row: dict[str, str]) -> GbzAnswer:
    numbers = (int(row["cluster"], 16), int(row["frame_control"], 16), int(row["sequence"]), int(row["command"], 16))
    return GbzAnswer(*numbers, row["title"], bool(row["encrypted"]))


CATALOGUE = catalogue()
"""Every use case by its name, read once when this module is imported."""


Payload: TypeAlias = AccessRequest | AccessResponse | DataNotification | Gbz | GbzAlert | Asn1Payload | DeliveryFailure


def decode_payload(message: Message) -> Payload:
    """Read a message's payload to its last octet. Raises DecodeError, offsets counted in the encoded message."""
    return decode_octets(message.payload, message.message_code, message.header.cra, message.payload_offset)


def decode_octets(octets: bytes, message_code: int, cra: CraFlag, offset: int = 0) -> Payload:
    """The same for payload octets taken out of their message; ``offset`` is where they stood."""
    if (message_code, int(cra)) in codes():
        return Asn1Payload.decode(octets, message_code, cra, offset)
    if message_code == DELIVERY_FAILURE:
        return DeliveryFailure.decode(octets, offset)
    if octets[:2] == PROFILE:
        return GbzAlert.decode(octets, offset) if cra is CraFlag.ALERT else Gbz.decode(octets, offset)
    first = octets[:1]
    if first == bytes((ACCESS_REQUEST,)) and cra is CraFlag.COMMAND:
        return AccessRequest.decode(octets, offset)
    if first == bytes((ACCESS_RESPONSE,)) and cra is CraFlag.RESPONSE:
        return AccessResponse.decode(octets, offset)
    if first == bytes((DATA_NOTIFICATION,)) and cra is CraFlag.ALERT:
        return DataNotification.decode(octets, offset)
    raise DecodeError(offset, "payload", f"starts with {octets[:2].hex()}: no payload of a {cra.name.lower()} {message_code:04x}")
