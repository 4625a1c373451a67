"""``chub log``: bring the debug log of another host; every frame in words, what went wrong, and the log as a recording to play."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from hil.radio.log.reading import Entry, Log, read_lines, read_log, write_replay


@click.command("log")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True))
@click.option("--wrong", "wrong_only", is_flag=True, help="Only what went wrong.")
@click.option(
    "--replay", type=click.Path(dir_okay=False, path_type=Path), help="Write it as a recording, for --set radio.path=replay:FILE."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def log(file: Path, wrong_only: bool, replay: Path | None, as_json: bool) -> None:
    """Read a debug log of bellows, ZHA, Zigbee2MQTT (ember, ezsp, zstack) or zigpy-znp, or a recording (--record); - is standard input.

    The EZSP version is that of the log's own exchange. Keys are not shown. Exit code 1 where something went wrong.
    """
    found = read_lines(sys.stdin, "standard input") if str(file) == "-" else read_log(file)
    if replay is not None:
        count = write_replay(found, replay)
        click.echo(f"{count} frames in {replay}: chub console --set radio.path=replay:{replay}", err=True)
    if as_json:
        click.echo(json.dumps(found.as_json()))
    else:
        _show(found, wrong_only)
    sys.exit(1 if found.wrong else 0)


def _show(found: Log, wrong_only: bool) -> None:
    began = next((one.time for one in found.entries if one.time is not None), None)
    if not wrong_only:
        for one in found.entries:
            click.echo(_line(one, began))
    for wrong in found.wrong:
        click.echo(f"line {wrong.line}: {wrong.what}: {wrong.why}")
    spoken = {"ezsp": f"EZSP {found.version}{'' if found.told else ' by what fits, the log does not tell'}", "znp": "Z-Stack MT"}
    click.echo(f"{spoken.get(found.family, 'words alone, no octets')}: {len(found.entries)} entries, {len(found.wrong)} went wrong")


def _line(one: Entry, began: float | None) -> str:
    at = "" if one.time is None or began is None else f"{one.time - began:9.3f}"
    arrow = "->" if one.sender == "host" else "<-"
    return f"{one.line:6} {at:>9} {arrow} {one.layer:4} {one.name} {one.kind} {one.text}".rstrip()
