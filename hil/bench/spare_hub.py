"""Another hub on a dongle of its own, on the air of a home whose hub has died for good."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from firmware_emu.board import Board
from firmware_emu.crypto.roles import DeviceType
from firmware_emu.device.store import MemoryStore
from firmware_emu.hub.from_board import hub_config, radio_of
from firmware_emu.hub.hub import Hub
from firmware_emu.ids import Eui64
from firmware_emu.supervised import supervised
from firmware_emu.wan.virtual import memory_pair
from hil.bench.keys import devices, made_pki, organisations
from hil.bench.station import Station
from hil.radio.dongles import virtual_dongle

_SPARE = 0x80
"""Added to the fifth octet of an identity for that of the hub on the shelf."""
_CHANNELS = (15, 25)
"""The channel of a hub on the shelf: the first that the home's hub does not have, since no backup tells it."""


def with_spare_hub(board: Board) -> Board:
    """``board`` with another hub in place of its own: identities and channel are others."""
    hub = board.hub
    chf, gpf = (Eui64(one.octets[:4] + bytes([one.octets[4] | _SPARE]) + one.octets[5:]) for one in (hub.chf, hub.gpf))
    channel = next(one for one in _CHANNELS if one != hub.channel)
    return board.model_copy(update={"hub": hub.model_copy(update={"chf": chf, "gpf": gpf, "channel": channel})})


def keys_of_both(old: Board, new: Board) -> Path:
    """The folder of a test PKI in which both hubs have theirs, made at first use."""
    everyone: Mapping[Eui64, DeviceType] = devices(old) | devices(new)
    return made_pki(old.name, organisations(old), everyone)


@contextlib.asynccontextmanager
async def spare_hub(station: Station, board: Board, store: MemoryStore) -> AsyncIterator[Hub]:
    """The hub of ``board`` runs on the air of ``station``, connected to its DCC, until the context ends; ``store`` is its memory."""
    dongle = virtual_dongle(
        board.radio.kind, station.air, board.hub.gpf, board.radio.ezsp_version, station.folder / "spare-dongle.tokens", station.clock
    )
    radio = radio_of(board, str(await dongle.serve_pty()), station.clock, station.trace, station.entropy.stream("spare radio"))
    wan, dcc_wan = memory_pair(station.clock)
    hub = Hub(hub_config(board), radio, wan, store, station.keystore, station.clock, station.trace)
    station.dcc.attach_hub(dcc_wan, board.hub.chf)
    life = supervised(hub.run(), "the spare hub", station.trace)
    try:
        yield hub
    finally:
        life.cancel()
        with contextlib.suppress(BaseException):
            await life
        await dongle.close()
