"""Messages cut into fragments and put together again, as firmware that does it itself (reference zigbee-han 8)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from hil.radio.air.frames import ApsPdu, Block
from hil.radio.stack.aps import Aps, Incoming
from hil.radio.stack.joining import resolve
from hil.radio.stack.stack import Stack
from hil.radio.stack.status import Status

PIECE = 61
"""Octets of a fragment (GBCS hubs' constant, reference zigbee-han 8)."""

REASSEMBLY_S = 10.0
"""bellows gives up after this time; so does this."""


class Reassembly:
    """The messages of which not all fragments have come."""

    def __init__(self) -> None:
        self._pieces: dict[tuple[int, int], tuple[float, int, dict[int, bytes]]] = {}

    def clear(self) -> None:
        self._pieces.clear()

    def add(self, message: Incoming) -> bytes | None:
        """The whole message, when ``message`` was its last fragment."""
        pdu = message.pdu
        assert pdu.block is not None, "only fragments are added"
        now = asyncio.get_running_loop().time()
        self._pieces = {known: value for known, value in self._pieces.items() if now - value[0] < REASSEMBLY_S}
        key = (message.source, pdu.counter)
        _, total, pieces = self._pieces.get(key, (now, 0, {}))
        if pdu.block.first:
            total, pieces[0] = pdu.block.number, pdu.payload
        else:
            pieces[pdu.block.number] = pdu.payload
        self._pieces[key] = (now, total, pieces)
        if not total or len(pieces) < total:
            return None
        del self._pieces[key]
        return b"".join(pieces[index] for index in sorted(pieces))


async def send(stack: Stack, short: int, whole: ApsPdu, before: Callable[[], None] = lambda: None) -> Status:
    """One unicast of any size: in one frame, or piece after piece, each acknowledged. ``before`` is called ahead of each wait."""
    payload = whole.payload
    if len(payload) <= Aps.capacity(whole.secured, False):
        return await _send_one(stack, short, whole, before)
    pieces = [payload[at : at + PIECE] for at in range(0, len(payload), PIECE)]
    if len(pieces) > 255:
        return Status.MESSAGE_TOO_LONG
    for index, piece in enumerate(pieces):
        block = Block(index == 0, index or len(pieces))
        status = await _send_one(stack, short, replace(whole, block=block, payload=piece), before)
        if status is not Status.SUCCESS:
            return status
    return Status.SUCCESS


async def _send_one(stack: Stack, short: int, pdu: ApsPdu, before: Callable[[], None]) -> Status:
    ended: asyncio.Future[Status] = asyncio.get_running_loop().create_future()
    status = stack.aps.send(short, pdu, resolve(ended))
    if status is not Status.SUCCESS:
        return status
    before()
    return await ended
