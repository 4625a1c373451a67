"""Executes DLMS access requests on an object model, item by item (reference gbcs-messages 5).

A new use case is rows in the model file and at most one function: a method, or a reader of a live value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from firmware_emu.device import future_dated
from firmware_emu.device.object_model import Key, ObjectModel
from firmware_emu.errors import ProtectionError
from firmware_emu.gbcs.axdr import Array, Data, Enum, Integer, LongUnsigned, Null, OctetString, Structure
from firmware_emu.gbcs.dlms import (
    RANGE_SELECTOR,
    AccessRequest,
    AccessResponse,
    AccessResult,
    Choice,
    ProtectionParameters,
    Result,
    Specification,
)
from firmware_emu.gbcs.envelope import Message

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

    def execute(self, message: Message) -> bytes:
        """Run the items in order and return the access response. Raises DecodeError if the payload is not an access request.

        After one has failed the rest are not tried: they answer "other reason" (every RTDS ERROR response of several items).
        """
        request = AccessRequest.decode(message.payload, message.payload_offset)
        data: list[Data] = []
        results: list[Result] = []
        for specification, item in zip(request.specifications, request.data, strict=True):
            failed = any(result.code is not AccessResult.SUCCESS for result in results[-1:])
            code, value = (AccessResult.OTHER_REASON, Null()) if failed else self._run(specification, item, message)
            choice = Choice.GET if specification.choice is Choice.GET_WITH_SELECTION else specification.choice
            if code is not AccessResult.SUCCESS:
                what = f"{choice.name} {specification.class_id} {specification.obis_text} {specification.attribute}"
                self.device.note_failure(f"{what}: {code.name}")
                value = Null()
            data.append(value)
            results.append(Result(choice, code))
        return AccessResponse(request.invoke_id, tuple(data), tuple(results)).encode()

    def _run(self, item: Specification, data: Data, message: Message) -> Answer:
        key = (item.class_id, item.obis, item.attribute)
        if item.choice is Choice.ACTION and item.class_id == DATA_PROTECTION:
            return self._protected(data)
        if item.choice is Choice.ACTION:
            return self._act(key, data)
        if item.choice is Choice.SET:
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
        if future_dated.is_activation(key) and isinstance(value, OctetString):
            return future_dated.schedule(self.device, self.model, key, value.octets, message)
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
