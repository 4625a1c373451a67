"""``chub hub check``: five minutes with a dongle that somebody has just plugged in, ending in a report that can be sent."""

from __future__ import annotations

import logging
from pathlib import Path

import click
from rich.console import Console

from firmware_emu.board import Board, load_board
from firmware_emu.clock import Clock
from firmware_emu.errors import NotAvailable
from firmware_emu.ids import InstallCode
from firmware_emu.trace import Trace
from hil.bench.keys import load_keys
from hil.bench.lanes import lanes
from hil.bench.run_folder import RunFolder
from hil.bench.station import open_station
from hil.inventory.dongle_board import METER_CODE, DongleVerdict, asked_pair, board_text, unlisted, verdict_by_name
from hil.inventory.usb import FoundPort
from hil.journeys.demo import HomeJourney
from hil.journeys.first_light import FirstLight
from hil.journeys.progress import begin, conclude, show
from hil.journeys.steps import StepFailed, Steps
from hil.radio.nodes.joiner import EzspNode
from hil.report.verdict import Run


@click.command("check")
@click.option("--radio", required=True, metavar="PATH", help="The dongle: a serial device, or a URL as socket://HOST:PORT.")
@click.option("--node", metavar="PATH", help="A second one (EZSP), which plays an electricity meter for its whole journey.")
@click.option("--channel", type=click.IntRange(11, 26), default=20, show_default=True, help="2.4 GHz channel of the test network.")
@click.option("--take-over", is_flag=True, help="The dongle holds a network: save a backup of it and overwrite it.")
@click.option("--no-journey", is_flag=True, help="The dongle's own steps alone, without the hub's journey.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def check(radio: str, node: str | None, channel: int, take_over: bool, no_journey: bool, as_json: bool) -> None:
    """First light: what the dongle is, its personality, the contract of a hub's radio, key establishment on the host, the hub's journey.

    The report, the personality and the trace are in the run's folder; they hold no keys, so that they can be sent. Exit code 1 where a step
    fails.
    """
    logging.disable(logging.ERROR)  # what a step shows, it tells by itself; libraries write much beside
    console = Console(stderr=True)
    found = _asked(radio)
    second = None if node is None else _asked(node)
    if second is not None and second[1].family != "ezsp":
        raise NotAvailable(f"a meter on {node}", f"a meter's dongle speaks EZSP: {second[1].why}")
    board = _board(found, second, channel)
    clock = Clock()
    trace = Trace(clock.now)
    folder = RunFolder("first-light", board, board.seed)
    trace.subscribe(folder)
    steps = Steps(folder.records, on_step=lambda step: show(console, step), on_begin=lambda name: begin(console, name))
    console.print(f"{radio}: {found[1].why}; run {folder.path}")
    result = clock.run(_check(board, found, second, clock, trace, folder, steps, channel, take_over, not no_journey))
    conclude(result, folder, as_json=as_json)


def _asked(path: str) -> tuple[FoundPort, DongleVerdict]:
    """The dongle at ``path`` and its own answers. Raises NotAvailable for one that does not serve."""
    one = unlisted(path)
    pair = asked_pair(one, verdict_by_name(one))
    if pair[1].serves != "yes":
        raise NotAvailable(f"the dongle at {path}", pair[1].why if one.free else one.advice)
    return pair


def _board(found: tuple[FoundPort, DongleVerdict], second: tuple[FoundPort, DongleVerdict] | None, channel: int) -> Board:
    """The board of these dongles; a second hub's network on the first is this check's own."""
    folder = Path(click.get_app_dir("chub"))
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "first-light.toml"
    file.write_text(board_text(*found, "first-light", second), encoding="utf-8")
    return load_board(str(file), (f"hub.channel={channel}", "radio.custody=take-over"))


async def _check(
    board: Board,
    found: tuple[FoundPort, DongleVerdict],
    second: tuple[FoundPort, DongleVerdict] | None,
    clock: Clock,
    trace: Trace,
    folder: RunFolder,
    steps: Steps,
    channel: int,
    take_over: bool,
    journey: bool,
) -> Run:
    notes = [] if second is not None else ["No second dongle was named (--node): nothing joined."]
    light = FirstLight(found[0].port, found[1], clock, trace, folder.path, steps, channel=channel, take_over=take_over)
    node = None if second is None else EzspNode(second[0].port, clock=clock, baudrate=second[1].baudrate or 115200)
    try:
        await light.run(load_keys(board), board.hub.gpf, node, None if node is None else InstallCode.parse(METER_CODE))
        if journey:
            async with open_station(board, clock, trace, folder.path) as station:
                await HomeJourney(station, steps, folder.records).run()
    except StepFailed:
        notes.append("The check ended at the first step that failed; the steps after it were not tried.")
    facts = {**folder.facts, "firmware": found[1].why, "EUI-64": str(board.hub.gpf)}
    return Run("First light of a dongle", facts, steps.done, folder.records, (), notes, lanes(board))
