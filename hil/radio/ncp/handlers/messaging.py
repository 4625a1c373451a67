"""Sending: unicast, broadcast, multicast, reply (reference ezsp-ncp 3)."""

from __future__ import annotations

from dataclasses import replace

from firmware_emu.errors import DecodeError
from hil.radio.air.frames import MAX_MPDU, ApsKind, ApsPdu, DeliveryMode, FragmentHeader, MacPdu
from hil.radio.ncp.ezsp import ENCRYPTION, FRAGMENT, RETRY, ApsHead, Handler, Ncp, Reply
from hil.radio.ncp.handlers.registry import register_in
from hil.radio.port.dongle_server import Fields
from hil.radio.stack.aps import Aps
from hil.radio.stack.status import Status

HANDLERS: dict[str, Handler] = {}
handles = register_in(HANDLERS)

DIRECT, VIA_ADDRESS_TABLE, MULTICAST, BROADCAST = 0, 1, 3, 6
CONTENTS_POLICY, TAG_AND_CONTENTS = 0x04, 0x41


def _block(head: ApsHead) -> FragmentHeader | None:
    if not head.options & FRAGMENT:
        return None
    index = head.group & 0xFF
    return FragmentHeader(index == 0, index or head.group >> 8)


def _pdu(head: ApsHead, message: bytes, delivery: DeliveryMode) -> ApsPdu:
    return ApsPdu(
        ApsKind.DATA,
        head.sequence,
        delivery,
        bool(head.options & ENCRYPTION) and delivery is DeliveryMode.UNICAST,
        bool(head.options & (RETRY | FRAGMENT)) and delivery is DeliveryMode.UNICAST,
        head.destination_endpoint,
        head.group,
        head.cluster,
        head.profile,
        head.source_endpoint,
        _block(head),
        payload=message,
    )


def send_head(
    ncp: Ncp,
    kind: int,
    destination: int,
    shown: int,
    head: ApsHead,
    fields: Fields,
    delivery: DeliveryMode,
    radius: int,
) -> Reply:
    """One message under the APS header of a command."""
    stack = ncp.stack
    block = _block(head)
    if block is None or block.first:
        head = replace(head, sequence=stack.aps.next_sequence())
    message = fields.octets("message")
    tag = fields.u("tag")
    contents = message if ncp.policies.get(CONTENTS_POLICY) == TAG_AND_CONTENTS else b""

    counted = kind in (DIRECT, VIA_ADDRESS_TABLE)
    life = ncp.life

    def sent(status: Status) -> None:
        if counted and life == ncp.life:
            ncp.in_flight -= 1
        ncp.callback(
            "messageSentHandler",
            {
                "type": kind,
                "destination": shown,
                "aps": head.encode(),
                "tag": tag,
                "status": status,
                "message": contents,
            },
        )

    status = stack.aps.send(destination, _pdu(head, message, delivery), sent, radius)
    if status is Status.SUCCESS and counted:
        ncp.in_flight += 1
    elif status is Status.SUCCESS:
        ncp.broadcast_sent()
    return {"status": status, "sequence": head.sequence}


@handles("sendUnicast")
def send_unicast(ncp: Ncp, fields: Fields) -> Reply:
    kind, wanted = fields.u("type"), fields.u("destination")
    destination = wanted
    if kind == VIA_ADDRESS_TABLE:
        entry = ncp.address_table.get(wanted)
        if entry is None:
            return {"status": Status.INDEX_OUT_OF_RANGE}
        destination = ncp.stack.nwk.shorts.get(entry[0], entry[1])
    elif kind != DIRECT:
        return {"status": Status.BAD_ARGUMENT}
    return send_head(ncp, kind, destination, wanted, ApsHead.decode(fields.octets("aps")), fields, DeliveryMode.UNICAST, 0)


@handles("sendBroadcast")
def send_broadcast(ncp: Ncp, fields: Fields) -> Reply:
    destination = fields.u("destination")
    if destination < 0xFFF8:
        return {"status": Status.BAD_ARGUMENT}
    head = ApsHead.decode(fields.octets("aps"))
    return send_head(ncp, BROADCAST, destination, destination, head, fields, DeliveryMode.BROADCAST, fields.u("radius"))


@handles("sendMulticast")
def send_multicast(ncp: Ncp, fields: Fields) -> Reply:
    head = ApsHead.decode(fields.octets("aps"))
    return send_head(ncp, MULTICAST, 0xFFFD, head.group, head, fields, DeliveryMode.GROUP, fields.u("hops"))


@handles("sendReply")
def send_reply(ncp: Ncp, fields: Fields) -> Reply:
    """With the fragment option: the APS acknowledgement of one piece; else a message back to the sender."""
    head = ApsHead.decode(fields.octets("aps"))
    sender = fields.u("sender")
    if head.options & FRAGMENT:
        index = head.group & 0xFF
        piece = ApsPdu(
            ApsKind.DATA,
            head.sequence,
            secured=bool(head.options & ENCRYPTION),
            destination_endpoint=head.source_endpoint,
            cluster=head.cluster,
            profile=head.profile,
            source_endpoint=head.destination_endpoint,
            block=FragmentHeader(index == 0, index),
        )
        ncp.stack.aps.acknowledge(sender, piece)
        return {"status": Status.SUCCESS}
    head = replace(head, sequence=ncp.stack.aps.next_sequence())
    return {"status": ncp.stack.aps.send(sender, _pdu(head, fields.octets("message"), DeliveryMode.UNICAST), lambda _: None)}


@handles("sendRawMessage", "sendRawMessageExtended")
def send_raw(ncp: Ncp, fields: Fields) -> Reply:
    """A MAC frame as it stands, without FCS; what became of it is told by rawTransmitCompleteHandler."""
    octets, mac = fields.octets("message"), ncp.stack.nwk.mac
    if mac.channel is None:
        return {"status": Status.NETWORK_DOWN}
    if len(octets) > MAX_MPDU:
        return {"status": Status.MESSAGE_TOO_LONG}
    try:
        frame = MacPdu.decode(octets)
    except DecodeError:
        return {"status": Status.BAD_ARGUMENT}

    def sent(ok: bool) -> None:
        ncp.callback("rawTransmitCompleteHandler", {"status": Status.SUCCESS if ok else Status.MAC_NO_ACK_RECEIVED, "message": octets})

    mac.send_raw(frame, sent)
    return {"status": Status.SUCCESS}


@handles("maximumPayloadLength")
def maximum_payload(ncp: Ncp, fields: Fields) -> Reply:
    return {"length": Aps.capacity(False, False)}
