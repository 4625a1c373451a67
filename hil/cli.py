"""``chub run``: whole journeys on a board."""

from __future__ import annotations

import json
import logging
import sys

import click
from rich.console import Console
from rich.table import Table

from firmware_emu.board import Board, load_board
from firmware_emu.clock import Clock
from firmware_emu.trace import Trace
from hil.journey import HomeJourney
from hil.report.verdict import Plot, Run, Step
from hil.report.write import write_html, write_junit
from hil.run_folder import RunFolder
from hil.station import Station, open_station
from hil.steps import StepFailed, Steps


@click.group()
def run() -> None:
    """Whole journeys on a board."""


@run.command()
@click.option("--board", "board_name", default="simulated", show_default=True, help="board name or path of a .toml file")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="lay a value over the board, as radio.path=/dev/ttyUSB0")
@click.option("--seed", type=int, default=None, help="seed of the air and the loads; the board's if not given")
@click.option("--keys/--no-keys", "export_keys", default=True, help="export the keys of this test HAN beside the capture (zigbee_pc_keys)")
@click.option("--json", "as_json", is_flag=True, help="one JSON object instead of a table")
@click.option("-v", "--verbose", count=True, help="log lines on stderr; twice for every detail")
def demo(board_name: str, settings: tuple[str, ...], seed: int | None, export_keys: bool, as_json: bool, verbose: int) -> None:
    """A home from supply on to a Device removed: the whole chain, every refusal with its reason."""
    board = load_board(board_name, settings)
    logging.basicConfig(level={0: logging.CRITICAL, 1: logging.INFO}.get(verbose, logging.DEBUG), stream=sys.stderr, force=True)
    console = Console(stderr=True)
    clock = Clock(start=board.clock.start, warp=board.warp, speed=board.clock.speed)
    trace = Trace(clock.now)
    seed = board.seed if seed is None else seed
    folder = RunFolder("demo", board, seed)
    trace.subscribe(folder)
    steps = Steps(on_step=lambda step: _show(console, step), on_begin=lambda name: console.print(f"   {name} ...", style="dim", end="\r"))
    console.print(f"board {board.name}, seed {seed}, {'warp' if board.warp else 'wall'} clock, run {folder.path}")
    result = clock.run(_demo(board, seed, clock, trace, folder, steps, export_keys))
    folder.close()
    write_html(result, folder.path / "report.html")
    write_junit(result, folder.path / "junit.xml")
    if as_json:
        click.echo(json.dumps({"verdict": result.verdict, "steps": [step.as_json() for step in result.steps], "run": str(folder.path)}))
    else:
        Console().print(_table(result))
        click.echo(f"{result.verdict}: {folder.path / 'report.html'}")
    sys.exit(0 if result.verdict == "pass" else 1)


async def _demo(
    board: Board, seed: int, clock: Clock, trace: Trace, folder: RunFolder, steps: Steps, export_keys: bool,
) -> Run:
    notes: list[str] = []
    async with open_station(board, clock, trace, folder.path, seed=seed) as station:
        journey = HomeJourney(station, steps, folder.records)
        with folder.capture(station.air):
            try:
                await journey.run()
            except StepFailed:
                notes.append("The run ended at the first step that failed; the steps after it were not tried.")
            if export_keys:
                folder.export_keys(station.han_keys())
                notes.append("zigbee_pc_keys exports the keys of this test HAN for Wireshark (--no-keys leaves them out).")
        facts = {**folder.facts, "median request to response, ms": round(journey.median_round_trip_ms(), 1)}
        notes += station.profile_notes()
        return Run("A home on the bench", facts, steps.done, folder.records, [_supply_plot(station, folder)], notes)


def _supply_plot(station: Station, folder: RunFolder) -> Plot:
    began = folder.records[0].time if folder.records else 0.0
    marks = [
        (record.time - began, f"{record.source} {record.event}") for record in folder.records
        if record.area == "power" and record.source == "hub" and record.event in ("ac lost", "boot")
    ]
    points = [(when - began, volts) for when, volts in station.jig.waveform()]
    return Plot("Supply at the hub's pins", "V", {"hub": points}, marks)


def _show(console: Console, step: Step) -> None:
    style = "green" if step.verdict == "pass" else "bold red"
    console.print(f"[{style}]{step.verdict}[/] {step.name} [dim]{step.ms:.0f} ms[/]" + (f"\n     {step.why}" if step.why else ""))


def _table(result: Run) -> Table:
    table = Table("#", "step", "verdict", "ms", "values", title=f"{result.title}: {result.verdict}")
    for number, step in enumerate(result.steps, 1):
        values = "; ".join(f"{name} = {value}" for name, value in step.values.items())
        style = "green" if step.verdict == "pass" else "red"
        table.add_row(str(number), step.name, f"[{style}]{step.verdict}[/]", f"{step.ms:.0f}", step.why or values)
    return table


