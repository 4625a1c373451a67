"""``chub ichis``: the connector, profiles, the served jig; commands of other packages join by the entry points ``chub.ichis``."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from importlib.metadata import entry_points
from pathlib import Path

import click

from firmware_emu.clock import Clock
from firmware_emu.extras import load
from firmware_emu.trace import Trace
from ichis.connector import PINS
from ichis.interop import Pairing, load_makers, pair
from ichis.profile import load_profile
from ichis.served_jig import serve as serve_jig


class _Commands(click.Group):
    """Commands of this module, and of packages that this one does not know."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *(entry.name for entry in entry_points(group="chub.ichis"))})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        known = super().get_command(ctx, cmd_name)
        if known is not None:
            return known
        for entry in entry_points(group="chub.ichis", name=cmd_name):
            command = load(entry)
            if isinstance(command, click.Command):
                return command
        return None


@click.group(cls=_Commands)
def ichis() -> None:
    """The hub's connector: pins, profiles, jigs, conformance checks."""


@ichis.command()
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
def pins(as_json: bool) -> None:
    """The 20 pins: direction at the host, polarity, pull-up, what an open contact reads as."""
    rows = [
        {
            "pin": pin.number,
            "name": pin.name,
            "symbol": pin.symbol,
            "host": pin.host.value,
            "hub": pin.hub.value,
            "active": None if pin.active is None else pin.active.value,
            "pull_up": pin.pull_up,
            "open": pin.reads_open.value,
        }
        for pin in PINS
    ]
    if as_json:
        click.echo(json.dumps({"pins": rows}))
        return
    for row in rows:
        active = "" if row["active"] is None else f", active {row['active']}"
        pull_up = ", pull-up" if row["pull_up"] else ""
        click.echo(f"{row['pin']:>2} {row['symbol']:<7} {row['name']:<16} host {row['host']}{active}{pull_up}, open reads {row['open']}")


@ichis.command()
@click.argument("name", default="ichis_default")
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
def profile(name: str, as_json: bool) -> None:
    """The limits of a profile, each with its source."""
    read = load_profile(name)
    rows = [
        {"key": key, "value": limit.value, "unit": limit.unit, "source": limit.source, "confidence": limit.confidence}
        for key, limit in read.limits.items()
    ]
    rows += [
        {"key": key, "value": choice.value, "unit": "", "source": choice.source, "confidence": choice.confidence}
        for key, choice in read.choices.items()
    ]
    if as_json:
        click.echo(
            json.dumps(
                {"name": read.name, "version": read.version, "host": read.host, "limits": rows, "not_measured": list(read.not_measured)}
            )
        )
        return
    click.echo(f"{read.name}: {read.version}, host {read.host}")
    for row in rows:
        click.echo(f"{row['key']:<30} {row['value']:>9} {row['unit']:<6} {row['source']} ({row['confidence']})")


@ichis.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="TCP port of the hub's socket on 127.0.0.1; 0: any free one")
@click.option("--write-board", type=click.Path(dir_okay=False, path_type=Path), help="write a board file that uses what is served")
@click.option("--json", "as_json", is_flag=True, help="one JSON line when everything is there")
def serve(folder: Path, port: int, write_board: Path | None, as_json: bool) -> None:
    """Serve a simulated supply and multimeter by SCPI on pseudo-terminals FOLDER/supply and FOLDER/probes, until interrupted."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder.resolve()

    def tell(table: dict[str, str]) -> None:
        if write_board is not None:
            write_board.write_text(_board(table), encoding="utf-8")
        if as_json:
            click.echo(json.dumps({"jig": table}))
        else:
            for key, value in table.items():
                click.echo(f"jig.{key} = {value}")

    async def main() -> None:
        ended = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
        async with serve_jig(place, port) as table:
            tell(table)
            await ended.wait()

    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        click.echo("closed", err=True)


@ichis.command()
@click.option("--makers", type=click.Path(dir_okay=False, path_type=Path), help="TOML file of hosts and hubs; the bench's own if not given")
@click.option("--profile", "profile_name", default="ichis_default", show_default=True, help="profile name or path")
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
def interop(makers: Path | None, profile_name: str, as_json: bool) -> None:
    """Every hub in every host's port, as models: start, a dip, an outage. Exit code 1 where a pair does not work together."""
    limits, known = load_profile(profile_name), load_makers(makers)
    clock = Clock(warp=True)
    trace = Trace(clock.now)

    async def main() -> list[Pairing]:
        return [await pair(limits, known, host, hub, clock, trace) for host in known.hosts for hub in known.hubs]

    found = clock.run(main())
    if as_json:
        click.echo(
            json.dumps(
                {
                    "pairs": [
                        {
                            "host": one.host,
                            "kind": known.kinds[one.host],
                            "hub": one.hub,
                            "started_s": one.started_s,
                            "volts": round(one.volts, 3),
                            "warned_s": one.warned_s,
                            "problems": list(one.problems),
                        }
                        for one in found
                    ]
                }
            )
        )
    else:
        for one in found:
            verdict = "; ".join(one.problems) or f"works: {one.volts:.2f} V, shown after {one.started_s:.2f} s, warned {one.warned_s:.2f} s"
            click.echo(f"{one.hub:<12} in {one.host:<12} ({known.kinds[one.host]}): {verdict}")
    sys.exit(1 if any(one.problems for one in found) else 0)


def _board(table: dict[str, str]) -> str:
    lines = ["# Supply and multimeter in another process; the rest as in the board below.", 'name = "served"', 'extends = "simulated"', ""]
    parts = {key: value for key, value in table.items() if key != "lines"}  # on bench time that jumps, lines are modelled beside the hub
    lines += ["[clock]", 'mode = "warp"', "", "[jig]", *(f"{key} = {json.dumps(value)}" for key, value in parts.items())]
    return "\n".join(lines) + "\n"
