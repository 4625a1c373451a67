"""``chub ichis``: the connector, profiles, the served jig; commands of other packages join by the entry points ``chub.ichis``."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from dataclasses import asdict, fields
from pathlib import Path

import click

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.extras import OpenGroup
from firmware_emu.trace import Trace
from ichis.condition import Condition
from ichis.connector import PINS
from ichis.instrument.fault import Misbehaviour, read_fault
from ichis.interop import PortPairing, load_makers, pair, unit_under_test
from ichis.loop_back import TIMES, loop_back
from ichis.measuring.dialect import dialects
from ichis.profile import load_profile
from ichis.served_jig import Serving
from ichis.served_jig import serve as serve_jig


class _Commands(OpenGroup):
    """Commands of this module, and of packages that this one does not know."""

    entries = "chub.ichis"


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
@click.option(
    "--as", "supply", default="scpi-supply", show_default=True, metavar="MODEL", help="the supply it plays, of `chub ichis instruments`"
)
@click.option("--probes-as", "probes", default="scpi-scanner", show_default=True, metavar="MODEL", help="the multimeter it plays")
@click.option(
    "--fault", "faults", multiple=True, metavar="SENTENCE", help="what goes wrong, as: off ignored; probe 3s late at 12th; repeatable"
)
@click.option("--latency", default="0ms", show_default=True, metavar="TIME", help="of each exchange, as 100ms or 0.6s")
@click.option("--unit", metavar="NAME", help="put a modelled unit into the socket, of `chub ichis units`; none: whoever attaches")
@click.option(
    "--speed",
    type=click.FloatRange(1, 100),
    default=1.0,
    show_default=True,
    help="bench seconds in a second, with --unit: of it, and of the board",
)
@click.option("--tcp", is_flag=True, help="on TCP ports as a LAN instrument's raw socket, in place of pseudo-terminals")
@click.option("--json", "as_json", is_flag=True, help="one JSON line when everything is there")
def serve(
    folder: Path,
    port: int,
    write_board: Path | None,
    supply: str,
    probes: str,
    faults: tuple[str, ...],
    latency: str,
    unit: str | None,
    speed: float,
    tcp: bool,
    as_json: bool,
) -> None:
    """Serve stand-ins of a supply and a multimeter on pseudo-terminals FOLDER/supply and FOLDER/probes, until interrupted.

    With --unit also FOLDER/data, its serial pair, and FOLDER/hand, a relay that puts it into the socket and takes it out.
    """
    clock = Clock(speed=speed if unit is not None else 1.0)
    serving = Serving(
        supply,
        probes,
        tuple(read_fault(sentence) for sentence in faults),
        _seconds(latency),
        None if unit is None else unit_under_test(unit),
        tcp,
        clock,
    )
    folder.mkdir(parents=True, exist_ok=True)
    place = folder.resolve()

    def tell(table: dict[str, str]) -> None:
        if write_board is not None:
            write_board.write_text(_board(table, None if unit is None else speed), encoding="utf-8")
        if as_json:
            click.echo(json.dumps({"jig": table}))
        else:
            for key, value in table.items():
                click.echo(f"jig.{key} = {value}")

    async def main() -> None:
        ended = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
        async with serve_jig(place, port, serving) as table:
            tell(table)
            await ended.wait()

    try:
        clock.run(main())
    except KeyboardInterrupt:
        click.echo("closed", err=True)


@ichis.command()
@click.option("--board", "board_name", default="simulated", show_default=True, help="board name or path of a .toml file")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="lay a value over the board, as jig.supply=...")
@click.option("--times", type=click.IntRange(2, 10_000), default=TIMES, show_default=True, help="times that the supply is switched off")
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
def loopback(board_name: str, settings: tuple[str, ...], times: int, as_json: bool) -> None:
    """Measure the latency of a board's supply with a loop-back plug in the hub's place: from the command off to the edge of Device Present.

    The table that it prints goes into the supply's calibration file; from then on a time without supply is known that well.
    """
    board = load_board(board_name, settings)
    limits = load_profile(board.jig.profile)
    clock = Clock(start=board.clock.start, warp=board.warp, speed=board.clock.speed)

    found = asdict(clock.run(loop_back(board.jig, limits, clock, times)))
    if as_json:
        click.echo(json.dumps({"off_latency": found}))
        return
    click.echo("[off_latency]")
    for name, value in found.items():
        click.echo(f"{name} = {round(value, 6)}")


@ichis.command()
@click.option("--makers", type=click.Path(dir_okay=False, path_type=Path), help="TOML file of hosts and hubs; the bench's own if not given")
@click.option("--profile", "profile_name", default="ichis_default", show_default=True, help="profile name or path")
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
def interop(makers: Path | None, profile_name: str, as_json: bool) -> None:
    """Every hub in every host's port, as models: start, a dip, an outage. Exit code 1 where a pair does not work together."""
    limits, known = load_profile(profile_name), load_makers(makers)
    clock = Clock(warp=True)
    trace = Trace(clock.now)

    async def main() -> list[PortPairing]:
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


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s)", text.strip())
    if found is None:
        raise click.BadParameter(f"{text!r}: expected a time such as 100ms or 0.6s", param_hint="--latency")
    return float(found[1]) / (1000 if found[2] == "ms" else 1)


@ichis.command()
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
def instruments(as_json: bool) -> None:
    """Instruments that this bench speaks to: by their answer to *IDN?, with what each family lacks, and the faults of their stand-ins."""
    rows = [
        {
            "model": model.name,
            "family": dialect.family,
            "kind": dialect.kind,
            "joined commands": dialect.joins,
            "list step s": dialect.least_step_s if dialect.playing is not None else None,
            "peak": "peak" in dialect.words,
            "identity": dialect.match,
            "source": dialect.source,
            "accuracy": {quantity: one.source for quantity, one in model.accuracy.items()},
        }
        for dialect in dialects().values()
        for model in dialect.models.values()
    ]
    faults = [what.words.replace("{}", "3") for what in Misbehaviour]
    if as_json:
        click.echo(json.dumps({"instruments": rows, "faults": faults}))
        return
    for row in rows:
        step = f"lists from {row['list step s']:g} s" if row["list step s"] is not None else "no lists"
        extras = "" if row["kind"] != "supply" else f", {step}, {'tells peaks' if row['peak'] else 'no peaks'}"
        click.echo(f"{row['model']:<20} {row['kind']:<7} {row['family']}{extras}")
    click.echo("faults of stand-ins: " + "; ".join(faults))


@ichis.command()
@click.option("--json", "as_json", is_flag=True, help="one JSON object")
def units(as_json: bool) -> None:
    """Modelled units under test, by what differs from the healthy one: for `serve --unit` and `--set jig.unit=NAME`."""
    healthy = Condition()
    rows = {
        name: {field.name: getattr(unit, field.name) for field in fields(unit) if getattr(unit, field.name) != getattr(healthy, field.name)}
        for name, unit in load_makers(file="units.toml").hubs.items()
    }
    if as_json:
        click.echo(json.dumps({"units": rows}))
        return
    for name, changed in rows.items():
        click.echo(f"{name:<16} {', '.join(f'{key} = {value}' for key, value in changed.items()) or 'the healthy datasheet'}")


def _board(table: dict[str, str], speed: float | None) -> str:
    """A board of what is served; ``speed``: of a unit of its own, None where whoever emulates the hub attaches."""
    if speed is not None:  # as around a real one
        lines = ["# Stand-ins around a modelled unit, as around a real one.", 'name = "served"', 'extends = "simulated"', ""]
        lines += [
            "[clock]",
            'mode = "wall"',
            f"speed = {speed:g}",
            "",
            "[jig]",
            *(f"{key} = {json.dumps(value)}" for key, value in table.items()),
        ]
        lines += ["[jig.standard]", "volts_contact = 21", "volts = 5.0", "ohms_contacts = [22, 23]", "ohms = 100.0"]
        return "\n".join(lines) + "\n"
    lines = ["# Supply and multimeter in another process; the rest as in the board below.", 'name = "served"', 'extends = "simulated"', ""]
    parts = {key: value for key, value in table.items() if key != "lines"}  # on bench time that jumps, lines are modelled beside the hub
    lines += ["[clock]", 'mode = "warp"', "", "[jig]", *(f"{key} = {json.dumps(value)}" for key, value in parts.items())]
    lines += ["[jig.standard]", "volts_contact = 21", "volts = 5.0", "ohms_contacts = [22, 23]", "ohms = 100.0"]
    return "\n".join(lines) + "\n"
