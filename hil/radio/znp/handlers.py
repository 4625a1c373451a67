"""Functions of the MT commands of a virtual ZNP: :data:`HANDLERS` by name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from firmware_emu.crypto.aes_mmo import aes_mmo
from firmware_emu.han.base import SimpleDescriptor
from firmware_emu.ids import Eui64
from hil.radio.air import phy
from hil.radio.air.frames import BROADCAST, DeliveryMode
from hil.radio.port.dongle_server import Fields
from hil.radio.stack import zdo
from hil.radio.stack.status import Status
from hil.radio.stack.tokens import Child
from hil.radio.stack.trust import Policy
from hil.radio.znp.firmware import (
    COORDINATOR_STARTED,
    FAILURE,
    FORMATION,
    IDLE,
    INVALID_PARAMETER,
    MODE_BROADCAST,
    MODE_EUI,
    MODE_GROUP,
    NO_ROOM,
    SUCCESS,
    Handler,
    Reply,
    Znp,
)
from hil.radio.znp.nvram import CLEAR_CONFIG, CLEAR_STATE, EXTADDR, OSAL, STARTUP_OPTION

HANDLERS: dict[str, Handler] = {}


def handles(*names: str) -> Callable[[Handler], Handler]:
    """Put a function into :data:`HANDLERS` for the commands ``names``."""

    def register(function: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(names, function))
        return function

    return register


NVINTF_BAD_PARAMETER, NVINTF_BAD_LENGTH, NVINTF_BAD_OFFSET, NVINTF_NOT_FOUND, NVINTF_EXISTS = 4, 5, 6, 10, 13
REFUSED_ITEMS = frozenset({0x69, 0x6A, 0x6B})
"""Key establishment's: never shown (reference ncp-real 10)."""
UNINITIALISED, FAILED, WRONG_LENGTH, NO_KEY = 0x09, 0x0A, 0x0C, 0xA1
READ_AT_ONCE = 248
INSTALL_CODE, DERIVED_KEY = 1, 2
NO_DEVICE, DEVICE_OCTETS = b"\xff\xff", 36
_NO_RELATION = 0xFF
NOT_RUNNING = 0xC2
"""ZNwkInvalidRequest."""


# -- SYS


@handles("SYS_RESET_REQ")
def reset(znp: Znp, fields: Fields) -> Reply:
    if znp.nvram.number(STARTUP_OPTION) & (CLEAR_CONFIG | CLEAR_STATE):
        znp.stack.power_off()
        znp.stack.tokens.forget_network()
        znp.nvram.clear()
    asyncio.get_running_loop().call_soon(znp.restart)
    return {}


@handles("SYS_PING")
def ping(znp: Znp, fields: Fields) -> Reply:
    return {"capabilities": znp.personality.traits["capabilities"]}


@handles("SYS_VERSION")
def version(znp: Znp, fields: Fields) -> Reply:
    return znp.release()


@handles("SYS_GET_EXTADDR")
def address(znp: Znp, fields: Fields) -> Reply:
    return {"eui64": znp.stack.tokens.eui64}


@handles("SYS_RANDOM")
def draw(znp: Znp, fields: Fields) -> Reply:
    znp.stamp += 1
    return {"value": znp.stack.air.random(f"{znp.stack.tokens.eui64} random {znp.stamp}").randrange(1 << 16)}


@handles("SYS_STACK_TUNE")
def tune(znp: Znp, fields: Fields) -> Reply:
    """Operation 0 is the transmit power; the others change nothing here."""
    if not fields.u("operation"):
        znp.stack.tokens.power = fields.u("value")
    return {"value": fields.u("value")}


@handles("SYS_SET_TX_POWER")
def power(znp: Znp, fields: Fields) -> Reply:
    znp.stack.tokens.power = fields.u("power")
    return {"status": SUCCESS}


def _fresh_items(znp: Znp) -> None:
    if znp.stack.running:
        znp.nvram.write_network()


def _length(znp: Znp, item: int, sub: int) -> int:
    _fresh_items(znp)
    return len(znp.nvram.get(item, sub) or b"")


def _create(znp: Znp, item: int, sub: int, value: bytes) -> bool:
    """True if it was not there yet; one that is there is left as it is."""
    if znp.nvram.get(item, sub) is not None:
        return False
    znp.nvram.put(item, sub, value)
    znp.stack.tokens.save()
    return True


def _read(znp: Znp, item: int, sub: int, offset: int, count: int, absent: int, past: int) -> Reply:
    _fresh_items(znp)
    value = None if item == OSAL and sub in REFUSED_ITEMS else znp.nvram.get(item, sub)
    if value is None or offset > len(value):
        return {"status": absent if value is None else past}
    return {"status": SUCCESS, "value": value[offset : offset + min(count, READ_AT_ONCE)]}


def _write(znp: Znp, item: int, sub: int, offset: int, piece: bytes, absent: int, past: int) -> int:
    value = None if item == OSAL and sub in REFUSED_ITEMS else znp.nvram.get(item, sub)
    if value is None:
        return absent
    if offset + len(piece) > len(value):
        return past
    changed = value[:offset] + piece + value[offset + len(piece) :]
    if item == OSAL and sub == EXTADDR:
        _new_address(znp, Eui64.from_zigbee(changed))
        return SUCCESS
    znp.nvram.put_by_host(item, sub, changed)
    return SUCCESS


def _new_address(znp: Znp, eui64: Eui64) -> None:
    """The MAC layer has it at once, the stack after a reset (reference ncp-real 10)."""
    znp.stack.tokens.eui64 = znp.stack.nwk.mac.eui64 = eui64
    znp.stack.tokens.save()


@handles("SYS_OSAL_NV_LENGTH")
def osal_length(znp: Znp, fields: Fields) -> Reply:
    return {"length": _length(znp, OSAL, fields.u("id"))}


@handles("SYS_OSAL_NV_ITEM_INIT")
def osal_create(znp: Znp, fields: Fields) -> Reply:
    length = fields.u("length")
    made = _create(znp, OSAL, fields.u("id"), fields.octets("value").ljust(length, b"\xff")[:length])
    return {"status": UNINITIALISED if made else SUCCESS}


@handles("SYS_OSAL_NV_DELETE")
def osal_delete(znp: Znp, fields: Fields) -> Reply:
    known = _length(znp, OSAL, fields.u("id"))
    if known and known != fields.u("length"):
        return {"status": WRONG_LENGTH}
    return {"status": SUCCESS if znp.nvram.delete(OSAL, fields.u("id")) else UNINITIALISED}


@handles("SYS_OSAL_NV_READ", "SYS_OSAL_NV_READ_EXT")
def osal_read(znp: Znp, fields: Fields) -> Reply:
    return _read(znp, OSAL, fields.u("id"), fields.u("offset"), READ_AT_ONCE, INVALID_PARAMETER, INVALID_PARAMETER)


@handles("SYS_OSAL_NV_WRITE", "SYS_OSAL_NV_WRITE_EXT")
def osal_write(znp: Znp, fields: Fields) -> Reply:
    return {"status": _write(znp, OSAL, fields.u("id"), fields.u("offset"), fields.octets("value"), FAILED, INVALID_PARAMETER)}


@handles("SYS_NV_LENGTH")
def length(znp: Znp, fields: Fields) -> Reply:
    return {"length": _length(znp, fields.u("item"), fields.u("sub"))}


@handles("SYS_NV_CREATE")
def create(znp: Znp, fields: Fields) -> Reply:
    if not fields.u("length"):
        return {"status": NVINTF_BAD_LENGTH}
    made = _create(znp, fields.u("item"), fields.u("sub"), b"\xff" * fields.u("length"))
    return {"status": SUCCESS if made else NVINTF_EXISTS}


@handles("SYS_NV_DELETE")
def delete(znp: Znp, fields: Fields) -> Reply:
    return {"status": SUCCESS if znp.nvram.delete(fields.u("item"), fields.u("sub")) else NVINTF_NOT_FOUND}


@handles("SYS_NV_READ")
def read(znp: Znp, fields: Fields) -> Reply:
    item, sub = fields.u("item"), fields.u("sub")
    return _read(znp, item, sub, fields.u("offset"), fields.u("length"), NVINTF_NOT_FOUND, NVINTF_BAD_OFFSET)


@handles("SYS_NV_WRITE")
def write(znp: Znp, fields: Fields) -> Reply:
    item, sub, offset = fields.u("item"), fields.u("sub"), fields.u("offset")
    if offset:  # the newer driver writes whole items
        return {"status": NVINTF_BAD_PARAMETER}
    return {"status": _write(znp, item, sub, 0, fields.octets("value"), NVINTF_NOT_FOUND, NVINTF_BAD_LENGTH)}


# -- AF


@handles("AF_REGISTER")
def register(znp: Znp, fields: Fields) -> Reply:
    endpoint = fields.u("endpoint")
    if (not 1 <= endpoint <= 240 and endpoint != 242) or endpoint in znp.stack.endpoints:
        return {"status": INVALID_PARAMETER}
    znp.stack.endpoints[endpoint] = SimpleDescriptor(
        endpoint, fields.u("device"), fields.numbers("servers"), fields.numbers("clients"), fields.u("profile")
    )
    return {"status": SUCCESS}


@handles("AF_DELETE")
def unregister(znp: Znp, fields: Fields) -> Reply:
    return {"status": SUCCESS if znp.stack.endpoints.pop(fields.u("endpoint"), None) is not None else INVALID_PARAMETER}


@handles("AF_DATA_REQUEST", "AF_DATA_REQUEST_SRCRTG")
def send(znp: Znp, fields: Fields) -> Reply:
    if not znp.stack.running:
        return {"status": NOT_RUNNING}
    if (crowded := znp.crowd.status("AF_DATA_REQUEST", NO_ROOM)) is not None:
        return {"status": crowded}
    destination = fields.u("destination")
    znp.transmit(destination, DeliveryMode.BROADCAST if destination >= 0xFFF8 else DeliveryMode.UNICAST, fields, fields.octets("data"))
    return {"status": SUCCESS}


@handles("AF_DATA_REQUEST_EXT")
def send_extended(znp: Znp, fields: Fields) -> Reply:
    if not znp.stack.running:
        return {"status": NOT_RUNNING}
    if fields.u("pan"):
        return {"status": INVALID_PARAMETER}
    data = fields.octets("data")
    if len(data) == fields.u("length"):
        return {"status": _send(znp, fields, data)}
    if data:
        return {"status": INVALID_PARAMETER}
    znp.storing, znp.stored = fields, bytes(fields.u("length"))
    return {"status": SUCCESS}


def _send(znp: Znp, fields: Fields, data: bytes) -> int:
    mode, octets = fields.octets("address")[0], fields.octets("address")[1:]
    destination: int | None = int.from_bytes(octets[:2], "little")
    if mode == MODE_EUI:
        destination = znp.stack.nwk.shorts.get(Eui64.from_zigbee(octets))
    if destination is None:
        return 0xC8
    if (crowded := znp.crowd.status("AF_DATA_REQUEST", NO_ROOM)) is not None:
        return crowded
    delivery = DeliveryMode.BROADCAST if mode == MODE_BROADCAST or destination >= 0xFFF8 else DeliveryMode.UNICAST
    znp.transmit(destination, DeliveryMode.GROUP if mode == MODE_GROUP else delivery, fields, data)
    return SUCCESS


@handles("AF_DATA_STORE")
def store(znp: Znp, fields: Fields) -> Reply:
    """A piece of a message too long for its request; an empty one sends it."""
    if znp.storing is None:
        return {"status": FAILURE}
    piece, at = fields.octets("data"), fields.u("index")
    if piece:
        if at + len(piece) > len(znp.stored):
            return {"status": INVALID_PARAMETER}
        znp.stored = znp.stored[:at] + piece + znp.stored[at + len(piece) :]
        return {"status": SUCCESS}
    request, znp.storing = znp.storing, None
    return {"status": _send(znp, request, znp.stored)}


@handles("AF_DATA_RETRIEVE")
def retrieve(znp: Znp, fields: Fields) -> Reply:
    """A piece of a message too long for its indication; length 0 frees it."""
    stamp = fields.u("stamp")
    if stamp not in znp.kept:
        return {"status": FAILURE}
    if not fields.u("length"):
        del znp.kept[stamp]
        return {"status": SUCCESS}
    return {"status": SUCCESS, "data": znp.kept[stamp][fields.u("index") : fields.u("index") + fields.u("length")]}


# -- ZDO


@handles("ZDO_MSG_CB_REGISTER")
def zdo_to_host(znp: Znp, fields: Fields) -> Reply:
    znp.zdo_to_host = True
    return {"status": SUCCESS}


ZDO_REQUESTS = {
    "ZDO_NODE_DESC_REQ": zdo.NODE_DESC,
    "ZDO_POWER_DESC_REQ": zdo.POWER_DESC,
    "ZDO_SIMPLE_DESC_REQ": zdo.SIMPLE_DESC,
    "ZDO_ACTIVE_EP_REQ": zdo.ACTIVE_EP,
    "ZDO_MATCH_DESC_REQ": zdo.MATCH_DESC,
    "ZDO_MGMT_LQI_REQ": zdo.MGMT_LQI,
    "ZDO_MGMT_RTG_REQ": zdo.MGMT_RTG,
    "ZDO_MGMT_BIND_REQ": zdo.MGMT_BIND,
}
"""MT commands that carry a ZDO request as it goes over the air, behind its sequence number."""


def _ask(znp: Znp, destination: int, cluster: int, request: bytes) -> Reply:
    if not znp.stack.running:
        return {"status": NOT_RUNNING}
    znp.stack.send_zdo(destination, cluster, bytes([znp.stack.aps.next_sequence()]) + request)
    return {"status": SUCCESS}


@handles(*ZDO_REQUESTS)
def zdo_request(znp: Znp, fields: Fields) -> Reply:
    return _ask(znp, fields.u("destination"), ZDO_REQUESTS[znp.serving], fields.octets("request"))


@handles("ZDO_NWK_ADDR_REQ")
def network_address(znp: Znp, fields: Fields) -> Reply:
    return _ask(znp, 0xFFFD, zdo.NWK_ADDR, fields.eui("eui64").zigbee + bytes([fields.u("kind"), fields.u("start")]))


@handles("ZDO_IEEE_ADDR_REQ")
def eui64_address(znp: Znp, fields: Fields) -> Reply:
    short = fields.u("id")
    return _ask(znp, short, zdo.IEEE_ADDR, short.to_bytes(2, "little") + bytes([fields.u("kind"), fields.u("start")]))


@handles("ZDO_BIND_REQ", "ZDO_UNBIND_REQ")
def binding(znp: Znp, fields: Fields) -> Reply:
    target = fields.eui("target").zigbee + bytes([fields.u("to")]) if fields.u("mode") == MODE_EUI else fields.eui("target").zigbee[:2]
    head = fields.eui("source").zigbee + bytes([fields.u("from")]) + fields.u("cluster").to_bytes(2, "little")
    cluster = zdo.BIND if znp.serving == "ZDO_BIND_REQ" else zdo.UNBIND
    return _ask(znp, fields.u("destination"), cluster, head + bytes([fields.u("mode")]) + target)


@handles("ZDO_MGMT_PERMIT_JOIN_REQ")
def permit(znp: Znp, fields: Fields) -> Reply:
    if not znp.stack.running:
        return {"status": NOT_RUNNING}
    destination, duration = fields.u("destination"), fields.u("duration")
    payload = bytes([znp.stack.aps.next_sequence(), duration, fields.u("significance")])
    if destination in (znp.stack.tokens.short, BROADCAST, 0xFFFC, 0xFFFD):
        znp.stack.permit(duration)
        znp.later("ZDO_MGMT_PERMIT_JOIN_RSP", {"source": znp.stack.tokens.short, "status": SUCCESS})
    if destination != znp.stack.tokens.short:
        znp.stack.send_zdo(destination, zdo.MGMT_PERMIT_JOINING, payload)
    return {"status": SUCCESS}


@handles("ZDO_MGMT_LEAVE_REQ")
def leave(znp: Znp, fields: Fields) -> Reply:
    if not znp.stack.running:
        return {"status": NOT_RUNNING}
    return {"status": SUCCESS if znp.stack.remove(fields.eui("eui64"), fields.u("destination")) is Status.SUCCESS else FAILURE}


@handles("ZDO_STARTUP_FROM_APP")
def start_up(znp: Znp, fields: Fields) -> Reply:
    """Z-Stack 3 begins to form a network and always says 0 (reference ncp-real 11)."""
    if not znp.stack.running:
        znp.start()
    return {"status": SUCCESS}


@handles("ZDO_EXT_FIND_GROUP")
def find_group(znp: Znp, fields: Fields) -> Reply:
    known = (fields.u("endpoint"), fields.u("group")) in znp.groups
    return {"status": SUCCESS if known else FAILURE, "group": fields.u("group")}


@handles("ZDO_EXT_ADD_GROUP")
def add_group(znp: Znp, fields: Fields) -> Reply:
    """Kept until a reset; messages to a group are handed up whether it is known or not."""
    znp.groups.add((fields.u("endpoint"), fields.u("group")))
    return {"status": SUCCESS}


@handles("ZDO_EXT_ROUTE_CHK", "ZDO_EXT_ROUTE_DISC")
def route(znp: Znp, fields: Fields) -> Reply:
    """The stack looks for a route when a frame needs one."""
    return {"status": SUCCESS}


@handles("ZDO_MGMT_NWK_UPDATE_REQ")
def network_update(znp: Znp, fields: Fields) -> Reply:
    """An energy scan (duration 0 to 5) here or elsewhere, or another channel (0xFE) for all."""
    stack, duration = znp.stack, fields.u("duration")
    if not stack.running:
        return {"status": NOT_RUNNING}
    if not phy.in_mask(fields.u("channels")) or zdo.LONGEST_SCAN < duration < zdo.CHANGE_CHANNEL:
        return {"status": INVALID_PARAMETER}
    destination = BROADCAST if duration == zdo.CHANGE_CHANNEL else fields.u("destination")
    update_id = stack.tokens.update_id + 1 & 0xFF
    tail = bytes([update_id]) if duration == zdo.CHANGE_CHANNEL else bytes([fields.u("count")])
    payload = bytes([stack.aps.next_sequence()]) + fields.u("channels").to_bytes(4, "little") + bytes([duration]) + tail
    stack.send_zdo(destination, zdo.MGMT_NWK_UPDATE, payload)
    return {"status": SUCCESS}


@handles("ZDO_SET_LINK_KEY")
def set_link_key(znp: Znp, fields: Fields) -> Reply:
    table, partner = znp.stack.tokens.link_keys, fields.eui("eui64")
    index = next((one for one, (device, _) in table.items() if device == partner), None)
    if index is None:
        index = next(one for one in range(len(table) + 1) if one not in table)
    znp.stack.import_link_key(index, partner, fields.octets("key"))
    if fields.u("id") < 0xFFF8:
        znp.stack.nwk.learn(fields.u("id"), partner)
    return {"status": SUCCESS}


@handles("ZDO_GET_LINK_KEY")
def get_link_key(znp: Znp, fields: Fields) -> Reply:
    for partner, key in znp.stack.tokens.link_keys.values():
        if partner == fields.eui("eui64"):
            return {"status": SUCCESS, "eui64": partner, "key": key}
    return {"status": NO_KEY, "eui64": fields.eui("eui64")}


@handles("ZDO_REMOVE_LINK_KEY")
def remove_link_key(znp: Znp, fields: Fields) -> Reply:
    table = znp.stack.tokens.link_keys
    for index in [one for one, (device, _) in table.items() if device == fields.eui("eui64")]:
        del table[index]
        znp.stack.tokens.save()
        return {"status": SUCCESS}
    return {"status": NO_KEY}


@handles("ZDO_EXT_UPDATE_NWK_KEY")
def update_key(znp: Znp, fields: Fields) -> Reply:
    return {"status": SUCCESS if znp.stack.trust.broadcast_next_key(fields.octets("key")) is Status.SUCCESS else FAILURE}


@handles("ZDO_EXT_SWITCH_NWK_KEY")
def switch_key(znp: Znp, fields: Fields) -> Reply:
    return {"status": SUCCESS if znp.stack.trust.broadcast_switch() is Status.SUCCESS else FAILURE}


@handles("ZDO_EXT_NWK_INFO")
def network(znp: Znp, fields: Fields) -> Reply:
    tokens = znp.stack.tokens
    return {
        "id": tokens.short,
        "state": COORDINATOR_STARTED if znp.stack.running else IDLE,
        "pan": tokens.pan,
        "parent": tokens.parent_short,
        "extended_pan": tokens.extended_pan,
        "channel": tokens.channel,
    }


# -- UTIL


@handles("UTIL_GET_DEVICE_INFO")
def device_info(znp: Znp, fields: Fields) -> Reply:
    tokens = znp.stack.tokens
    state = COORDINATOR_STARTED if znp.stack.running else IDLE
    associated = tuple(child.short for child in tokens.children.values() if child.authenticated)
    return {"eui64": tokens.eui64, "id": tokens.short, "type": 7, "state": state, "associated": associated}


@handles("UTIL_LED_CONTROL")
def led(znp: Znp, fields: Fields) -> Reply:
    """A dongle without a light takes the command."""
    return {"status": SUCCESS}


@handles("UTIL_ASSOC_FIND_DEVICE", "UTIL_ASSOC_GET_WITH_ADDRESS")
def associated(znp: Znp, fields: Fields) -> Reply:
    """An empty entry of the associated device list, in the size that tells a host how this processor aligns."""
    return {"device": (NO_DEVICE + b"\xff\xff" + bytes([_NO_RELATION])).ljust(DEVICE_OCTETS, b"\x00")}


@handles("UTIL_ASSOC_REMOVE")
def remove_association(znp: Znp, fields: Fields) -> Reply:
    known = fields.eui("eui64") in znp.stack.tokens.children
    znp.stack.nwk.children.forget(fields.eui("eui64"))
    return {"status": SUCCESS if known else FAILURE}


@handles("UTIL_ASSOC_ADD")
def add_association(znp: Znp, fields: Fields) -> Reply:
    """Hosts put back what they took out: a sleepy child."""
    device = fields.eui("eui64")
    znp.stack.tokens.children.setdefault(device, Child(fields.u("id"), 0x80, authenticated=True))
    znp.stack.nwk.learn(fields.u("id"), device)
    return {"status": SUCCESS}


# -- APP_CNF


@handles("APP_CNF_BDB_ADD_INSTALLCODE")
def install_code(znp: Znp, fields: Fields) -> Reply:
    code = fields.octets("code")
    if fields.u("format") == DERIVED_KEY and len(code) == 16:
        key = code
    elif fields.u("format") == INSTALL_CODE and len(code) == 18:
        key = aes_mmo(code)
    else:
        return {"status": INVALID_PARAMETER}
    znp.stack.trust.permit_key(fields.eui("eui64"), key)
    return {"status": SUCCESS}


@handles("APP_CNF_BDB_SET_JOINUSESINSTALLCODEKEY")
def join_by_install_code(znp: Znp, fields: Fields) -> Reply:
    policy = znp.stack.trust.policy
    wanted = Policy.JOINS_USE_INSTALL_CODE_KEY
    znp.stack.trust.policy = policy | wanted if fields.u("on") else policy & ~wanted
    return {"status": SUCCESS}


@handles("APP_CNF_BDB_SET_CHANNEL")
def channels(znp: Znp, fields: Fields) -> Reply:
    if fields.u("primary"):
        znp.channels = fields.u("channels")
    return {"status": SUCCESS}


@handles("APP_CNF_BDB_START_COMMISSIONING")
def commission(znp: Znp, fields: Fields) -> Reply:
    if fields.u("mode") != FORMATION or znp.stack.running:
        return {"status": FAILURE}
    znp.start()
    return {"status": SUCCESS}
