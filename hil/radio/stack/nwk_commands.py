"""NWK commands as a node receives them: leave, rejoin, routes, end device timeouts (ZigBee PRO r21 3.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hil.radio.air.air import Link
from hil.radio.air.frames import MacPdu, NwkCommand, NwkPdu, Reader

if TYPE_CHECKING:
    from hil.radio.stack.nwk import Nwk

LEAVE_REJOIN, LEAVE_REQUEST = 0x20, 0x40
"""Options of a leave command: come back at once; it is a request to leave."""


def received(nwk: Nwk, npdu: NwkPdu, frame: MacPdu, link: Link) -> None:
    """One command, out of ``frame``. Raises DecodeError."""
    read = Reader(npdu.payload)
    command = read.uint(1, "NWK command")
    device = npdu.source_eui or nwk.addresses.get(npdu.source)
    if command == NwkCommand.LEAVE:
        options = read.uint(1, "leave options")
        if options & LEAVE_REQUEST:
            if npdu.source in (0, nwk.tokens.parent_short):
                nwk.user.told_to_leave(bool(options & LEAVE_REJOIN))
        elif device is not None:
            nwk.user.device_left(device, npdu.source)
            if not options & LEAVE_REJOIN:
                nwk.children.forget(device)
    elif command == NwkCommand.REJOIN_REQUEST and device is not None and nwk.routes_for_others:
        if npdu.secured or npdu.source_eui is not None:
            nwk.children.rejoin(device, npdu.source, read.uint(1, "capability"), secured=npdu.secured)
    elif command == NwkCommand.ROUTE_RECORD and device is not None:
        nwk.user.route_recorded(npdu.source, device, nwk.routes.recorded(npdu), link)
    elif command == NwkCommand.ROUTE_REPLY and isinstance(frame.source, int):
        nwk.routes.reply(npdu, frame.source)
    elif command == NwkCommand.REJOIN_RESPONSE:
        nwk.user.associated(read.uint(2, "short address"), read.uint(1, "rejoin status"))
    elif command == NwkCommand.END_DEVICE_TIMEOUT_REQUEST and device in nwk.tokens.children:
        nwk.children.grant_timeout(device, npdu.source, read.uint(1, "timeout enumeration"))
