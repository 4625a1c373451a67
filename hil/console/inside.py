"""A look inside a Device of the bench: values of its own objects and attributes, past every right of access, and its clock."""

from __future__ import annotations

from firmware_emu.console.declare import WordError
from firmware_emu.device.gbz_server import ZclModel
from firmware_emu.device.object_model import ObjectModel
from firmware_emu.errors import IdentifierError
from firmware_emu.gbcs.alerts import alert_codes
from firmware_emu.gbcs.axdr import (
    Array,
    BitString,
    Boolean,
    CompactArray,
    Data,
    Fixed,
    Number,
    OctetString,
    Structure,
    Utf8String,
    VisibleString,
)
from firmware_emu.gbcs.dlms import parse_obis
from hil.devices.base.gbcs_device import GbcsHanDevice

CLOCK = "clock"


def inside(device: GbcsHanDevice, item: str) -> object:
    """The value of ``CLASS:OBIS:ATTRIBUTE`` (3:0-0:94.44.42:2), of ``CLUSTER:ATTRIBUTE`` in hex (0702:0000), or the seconds by which its
    ``clock`` is ahead of the bench. Raises WordError."""
    if item == CLOCK:
        return round(device.now() - device.clock.now(), 3)
    model = device.served_model
    try:
        if isinstance(model, ObjectModel):
            class_id, _, rest = item.partition(":")
            obis, _, attribute = rest.rpartition(":")
            return simple(model.read((int(class_id), parse_obis(obis), int(attribute))))
        if isinstance(model, ZclModel):
            cluster, _, number = item.partition(":")
            return model.attributes[int(cluster, 16), int(number, 16)].read()
    except (ValueError, KeyError, IdentifierError):
        pass
    raise WordError(f"read {item!r}, expected {_expected(model)} of {device.name}")


def _expected(model: ObjectModel | ZclModel | None) -> str:
    if isinstance(model, ObjectModel):
        return f"one of {len(model.attributes)} attributes as 3:0-0:94.44.42:2, or clock,"
    if isinstance(model, ZclModel):
        return f"one of {len(model.attributes)} attributes as 0702:0000, or clock,"
    return "clock"


def simple(data: Data) -> object:
    """A DLMS value as numbers, texts, hex octets and lists."""
    match data:
        case Number() | Boolean():
            return data.value
        case OctetString() | Fixed():
            return data.octets.hex()
        case VisibleString() | Utf8String():
            return data.text
        case BitString():
            return data.bits
        case Array() | Structure() | CompactArray():
            return [simple(element) for element in data.elements]
        case _:
            return None


def event_name(code: int) -> str:
    """The name of an event code, empty where no source has one."""
    known = alert_codes().get(code)
    return "" if known is None else known.name
