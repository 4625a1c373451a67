"""A COSEM object model as data: objects, attributes with a type and access rights, methods as functions.

The model file is CSV with columns class, obis, attribute, access (r, w or rw), type, value. ``type`` is written as in
``structure[2](integer,enum)`` or ``array[3](long-unsigned)``, alternatives apart by ``|``; an
attribute starts as the zero of its type unless ``value`` holds A-XDR in hex. What is written survives in the Device's store.

Executes DLMS access requests on an object model, item by item (reference gbcs-messages 5).

A new use case is rows in the model file and at most one function: a method, or a reader of a live value.

Future-dated DLMS settings: passive attributes become active at their activation time (reference gbcs-messages 5.4, 7.2).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from firmware_emu.clock import EPOCH
from firmware_emu.device.future import FutureAction
from firmware_emu.device.store import Store
from firmware_emu.errors import BoardError, CommsHubError, DecodeError, ProtectionError
from firmware_emu.gbcs import cosem_time
from firmware_emu.gbcs.axdr import (
    Array,
    BitString,
    Boolean,
    CompactArray,
    Data,
    DoubleLong,
    DoubleLongUnsigned,
    Enum,
    Integer,
    Long,
    LongUnsigned,
    Null,
    OctetString,
    Structure,
    Unsigned,
    Utf8String,
    VisibleString,
    decode_data,
    read_description,
)
from firmware_emu.gbcs.dlms import (
    RANGE_SELECTOR,
    AccessOutcome,
    AccessRequest,
    AccessResponse,
    AccessResult,
    Choice,
    ProtectionParameters,
    Specification,
    parse_obis,
)
from firmware_emu.gbcs.envelope import Message, Reader

if TYPE_CHECKING:
    from firmware_emu.device.pipeline import GbcsDevice

KIND = "dlms"
DONE, NOT_DONE = 0x8F66, 0x8F67
_ALERT_CODE = 0x00CC

ACTIVATIONS: dict[int, tuple[int, dict[int, int]]] = {
    20: (10, {6: 2, 7: 3, 8: 4, 9: 5}),
    111: (13, {}),
    113: (7, {6: 5}),
    9000: (6, {4: 2, 5: 3}),
}
"""Class id to its activation-time attribute and the passive attributes that become active (reference cosem-names)."""


def is_activation(key: Key) -> bool:
    """True if writing ``key`` activates passive values."""
    return ACTIVATIONS.get(key[0], (0, {}))[0] == key[2]


def schedule(device: GbcsDevice, model: ObjectModel, key: Key, when: bytes, message: Message) -> AccessResult:
    """Activate now, at a time, or never (cancel), as the 12-octet date-time says."""
    name = f"{key[0]}.{key[1].hex()}.{key[2]}"
    if when == cosem_time.NOW:
        device.future.cancel(KIND, name)  # the passive value that waited has just been overwritten
        activate(model, key)
        return AccessResult.SUCCESS
    if when == cosem_time.NEVER:
        device.future.cancel(KIND, name)
        return AccessResult.SUCCESS
    moment = cosem_time.decode_date_time(when) if len(when) == 12 else None
    if moment is None:
        return AccessResult.OTHER_REASON
    data = key[0].to_bytes(2, "big") + key[1] + bytes((key[2],))
    due = (moment - EPOCH).total_seconds()
    header = message.header
    device.future.put(FutureAction(due, KIND, name, message.message_code, header.originator, header.counter, data))
    return AccessResult.SUCCESS


def activate(model: ObjectModel, key: Key) -> None:
    """Copy the passive attributes of the object over its active ones."""
    for passive, active in ACTIVATIONS[key[0]][1].items():
        source = (key[0], key[1], passive)
        if source in model.attributes:
            model.write((key[0], key[1], active), model.read(source))
    extra = model.activations.get(key)
    if extra is not None:
        extra()


def execute_due(device: GbcsDevice, model: ObjectModel, action: FutureAction) -> None:
    """Activate what an action names and raise its execution alert (00CC, 8F66) to the party that sent the Command.

    What is refused, or fails, leaves nothing changed and is told by 8F67. A meter whose maker does not tell what acted raises nothing.
    """
    key = (int.from_bytes(action.data[:2], "big"), action.data[2:8], action.data[8])
    event = DONE
    try:
        with device.store.transaction():
            if key in model.broken:
                raise ProtectionError(f"{key[0]} {key[1].hex()}: {model.broken[key].name.lower()}")
            activate(model, key)
    except CommsHubError as problem:
        event = NOT_DONE
        device.taken_back()
        device.note_failure(str(problem))
        device.trace.emit("device", device.name, "not activated", kind=KIND, key=action.key, reason=str(problem))
    if event == DONE and not model.tells_done:
        return
    content = OctetString(action.message_code.to_bytes(2, "big") + action.counter.to_bytes(8, "big") + action.data)
    roles = device.credentials.roles_of(action.originator)
    device.raise_alert(event, (content,), message_code=_ALERT_CODE, party=roles[0] if roles else None)


Key = tuple[int, bytes, int]
"""Class id, OBIS code (6 octets), attribute or method number."""

Method = Callable[[Data], "AccessResult | Data"]
"""A method: its parameter to a result code, or to return data (which means success)."""

Selection = Callable[[int, Data], "AccessResult | Data"]
"""Selective access to one attribute: selector and selection data to the value, or why not."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute as declared. ``also``: zeros of further types that it takes, where use cases differ."""

    readable: bool
    writable: bool
    initial: Data
    also: tuple[Data, ...] = ()

    def takes(self, value: Data) -> bool:
        """True if ``value`` is of a type the attribute may hold."""
        return any(same_type(declared, value) for declared in (self.initial, *self.also))


class ObjectModel:
    """The objects of one Device. Live attributes (registers, clock, logs) are functions put in ``readers``."""

    def __init__(self, store: Store, prefix: str) -> None:
        self._store = store
        self._prefix = prefix + "object/"
        self.attributes: dict[Key, Attribute] = {}
        self.classes: dict[bytes, set[int]] = {}
        self.readers: dict[Key, Callable[[], Data]] = {}
        self.writers: dict[Key, Callable[[Data], AccessResult]] = {}
        self.methods: dict[Key, Method] = {}
        self.selections: dict[Key, Selection] = {}
        self.broken: dict[Key, AccessResult] = {}
        """Attributes and methods whose hardware is out of order or not there, and what any use of them answers."""
        self.tells_done = True
        """True where an execution alert tells that a future-dated setting acted; that it failed is told anyway."""
        self.activations: dict[Key, Callable[[], None]] = {}
        self._last: dict[Key, tuple[bytes, Data]] = {}
        """Octets that were read last, and their value."""
        self.changes = 0
        """Rises with every value written, and where some were rolled back."""

    def load(self, package: str, name: str) -> None:
        """Declare every row of a model file of that package. Raises BoardError naming the file and the line."""
        self.attributes |= (rows := _rows(package, name))
        for class_id, obis in dict.fromkeys(key[:2] for key in rows):
            self.classes.setdefault(obis, set()).add(class_id)

    def read(self, key: Key) -> Data:
        """The present value, whatever the access rights say. Raises KeyError for an attribute that is not declared."""
        reader = self.readers.get(key)
        if reader is not None:
            return reader()
        stored = self._store.get(self._name(key))
        if stored is None:
            return self.attributes[key].initial
        octets, value = self._last.get(key, (b"", None))
        if value is None or octets != stored:
            value = decode_data(stored)
            self._last[key] = (stored, value)
        return value

    def write(self, key: Key, value: Data) -> None:
        """Store a value, whatever the access rights say."""
        self._store.put(self._name(key), value.encode())
        self.changes += 1

    def forget(self) -> None:
        """Values that were written were rolled back in the store."""
        self.changes += 1

    def withhold(self, objects: Collection[bytes]) -> None:
        """Devices of this variant have no such ``objects`` (OBIS codes): what a request asks of them is undefined."""
        for obis in objects:
            self.classes.pop(obis, None)
        self.broken |= {key: AccessResult.OBJECT_UNDEFINED for key in (*self.attributes, *self.methods) if key[1] in objects}

    def known(self, class_id: int, obis: bytes) -> AccessResult:
        """SUCCESS if the object is in the model, else which error a request for it gets."""
        classes = self.classes.get(obis)
        if classes is None:
            return AccessResult.OBJECT_UNDEFINED
        return AccessResult.SUCCESS if class_id in classes else AccessResult.OBJECT_CLASS_INCONSISTENT

    def _name(self, key: Key) -> str:
        return f"{self._prefix}{key[0]}/{key[1].hex()}/{key[2]}"


@cache
def _rows(package: str, name: str) -> Mapping[Key, Attribute]:
    """The rows of a model file, read once for all Devices of a type."""
    found: dict[Key, Attribute] = {}
    text = resources.files(package).joinpath(name).read_text(encoding="utf-8")
    for number, row in enumerate(csv.DictReader(text.splitlines()), start=2):
        try:
            key = (int(row["class"]), parse_obis(row["obis"]), int(row["attribute"]))
            zeros = [zero_of(text) for text in row["type"].split("|")]
            initial = decode_data(bytes.fromhex(row["value"])) if row["value"] else zeros[0]
        except (ValueError, DecodeError) as problem:
            raise BoardError(name, f"line {number}", str(problem)) from problem
        found[key] = Attribute("r" in row["access"], "w" in row["access"], initial, tuple(zeros[1:]))
    return found


def same_type(declared: Data, value: Data) -> bool:
    """True if ``value`` has the type of ``declared``: equal tags all the way, array lengths and string lengths free.

    An array that is declared empty takes any elements.
    """
    if isinstance(declared, Array) and isinstance(value, Array):
        return not declared.elements or all(same_type(declared.elements[0], element) for element in value.elements)
    if isinstance(declared, Structure) and isinstance(value, Structure):
        return len(declared) == len(value) and all(map(same_type, declared.elements, value.elements))
    return declared.tag == value.tag


_SCALARS: dict[str, Data] = {
    "null": Null(),
    "boolean": Boolean(False),
    "integer": Integer(0),
    "unsigned": Unsigned(0),
    "long": Long(0),
    "long-unsigned": LongUnsigned(0),
    "double-long": DoubleLong(0),
    "double-long-unsigned": DoubleLongUnsigned(0),
    "enum": Enum(0),
    "visible-string": VisibleString(""),
    "utf8-string": Utf8String(""),
    "octet-string": OctetString(b""),
    "bit-string": BitString(b"", 0),
}
_TOKEN = re.compile(r"\s*([a-z0-9-]+)(?:\[(\d+)\])?")
_SIZED = re.compile(r"(octet-string|visible-string|utf8-string|bit-string)\((\d+)\)")


@cache
def zero_of(text: str) -> Data:
    """The zero value of a type text. Raises ValueError naming what cannot be read."""
    compact = re.fullmatch(r"compact-array\(type description ([0-9a-f]+)\)", text)
    if compact:
        return CompactArray(read_description(Reader(bytes.fromhex(compact[1])), 0), ())
    value, rest = _parse(text)
    if rest.strip():
        raise ValueError(f"{text!r}: {rest!r} follows the type")
    return value


def _parse(text: str) -> tuple[Data, str]:
    sized = _SIZED.match(text.lstrip())
    if sized:
        rest = text.lstrip()[sized.end() :]
        length = int(sized[2])
        if sized[1] == "octet-string":
            return OctetString(bytes(length)), rest
        if sized[1] == "bit-string":
            return BitString(bytes((length + 7) // 8), length), rest
        return (VisibleString if sized[1] == "visible-string" else Utf8String)(" " * length), rest
    token = _TOKEN.match(text)
    if not token:
        raise ValueError(f"{text!r} does not begin with a type")
    name, rest = token[1], text[token.end() :]
    if name in ("structure", "array"):
        elements, rest = _parse_elements(rest)
        if name == "array":
            count = int(token[2] or 0)
            return Array(elements * count if len(elements) == 1 else elements[:count]), rest
        return Structure(elements), rest
    if name not in _SCALARS:
        raise ValueError(f"{name!r} is not a type")
    return _SCALARS[name], rest


def _parse_elements(text: str) -> tuple[tuple[Data, ...], str]:
    if not text.startswith("("):
        return (), text
    elements: list[Data] = []
    rest = text[1:]
    while True:
        element, rest = _parse(rest)
        elements.append(element)
        rest = rest.lstrip()
        if rest.startswith(")"):
            return tuple(elements), rest[1:]
        if not rest.startswith(","):
            raise ValueError(f"expected , or ) at {rest!r}")
        rest = rest[1:]


if TYPE_CHECKING:
    from firmware_emu.device.pipeline import GbcsDevice

DATA_PROTECTION = 30
"""Class id of the protection objects; method 1 gets protected attributes."""
_RESTRICTED = 1

Answer = tuple[AccessResult, Data]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One attribute that a protected read asks for; ``selection`` is None or the range selection that stands for its restriction."""

    key: Key
    selection: Data | None


class DlmsServer:
    """The executor of DLMS payloads of one Device."""

    def __init__(self, device: GbcsDevice, model: ObjectModel) -> None:
        self.device = device
        self.model = model
        self.acts = 0
        """Sets and actions that were begun so far, but for protected reads: where there was none, nothing has changed."""

    def execute(self, message: Message) -> bytes:
        """Run the items in order and return the access response. Raises DecodeError if the payload is not an access request.

        After one has failed the rest are not tried: they answer "other reason" (every RTDS ERROR response of several items).
        """
        request = AccessRequest.decode(message.payload, message.payload_offset)
        data: list[Data] = []
        results: list[AccessOutcome] = []
        for specification, item in zip(request.specifications, request.data, strict=True):
            failed = any(result.code is not AccessResult.SUCCESS for result in results[-1:])
            code, value = (AccessResult.OTHER_REASON, Null()) if failed else self._run(specification, item, message)
            choice = Choice.GET if specification.choice is Choice.GET_WITH_SELECTION else specification.choice
            if code is not AccessResult.SUCCESS:
                what = f"{choice.name} {specification.class_id} {specification.obis_text} {specification.attribute}"
                self.device.note_failure(f"{what}: {code.name}")
                value = Null()
            data.append(value)
            results.append(AccessOutcome(choice, code))
        return AccessResponse(request.invoke_id, tuple(data), tuple(results)).encode()

    def _run(self, item: Specification, data: Data, message: Message) -> Answer:
        key = (item.class_id, item.obis, item.attribute)
        if item.choice is Choice.ACTION and item.class_id == DATA_PROTECTION:
            return self._protected(data)
        if item.choice is Choice.ACTION:
            self.acts += 1
            return self._act(key, data)
        if item.choice is Choice.SET:
            self.acts += 1
            return self._set(key, data, message), Null()
        if item.choice is Choice.GET_WITH_SELECTION:
            return self._select(key, item.selector, item.selection)
        return self._get(key)

    def _get(self, key: Key) -> Answer:
        if key in self.model.broken:
            return self.model.broken[key], Null()
        attribute = self.model.attributes.get(key)
        if attribute is None:
            return self._absent(key), Null()
        if not attribute.readable:
            return AccessResult.READ_WRITE_DENIED, Null()
        return AccessResult.SUCCESS, self.model.read(key)

    def _select(self, key: Key, selector: int | None, selection: Data | None) -> Answer:
        if key in self.model.broken:
            return self.model.broken[key], Null()
        reader = self.model.selections.get(key)
        if reader is None or selector is None or selection is None:
            code, _ = self._get(key)
            return (AccessResult.SCOPE_OF_ACCESS_VIOLATED if code is AccessResult.SUCCESS else code), Null()
        value = reader(selector, selection)
        return (value, Null()) if isinstance(value, AccessResult) else (AccessResult.SUCCESS, value)

    def _set(self, key: Key, value: Data, message: Message) -> AccessResult:
        if key in self.model.broken:
            return self.model.broken[key]
        attribute = self.model.attributes.get(key)
        if attribute is None:
            return self._absent(key)
        if not attribute.writable:
            return AccessResult.READ_WRITE_DENIED
        if not attribute.takes(value):
            return AccessResult.TYPE_UNMATCHED
        writer = self.model.writers.get(key)
        if writer is not None:
            code = writer(value)
            if code is not AccessResult.SUCCESS:
                return code
        self.model.write(key, value)
        if is_activation(key) and isinstance(value, OctetString):
            return schedule(self.device, self.model, key, value.octets, message)
        return AccessResult.SUCCESS

    def _act(self, key: Key, parameter: Data) -> Answer:
        if key in self.model.broken:
            return self.model.broken[key], Null()
        method = self.model.methods.get(key)
        if method is None:
            return self._absent(key), Null()
        value = method(parameter)
        return (value, Null()) if isinstance(value, AccessResult) else (AccessResult.SUCCESS, value)

    def _absent(self, key: Key) -> AccessResult:
        """Why an attribute or method that is not there is not there."""
        code = self.model.known(key[0], key[1])
        return AccessResult.OBJECT_UNAVAILABLE if code is AccessResult.SUCCESS else code

    # --- protected reads (reference gbcs-messages 5.5)

    def _protected(self, parameter: Data) -> Answer:
        wanted = _wanted(parameter)
        if wanted is None:
            return AccessResult.TYPE_UNMATCHED, Null()
        values: list[Data] = []
        for attribute in wanted:
            if attribute.selection is None:
                code, value = self._get(attribute.key)
            else:
                code, value = self._select(attribute.key, RANGE_SELECTOR, attribute.selection)
            if code is not AccessResult.SUCCESS:
                return code, Null()
            values.append(value)
        try:
            sealed = self.device.seal(Structure(tuple(values)).encode())
        except ProtectionError as problem:
            self.device.trace.emit("device", self.device.name, "not sealed", reason=str(problem))
            return AccessResult.OTHER_REASON, Null()
        return AccessResult.SUCCESS, sealed.item.data()


def _wanted(parameter: Data) -> tuple[_Wanted, ...] | None:
    """The attributes that get-protected-attributes asks for, None if the parameter is something else."""
    if not isinstance(parameter, Structure) or len(parameter) != 2:
        return None
    asked, protection = parameter.elements
    if not isinstance(asked, Array) or ProtectionParameters.of(protection) is None:
        return None
    found: list[_Wanted] = []
    for item in asked.elements:
        match item:
            case Structure(
                elements=(
                    LongUnsigned(value=class_id),
                    OctetString(octets=obis),
                    Integer(value=attribute),
                    LongUnsigned(),
                    Structure(elements=(Enum(value=restricted), limits)),
                )
            ) if len(obis) == 6:
                selection = limits if restricted == _RESTRICTED else None
                found.append(_Wanted((class_id, obis, attribute), selection))
            case _:
                return None
    return tuple(found)


def time_range(selection: Data) -> tuple[Data, Data] | None:
    """From and to of a range selection (structure of 4) or of a protected read's restriction (structure of 2)."""
    if isinstance(selection, Structure) and len(selection) == 4:
        return selection[1], selection[2]
    if isinstance(selection, Structure) and len(selection) == 2:
        return selection[0], selection[1]
    return None
