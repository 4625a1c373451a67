"""Address and multicast tables, address look-up, extended timeouts."""

from __future__ import annotations

from firmware_emu.ids import Eui64
from hil.radio.ncp.ezsp import FIRST_SL_STATUS, Handler, Ncp, Reply
from hil.radio.ncp.handlers.registry import register_in
from hil.radio.port.dongle_server import Fields
from hil.radio.stack.status import Status

HANDLERS: dict[str, Handler] = {}
handles = register_in(HANDLERS)

ADDRESS_TABLE_SIZE, MULTICAST_TABLE_SIZE = 0x05, 0x06
NO_SHORT = 0xFFFF
NO_EUI = Eui64(b"\xff" * 8)


@handles("lookupNodeIdByEui64")
def find_short(ncp: Ncp, fields: Fields) -> Reply:
    device = fields.eui("eui64")
    short = ncp.stack.nwk.shorts.get(device)
    if short is None:
        short = next((one for known, one, _ in ncp.address_table.values() if known == device), NO_SHORT)
    return {"status": Status.NOT_FOUND if short == NO_SHORT else Status.SUCCESS, "id": short}


@handles("lookupEui64ByNodeId")
def find_eui(ncp: Ncp, fields: Fields) -> Reply:
    short = fields.u("id")
    device = ncp.stack.nwk.addresses.get(short)
    if device is None:
        device = next((known for known, one, _ in ncp.address_table.values() if one == short), None)
    return {"status": Status.FATAL if device is None else Status.SUCCESS, "eui64": device or NO_EUI}


@handles("getAddressTableRemoteEui64", "getAddressTableRemoteNodeId", "getAddressTableInfo")
def address_entry(ncp: Ncp, fields: Fields) -> Reply:
    if fields.u("index") >= ncp.configuration[ADDRESS_TABLE_SIZE]:
        return {"status": Status.INDEX_OUT_OF_RANGE, "id": NO_SHORT, "eui64": NO_EUI}
    device, short, _ = ncp.address_table.get(fields.u("index"), (NO_EUI, NO_SHORT, False))
    return {"status": Status.SUCCESS, "id": ncp.stack.nwk.shorts.get(device, short), "eui64": device}


@handles("replaceAddressTableEntry")
def replace_address(ncp: Ncp, fields: Fields) -> Reply:
    index = fields.u("index")
    if index >= ncp.configuration[ADDRESS_TABLE_SIZE]:
        return {"status": Status.INDEX_OUT_OF_RANGE}
    old = ncp.address_table.get(index, (NO_EUI, NO_SHORT, False))
    device = fields.eui("eui64")
    if device in (NO_EUI, Eui64(bytes(8))):
        ncp.address_table.pop(index, None)
    else:
        ncp.address_table[index] = (device, fields.u("id"), bool(fields.u("extended")))
        ncp.stack.nwk.learn(fields.u("id"), device)
        _extend(ncp, device, bool(fields.u("extended")))
    return {"status": Status.SUCCESS, "old_eui64": old[0], "old_id": old[1], "old_extended": old[2]}


def _extend(ncp: Ncp, device: Eui64, extended: bool) -> None:
    if extended:
        ncp.stack.aps.extended.add(device)
    else:
        ncp.stack.aps.extended.discard(device)


@handles("addressTableEntryIsActive")
def address_active(ncp: Ncp, fields: Fields) -> Reply:
    """True if a message to the entry waits for its acknowledgement; this stack waits by address, not by entry."""
    return {"active": 0}


@handles("setAddressTableRemoteEui64", "setAddressTableRemoteNodeId", "setAddressTableInfo")
def set_address(ncp: Ncp, fields: Fields) -> Reply:
    index = fields.u("index")
    if index >= ncp.configuration[ADDRESS_TABLE_SIZE]:
        return {"status": Status.INDEX_OUT_OF_RANGE}
    device, short, extended = ncp.address_table.get(index, (NO_EUI, NO_SHORT, False))
    if ncp.serving != "setAddressTableRemoteNodeId":
        device = fields.eui("eui64")
    if ncp.serving != "setAddressTableRemoteEui64":
        short = fields.u("id")
    ncp.address_table[index] = device, short, extended
    if device != NO_EUI and short < 0xFFF8:
        ncp.stack.nwk.learn(short, device)
    return {"status": Status.SUCCESS}


@handles("setExtendedTimeout")
def set_extended(ncp: Ncp, fields: Fields) -> Reply:
    _extend(ncp, fields.eui("eui64"), bool(fields.u("extended")))
    return {"status": Status.SUCCESS}


@handles("getExtendedTimeout")
def get_extended(ncp: Ncp, fields: Fields) -> Reply:
    extended = fields.eui("eui64") in ncp.stack.aps.extended
    if ncp.version >= FIRST_SL_STATUS:
        return {"status": Status.SUCCESS if extended else Status.FATAL}
    return {"extended": extended}


@handles("getMulticastTableEntry")
def get_multicast(ncp: Ncp, fields: Fields) -> Reply:
    if fields.u("index") >= ncp.configuration[MULTICAST_TABLE_SIZE]:
        return {"status": Status.INDEX_OUT_OF_RANGE}
    entry = ncp.multicast_table.get(fields.u("index"), bytes(4))
    return {"status": Status.SUCCESS, "group": int.from_bytes(entry[:2], "little"), "endpoint": entry[2], "network": entry[3]}


@handles("setMulticastTableEntry")
def set_multicast(ncp: Ncp, fields: Fields) -> Reply:
    if fields.u("index") >= ncp.configuration[MULTICAST_TABLE_SIZE]:
        return {"status": Status.INDEX_OUT_OF_RANGE}
    network = fields.octets("network")[:1] or b"\x00"
    ncp.multicast_table[fields.u("index")] = fields.u("group").to_bytes(2, "little") + bytes([fields.u("endpoint")]) + network
    return {"status": Status.SUCCESS}
