"""Faults that an error response shows, and how they are planted in a Device's model."""

from __future__ import annotations

from collections.abc import Sequence

from firmware_emu.device.gbz_server import ZclAnswer, ZclModel
from firmware_emu.device.object_model import ObjectModel
from firmware_emu.device.store import MemoryStore
from firmware_emu.gbcs.axdr import Array, Data, Integer, LongUnsigned, OctetString, Structure
from firmware_emu.gbcs.dlms import AccessOutcome, AccessRequest, AccessResponse, AccessResult, Choice, Specification
from firmware_emu.gbcs.gbz import Component, Gbz
from firmware_emu.zse.zcl import ZclStatus
from hil.coverage.faults import AttributeFault, CommandFault, ObjectFault, lacks_all, plant, shown_by

METERING, PRICE = 0x0702, 0x0700
TO_SERVER, FROM_SERVER, PROFILE_WIDE = 0x01, 0x09, 0x18
OBIS, OTHER = bytes.fromhex("0000600a04ff"), bytes.fromhex("0100010800ff")
PROTECTION = 30


def default_response(cluster: int, sequence: int, command: int, status: int) -> Component:
    return Component(cluster, PROFILE_WIDE, sequence, 0x0B, bytes([command, status]))


def test_a_command_that_fails_shows_after_how_many_of_its_kind() -> None:
    asked = Gbz(tuple(Component(PRICE, TO_SERVER, number, 0x05, b"\x00") for number in range(3)))
    answer = Gbz((default_response(PRICE, 0, 0x05, 0), default_response(PRICE, 1, 0x05, 0x8B), default_response(PRICE, 2, 0x05, 0x01)))
    (fault,) = shown_by(asked.encode(), answer, ())
    assert fault == CommandFault(PRICE, 0x05, False, ZclStatus.FAILURE, 2)
    fine = Gbz(tuple(default_response(PRICE, number, 0x05, 0) for number in range(3)))
    assert shown_by(asked.encode(), fine, ()) == ()
    none = Gbz((default_response(PRICE, 0, 0xFF, 0x01),))
    assert shown_by(asked.encode(), none, ()) == (), "of no command"


def test_an_attribute_that_cannot_be_read_is_named() -> None:
    asked = Gbz((Component(METERING, 0x00, 0, 0x00, bytes.fromhex("00000100")),))
    answer = Gbz((Component(METERING, PROFILE_WIDE, 0, 0x01, bytes.fromhex("0000 00 25 010000000000") + bytes.fromhex("0100 01")),))
    assert shown_by(asked.encode(), answer, ()) == (AttributeFault(METERING, 1, ZclStatus.FAILURE),)


def access(*results: AccessResult, item: Specification, data: Data) -> tuple[AccessRequest, AccessResponse]:
    asked = AccessRequest(1, (item,) * len(results), (data,) * len(results))
    return asked, AccessResponse(1, (data,) * len(results), tuple(AccessOutcome(item.choice, one) for one in results))


def test_the_first_item_of_an_access_list_that_fails_is_the_fault_and_of_a_protected_read_what_is_within() -> None:
    plain = Specification(Choice.GET, 3, OBIS, 2)
    asked, answer = access(AccessResult.SUCCESS, AccessResult.HARDWARE_FAULT, item=plain, data=OctetString(b""))
    assert shown_by(asked.encode(), answer, ()) == (ObjectFault((3, OBIS, 2), AccessResult.HARDWARE_FAULT),)
    within = Structure((Array((Structure((LongUnsigned(3), OctetString(OTHER), Integer(4))),)),))
    asked, answer = access(AccessResult.HARDWARE_FAULT, item=Specification(Choice.ACTION, PROTECTION, OBIS, 1), data=within)
    assert shown_by(asked.encode(), answer, ()) == (ObjectFault((3, OTHER, 4), AccessResult.HARDWARE_FAULT),)
    asked, answer = access(AccessResult.HARDWARE_FAULT, item=Specification(Choice.ACTION, 70, OBIS, 1), data=within)
    assert shown_by(asked.encode(), answer, ()) == (ObjectFault((70, OBIS, 1), AccessResult.HARDWARE_FAULT),)


def test_a_planted_fault_strikes_from_its_use_on_and_only_a_model_of_its_kind() -> None:
    model, used = ZclModel(), list[int]()

    def works(part: Component) -> ZclStatus | Sequence[ZclAnswer]:
        used.append(part.sequence)
        return ZclStatus.SUCCESS

    model.commands[PRICE, 0x05, False] = works
    faults = (
        CommandFault(PRICE, 0x05, False, ZclStatus.FAILURE, 1),
        CommandFault(PRICE, 0x06, False, ZclStatus.FAILURE),
        AttributeFault(METERING, 1, ZclStatus.FAILURE),
        ObjectFault((3, OBIS, 2), AccessResult.HARDWARE_FAULT),
    )
    plant(faults, model)
    part = Component(PRICE, TO_SERVER, 7, 0x05)
    assert [model.commands[PRICE, 0x05, False](part) for _ in range(3)] == [ZclStatus.SUCCESS, ZclStatus.FAILURE, ZclStatus.FAILURE]
    assert (used, set(model.commands)) == ([7], {(PRICE, 0x05, False)})
    assert model.broken == {(METERING, 1): ZclStatus.FAILURE}
    objects = ObjectModel(MemoryStore(), "model")
    plant(faults, objects)
    assert objects.broken == {(3, OBIS, 2): AccessResult.HARDWARE_FAULT}


def test_a_device_without_a_past_lacks_all_of_a_cluster() -> None:
    nothing, something = default_response(PRICE, 0, 0x08, 0x8B), Component(PRICE, FROM_SERVER, 1, 0x07)
    assert lacks_all(Gbz((nothing,)))
    assert not lacks_all(Gbz((nothing, something))), "it has something of it"
    assert lacks_all(Gbz((nothing, Component(METERING, FROM_SERVER, 1, 0x07))))
    assert not lacks_all(Gbz((default_response(PRICE, 0, 0x08, 0x01),)))
    assert not lacks_all(AccessResponse(1, (), ()))
