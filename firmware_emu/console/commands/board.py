"""``chub board``: the boards there are, what one says after ``extends``, whether a file is good, and the JSON Schema."""

from __future__ import annotations

import json

import click

from firmware_emu.board import Board, board_folders, board_names, board_schema, load_board
from firmware_emu.errors import BoardError


@click.group()
def board() -> None:
    """Boards: the parts of a bench."""


def _told(board: Board) -> str:
    """The board's own description and its real parts, of which a description that another board hands on knows nothing."""
    return f"{board.description} ({', '.join(board.real_parts) or 'all virtual'})"


@board.command("list")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of lines")
def list_boards(as_json: bool) -> None:
    """List the boards, each with its description."""
    boards = {name: _told(load_board(name)) for name in board_names()}
    if as_json:
        click.echo(json.dumps(boards, indent=2))
        return
    for name, description in boards.items():
        click.echo(f"{name:20} {description}")
    click.echo(f"(in {', '.join(str(folder) for folder in board_folders())})")


@board.command()
@click.argument("name", default="simulated")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="lay a value over the file, as radio.path=/dev/ttyUSB0")
@click.option("--json", "as_json", is_flag=True, help="the whole board as JSON; install codes are left out")
def show(name: str, settings: tuple[str, ...], as_json: bool) -> None:
    """Check a board (a NAME or a path to a .toml file) and show it."""
    loaded = load_board(name, settings)
    loaded.check_airs()
    if as_json:
        plain = {key: value for key, value in loaded.model_dump().items() if key != "device"}
        plain["device"] = [{key: value for key, value in device.model_dump().items() if key != "install_code"} for device in loaded.device]
        click.echo(json.dumps(plain, default=str, indent=2))
        return
    click.echo(f"{loaded.name}: {_told(loaded)}")
    click.echo(
        f"  radio   {loaded.radio.kind} on {loaded.radio.path}, {loaded.radio.baudrate} baud, air {loaded.hub_air or 'of a recording'!r}"
    )
    click.echo(f"  time    {'warp' if loaded.warp else 'wall'}, seed {loaded.seed}")
    click.echo(f"  wan     {loaded.wan.kind};  jig {loaded.jig.kind}, profile {loaded.jig.profile}")
    click.echo(f"  chf     {loaded.hub.chf}\n  gpf     {loaded.hub.gpf}")
    for device in loaded.device:
        click.echo(f"  {device.name:7} {device.eui}  {device.type:7} {device.node}, air {loaded.air_of(device)!r}")


@board.command()
@click.argument("names", nargs=-1)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="lay a value over each, as radio.path=/dev/ttyUSB0")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of lines: board to its problem, null for a good one")
def check(names: tuple[str, ...], settings: tuple[str, ...], as_json: bool) -> None:
    """Check boards (NAMES or paths to .toml files; every one there is, if none is named); exit code 2 if one cannot be."""
    found = {name: _problem(name, settings) for name in names or tuple(board_names())}
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        for name, problem in found.items():
            click.echo(f"{name}: {'good' if problem is None else problem}")
    if any(problem is not None for problem in found.values()):
        raise SystemExit(2)


def _problem(name: str, settings: tuple[str, ...]) -> str | None:
    try:
        loaded = load_board(name, settings)
        loaded.check_airs()
        loaded.open_addresses()
    except BoardError as wrong:
        return wrong.problem if wrong.file == "--board" else str(wrong).removeprefix(f"{name}: ")  # the line begins with its name
    return None


@board.command()
def schema() -> None:
    """Print the JSON Schema of a board file."""
    click.echo(board_schema())
