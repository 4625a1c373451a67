"""Security state, link keys, transient keys, key export. Keys cross the wire as on a dongle and never enter a log."""

from __future__ import annotations

import struct

from firmware_emu.ids import Eui64
from hil.radio.ncp.ezsp import FIRST_SL_STATUS, Handler, Ncp, Reply
from hil.radio.ncp.handlers.registry import register_in
from hil.radio.port.dongle_server import Fields
from hil.radio.stack.nwk import COORDINATOR
from hil.radio.stack.status import Status
from hil.radio.stack.trust import request_key

HANDLERS: dict[str, Handler] = {}
handles = register_in(HANDLERS)

HAVE_TRUST_CENTRE_EUI64, HAVE_PRECONFIGURED_KEY, HAVE_NETWORK_KEY = 0x0040, 0x0100, 0x0200
CURRENT_MASK, HAVE_LINK_KEY, HASHED = 0x0087, 0x0010, 0x0084
NETWORK, TC_LINK = 1, 2
KEY_TABLE_SIZE = 0x1E
TRUST_CENTRE_LINK_KEY, CURRENT_NETWORK_KEY, NEXT_NETWORK_KEY, APPLICATION_LINK_KEY = 1, 3, 4, 5
HAS_COUNTERS, HAS_PARTNER, AUTHORISED, HAS_SEQUENCE = 0x06, 0x08, 0x10, 0x01
NO_INDEX = 0xFF


@handles("setInitialSecurityState")
def set_security(ncp: Ncp, fields: Fields) -> Reply:
    tokens, bitmask = ncp.stack.tokens, fields.u("bitmask")
    tokens.security_bitmask = bitmask
    tokens.tc_link_key = fields.octets("preconfigured") if bitmask & HAVE_PRECONFIGURED_KEY else None
    tokens.network_key = fields.octets("network") if bitmask & HAVE_NETWORK_KEY else None
    tokens.key_sequence = fields.u("sequence") if bitmask & HAVE_NETWORK_KEY else 0
    tokens.tc_eui64 = fields.eui("trust_centre") if bitmask & HAVE_TRUST_CENTRE_EUI64 else None
    tokens.save()
    ncp.security_set = True
    return {"status": Status.SUCCESS}


@handles("getCurrentSecurityState")
def get_security(ncp: Ncp, fields: Fields) -> Reply:
    tokens = ncp.stack.tokens
    hashed = tokens.security_bitmask & HASHED == HASHED
    traits = ncp.personality.traits
    bitmask = tokens.security_bitmask & CURRENT_MASK | HAVE_LINK_KEY
    if tokens.node_type == COORDINATOR:
        bitmask = traits["hashed_key_state"] if hashed else traits["global_key_state"]
    return {"status": Status.SUCCESS, "bitmask": bitmask, "trust_centre": tokens.tc_eui64 or Eui64(b"\xff" * 8)}


@handles("exportKey")
def export_key(ncp: Ncp, fields: Fields) -> Reply:
    context, tokens = fields.octets("context"), ncp.stack.tokens
    network = tokens.alternate_key if context[1] else tokens.network_key
    key = {NETWORK: network, TC_LINK: tokens.tc_link_key}.get(context[0])
    return {"status": Status.NOT_FOUND if key is None else Status.SUCCESS, "key": key or bytes(16), "context": context}


@handles("getNetworkKeyInfo")
def network_key_info(ncp: Ncp, fields: Fields) -> Reply:
    tokens = ncp.stack.tokens
    return {
        "status": Status.SUCCESS,
        "set": tokens.network_key is not None,
        "sequence": tokens.key_sequence,
        "alternate": tokens.alternate_key is not None,
        "alternate_sequence": tokens.alternate_sequence,
        "counter": ncp.stack.nwk.counter,
    }


@handles("getKey")
def get_key(ncp: Ncp, fields: Fields) -> Reply:
    tokens, kind = ncp.stack.tokens, fields.u("type")
    if kind == CURRENT_NETWORK_KEY and tokens.network_key is not None:
        return {
            "status": Status.SUCCESS,
            "bitmask": HAS_SEQUENCE | 0x02,
            "type": kind,
            "key": tokens.network_key,
            "outgoing": ncp.stack.nwk.counter,
            "sequence": tokens.key_sequence,
        }
    if kind == NEXT_NETWORK_KEY and tokens.alternate_key is not None:
        return {
            "status": Status.SUCCESS,
            "bitmask": HAS_SEQUENCE,
            "type": kind,
            "key": tokens.alternate_key,
            "sequence": tokens.alternate_sequence,
        }
    if kind == TRUST_CENTRE_LINK_KEY and tokens.tc_link_key is not None:
        return {
            "status": Status.SUCCESS,
            "bitmask": 0x02 | HAS_PARTNER | AUTHORISED,
            "type": kind,
            "key": tokens.tc_link_key,
            "outgoing": ncp.stack.aps.counter,
            "partner": tokens.tc_eui64 or Eui64(b"\xff" * 8),
        }
    return {"status": Status.NOT_FOUND}


def _meta(ncp: Ncp, partner: Eui64) -> bytes:
    return struct.pack("<HIIH", HAS_COUNTERS | HAS_PARTNER | AUTHORISED, ncp.stack.aps.counter, ncp.stack.aps.incoming_counter(partner), 0)


def _size(ncp: Ncp) -> int:
    return ncp.configuration[KEY_TABLE_SIZE]


@handles("importLinkKey", "setKeyTableEntry")
def import_link_key(ncp: Ncp, fields: Fields) -> Reply:
    index = fields.u("index")
    if index >= _size(ncp):
        return {"status": Status.INDEX_OUT_OF_RANGE}
    ncp.stack.import_link_key(index, fields.eui("eui64"), fields.octets("key"))
    return {"status": Status.SUCCESS}


@handles("addOrUpdateKeyTableEntry")
def add_link_key(ncp: Ncp, fields: Fields) -> Reply:
    partner, table = fields.eui("eui64"), ncp.stack.tokens.link_keys
    index = next((one for one, (device, _) in table.items() if device == partner), None)
    if index is None:
        index = next((one for one in range(_size(ncp)) if one not in table), None)
    if index is None:
        return {"status": Status.TABLE_FULL}
    ncp.stack.import_link_key(index, partner, fields.octets("key"))
    return {"status": Status.SUCCESS}


@handles("exportLinkKeyByIndex")
def export_by_index(ncp: Ncp, fields: Fields) -> Reply:
    index = fields.u("index")
    if index >= _size(ncp):
        return {"status": Status.INDEX_OUT_OF_RANGE}
    entry = ncp.stack.tokens.link_keys.get(index)
    if entry is None:
        return {"status": Status.NOT_FOUND}
    partner, key = entry
    return {"status": Status.SUCCESS, "eui64": partner, "key": key, "meta": _meta(ncp, partner), "context": _context(partner, index)}


def _context(partner: Eui64, index: int) -> bytes:
    """SecurityManagerContext of an application link key: type, index, no derivation, partner, EUI-64 and index valid."""
    return struct.pack("<BBH", 4, index, 0) + partner.zigbee + struct.pack("<BBI", 0, 3, 0)


@handles("exportLinkKeyByEui")
def export_by_eui(ncp: Ncp, fields: Fields) -> Reply:
    partner = fields.eui("eui64")
    for index, (device, key) in ncp.stack.tokens.link_keys.items():
        if device == partner:
            return {"status": Status.SUCCESS, "index": index, "key": key, "meta": _meta(ncp, partner), "context": _context(partner, index)}
    return {"status": Status.NOT_FOUND, "index": NO_INDEX}


@handles("getKeyTableEntry")
def get_key_table_entry(ncp: Ncp, fields: Fields) -> Reply:
    index = fields.u("index")
    if index >= _size(ncp):
        return {"status": Status.INDEX_OUT_OF_RANGE}
    entry = ncp.stack.tokens.link_keys.get(index)
    if entry is None:
        return {"status": Status.TABLE_ENTRY_ERASED}
    partner, key = entry
    return {
        "status": Status.SUCCESS,
        "bitmask": HAS_COUNTERS | HAS_PARTNER,
        "type": APPLICATION_LINK_KEY,
        "key": key,
        "outgoing": ncp.stack.aps.counter,
        "incoming": ncp.stack.aps.incoming_counter(partner),
        "partner": partner,
    }


@handles("findKeyTableEntry")
def find_link_key(ncp: Ncp, fields: Fields) -> Reply:
    partner = fields.eui("eui64")
    return {"index": next((one for one, (device, _) in ncp.stack.tokens.link_keys.items() if device == partner), NO_INDEX)}


@handles("eraseKeyTableEntry")
def erase_link_key(ncp: Ncp, fields: Fields) -> Reply:
    if fields.u("index") >= _size(ncp):
        return {"status": Status.INDEX_OUT_OF_RANGE if ncp.version >= FIRST_SL_STATUS else Status.KEY_INVALID}
    ncp.stack.tokens.link_keys.pop(fields.u("index"), None)
    ncp.stack.tokens.save()
    return {"status": Status.SUCCESS}


@handles("clearKeyTable")
def clear_key_table(ncp: Ncp, fields: Fields) -> Reply:
    ncp.stack.tokens.link_keys.clear()
    ncp.stack.tokens.save()
    return {"status": Status.SUCCESS}


@handles("importTransientKey", "addTransientLinkKey")
def import_transient(ncp: Ncp, fields: Fields) -> Reply:
    ncp.stack.trust.permit_key(fields.eui("eui64"), fields.octets("key"))
    return {"status": Status.SUCCESS}


@handles("exportTransientKeyByEui")
def export_transient(ncp: Ncp, fields: Fields) -> Reply:
    partner = fields.eui("eui64")
    key = ncp.stack.trust.key_for(partner)
    if key is None:
        return {"status": Status.NOT_FOUND}
    return {"status": Status.SUCCESS, "key": key, "meta": _meta(ncp, partner)}


@handles("requestLinkKey")
def request_link_key(ncp: Ncp, fields: Fields) -> Reply:
    """A link key with another Device, from the trust centre; what comes of it is told by zigbeeKeyEstablishmentHandler."""
    return {"status": request_key(ncp.stack, fields.eui("partner"))}


@handles("clearTransientLinkKeys")
def clear_transient(ncp: Ncp, fields: Fields) -> Reply:
    ncp.stack.trust.forget_keys()
    return {}


@handles("broadcastNextNetworkKey")
def broadcast_next_key(ncp: Ncp, fields: Fields) -> Reply:
    """A key of zeros: the stack draws one."""
    key = fields.octets("key")
    return {"status": ncp.stack.trust.broadcast_next_key(key if any(key) else None)}


@handles("broadcastNetworkKeySwitch")
def broadcast_switch(ncp: Ncp, fields: Fields) -> Reply:
    return {"status": ncp.stack.trust.broadcast_switch()}


@handles("unicastNwkKeyUpdate")
def unicast_next_key(ncp: Ncp, fields: Fields) -> Reply:
    return {"status": ncp.stack.trust.send_next_key(fields.eui("eui64"), fields.u("id"), fields.octets("key"))}


@handles("unicastCurrentNetworkKey")
def unicast_current_key(ncp: Ncp, fields: Fields) -> Reply:
    return {"status": ncp.stack.trust.send_current_key(fields.eui("eui64"), fields.u("id"), fields.u("parent"))}
