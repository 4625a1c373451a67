"""Messages put together from their fragments (reference zigbee-han 8)."""

from __future__ import annotations

import asyncio

from hil.radio.ncp.aps import Incoming

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
