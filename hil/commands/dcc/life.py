"""``chub dcc life`` and ``chub dcc why``: the life of a request as a table, and where one request stands in it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from hil.commands.dcc.options import json_option, moment, now, opened, show, store_option
from hil.dcc.base.processing import document
from hil.dcc.base.requests import LIFE, STANDING, Requests, StoredRequest, said_steps


@click.command("life")
@click.option("--markdown", is_flag=True, help="The whole page on how a request is processed, as it stands in hil/dcc/processing.md.")
@json_option
def life(markdown: bool, as_json: bool) -> None:
    """Show every step that a service request can take: state, event, next state, and what follows from it."""
    if markdown:
        click.echo(document(), nl=False)
        return
    rows = [{"state": one.state.value, "event": one.event.value, "next": one.to.value, "follows": "; ".join(one.effects)} for one in LIFE]
    show(rows, "the life of a request", as_json)


@click.command("why")
@click.argument("request_id")
@store_option
@json_option
def why(request_id: str, store_path: Path, as_json: bool) -> None:
    """Show the state of the request REQUEST_ID: the steps it took, what it waits for, what to do, and what can happen to it next."""
    with opened(store_path) as store:
        stored = Requests(store, now).get(request_id)
    told = _told(stored)
    if as_json:
        click.echo(json.dumps(told, indent=2))
        return
    standing = STANDING[stored.state]
    click.echo(f"{stored.variant} to {stored.target} is {stored.state}; it waits for {standing.waits_for}")
    for at, said in _steps(stored):
        click.echo(f"  {at}  {said}")
    click.echo(f"Next: {standing.next}")
    if events := told["can_happen"]:
        click.echo(f"Can happen: {', '.join(map(str, events))}" if isinstance(events, list) else "")


def _steps(stored: StoredRequest) -> list[tuple[str, str]]:
    stamps = stored.stamps
    taken = sorted((at, number, said) for number, (column, said) in enumerate(said_steps()) if (at := stamps[column]) is not None)
    return [(moment(at), said) for at, _, said in taken]


def _told(stored: StoredRequest) -> dict[str, object]:
    return {
        "request": stored.name,
        "variant": stored.variant,
        "target": str(stored.target),
        "state": stored.state.value,
        **asdict(STANDING[stored.state]),
        "steps": [{"at": at, "step": said} for at, said in _steps(stored)],
        "can_happen": [one.event.value for one in LIFE if one.state is stored.state and not (one.unless and stored.delivered)],
    }
