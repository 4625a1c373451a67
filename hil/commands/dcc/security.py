"""``chub dcc security``: what protective monitoring noticed, which algorithms are in use, how far user entry has come."""

from __future__ import annotations

from pathlib import Path

import click

from firmware_emu.clock import Clock
from firmware_emu.extras import Choice
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace
from hil.bench.far_end import BenchKeys, carry_out, open_far_end
from hil.commands.dcc.options import EUI, json_option, moment, opened, show, store_option
from hil.commands.dcc.send import board_option, keys_option
from hil.dcc.base.services import UserRole
from hil.sec.security.entry import STEPS, UserEntry
from hil.sec.security.monitor import security_events
from hil.sec.security.primitives import primitives

__all__ = ["security"]


@click.group("security")
def security() -> None:
    """Security of the DCC side: events that monitoring noticed, algorithms with their limb of [393]."""


@security.command("events")
@store_option
@json_option
def events(store_path: Path, as_json: bool) -> None:
    """Show what was noticed, and the incident it became part of."""
    with opened(store_path) as store:
        rows = [
            {"time": moment(one.time), "kind": one.kind, "source": one.source, "incident": one.incident, "detail": one.detail}
            for one in security_events(store)
        ]
    show(rows, "Security events", as_json)


@security.command("algorithms")
@json_option
def algorithms(as_json: bool) -> None:
    """Show every algorithm and random number generator in cryptographic use; fails where one of the gateway has no limb."""
    show([{"name": one.name, "scope": one.scope, "limb": one.limb} for one in primitives()], "Algorithms [393]", as_json)


@security.command("entry")
@click.argument("party", type=EUI)
@click.option("--complete", type=Choice(STEPS), help="This step is done: they go in this order, tests over a notified connection.")
@click.option("--evidence", default="", help="Proof of the step, with --complete.")
@click.option("--enter", "role", type=Choice([one.value for one in UserRole]), help="Make it a user in this role, all steps done.")
@store_option
@keys_option
@board_option
@json_option
def entry(
    party: Eui64,
    complete: str | None,
    evidence: str,
    role: str | None,
    store_path: Path,
    keys: Path | None,
    board_name: str | None,
    as_json: bool,
) -> None:
    """Show which steps of user entry PARTY has left, record one, or make it a user. Until then the gateway refuses everything of it."""
    bench, clock = BenchKeys.of(keys, board_name), Clock()

    async def run() -> list[dict[str, object]]:
        async with open_far_end(bench, store_path, clock, Trace(clock.now)) as end:
            record = UserEntry(end.dcc.store, end.dcc.gateway, end.dcc.clock.now, end.dcc.connections)
            if complete is not None:
                record.complete(party, complete, evidence)
            if role is not None:
                record.enter(party, UserRole(role))
            left = record.left(party)
            return [{"step": step, "done": step not in left} for step in STEPS]

    show(carry_out(clock, run()), f"user entry of {party}", as_json)
