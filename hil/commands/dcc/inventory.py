"""Commands of ``chub dcc`` on a DCC's store, which is its memory: inventory, alerts; and those of :mod:`hil.commands.dcc.send`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import click

from firmware_emu.ids import Eui64
from hil.commands.dcc.life import life, why
from hil.commands.dcc.options import EUI, json_option, moment, opened, show, store_option
from hil.commands.dcc.refusals import refusals
from hil.commands.dcc.send import listen, prepare, request, send
from hil.commands.dcc.stored import connections, device_log, firmware, owed_responses, quarantine, requests, schedules, users
from hil.dcc.answers.alert_table import AlertRecord, AlertTable
from hil.dcc.inventory.inventory import AuditLine, Device, Inventory
from hil.dcc.inventory.rules import rules
from hil.dcc.inventory.systems import STANDARD_DUTIES, CheckList

__all__ = [
    "alerts",
    "connections",
    "device_log",
    "firmware",
    "inventory",
    "life",
    "listen",
    "owed_responses",
    "prepare",
    "quarantine",
    "refusals",
    "request",
    "requests",
    "schedules",
    "send",
    "users",
    "why",
]


@click.command("inventory")
@click.argument("device", type=EUI, required=False)
@store_option
@click.option("--audit", is_flag=True, help="Every change, with request, user and reason.")
@click.option("--mpxn", help="Look up the meters of an MPAN or MPRN, and what is associated with them (8.2).")
@click.option("--postcode", help="Look up by postcode.")
@click.option("--premises", help="With --postcode: the premises' number or name.")
@click.option("--uprn", help="Look up by UPRN.")
@click.option("--associated", is_flag=True, help="With DEVICE: what is within three steps of association too, as 8.2 answers.")
@click.option("--why-not", is_flag=True, help="With DEVICE: every reason why it would not be commissioned now [187].")
@click.option("--exceptions", is_flag=True, help="Records that a supplier reviews: Type 1 Devices in service without a meter [181].")
@click.option("--open", "open_duties", is_flag=True, help="Duties after installation that are still open, of each meter.")
@click.option("--statuses", is_flag=True, help="The statuses that a Device may have, and the moves between them.")
@json_option
def inventory(
    device: Eui64 | None,
    store_path: Path,
    audit: bool,
    mpxn: str | None,
    postcode: str | None,
    premises: str | None,
    uprn: str | None,
    associated: bool,
    why_not: bool,
    exceptions: bool,
    open_duties: bool,
    statuses: bool,
    as_json: bool,
) -> None:
    """Show the Devices the DCC knows, or one DEVICE, or what a lookup finds, or every change of them; exit code 1 with --why-not,
    --exceptions and --open where there is something to tell."""
    if (associated or why_not) and device is None:
        raise click.UsageError(f"--{'associated' if associated else 'why-not'} is about one DEVICE: name it")
    if premises is not None and postcode is None:
        raise click.UsageError("--premises is looked up at a --postcode: give both")
    if statuses:
        moves = [
            {"event": move.event, "from": " ".join(sorted(move.sources)), "to": move.to, "source": move.source} for move in rules().moves
        ]
        known = [{"status": name, "meaning": meaning} for name, meaning in rules().statuses.items()]
        if as_json:
            click.echo(json.dumps({"statuses": known, "moves": moves}, indent=2))
        else:
            show(known, "Statuses", False)
            show(moves, "Moves", False)
        return
    with opened(store_path) as store:
        listed = Inventory(store, lambda: 0.0)
        if audit:
            _show_audit(listed.audit(device), as_json)
        elif why_not or exceptions:
            told = listed.commission_refusals(device) if why_not and device is not None else listed.exceptions()
            click.echo(json.dumps(list(map(str, told)), indent=2) if as_json else "\n".join(map(str, told)) or "nothing")
            if told:
                raise SystemExit(1)
        elif open_duties:
            left = CheckList(listed, dict(STANDARD_DUTIES)).all_open()
            show([{"meter": str(eui), "open": list(duties)} for eui, duties in left.items()], "Open after installation", as_json)
            if left:
                raise SystemExit(1)
        elif associated or any((mpxn, postcode, uprn)):
            found = listed.look_up(device=device, mpxn=mpxn, postcode=postcode, premises=premises, uprn=uprn)
            _show_devices(listed, found, as_json)
        else:
            _show_devices(listed, listed.devices() if device is None else (listed.listed(device),), as_json)


def _show_audit(lines: Sequence[AuditLine], as_json: bool) -> None:
    if as_json:
        plain = [
            {
                name: str(value) if isinstance(value, Eui64) else value
                for name, value in ((column.name, getattr(line, column.name)) for column in fields(line))
            }
            for line in lines
        ]
        click.echo(json.dumps(plain, indent=2))
    for line in () if as_json else lines:
        click.echo(f"{moment(line.time)}  {line.device}  {line.from_status or '-'} -> {line.to_status or '-'}  {line.reason}")


def _show_devices(listed: Inventory, found: Sequence[Device], as_json: bool) -> None:
    rows = [one.as_row() | {"hub": str(listed.hub_of(one.eui) or "-"), "enrolled": listed.enrolled(one.eui)} for one in found]
    if as_json:
        click.echo(json.dumps(rows, default=str, indent=2))
    for one, row in () if as_json else zip(found, rows, strict=True):
        enrolled = "  enrolled" if row["enrolled"] else ""
        click.echo(f"{one.eui}  {one.type.name:6}  {one.status:24}  hub {row['hub']:16}  {' '.join(one.mpxns) or '-'}{enrolled}")


@click.command("alerts")
@store_option
@click.option("--device", type=EUI, help="Alerts of one Device or hub alone.")
@json_option
def alerts(store_path: Path, device: Eui64 | None, as_json: bool) -> None:
    """Show every alert received or raised: its recipients, or the reason why it went to nobody."""
    with opened(store_path) as store:
        found = AlertTable(store).all(device)
    if as_json:
        click.echo(json.dumps([_as_json(one) for one in found], indent=2))
    for one in () if as_json else found:
        took = "" if one.delivered is None else f"  after {one.delivered - one.clock_start:.1f} s"
        who = f"{one.device}  {one.state:9}  {one.party or '-'!s:16}"
        click.echo(f"{moment(one.time)}  {one.code or '?':5}  {who}  {one.reason}{took}")


def _as_json(one: AlertRecord) -> dict[str, object]:
    """The columns of the table, in their order."""
    return {
        "number": one.number,
        "time": one.time,
        "kind": one.kind,
        "code": one.code,
        "device": str(one.device),
        "party": None if one.party is None else str(one.party),
        "identifier": one.identifier,
        "state": one.state.value,
        "reason": one.reason,
        "clock_start": one.clock_start,
        "delivered": one.delivered,
        "throttled_sequence": one.throttled_sequence,
        "throttled_count": one.throttled_count,
        "octets": one.octets.hex() if one.octets else None,
        "detail": json.dumps(one.detail),
    }
