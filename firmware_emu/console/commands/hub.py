"""``chub hub``: the hub's firmware alone, as a process of its own, against a dongle and a WAN."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path

import click

from firmware_emu.board import Board, load_board
from firmware_emu.clock import Clock, moment_text
from firmware_emu.console.attach import console_socket, socket_in
from firmware_emu.console.commands.dongle import backup, custody_options, migrate, restore
from firmware_emu.console.core import Core
from firmware_emu.console.lone_hub import NOUNS, LoneHub
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.errors import NotAvailable
from firmware_emu.extras import OpenGroup
from firmware_emu.hub.from_board import hub_config, radio_of
from firmware_emu.hub.hub import Hub, faults_outlived, frames_set_aside, last_failure
from firmware_emu.hub.nvm import SqliteStore
from firmware_emu.ownership import Owner
from firmware_emu.trace import JsonLines, Latest, Record, Trace
from firmware_emu.wan.tcp import TcpWanLink
from firmware_emu.wan.tls import files_of


class _Commands(OpenGroup):
    """Commands of this module, and of the rig."""

    entries = "chub.hub"


@click.group(cls=_Commands)
def hub() -> None:
    """The hub's firmware alone."""


for _one in (backup, restore, migrate):
    hub.add_command(_one)


@hub.command("run")
@click.option("--board", "board_name", default="simulated", show_default=True, help="board name or path of a .toml file")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="lay a value over the board, as hub.channel=15")
@custody_options
@click.option("--radio", required=True, help="the dongle: a serial device or socket://host:port")
@click.option("--wan", required=True, metavar="HOST:PORT", help="the DCC's end of the SM WAN (mutual TLS)")
@click.option("--pki", "pki_folder", type=click.Path(path_type=Path), required=True, help="folder of keys and certificates (chub pki make)")
@click.option("--nvm", type=click.Path(path_type=Path), required=True, help="the hub's non-volatile memory, made where it is missing")
@click.option("--console", type=click.Path(path_type=Path), default=None, help="socket for `chub console --attach` (else beside --nvm)")
@click.option("--trace", "trace_file", type=click.Path(path_type=Path), default=None, help="append one JSON line per hop to this file")
def run_hub(
    board_name: str,
    settings: tuple[str, ...],
    radio: str,
    wan: str,
    pki_folder: Path,
    nvm: Path,
    console: Path | None,
    trace_file: Path | None,
) -> None:
    """Power the hub on; Ctrl-C is a power cut. Everything that must survive is in --nvm and in the dongle."""
    board = load_board(board_name, settings)
    clock = Clock(speed=board.clock.speed)
    trace = Trace(clock.now)
    trace.subscribe(_show)
    if trace_file is not None:
        trace.subscribe(JsonLines(trace_file))
    clock.run(_run(board, radio, wan, pki_folder, nvm, console or socket_in(nvm.parent), clock, trace))


@hub.command("status")
@click.option("--nvm", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True, help="The hub's non-volatile memory.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def status(context: click.Context, nvm: Path, as_json: bool) -> None:
    """Show what a hub left in its memory: the process that runs on it, why it last ended by itself, the frames that it failed at,
    the faults that it outlived.

    Exit code 1 where it ended by itself, set a frame aside or outlived a fault.
    """
    running = Owner.holder(nvm)
    store = SqliteStore(nvm, owner=False)
    try:
        failure, aside, outlived = last_failure(store), frames_set_aside(store), faults_outlived(store)
    finally:
        store.close()
    if as_json:
        shown = {
            "running": None if running is None else {"pid": running[0], "command": running[1]},
            "failure": None if failure is None else asdict(failure),
            "set_aside": [{"sequence": one.sequence, "kind": one.kind.name.lower(), "reason": one.reason} for one in aside],
            "faults": [asdict(one) for one in outlived],
        }
        click.echo(json.dumps(shown, indent=1))
    else:
        click.echo("it does not run" if running is None else f"process {running[0]} runs on it ({running[1]})")
        click.echo("it never ended by itself" if failure is None else f"{moment_text(failure.time)} {failure.reason}")
        for one in aside:
            click.echo(f"set aside: {one.kind.name.lower()} frame {one.sequence}, {len(one.body)} octets: {one.reason}")
        for fault in outlived:
            click.echo(f"outlived: {moment_text(fault.time)} {fault.reason}")
    if failure is not None or aside or outlived:
        context.exit(1)


async def _run(board: Board, radio: str, wan: str, pki_folder: Path, nvm: Path, console: Path, clock: Clock, trace: Trace) -> None:
    host, colon, port = wan.rpartition(":")
    if not colon or not port.isdigit():
        raise NotAvailable(f"a WAN at {wan!r}", "write it as HOST:PORT, for example 127.0.0.1:4059")
    keystore = Keystore.load(pki_folder)
    link = TcpWanLink.client(host, int(port), files_of(pki_folder / "tls", str(board.hub.chf)))
    store = SqliteStore(nvm)
    dongle = radio_of(board, radio, clock, trace, backups=nvm.parent / "backups")
    try:
        hub = Hub(hub_config(board), dongle, link, store, keystore, clock, trace)
        latest = Latest()
        trace.subscribe(latest)
        core = Core(board, clock, trace, board.seed, LoneHub(hub, nvm.parent, keystore, clock), latest.records, kinds=NOUNS)
        async with console_socket(core, console):
            click.echo(f"console: chub console --attach {console}", err=True)
            await hub.run()
    except asyncio.CancelledError:
        click.echo("power cut", err=True)
    finally:
        await dongle.stop()
        store.close()


def _show(record: Record) -> None:
    if record.area in ("power", "hub", "wan") or record.event == "failed":
        detail = " ".join(f"{key}={value}" for key, value in record.detail.items())
        click.echo(f"{record.time:.3f} {record.source} {record.event} {record.target or ''} {detail}".rstrip())
