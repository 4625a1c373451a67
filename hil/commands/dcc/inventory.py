"""Commands of ``chub dcc`` on a DCC's store, which is its memory: inventory, alerts; and those of :mod:`hil.commands.dcc.send`."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import click

from firmware_emu.ids import Eui64
from hil.commands.dcc.life import life, why
from hil.commands.dcc.options import EUI, json_option, moment, opened, store_option
from hil.commands.dcc.refusals import refusals
from hil.commands.dcc.send import listen, prepare, request, send
from hil.commands.dcc.stored import connections, device_log, firmware, owed_responses, quarantine, requests, schedules, users
from hil.dcc.answers.alert_table import AlertRecord, AlertTable
from hil.dcc.inventory.inventory import Inventory

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
@json_option
def inventory(device: Eui64 | None, store_path: Path, audit: bool, as_json: bool) -> None:
    """Show the Devices the DCC knows, or one DEVICE, or every change of them."""
    with opened(store_path) as store:
        listed = Inventory(store, lambda: 0.0)
        if audit:
            lines = listed.audit(device)
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
            return
        found = listed.devices() if device is None else (listed.listed(device),)
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
