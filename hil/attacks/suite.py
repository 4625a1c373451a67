"""All attacks, and a run of them on one home."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from firmware_emu.board import Board
from firmware_emu.clock import Clock
from firmware_emu.errors import NotAvailable, nearest
from firmware_emu.trace import Record, Trace
from hil.attacks import far_end, messages, process, radio, serial, wan
from hil.attacks.arena import Attack, AttackResult, arena_of, named
from hil.bench.station import open_station


def all_attacks() -> tuple[Attack, ...]:
    """Every attack there is, by layer from the radio up."""
    return (*serial.attacks(), *radio.attacks(), *wan.attacks(), *messages.attacks(), *far_end.attacks(), *process.attacks())


def chosen(names: tuple[str, ...]) -> tuple[Attack, ...]:
    """Those of the given names, or beginnings of names up to a slash. Raises NotAvailable for one that is none."""
    for name in names:
        if not named(all_attacks(), (name,)):
            near = nearest(name, [one.name for one in all_attacks()])
            raise NotAvailable(f"the attack {name!r}", f"`chub attack list` shows all; a name may end at a slash, as gbcs/replayed{near}")
    return named(all_attacks(), names)


def run_attacks(
    board: Board,
    attacks: tuple[Attack, ...],
    seed: int = 1,
    on_result: Callable[[AttackResult], None] = lambda result: None,
) -> list[AttackResult]:
    """Carry out attacks one after the other on one home. Raises CommsHubError where the home cannot be commissioned."""
    if board.radio.path != "virtual":
        raise NotAvailable("hostile peers on this board", "they need a virtual dongle and an air of their own: take board `simulated`")
    clock = Clock(start=board.clock.start, warp=True)
    trace, records = Trace(clock.now), list[Record]()
    trace.subscribe(records.append)

    async def main(folder: Path) -> list[AttackResult]:
        async with open_station(board, clock, trace, folder, seed=seed) as station:
            arena = await arena_of(station, records)
            results = []
            for attack in attacks:
                results.append(await arena.run(attack))
                on_result(results[-1])
                await asyncio.sleep(0)
            return results

    with TemporaryDirectory(prefix="chub-attack-") as folder:
        return clock.run(main(Path(folder)))
