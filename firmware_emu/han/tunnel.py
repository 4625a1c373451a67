"""Tunnels: GBCS messages between two ends of the Tunneling cluster 0x0704.

The CHF is client toward ESME, HCALCS and PPMID, and server toward the GSME (reference zigbee-han 7). Each TransferData is
answered by a default response, which is the confirmation of delivery. One tunnel a partner: asking again returns the same id
(GBCS 10.2.2 through reference chts 3). When to open again, and how often, is the hub's business.

A message that is longer than the other end takes at once goes in blocks of DLMS general block transfer (reference gbcs-behaviour 10 and
gbcs-messages 8A). That the threshold is the other end's own limit, and that TransferData alone confirms a block, is chosen here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from firmware_emu.errors import DecodeError, RadioError
from firmware_emu.han.attributes import Attributes
from firmware_emu.han.zcl_port import ANSWER_TIMEOUT_S, Answer, Incoming, Reply, ZclPort
from firmware_emu.ids import Eui64
from firmware_emu.zse.clusters.tunneling import TUNNELING
from firmware_emu.zse.declare import TRAILING, FieldValue
from firmware_emu.zse.tunneling import (
    CLOSE_TUNNEL_TIMEOUT_S,
    MANUFACTURER,
    MAX_INCOMING,
    PROTOCOL,
    TransferStatus,
    TunnelStatus,
)
from firmware_emu.zse.zcl import ZclFrame, ZclStatus, status_name

LOGGER = logging.getLogger(__name__)

_CLUSTER = TUNNELING.id
_REQUEST, _CLOSE, _TRANSFER_TO_SERVER, _ERROR_TO_SERVER, _GET_PROTOCOLS = 0x00, 0x01, 0x02, 0x03, 0x06
_REQUEST_RESPONSE, _TRANSFER_TO_CLIENT, _ERROR_TO_CLIENT, _PROTOCOLS, _CLOSURE = 0x00, 0x01, 0x02, 0x05, 0x06


class TunnelRefused(RadioError):
    """The server opened no tunnel; ``tunnel_status`` says why (BUSY: the hub tries again after 3 minutes, reference chts 3)."""

    def __init__(self, partner: Eui64, tunnel_status: TunnelStatus | int) -> None:
        name = tunnel_status.name if isinstance(tunnel_status, TunnelStatus) else str(tunnel_status)
        super().__init__(f"{partner} refused a tunnel", name)
        self.tunnel_status = tunnel_status


class TunnelClosed(RadioError):
    """There is no open tunnel with this partner; open it again."""


class Arriving(Protocol):
    """Puts the blocks that come through one tunnel together."""

    def take(self, block: bytes) -> bytes | None:
        """A whole message, or None while blocks are missing. Raises DecodeError for a block that does not follow."""
        ...


class Blocks(Protocol):
    """Cuts what is longer than a transfer into blocks; ``firmware_emu.gbcs.gbt`` does."""

    TAG: int
    """First octet of a block, and of no message."""

    def pieces(self, data: bytes, limit: int) -> tuple[bytes, ...]:
        """``data`` as the transfers that carry it, none longer than ``limit``."""
        ...

    def arriving(self) -> Arriving:
        """For one tunnel."""
        ...


class _Transfers:
    """Messages of one tunnel as they go through it: whole, or in blocks where they are longer than a transfer."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._arriving: Arriving | None = None

    def cut(self, data: bytes, limit: int) -> tuple[bytes, ...]:
        """``data`` as the transfers that carry it, none longer than ``limit``."""
        return (data,) if len(data) <= limit else self._blocks.pieces(data, limit)

    def take(self, data: bytes) -> bytes | None:
        """A whole message, or None while blocks are missing. Raises DecodeError for a block that does not follow."""
        if data[:1] != bytes((self._blocks.TAG,)):
            self._arriving = None
            return data
        self._arriving = self._arriving or self._blocks.arriving()
        return self._arriving.take(data)


class TunnelClient:
    """The asking end of a tunnel with ``partner``.

    ``on_data`` gets each message that arrives; ``on_closed`` is told when the server ends the tunnel. ``timeout_s`` is how long
    an answer is awaited, in bench seconds.
    """

    def __init__(
        self,
        zcl: ZclPort,
        partner: Eui64,
        *,
        blocks: Blocks,
        on_data: Callable[[bytes], None] | None = None,
        on_closed: Callable[[], None] | None = None,
        source_endpoint: int | None = None,
        timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> None:
        self.partner = partner
        self.on_data = on_data
        self.on_closed = on_closed
        self.tunnel_id: int | None = None
        self.max_outgoing = MAX_INCOMING
        self._zcl = zcl
        self._timeout_s = timeout_s
        self._transfers = _Transfers(blocks)
        self._sending = asyncio.Lock()
        self._endpoint: int | None = None
        self._source = zcl.endpoint_for(_CLUSTER, server=False) if source_endpoint is None else source_endpoint
        self._unserve = zcl.serve(self._source, _CLUSTER, self._received, server=False, partner=partner)

    @property
    def is_open(self) -> bool:
        return self.tunnel_id is not None

    async def open(self) -> int:
        """Ask for a tunnel (or for the id of the one there is); returns its id.

        Raises TunnelRefused with the status, RadioError: no endpoint, not delivered, no answer.
        """
        if self._endpoint is None:
            self._endpoint = await self._zcl.find_endpoint(self.partner, _CLUSTER)
        payload = TUNNELING.to_server[_REQUEST].encode(
            {
                "protocol": PROTOCOL,
                "manufacturer": MANUFACTURER,
                "flow_control": False,
                "max_incoming": MAX_INCOMING,
            }
        )
        answer = await self._ask(_REQUEST, payload)
        if answer.default_response is not None:
            raise RadioError(f"{self.partner} refused a tunnel", status_name(answer.default_response.status))
        fields = TUNNELING.to_client[_REQUEST_RESPONSE].decode(answer.payload)
        status = _number(fields, "status")
        if status != TunnelStatus.SUCCESS:
            self.tunnel_id = None
            raise TunnelRefused(self.partner, TunnelStatus(status) if status in TunnelStatus._value2member_map_ else status)
        self.tunnel_id = _number(fields, "tunnel")
        self.max_outgoing = _number(fields, "max_incoming")
        return self.tunnel_id

    async def transfer(self, data: bytes) -> None:
        """Send ``data``, in blocks if it is long, and wait for the confirmation of delivery.

        Raises TunnelClosed: not open, or the server does not know it (any more). RadioError: refused, no answer.
        """
        if self.tunnel_id is None:
            raise TunnelClosed(f"no tunnel with {self.partner} is open: open it first", TransferStatus.NO_SUCH_TUNNEL.name)
        async with self._sending:
            for piece in self._transfers.cut(data, self.max_outgoing):
                await self._transfer(piece)

    async def _transfer(self, piece: bytes) -> None:
        tunnel_id = self.tunnel_id
        if tunnel_id is not None:
            _check_confirmation(self.partner, await self._ask(_TRANSFER_TO_SERVER, tunnel_id.to_bytes(2, "little") + piece))
        if tunnel_id is None or self.tunnel_id is None:  # a TransferDataError came before the confirmation
            raise TunnelClosed(f"{self.partner} does not know the tunnel: open it again", TransferStatus.NO_SUCH_TUNNEL.name)

    async def close(self) -> None:
        """Close the tunnel, if open, and take no more data. Raises RadioError when the server cannot be told."""
        tunnel_id, self.tunnel_id = self.tunnel_id, None
        self._unserve()
        if tunnel_id is not None:
            await self._ask(_CLOSE, tunnel_id.to_bytes(2, "little"))

    def forget(self) -> None:
        """Drop the state without telling the server, which left or rejoined; open() then asks afresh and finds the endpoint again."""
        self.tunnel_id = None
        self._endpoint = None

    async def _ask(self, command: int, payload: bytes) -> ZclFrame:
        if self._endpoint is None:
            raise TunnelClosed(f"no tunnel with {self.partner} is open: open it first", TransferStatus.NO_SUCH_TUNNEL.name)
        return await self._zcl.request(
            self.partner,
            self._endpoint,
            _CLUSTER,
            command,
            payload,
            source_endpoint=self._source,
            timeout_s=self._timeout_s,
        )

    def _received(self, incoming: Incoming) -> Answer:
        command = TUNNELING.to_client.get(incoming.frame.command)
        if command is None or incoming.frame.command not in (_TRANSFER_TO_CLIENT, _ERROR_TO_CLIENT, _CLOSURE):
            return ZclStatus.UNSUP_CLUSTER_COMMAND
        fields = command.decode(incoming.frame.payload)
        if _number(fields, "tunnel") != self.tunnel_id:
            return ZclStatus.FAILURE if incoming.frame.command == _TRANSFER_TO_CLIENT else ZclStatus.SUCCESS
        if incoming.frame.command == _TRANSFER_TO_CLIENT:
            message = self._transfers.take(_data(fields))
            if message is not None and self.on_data is not None:
                self.on_data(message)
            return ZclStatus.SUCCESS
        if incoming.frame.command == _ERROR_TO_CLIENT and _number(fields, "status") == TransferStatus.DATA_OVERFLOW:
            return ZclStatus.SUCCESS
        self.tunnel_id = None
        if self.on_closed is not None:
            self.on_closed()
        return ZclStatus.SUCCESS


@dataclass(slots=True)
class _Tunnel:
    """One open tunnel of a server."""

    identifier: int
    partner: Eui64
    partner_endpoint: int
    max_outgoing: int
    transfers: _Transfers
    sending: asyncio.Lock = field(default_factory=asyncio.Lock)
    idle: asyncio.TimerHandle | None = None


class TunnelServer:
    """The answering end: a tunnel for each accepted partner.

    ``accept(partner)`` False answers NOT_AUTHORIZED (our choice: no source states the answer to a Device that is not in the log).
    ``on_data(partner, data)`` gets each message. ``capacity``: tunnels at one time; then NO_MORE_TUNNEL_IDS.
    """

    def __init__(
        self,
        zcl: ZclPort,
        endpoint: int,
        accept: Callable[[Eui64], bool],
        on_data: Callable[[Eui64, bytes], None],
        *,
        blocks: Blocks,
        capacity: int = 16,
        timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> None:
        self._zcl = zcl
        self._endpoint = endpoint
        self._accept = accept
        self._on_data = on_data
        self._blocks = blocks
        self._capacity = capacity
        self._timeout_s = timeout_s
        self._tunnels: dict[Eui64, _Tunnel] = {}
        self._last_id = -1
        self.busy = False
        """While set, a new tunnel is answered BUSY."""
        attributes = Attributes(TUNNELING, {"close_tunnel_timeout": CLOSE_TUNNEL_TIMEOUT_S})
        self._unserve = zcl.serve(endpoint, _CLUSTER, self._received, attributes=attributes)

    @property
    def partners(self) -> tuple[Eui64, ...]:
        """Partners that have a tunnel open."""
        return tuple(self._tunnels)

    async def transfer(self, partner: Eui64, data: bytes) -> None:
        """Send ``data``, in blocks if it is long, and wait for the confirmation. Raises TunnelClosed, RadioError: refused, no answer."""
        tunnel = self._tunnels.get(partner)
        if tunnel is None:
            raise TunnelClosed(f"{partner} has no tunnel open here: it has to ask for one", TransferStatus.NO_SUCH_TUNNEL.name)
        async with tunnel.sending:
            for piece in tunnel.transfers.cut(data, tunnel.max_outgoing):
                self._touch(tunnel)
                answer = await self._zcl.request(
                    partner,
                    tunnel.partner_endpoint,
                    _CLUSTER,
                    _TRANSFER_TO_CLIENT,
                    tunnel.identifier.to_bytes(2, "little") + piece,
                    source_endpoint=self._endpoint,
                    to_server=False,
                    timeout_s=self._timeout_s,
                )
                _check_confirmation(partner, answer)

    def drop(self, partner: Eui64) -> None:
        """Forget the tunnel of a partner that left, rejoined or was removed from the log (reference chts 3)."""
        tunnel = self._tunnels.pop(partner, None)
        if tunnel is not None and tunnel.idle is not None:
            tunnel.idle.cancel()

    def close(self) -> None:
        """Serve no longer and forget all tunnels."""
        for partner in self.partners:
            self.drop(partner)
        self._unserve()

    def _received(self, incoming: Incoming) -> Answer:
        frame = incoming.frame
        command = TUNNELING.to_server.get(frame.command)
        if command is None or frame.command in (0x04, 0x05):  # flow control is never agreed
            return ZclStatus.UNSUP_CLUSTER_COMMAND
        fields = command.decode(frame.payload)
        if frame.command == _REQUEST:
            return self._request(incoming, fields)
        if frame.command == _GET_PROTOCOLS:
            offset = _number(fields, "offset")
            protocols: FieldValue = ({"manufacturer": MANUFACTURER, "protocol": PROTOCOL},) if offset == 0 else ()
            count = 1 if offset == 0 else 0
            return Reply(_PROTOCOLS, TUNNELING.to_client[_PROTOCOLS].encode({"complete": True, "count": count, "protocols": protocols}))
        tunnel = self._tunnels.get(incoming.partner)
        if tunnel is None or tunnel.identifier != _number(fields, "tunnel"):
            if frame.command == _TRANSFER_TO_SERVER:
                return self._transfer_error(_number(fields, "tunnel"), TransferStatus.NO_SUCH_TUNNEL)
            return ZclStatus.NOT_FOUND
        if frame.command == _CLOSE:
            self.drop(incoming.partner)
            return ZclStatus.SUCCESS
        self._touch(tunnel)
        if frame.command == _TRANSFER_TO_SERVER:
            data = _data(fields)
            if len(data) > MAX_INCOMING:
                return self._transfer_error(tunnel.identifier, TransferStatus.DATA_OVERFLOW)
            message = tunnel.transfers.take(data)
            if message is not None:
                self._on_data(incoming.partner, message)
        elif _number(fields, "status") != TransferStatus.DATA_OVERFLOW:
            self.drop(incoming.partner)
        return ZclStatus.SUCCESS

    def _request(self, incoming: Incoming, fields: dict[str, FieldValue]) -> Answer:
        partner = incoming.partner
        if not self._accept(partner):
            return ZclStatus.NOT_AUTHORIZED
        if (_number(fields, "protocol"), _number(fields, "manufacturer")) != (PROTOCOL, MANUFACTURER):
            return self._request_response(0xFFFF, TunnelStatus.PROTOCOL_NOT_SUPPORTED)
        if fields["flow_control"]:
            return self._request_response(0xFFFF, TunnelStatus.FLOW_CONTROL_NOT_SUPPORTED)
        tunnel = self._tunnels.get(partner)
        if tunnel is None:
            if self.busy:
                return self._request_response(0xFFFF, TunnelStatus.BUSY)
            if len(self._tunnels) >= self._capacity:
                return self._request_response(0xFFFF, TunnelStatus.NO_MORE_TUNNEL_IDS)
            self._last_id = (self._last_id + 1) % 0xFFFF
            tunnel = self._tunnels[partner] = _Tunnel(
                self._last_id, partner, incoming.partner_endpoint, MAX_INCOMING, _Transfers(self._blocks)
            )
        tunnel.partner_endpoint = incoming.partner_endpoint
        tunnel.max_outgoing = _number(fields, "max_incoming")
        self._touch(tunnel)
        return self._request_response(tunnel.identifier, TunnelStatus.SUCCESS)

    def _touch(self, tunnel: _Tunnel) -> None:
        if tunnel.idle is not None:
            tunnel.idle.cancel()
        tunnel.idle = asyncio.get_running_loop().call_later(CLOSE_TUNNEL_TIMEOUT_S, self._idle, tunnel)

    def _idle(self, tunnel: _Tunnel) -> None:
        LOGGER.info("the tunnel of %s was idle for %d s and is closed", tunnel.partner, CLOSE_TUNNEL_TIMEOUT_S)
        self.drop(tunnel.partner)
        self._zcl.notify(
            tunnel.partner,
            tunnel.partner_endpoint,
            _CLUSTER,
            _CLOSURE,
            tunnel.identifier.to_bytes(2, "little"),
            source_endpoint=self._endpoint,
            to_server=False,
        )

    @staticmethod
    def _request_response(tunnel: int, status: TunnelStatus) -> Reply:
        payload = TUNNELING.to_client[_REQUEST_RESPONSE].encode({"tunnel": tunnel, "status": int(status), "max_incoming": MAX_INCOMING})
        return Reply(_REQUEST_RESPONSE, payload)

    @staticmethod
    def _transfer_error(tunnel: int, status: TransferStatus) -> Reply:
        return Reply(_ERROR_TO_CLIENT, TUNNELING.to_client[_ERROR_TO_CLIENT].encode({"tunnel": tunnel, "status": int(status)}))


def _number(fields: dict[str, FieldValue], name: str) -> int:
    value = fields[name]
    if not isinstance(value, int):
        raise DecodeError(0, name, f"read {value!r}, expected a number")
    return value


def _data(fields: dict[str, FieldValue]) -> bytes:
    data = fields.get(TRAILING, b"")
    return data if isinstance(data, bytes) else b""


def _check_confirmation(partner: Eui64, answer: ZclFrame) -> None:
    if answer.is_cluster_command:  # a TransferDataError in place of the default response
        status = _number(TUNNELING.to_client[_ERROR_TO_CLIENT].decode(answer.payload), "status")
        if status == TransferStatus.DATA_OVERFLOW:
            raise RadioError(f"{partner} did not take the data", TransferStatus.DATA_OVERFLOW.name)
        raise TunnelClosed(f"{partner} does not know the tunnel: open it again", TransferStatus.NO_SUCH_TUNNEL.name)
    confirmation = answer.default_response
    if confirmation is not None and confirmation.status != ZclStatus.SUCCESS:
        raise RadioError(f"{partner} did not take the data", status_name(confirmation.status))
