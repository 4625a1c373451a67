"""The manufacturing library: sniffing the air, and sending as it stands (reference ncp-real 6).

Not modelled: tone and stream make no energy on the air.
"""

from __future__ import annotations

from firmware_emu.errors import DecodeError
from hil.radio.air import phy
from hil.radio.air.air import MacFrame
from hil.radio.air.frames import MacPdu
from hil.radio.ncp.ezsp import Handler, Ncp, Reply
from hil.radio.ncp.handlers.registry import register_in
from hil.radio.port.dongle_server import Fields
from hil.radio.stack.status import Status

HANDLERS: dict[str, Handler] = {}
handles = register_in(HANDLERS)

FIRST_CHANNEL = 11
FCS = bytes(2)
"""Hosts take two octets off the end (reference validators 2); the radio has checked them."""


@handles("mfglibStart")
def start(ncp: Ncp, fields: Fields) -> Reply:
    """The network has to be down; ``callback``: each frame on the channel is told."""
    if ncp.stack.running or ncp.stack.busy or ncp.sniffing is not None:
        return {"status": Status.FATAL}
    ncp.sniffed_channel = FIRST_CHANNEL
    wanted = bool(fields.u("callback"))

    def heard(frame: MacFrame) -> None:
        if wanted and frame.channel == ncp.sniffed_channel:
            ncp.callback("mfglibRxHandler", {"lqi": frame.lqi, "rssi": frame.rssi, "message": frame.octets + FCS})

    ncp.sniffing = ncp.stack.air.capture(heard)
    return {"status": Status.SUCCESS}


@handles("mfglibEnd")
def end(ncp: Ncp, fields: Fields) -> Reply:
    if ncp.sniffing is None:
        return {"status": Status.FATAL}
    ncp.end_sniffing()
    return {"status": Status.SUCCESS}


@handles("mfglibSetChannel")
def set_channel(ncp: Ncp, fields: Fields) -> Reply:
    if ncp.sniffing is None:
        return {"status": Status.FATAL}
    if not phy.known(fields.u("channel")):
        return {"status": Status.PHY_INVALID_CHANNEL}
    ncp.sniffed_channel = fields.u("channel")
    return {"status": Status.SUCCESS}


@handles("mfglibGetChannel")
def get_channel(ncp: Ncp, fields: Fields) -> Reply:
    return {"channel": ncp.sniffed_channel}


@handles("mfglibSetPower", "mfglibStartTone", "mfglibStopTone", "mfglibStartStream", "mfglibStopStream")
def only_started(ncp: Ncp, fields: Fields) -> Reply:
    return {"status": Status.FATAL if ncp.sniffing is None else Status.SUCCESS}


@handles("mfglibGetPower")
def get_power(ncp: Ncp, fields: Fields) -> Reply:
    return {"power": ncp.stack.tokens.power}


@handles("mfglibSendPacket")
def send(ncp: Ncp, fields: Fields) -> Reply:
    """A MAC frame with its FCS, on the channel that is listened to."""
    if ncp.sniffing is None:
        return {"status": Status.FATAL}
    mac = ncp.stack.nwk.mac
    try:
        frame = MacPdu.decode(fields.octets("message")[:-2])
    except DecodeError:
        return {"status": Status.BAD_ARGUMENT}
    mac.start(ncp.sniffed_channel, rx_on=False)
    mac.send_raw(frame, lambda _: mac.stop())
    return {"status": Status.SUCCESS}
