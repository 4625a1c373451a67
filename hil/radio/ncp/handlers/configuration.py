"""Configuration values, policies, values, manufacturing and stack tokens, counters, versions."""

from __future__ import annotations

import struct

from firmware_emu.han.base import SimpleDescriptor
from hil.radio.air.frames import AirReader
from hil.radio.ncp.ezsp import ERASED_EUI, RESTORED_EUI, STACK_TOKEN, Handler, Ncp, Reply
from hil.radio.ncp.handlers.registry import register_in
from hil.radio.port.dongle_server import Fields
from hil.radio.stack.status import EzspStatus, Status
from hil.radio.stack.trust import Policy

HANDLERS: dict[str, Handler] = {}
handles = register_in(HANDLERS)

TRUST_CENTRE_POLICY, BINDING_POLICY, NO_BINDING_CHANGES = 0x00, 0x01, 0x10
APP_KEY_POLICY, GIVE_APP_KEYS = 0x06, 0x61
ZDO_FLAGS = 0x2A
FREE_BUFFERS, VERSION_INFO, NWK_COUNTER, APS_COUNTER = 0x03, 0x11, 0x23, 0x24
LAST_VALUE = 0x48
"""Value ids above are not known to any version (bellows 1.2.1)."""
ENDPOINT_FLAGS = 0x00
COUNTERS = (
    "rx_broadcast",
    "tx_broadcast",
    "rx_unicast",
    "tx_unicast",
    "tx_retry",
    "tx_failed",
    "aps_rx_broadcast",
    "aps_tx_broadcast",
    "aps_rx_unicast",
    "aps_tx_success",
    "aps_tx_retry",
    "aps_tx_failed",
    "",
    "",
    "",
    "",
    "join_indication",
    "child_removed",
    "",
    "",
    "",
    "nwk_counter_failure",
    "aps_frame_counter_failure",
    "",
    "aps_link_key_not_authorized",
    "nwk_decryption_failure",
    "aps_decryption_failure",
    "",
    "relayed",
)
"""Our counters by EmberCounterType; "" is one that is always 0 here."""
MFG_TOKENS = {
    0x00: b"\xff\xff",
    0x01: b"commshub bench".ljust(16, b"\xff"),
    0x02: b"virtual dongle".ljust(16, b"\xff"),
    0x03: b"\xff\xff",
    0x04: b"\xff\xff",
    0x06: b"\xff" * 40,
    0x0A: b"\xff" * 20,
    0x0C: b"\xff" * 8,
    0x0D: b"\xff\xff",
}
NEVER_BURNT = frozenset({0x06, 0x08, 0x09, 0x0B})


@handles("version")
def version(ncp: Ncp, fields: Fields) -> Reply:
    ncp.negotiated = True
    return {"protocol": ncp.version, "stack_type": 2, "stack_version": ncp.personality.stack_version}


@handles("addEndpoint")
def add_endpoint(ncp: Ncp, fields: Fields) -> Reply:
    read = AirReader(fields.octets("clusters"))
    servers = tuple(read.uint(2, "input cluster") for _ in range(fields.u("inputs")))
    clients = tuple(read.uint(2, "output cluster") for _ in range(fields.u("outputs")))
    endpoint = SimpleDescriptor(fields.u("endpoint"), fields.u("device"), servers, clients, fields.u("profile"))
    if not 1 <= endpoint.endpoint <= 254 or endpoint.endpoint in ncp.stack.endpoints:
        return {"status": EzspStatus.ERROR_INVALID_VALUE}
    ncp.stack.endpoints[endpoint.endpoint] = endpoint
    return {"status": EzspStatus.SUCCESS}


@handles("getExtendedValue")
def get_extended_value(ncp: Ncp, fields: Fields) -> Reply:
    if fields.u("value_id") == ENDPOINT_FLAGS:
        known = fields.u("characteristics") in ncp.stack.endpoints
        return {"status": EzspStatus.SUCCESS if known else EzspStatus.ERROR_INVALID_VALUE, "value": b"\x01\x00" if known else bytes(2)}
    return {"status": EzspStatus.ERROR_INVALID_ID, "value": bytes(2)}


@handles("nop", "gpClearSinkTable", "gpSinkTableClearAll", "gpClearProxyTable")
def nothing(ncp: Ncp, fields: Fields) -> Reply:
    """No green power table is modelled, so clearing it does nothing."""
    return {}


@handles("echo")
def echo(ncp: Ncp, fields: Fields) -> Reply:
    return {"data": fields.octets("data")}


@handles("customFrame")
def custom_frame(ncp: Ncp, fields: Fields) -> Reply:
    """No extension of the firmware is here; hosts probe for one."""
    return {"status": Status.LIBRARY_NOT_PRESENT}


STACK_TOKENS = (
    (0xFF01, True, False, 2, 1),
    (0xE263, True, False, 4, 1),
    (0xE563, True, False, 4, 1),
    (0xEB79, False, False, 17, 1),
    (0xEE64, False, False, 16, 1),
    (0xE475, False, False, 17, 1),
    (0xE123, True, False, 4, 1),
    (0xE124, False, False, 26, 1),
    (0xE125, False, False, 7, 1),
    (0xE126, False, False, 10, 1),
    (0xE12A, False, False, 8, 1),
)
"""Creator code, counter?, indexed?, octets and entries of the stack tokens whose length is known (reference ncp-real, tokens)."""


@handles("getTokenCount")
def token_count(ncp: Ncp, fields: Fields) -> Reply:
    return {"count": len(STACK_TOKENS)}


@handles("getTokenInfo")
def token_info(ncp: Ncp, fields: Fields) -> Reply:
    if fields.u("index") >= len(STACK_TOKENS):
        return {"status": Status.INDEX_OUT_OF_RANGE}
    creator, counter, indexed, size, count = STACK_TOKENS[fields.u("index")]
    told = {"key": 0x10000 | creator, "counter": int(counter), "indexed": int(indexed), "size": size, "count": count}
    return {"status": Status.SUCCESS, **told}


@handles("getConfigurationValue")
def get_configuration(ncp: Ncp, fields: Fields) -> Reply:
    value = ncp.configuration.get(fields.u("id"))
    if value is None:
        return {"status": EzspStatus.ERROR_INVALID_ID}
    return {"status": EzspStatus.SUCCESS, "value": value}


@handles("setConfigurationValue")
def set_configuration(ncp: Ncp, fields: Fields) -> Reply:
    """On 6.x any size in range; later a table may only become smaller than it was compiled (reference ncp-real 3)."""
    identifier, value = fields.u("id"), fields.u("value")
    known = ncp.personality.settings.get(identifier)
    if known is None:
        return {"status": EzspStatus.ERROR_INVALID_ID}
    if not known.least <= value <= known.most:
        return {"status": EzspStatus.ERROR_INVALID_VALUE}
    if known.read_only or (known.fixed and not ncp.personality.has("grows") and value > known.value):
        return {"status": EzspStatus.ERROR_OUT_OF_MEMORY}
    ncp.configuration[identifier] = value
    if identifier == ZDO_FLAGS:
        ncp.stack.zdo_flags = value
    return {"status": EzspStatus.SUCCESS}


@handles("setPolicy")
def set_policy(ncp: Ncp, fields: Fields) -> Reply:
    decision = int.from_bytes(fields.octets("decision")[:2], "little")
    known = ncp.personality.policies.get(fields.u("policy"))
    if known is None:
        return {"status": EzspStatus.ERROR_INVALID_ID}
    if known.known and decision not in known.known:
        return {"status": EzspStatus.ERROR_INVALID_VALUE}
    ncp.policies[fields.u("policy")] = decision
    if fields.u("policy") == APP_KEY_POLICY:
        ncp.stack.trust.application_keys = decision == GIVE_APP_KEYS
    if fields.u("policy") == BINDING_POLICY:
        ncp.stack.binds = decision != NO_BINDING_CHANGES
    if fields.u("policy") == TRUST_CENTRE_POLICY:
        ncp.stack.trust.policy = Policy(decision)
    return {"status": EzspStatus.SUCCESS}


@handles("getPolicy")
def get_policy(ncp: Ncp, fields: Fields) -> Reply:
    decision = ncp.policies.get(fields.u("policy"))
    if decision is None:
        return {"status": EzspStatus.ERROR_INVALID_ID}
    return {"status": EzspStatus.SUCCESS, "decision": decision}


@handles("getValue")
def get_value(ncp: Ncp, fields: Fields) -> Reply:
    identifier = fields.u("id")
    if identifier == FREE_BUFFERS:
        value = bytes([max(0, ncp.free_buffers)])
    elif identifier == VERSION_INFO:
        shown = ncp.personality.stack_version
        value = struct.pack("<HBBBBB", 0, shown >> 12 & 15, shown >> 8 & 15, shown >> 4 & 15, shown & 15, 0xAA)
    elif identifier == NWK_COUNTER:
        value = ncp.stack.nwk.counter.to_bytes(4, "little")
    elif identifier == APS_COUNTER:
        value = ncp.stack.aps.counter.to_bytes(4, "little")
    else:
        known = ncp.values.get(identifier)
        if known is None:
            return {"status": EzspStatus.ERROR_INVALID_ID}
        value = known
    return {"status": EzspStatus.SUCCESS, "value": value}


@handles("setValue")
def set_value(ncp: Ncp, fields: Fields) -> Reply:
    identifier, value = fields.u("id"), fields.octets("value")
    if identifier in (NWK_COUNTER, APS_COUNTER):
        if ncp.stack.running or len(value) != 4:
            return {"status": EzspStatus.ERROR_INVALID_CALL if ncp.stack.running else EzspStatus.ERROR_INVALID_VALUE}
        counter = int.from_bytes(value, "little")
        if identifier == NWK_COUNTER:
            ncp.stack.tokens.nwk_counter = counter
        else:
            ncp.stack.tokens.aps_counter = counter
        ncp.stack.tokens.save()
        return {"status": EzspStatus.SUCCESS}
    if identifier in (FREE_BUFFERS, VERSION_INFO) or identifier > LAST_VALUE:
        return {"status": EzspStatus.ERROR_INVALID_ID}
    ncp.values[identifier] = value
    return {"status": EzspStatus.SUCCESS}


@handles("getMfgToken")
def get_mfg_token(ncp: Ncp, fields: Fields) -> Reply:
    burnt = ncp.stack.tokens.data.get(f"mfg:{fields.u('token'):02x}")
    return {"value": MFG_TOKENS.get(fields.u("token"), b"") if burnt is None else burnt}


@handles("setMfgToken")
def set_mfg_token(ncp: Ncp, fields: Fields) -> Reply:
    """A manufacturing token can be burnt while it is erased; calibration, ASH and key establishment cannot (reference ncp-real 6)."""
    token, name = fields.u("token"), f"mfg:{fields.u('token'):02x}"
    value = MFG_TOKENS.get(token)
    if value is None or token in NEVER_BURNT or set(value) != {0xFF} or name in ncp.stack.tokens.data:
        return {"status": Status.INVALID_CALL}
    ncp.stack.tokens.data[name] = fields.octets("value")[: len(value)].ljust(len(value), b"\xff")
    ncp.stack.tokens.save()
    return {"status": Status.SUCCESS}


@handles("getTokenData")
def get_token_data(ncp: Ncp, fields: Fields) -> Reply:
    value = ncp.stack.tokens.data.get(STACK_TOKEN.format(fields.u("token") & 0xFFFF, fields.u("index")))
    if value is None and _restored_eui(fields):
        value = ERASED_EUI
    return {"status": Status.FATAL} if value is None else {"status": Status.SUCCESS, "value": value}


@handles("setTokenData")
def set_token_data(ncp: Ncp, fields: Fields) -> Reply:
    """The restored EUI-64 alone can be written here; it is in force after a reset."""
    if not _restored_eui(fields):
        return {"status": Status.FATAL}
    ncp.stack.tokens.data[RESTORED_EUI] = fields.octets("value")[:8].ljust(8, b"\xff")
    ncp.stack.tokens.save()
    return {"status": Status.SUCCESS}


def _restored_eui(fields: Fields) -> bool:
    return STACK_TOKEN.format(fields.u("token") & 0xFFFF, fields.u("index")) == RESTORED_EUI


@handles("tokenFactoryReset")
def factory_reset(ncp: Ncp, fields: Fields) -> Reply:
    tokens = ncp.stack.tokens
    if not fields.u("keep_counters"):
        tokens.nwk_counter = tokens.aps_counter = 0
    tokens.forget_network()
    return {}


@handles("setManufacturerCode")
def set_manufacturer(ncp: Ncp, fields: Fields) -> Reply:
    ncp.stack.manufacturer = fields.u("code")
    return {"status": Status.SUCCESS}


@handles("setPowerDescriptor", "setConcentrator", "setRadioPower")
def accepted(ncp: Ncp, fields: Fields) -> Reply:
    """Power is not modelled; a concentrator here calls for routes when its host says so, not by a timer."""
    return {"status": Status.SUCCESS}


@handles("setSourceRouteDiscoveryMode")
def source_route_mode(ncp: Ncp, fields: Fields) -> Reply:
    return {"remaining": 0}


@handles("readCounters", "readAndClearCounters")
def counters(ncp: Ncp, fields: Fields) -> Reply:
    known = ncp.stack.nwk.mac.counters
    count = ncp.personality.limits["counters"]
    values = [known.get(name, 0) & 0xFFFF for name in COUNTERS] + [0] * (count - len(COUNTERS))
    if ncp.serving == "readAndClearCounters":
        known.clear()
    return {"values": struct.pack(f"<{count}H", *values)}


@handles("getEui64")
def get_eui64(ncp: Ncp, fields: Fields) -> Reply:
    return {"eui64": ncp.stack.tokens.eui64}


@handles("getNodeId")
def get_node_id(ncp: Ncp, fields: Fields) -> Reply:
    return {"id": ncp.stack.tokens.short if ncp.stack.running else 0xFFFE}
