"""Refusals of an EZSP firmware before a command does anything: one row a condition, by command (reference ncp-real 3, refusals table).

What depends on the content of a table is refused by the handler of the command; its status stands there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hil.radio.air import phy
from hil.radio.ncp.ezsp import Handler, Ncp, NetworkParameters, Reply
from hil.radio.port.dongle_server import Fields
from hil.radio.stack.status import EzspStatus, Status

Condition = Callable[[Ncp, Fields], bool]


@dataclass(frozen=True, slots=True)
class RefusalRow:
    """A condition, the status that the command then answers, and where that is from. From ``since`` to ``until``: EZSP versions."""

    when: Condition
    status: Status | EzspStatus
    source: str
    since: int = 0
    until: int = 99


UNICAST_REPLIES, HOST_REPLIES = 0x02, 0x21
FRAGMENT, OPTIONS = 0x8000, slice(6, 8)
UNICASTS, SOURCE_ROUTES = 0x03, 0x1A
RESERVED_KEYS = (bytes(16), b"\xff" * 16)
DISTRIBUTED, HASHED, HAVE_PRECONFIGURED, HAVE_NETWORK_KEY = 0x0002, 0x0084, 0x0100, 0x0200


def joined(ncp: Ncp, fields: Fields) -> bool:
    """The network is up, or one is being joined."""
    return ncp.stack.running or ncp.stack.busy


def down(ncp: Ncp, fields: Fields) -> bool:
    return not ncp.stack.running


def no_security(ncp: Ncp, fields: Fields) -> bool:
    return not ncp.security_set


def bad_channel(ncp: Ncp, fields: Fields) -> bool:
    return not phy.known(NetworkParameters.decode(fields.octets("parameters")).channel)


def bad_power(ncp: Ncp, fields: Fields) -> bool:
    power = NetworkParameters.decode(fields.octets("parameters")).power
    return (power - 256 if power > 127 else power) > ncp.personality.limits["tx_power_dbm"]


def reserved_security_key(ncp: Ncp, fields: Fields) -> bool:
    mask = fields.u("bitmask")
    wanted = [name for name, bit in (("preconfigured", HAVE_PRECONFIGURED), ("network", HAVE_NETWORK_KEY)) if mask & bit]
    return any(fields.octets(name) in RESERVED_KEYS for name in wanted)


def contradicting_security(ncp: Ncp, fields: Fields) -> bool:
    mask = fields.u("bitmask")
    return bool(mask & DISTRIBUTED) and mask & HASHED == HASHED


def reserved_key(ncp: Ncp, fields: Fields) -> bool:
    return fields.octets("key") in RESERVED_KEYS


def unicasts_full(ncp: Ncp, fields: Fields) -> bool:
    return ncp.in_flight >= ncp.configuration[UNICASTS]


def no_buffer(ncp: Ncp, fields: Fields) -> bool:
    return ncp.free_buffers <= 0


def broadcasts_full(ncp: Ncp, fields: Fields) -> bool:
    return ncp.broadcasts_full()


def reply_not_supplied(ncp: Ncp, fields: Fields) -> bool:
    options = int.from_bytes(fields.octets("aps")[OPTIONS], "little")
    return ncp.policies.get(UNICAST_REPLIES) != HOST_REPLIES and not options & FRAGMENT


def source_routes_full(ncp: Ncp, fields: Fields) -> bool:
    known = ncp.stack.nwk.routes.source
    return fields.u("destination") not in known and len(known) >= ncp.configuration[SOURCE_ROUTES]


def transient_keys_full(ncp: Ncp, fields: Fields) -> bool:
    known = ncp.stack.trust.keys()
    return fields.eui("eui64") not in known and len(known) >= ncp.personality.limits["transient_keys"]


def no_extension(ncp: Ncp, fields: Fields) -> bool:
    """No firmware here has an application that hosts can extend (XNCP)."""
    return True


_UG100, _RECALLED = "command-prototypes.h, UG100 text; read", "recalled"
_SENDING = (
    RefusalRow(down, Status.NETWORK_DOWN, _UG100),
    RefusalRow(no_buffer, Status.NO_BUFFERS, _UG100),
)
_FORMING = (
    RefusalRow(joined, Status.INVALID_CALL, _RECALLED),
    RefusalRow(no_security, Status.SECURITY_STATE_NOT_SET, "ember enums text; read"),
    RefusalRow(bad_channel, Status.PHY_INVALID_CHANNEL, _RECALLED),
    RefusalRow(bad_power, Status.PHY_INVALID_POWER, _RECALLED),
)
_BROADCASTING = (*_SENDING, RefusalRow(broadcasts_full, Status.NETWORK_BUSY, f"{_UG100}; bellows#743"))

REFUSALS: Mapping[str, tuple[RefusalRow, ...]] = {
    "addEndpoint": (RefusalRow(joined, EzspStatus.ERROR_INVALID_CALL, _UG100),),
    "setConfigurationValue": (RefusalRow(joined, EzspStatus.ERROR_INVALID_CALL, f"{_UG100}; ezsp.ts"),),
    "setInitialSecurityState": (
        RefusalRow(joined, Status.INVALID_CALL, "security.h; read"),
        RefusalRow(contradicting_security, Status.SECURITY_CONFIGURATION_INVALID, "security.h; which bits contradict is inferred"),
        RefusalRow(reserved_security_key, Status.KEY_INVALID, "security.h; read"),
    ),
    "getCurrentSecurityState": (RefusalRow(down, Status.NOT_JOINED, _UG100),),
    "formNetwork": _FORMING,
    "joinNetwork": _FORMING[:2],
    "leaveNetwork": (RefusalRow(down, Status.INVALID_CALL, _UG100),),
    "permitJoining": (RefusalRow(down, Status.INVALID_CALL, _RECALLED),),
    "clearKeyTable": (RefusalRow(joined, Status.INVALID_CALL, "security.h; read"),),
    "setKeyTableEntry": (RefusalRow(reserved_key, Status.KEY_INVALID, _UG100),),
    "importTransientKey": (RefusalRow(transient_keys_full, Status.NO_BUFFERS, _RECALLED),),
    "addTransientLinkKey": (RefusalRow(transient_keys_full, Status.NO_BUFFERS, _RECALLED),),
    "sendUnicast": (*_SENDING, RefusalRow(unicasts_full, Status.MAX_MESSAGE_LIMIT_REACHED, f"{_UG100}; emberAdapter.ts")),
    "sendBroadcast": _BROADCASTING,
    "sendMulticast": _BROADCASTING,
    "proxyBroadcast": _BROADCASTING,
    "sendMulticastWithAlias": _BROADCASTING,
    "sendReply": (*_SENDING, RefusalRow(reply_not_supplied, Status.INVALID_CALL, _UG100)),
    "sendManyToOneRouteRequest": (RefusalRow(down, Status.FATAL, _UG100),),
    "setSourceRoute": (RefusalRow(source_routes_full, Status.NO_BUFFERS, _UG100),),
    "getXncpInfo": (RefusalRow(no_extension, Status.INVALID_CALL, _UG100),),
}
"""Command -> what it refuses, in the order in which it is looked at."""

_NO_ROOM = (Status.NO_BUFFERS, Status.MAX_MESSAGE_LIMIT_REACHED, Status.NETWORK_BUSY)
CROWDED: Mapping[str, tuple[Status | EzspStatus, ...]] = {
    command: tuple(one.status for one in rows if one.status in _NO_ROOM) for command, rows in REFUSALS.items()
}
"""Command -> the statuses of its refusals for want of room, which a fault of a dongle gives without reason."""


def refused(ncp: Ncp, command: str, fields: Fields) -> Status | EzspStatus | None:
    """The status that ``command`` answers without having done anything; None where nothing speaks against it."""
    for one in REFUSALS.get(command, ()):
        if one.since <= ncp.version <= one.until and one.when(ncp, fields):
            return one.status
    return ncp.crowd.status(command, CROWDED.get(command, ())) if ncp.crowd.busy else None


def guarded(name: str, handler: Handler) -> Handler:
    """``handler``, behind what the command refuses before it does anything."""
    if name not in REFUSALS:
        return handler

    def checked(ncp: Ncp, fields: Fields) -> Reply:
        status = refused(ncp, name, fields)
        return handler(ncp, fields) if status is None else {"status": status}

    return checked
