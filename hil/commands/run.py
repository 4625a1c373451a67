"""``chub run``: whole journeys on a board."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import click
from rich.console import Console

from firmware_emu.board import Board, load_board
from firmware_emu.clock import EPOCH, Clock
from firmware_emu.console.attach import console_socket, socket_in
from firmware_emu.console.commands.dongle import custody_options
from firmware_emu.console.records import read_trace
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.errors import NotAvailable
from firmware_emu.ownership import Owner
from firmware_emu.trace import JsonLines, Latest, Record, Trace
from firmware_emu.wan.tcp import TcpWanLink
from firmware_emu.wan.tls import files_of
from hil.bench.home import Home
from hil.bench.household import Household, PatientLink
from hil.bench.keys import load_keys, pki_folder
from hil.bench.lanes import lanes, supply_plots
from hil.bench.run_folder import RunFolder
from hil.bench.spare_hub import keys_of_both, with_spare_hub
from hil.bench.station import Station, open_station
from hil.commands.deaths.kills import kills
from hil.commands.deaths.power_cuts import power_cuts
from hil.commands.scenario import load, scenario
from hil.console.diff import compare
from hil.console.opening import console_of
from hil.faults import Faults, check_sentences
from hil.journeys.demo import HomeJourney
from hil.journeys.display import DisplayJourney, home_of_displays
from hil.journeys.progress import begin, conclude, log_at, show
from hil.journeys.steps import StepFailed, Steps
from hil.report.verdict import Run


@click.group()
def run() -> None:
    """Whole journeys on a board."""


run.add_command(power_cuts)
run.add_command(kills)


@run.command()
@click.option("--board", "board_name", default="simulated", show_default=True, help="board name or path of a .toml file")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="lay a value over the board, as radio.path=/dev/ttyUSB0")
@custody_options
@click.option("--seed", type=int, default=None, help="seed of the air and the loads; the board's if not given")
@click.option("--keys/--no-keys", "export_keys", default=True, help="export the keys of this test HAN beside the capture (zigbee_pc_keys)")
@click.option(
    "--record",
    type=click.Path(dir_okay=False, path_type=Path),
    help="record hub and dongle (play: radio.path=replay:FILE), messages beside",
)
@click.option("--fault", "sentences", multiple=True, metavar="SENTENCE", help="add a fault, as 'han drop 20% to gsme'; may be repeated")
@click.option("--json", "as_json", is_flag=True, help="one JSON object instead of a table")
@click.option("-v", "--verbose", count=True, help="log lines on stderr; twice for every detail")
def demo(
    board_name: str,
    settings: tuple[str, ...],
    seed: int | None,
    export_keys: bool,
    record: Path | None,
    sentences: tuple[str, ...],
    as_json: bool,
    verbose: int,
) -> None:
    """A home from supply on to a Device removed: the whole chain, every refusal with its reason."""
    board = load_board(board_name, settings)
    check_sentences(board, sentences)
    log_at({0: logging.CRITICAL, 1: logging.INFO}.get(verbose, logging.DEBUG))
    console = Console(stderr=True)
    clock = Clock(start=board.clock.start, warp=board.warp, speed=board.clock.speed)
    trace = Trace(clock.now)
    seed = board.seed if seed is None else seed
    folder = RunFolder("demo", board, seed)
    trace.subscribe(folder)
    steps = Steps(folder.records, on_step=lambda step: show(console, step), on_begin=lambda name: begin(console, name))
    console.print(f"board {board.name}, seed {seed}, {'warp' if board.warp else 'wall'} clock, run {folder.path}")
    result = clock.run(_demo(board, seed, clock, trace, folder, steps, export_keys, sentences, record))
    conclude(result, folder, as_json=as_json)


async def _demo(
    board: Board,
    seed: int,
    clock: Clock,
    trace: Trace,
    folder: RunFolder,
    steps: Steps,
    export_keys: bool,
    sentences: tuple[str, ...],
    record: Path | None,
) -> Run:
    notes: list[str] = []
    async with open_station(board, clock, trace, folder.path, seed=seed, record=record) as station:
        journey = HomeJourney(station, steps, folder.records)
        faults = Faults(station, seed, sentences)
        with folder.capture(station.air):
            try:
                await journey.run()
            except StepFailed:
                notes.append("The run ended at the first step that failed; the steps after it were not tried.")
            notes += [f"Fault {fault.number}: {fault.sentence} ({fault.effects} effects)." for fault in faults.list()]
            faults.save(folder.path)
            await faults.close()
            if export_keys:
                folder.export_keys(station.han_keys())
                notes.append("zigbee_pc_keys exports the keys of this test HAN for Wireshark (--no-keys leaves them out).")
            folder.write_requests(station.dcc.gateway.accepted(), secrets=export_keys)
        facts = {**folder.facts, "median request to response, ms": round(journey.median_round_trip_ms(), 1)}
        notes += station.profile_notes()
        plots = supply_plots(folder.records, station.jig.waveform())
        return Run("A home on the bench", facts, steps.done, folder.records, plots, notes, lanes(board))


@run.command()
@click.option(
    "--board", "board_name", default="simulated", show_default=True, help="board whose ESME and IHDs these are; its dongle is virtual"
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="lay a value over the board, as radio.kind=znp")
@click.option("--seed", type=int, default=None, help="seed of the air and the loads; the board's if not given")
@click.option("--keys/--no-keys", "export_keys", default=True, help="export the keys of this test HAN beside the capture (zigbee_pc_keys)")
@click.option("--json", "as_json", is_flag=True, help="one JSON object instead of a table")
def display(board_name: str, settings: tuple[str, ...], seed: int | None, export_keys: bool, as_json: bool) -> None:
    """An IHD joined through the DCC reads the meter, before and after a hub swap; tshark judges. Exit code 1 where a step fails."""
    board = home_of_displays(load_board(board_name, settings))
    log_at(logging.CRITICAL)
    console = Console(stderr=True)
    clock = Clock(start=board.clock.start, warp=True)
    seed = board.seed if seed is None else seed
    folder = RunFolder("display", board, seed)
    trace = Trace(clock.now)
    trace.subscribe(folder)
    steps = Steps(folder.records, on_step=lambda step: show(console, step), on_begin=lambda name: begin(console, name))
    result = clock.run(_display(board, seed, clock, trace, folder, steps, export_keys=export_keys))
    conclude(result, folder, as_json=as_json)


async def _display(board: Board, seed: int, clock: Clock, trace: Trace, folder: RunFolder, steps: Steps, *, export_keys: bool) -> Run:
    """The journey on a station of its own; the first step that fails ends it."""
    notes: list[str] = []
    new = with_spare_hub(board)
    station = Station(board, clock, trace, folder.path, Keystore.load(keys_of_both(board, new)), seed)
    journey = DisplayJourney(station, new, steps, folder.path / "han.pcapng")
    try:
        await station.bring_up()
        with folder.capture(station.air):
            await journey.run()
    except StepFailed:
        notes.append("The run ended at the first step that failed; the steps after it were not tried.")
    finally:
        await station.tear_down()
    if export_keys:
        folder.export_keys(journey.keys)
        notes.append("zigbee_pc_keys exports the keys of this test HAN for Wireshark (--no-keys leaves them out).")
    return Run("A display reads the electricity meter", folder.facts, steps.done, folder.records, (), notes, {})


run.add_command(load)
run.add_command(scenario)


@run.command("diff")
@click.argument("before", type=click.Path(exists=True, path_type=Path))
@click.argument("after", type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="a JSON array of the differences")
def diff(before: Path, after: Path, as_json: bool) -> None:
    """Compare two runs (folders, or their trace.jsonl) message by message: counters and times do not count. Exit code 1 if they differ."""
    found = compare(read_trace(before), read_trace(after))
    if as_json:
        click.echo(json.dumps([one.as_json() for one in found]))
    else:
        for one in found:
            click.echo(f"{one.kind} {one.name}  {one.what}")
        click.echo("the same messages went the same ways" if not found else f"{len(found)} differ")
    sys.exit(1 if found else 0)


_HOME_SHOWS = {
    "power": ("supply on", "supply off", "ac lost", "ac restored", "boot", "powered", "unpowered"),
    "ichis": ("powered", "unpowered"),
    "hub": ("ready", "formed", "commissioned", "joined", "left", "refused", "failed"),
    "wan": ("connected", "lost", "waiting"),
    "han": ("not joined", "key established"),
    "bench": ("open", "gone", "added", "cleared", "torn", "cut", "dipped", "sagged", "lost", "reset", "unplugged", "laid on"),
    "device": ("executed", "refused", "paired", "unpaired", "valve", "load switch", "display", "failed"),
}
"""Events that ``chub run home`` prints, by area."""


@run.command()
@click.option("--board", "board_name", default="simulated", show_default=True, help="board name or path of a .toml file")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="lay a value over the board, as hub.channel=15")
@custody_options
@click.option("--wan", metavar="HOST:PORT", help="address of the DCC, now or later (mutual TLS): `chub dcc send --listen HOST:PORT`")
@click.option("--state", type=click.Path(file_okay=False, path_type=Path), help="memory of hub and dongle; without it both are new")
@click.option("--pki", type=click.Path(exists=True, file_okay=False, path_type=Path), help="folder of keys, instead of the board's")
@click.option("--air", "open_air", metavar="HOST:PORT", help="open the air: programs of third parties join it here as nodes (port 0: any)")
@click.option("--no-hub", is_flag=True, help="power the dongle alone: the hub runs elsewhere (`chub hub run --radio ...`)")
@click.option("--seed", type=int, default=None, help="seed of the air and the loads; the board's if not given")
@click.option("--console", type=click.Path(dir_okay=False, path_type=Path), help="socket for `chub console --attach` (else in --state)")
@click.option("--trace", "trace_file", type=click.Path(dir_okay=False, path_type=Path), help="append one JSON line per hop to this file")
@click.option(
    "--record",
    type=click.Path(dir_okay=False, path_type=Path),
    help="record hub and dongle (play: radio.path=replay:FILE), messages beside",
)
@click.option("--fault", "sentences", multiple=True, metavar="SENTENCE", help="add a fault, as 'han drop 20% to gsme'; may be repeated")
@click.option("--json", "as_json", is_flag=True, help="one JSON object a line")
def home(
    board_name: str,
    settings: tuple[str, ...],
    wan: str | None,
    state: Path | None,
    pki: Path | None,
    open_air: str | None,
    no_hub: bool,
    seed: int | None,
    console: Path | None,
    trace_file: Path | None,
    record: Path | None,
    sentences: tuple[str, ...],
    as_json: bool,
) -> None:
    """A home as a process of its own, on the wall clock, until Ctrl-C: the far end is a DCC in another process.

    Its Devices try to join every few seconds, and the gas meter wakes as soon as something waits for it. Meters are new at each start.
    """
    more = {"pki": pki, "air.open": open_air}
    board = load_board(board_name, (*settings, *(f"{key}={value}" for key, value in more.items() if value is not None)))
    check_sentences(board, sentences)
    if (wan is None) is not no_hub:
        raise click.UsageError("give --wan HOST:PORT, where the hub reaches its DCC; or --no-hub, without one")
    log_at(logging.CRITICAL)
    clock = Clock(speed=board.clock.speed)
    trace = Trace(clock.now)
    trace.subscribe(lambda record: _tell(record, as_json))
    if trace_file is not None:
        trace.subscribe(JsonLines(trace_file))
    with contextlib.ExitStack() as stack:
        if state is None:
            state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chub-home-")))
        state.mkdir(parents=True, exist_ok=True)
        socket = console or socket_in(state)
        clock.run(_home(board, board.seed if seed is None else seed, clock, trace, state, wan, socket, sentences, record))


async def _home(
    board: Board,
    seed: int,
    clock: Clock,
    trace: Trace,
    state: Path,
    wan: str | None,
    socket: Path,
    sentences: tuple[str, ...],
    record: Path | None,
) -> None:
    link = None
    if wan is not None:
        host, colon, port = wan.rpartition(":")
        if not colon or not port.isdecimal():
            raise NotAvailable(f"a WAN at {wan!r}", "write it as HOST:PORT, for example 127.0.0.1:4059")
        tls = files_of(pki_folder(board) / "tls", str(board.hub.chf))
        link = PatientLink(TcpWanLink.client(host, int(port), tls), clock, trace)
    owner = Owner.of_file(state / "home", f"the home in {state}")  # its hub's memory, its dongle's, its Devices'
    made = Home(board, clock, trace, state, load_keys(board), seed, wan=link)
    made.record = record
    over = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    try:
        await made.bring_up()
        faults = Faults(made, seed, sentences)
        latest = Latest()
        trace.subscribe(latest)
        async with console_socket(console_of(made, seed, latest.records, faults), socket):
            trace.emit("hub", "home", "ready", target=made.radio_path, devices=len(made.devices), state=str(state), console=str(socket))
            await Household(made).run(over.is_set)
        faults.save(state)
        await faults.close()
    finally:
        await made.tear_down()
        owner.release()


def _tell(record: Record, as_json: bool) -> None:
    if record.event not in _HOME_SHOWS.get(record.area, ()):
        return
    if as_json:
        click.echo(record.as_json())
        return
    detail = " ".join(f"{key}={value}" for key, value in record.detail.items() if value is not None)
    when = (EPOCH + timedelta(seconds=record.time)).strftime("%H:%M:%S")
    click.echo(f"{when} {record.source} {record.event} {record.target or ''} {detail}".rstrip())
