"""Hardware of a Device that is out of order, as a reference ERROR response shows it, put into a Device's model before the command.

Reference responses tell of one fault each: an item of an access list answers an error and the rest are not tried; a component or an
attribute of a GBZ command answers a ZCL status, likewise. What an ASN.1 response refuses follows from the command and the Device's
state, for which there is no fault to plant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from firmware_emu.device.gbz_server import Command, ZclAnswer, ZclModel
from firmware_emu.device.object_model import DATA_PROTECTION, Key, ObjectModel
from firmware_emu.gbcs.axdr import Array, Integer, LongUnsigned, OctetString, Structure
from firmware_emu.gbcs.dlms import AccessRequest, AccessResponse, AccessResult, Choice, Specification
from firmware_emu.gbcs.gbz import Component, Gbz
from firmware_emu.gbcs.use_cases import Payload
from firmware_emu.gbcs.verify import EncryptedPart
from firmware_emu.gbcs.zcl_layouts import NOT_FOUND, SUCCESS, ZclCommand, decode_zcl
from firmware_emu.zse.zcl import ZclStatus

_READ_RESPONSE, _DEFAULT_RESPONSE, _NO_COMMAND = 0x01, 0x0B, 0xFF


@dataclass(frozen=True, slots=True)
class ObjectFault:
    """Any use of a COSEM attribute or method answers ``code``."""

    key: Key
    code: AccessResult

    def plant(self, model: ObjectModel) -> None:
        model.broken[self.key] = self.code


@dataclass(frozen=True, slots=True)
class AttributeFault:
    """Reading a ZCL attribute answers ``status``."""

    cluster: int
    attribute: int
    status: ZclStatus

    def plant(self, model: ZclModel) -> None:
        model.broken[self.cluster, self.attribute] = self.status


@dataclass(frozen=True, slots=True)
class CommandFault:
    """A ZCL command answers ``status`` from its use number ``after`` on (0: at once)."""

    cluster: int
    command: int
    from_server: bool
    status: ZclStatus
    after: int = 0

    def plant(self, model: ZclModel) -> None:
        key = (self.cluster, self.command, self.from_server)
        works = model.commands.get(key)
        if works is not None:
            model.commands[key] = self._failing(works)

    def _failing(self, works: Command) -> Command:
        used = 0

        def run(part: Component) -> ZclStatus | Sequence[ZclAnswer]:
            nonlocal used
            used += 1
            return self.status if used > self.after else works(part)

        return run


Fault = ObjectFault | AttributeFault | CommandFault


def shown_by(command: bytes, response: Payload, opened: Sequence[EncryptedPart]) -> tuple[Fault, ...]:
    """The faults that a response to ``command`` shows; none where it shows success, or a refusal that is no fault. Raises DecodeError."""
    if isinstance(response, AccessResponse):
        return _of_objects(AccessRequest.decode(command), response)
    if isinstance(response, Gbz):
        return _of_zcl(Gbz.decode(command), response, opened)
    return ()


def _of_objects(request: AccessRequest, response: AccessResponse) -> tuple[Fault, ...]:
    for item, data, result in zip(request.specifications, request.data, response.results, strict=True):
        if result.code is not AccessResult.SUCCESS:
            return (ObjectFault(_inside(item, data), result.code),)
    return ()


def _inside(item: Specification, data: object) -> Key:
    """The attribute that an item uses; the first of those that a protected read asks for."""
    if item.choice is Choice.ACTION and item.class_id == DATA_PROTECTION and isinstance(data, Structure):
        match data.elements[0]:
            case Array(
                elements=(Structure(elements=(LongUnsigned(value=class_id), OctetString(octets=obis), Integer(value=attribute), *_)), *_)
            ):
                return class_id, obis, attribute
    return item.class_id, item.obis, item.attribute


def _of_zcl(request: Gbz, response: Gbz, opened: Sequence[EncryptedPart]) -> tuple[Fault, ...]:
    asked = {component.sequence: component for component in request.components}
    sealed = iter(opened)
    uses: dict[tuple[int, int, bool], set[int]] = {}
    for answer in response.components:
        part = next(sealed, None) if answer.encrypted else None
        component = asked[answer.sequence]
        key = (component.cluster, component.command, component.from_server)
        before = len(uses.setdefault(key, set()) - {component.sequence})
        uses[key].add(component.sequence)
        values = part.values if part is not None else decode_zcl(answer, answer.payload)
        if answer.command == _READ_RESPONSE and component.profile_wide and isinstance(values, ZclCommand):
            faults = _of_attributes(component.cluster, values)
            if faults:
                return faults
        elif answer.command == _DEFAULT_RESPONSE and answer.profile_wide:
            named, status = answer.payload
            if named != _NO_COMMAND and status not in (SUCCESS, NOT_FOUND):
                return (CommandFault(*key, ZclStatus(status), before),)
    return ()


def _of_attributes(cluster: int, values: ZclCommand) -> tuple[Fault, ...]:
    found: list[Fault] = []
    for field in values.fields:
        for group in field.value if isinstance(field.value, tuple) else ():
            record = {one.name: one.value for one in group}
            attribute, status = record.get("attribute"), record.get("status")
            if isinstance(attribute, int) and isinstance(status, int) and status != SUCCESS:
                found.append(AttributeFault(cluster, attribute, ZclStatus(status)))
    return tuple(found)


def lacks_all(response: Payload) -> bool:
    """True if a response finds nothing of something that it was asked for: a Device without a past answers so."""
    if not isinstance(response, Gbz):
        return False
    statuses = [part.payload[1] for part in response.components if part.command == _DEFAULT_RESPONSE and part.profile_wide]
    clusters = {part.cluster for part in response.components if part.encrypted or part.command != _DEFAULT_RESPONSE}
    missing = {part.cluster for part in response.components if part.command == _DEFAULT_RESPONSE and part.payload[1:] == b"\x8b"}
    return NOT_FOUND in statuses and not missing <= clusters


def plant(faults: Sequence[Fault], model: ObjectModel | ZclModel | None) -> None:
    """Put faults into a Device's model; those of another kind of model are left out."""
    for fault in faults:
        if isinstance(fault, ObjectFault):
            if isinstance(model, ObjectModel):
                fault.plant(model)
        elif isinstance(model, ZclModel):
            fault.plant(model)
