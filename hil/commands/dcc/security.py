"""``chub dcc security``: what protective monitoring noticed, which algorithms are in use."""

from __future__ import annotations

from pathlib import Path

import click

from hil.commands.dcc.options import json_option, moment, opened, show, store_option
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
