"""``chub ncp compare``: the commands of a log put to a virtual dongle, and each field that the real one answered differently."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from hil.radio.log.compare import compare
from hil.radio.log.reading import read_log


@click.command("compare")
@click.argument("log", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--personality", "firmware", metavar="NAME", help="The firmware to play: a name or a .toml; if not given, the log's.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def compare_log(log: Path, firmware: str | None, as_json: bool) -> None:
    """Send the commands of a LOG (any that `chub log` reads) to a virtual dongle and show every field of an answer that differs.

    Exit code 1 where one does.
    """
    found = compare(read_log(log), firmware)
    if as_json:
        click.echo(json.dumps(found.as_json()))
    else:
        for one in found.differences:
            click.echo(f"line {one.line}: {one.command}.{one.field}: the log's dongle {one.real}, the virtual one {one.virtual}")
        click.echo(f"{found.firmware}: {found.alike} of {found.asked} answers alike")
    sys.exit(1 if found.differences else 0)
