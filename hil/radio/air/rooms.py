"""Hearing between the rooms of a home: the strength at which a radio in one room is heard in another."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING

from firmware_emu.errors import BoardError, one_of
from firmware_emu.ids import Eui64
from hil.radio.air.air import Air, Link

if TYPE_CHECKING:
    from firmware_emu.board import Board

SAME_ROOM_DBM = -40
"""A value of this bench; a room may name another under its own name."""
SUB_GHZ_GAIN_DB = 15
"""By so much a frame of 868 MHz is heard better: 9 dB in free space (20 log 2440/868), the rest for walls is a value of this bench."""
FAR = Link(loss=1.0, rssi=-120, lqi=0)


def strength(rooms: Mapping[str, Mapping[str, int]], one: str, other: str) -> int | None:
    """dBm between two rooms, whichever of them names it; None: out of range."""
    named = rooms.get(one, {}).get(other, rooms.get(other, {}).get(one))
    return SAME_ROOM_DBM if named is None and one == other else named


def lay(board: Board, air: Air) -> None:
    """Set every link between the radios of ``board`` that stand in a room. Raises BoardError for a room that there is not."""
    standing: list[tuple[Eui64, str]] = [] if board.hub.room is None else [(board.hub.gpf, board.hub.room)]
    standing += [(row.eui, row.room) for row in board.device if row.room is not None]
    known = set(board.rooms) | {other for heard in board.rooms.values() for other in heard}
    for _, room in standing:
        if room not in known:
            raise BoardError(board.name, "room", f"{room!r} is no room of [rooms]: expected {one_of(room, sorted(known))}")
    for (one, here), (other, there) in combinations(standing, 2):
        dbm = strength(board.rooms, here, there)
        if dbm is None:
            air.set_link(one, other, FAR)
        else:
            air.set_link(one, other, Link.at(dbm), below=Link.at(dbm + SUB_GHZ_GAIN_DB))
