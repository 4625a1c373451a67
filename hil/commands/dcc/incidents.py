"""``chub dcc incidents``: the incident log on the command line, as the DCC or as a user."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from firmware_emu.clock import Clock
from firmware_emu.errors import NotAvailable, in_json
from firmware_emu.extras import Choice
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace
from hil.bench.far_end import BenchKeys, carry_out, open_far_end
from hil.commands.dcc.options import EUI, json_option, moment, now, opened, show, store_option
from hil.commands.dcc.send import board_option, keys_option, listen_option, place_of, reach
from hil.dcc.base.months import Month
from hil.dcc.base.store import DccStore
from hil.dcc.inventory.device_log import DeviceLogCopy
from hil.dcc.inventory.inventory import Inventory
from hil.dcc.registration import Registration
from hil.sec.incidents.desk import Contact, ServiceDesk
from hil.sec.incidents.diagnostics import ask
from hil.sec.incidents.indicators import indicators
from hil.sec.incidents.log import Incident, IncidentLog
from hil.sec.incidents.major import MajorIncidents
from hil.sec.incidents.responsibility import default_area
from hil.sec.incidents.rules import incident_rules

__all__ = ["incidents", "log_of"]

_as = click.option("--as", "user", type=EUI, help="Act as this user; without it as the DCC.")
_number = click.argument("number", type=int)


def log_of(store: DccStore) -> IncidentLog:
    """The incident log of a stored DCC, on wall time."""
    inventory = Inventory(store, now)
    return IncidentLog(store, inventory, Registration(store), DeviceLogCopy(store, inventory, now), now)


@contextmanager
def _log(path: Path) -> Iterator[IncidentLog]:
    with opened(path) as store:
        yield log_of(store)


@click.group("incidents")
def incidents() -> None:
    """The incident log: diagnose, raise, work on, close; major incidents [217-237]."""


def _row(one: Incident, at: float) -> dict[str, object]:
    return {
        "number": one.number,
        "category": one.category,
        "state": one.state,
        "area": one.area,
        "device": str(one.device or "-"),
        "owner": str(one.owner or "DCC"),
        "due": moment(one.due),
        "late": one.late(at),
        "major": one.major,
        "summary": one.summary,
    }


@incidents.command("list")
@_as
@click.option("--open", "open_only", is_flag=True, help="Only those that are not resolved.")
@store_option
@json_option
def list_incidents(user: Eui64 | None, open_only: bool, store_path: Path, as_json: bool) -> None:
    """List incidents, the most urgent first; as a user those it may see."""
    with _log(store_path) as log:
        delayed = {one.number for one in log.delayed()}
        rows = [_row(one, now()) | {"delayed": one.number in delayed} for one in log.incidents(user, open_only=open_only)]
    show(rows, "Incidents", as_json)


@incidents.command("show")
@_number
@_as
@store_option
@json_option
def show_incident(number: int, user: Eui64 | None, store_path: Path, as_json: bool) -> None:
    """Show one incident with its history."""
    with _log(store_path) as log:
        one = log.incident(number) if user is None else log.seen_by(user, number)
        if one is None:
            raise NotAvailable(f"incident {number}", f"{user} has no right to see one of that number")
        entries = [
            {"time": moment(entry.time), "who": entry.who, "kind": entry.kind, "to": str(entry.to or ""), "text": entry.text}
            for entry in log.entries(number)
            if user is None or entry.to in (None, user)
        ]
    row = _row(one, now()) | {"rule": one.rule, "raised": moment(one.raised), "by": str(one.user or "DCC")}
    if as_json:
        click.echo(json.dumps(row | {"entries": entries}, indent=2))
        return
    for name, value in row.items():
        click.echo(f"{name}: {value}")
    show(entries, "History", False)


@incidents.command("diagnose")
@click.argument("device", type=EUI)
@click.option("--as", "user", type=EUI, required=True, help="The user.")
@store_option
@keys_option
@board_option
@listen_option
@click.option("--wait", "wait_s", type=float, help="Seconds to wait for the hub and then for the Device's answer.")
@json_option
def diagnose(
    device: Eui64,
    user: Eui64,
    store_path: Path,
    keys: Path | None,
    board_name: str | None,
    listen: str,
    wait_s: float | None,
    as_json: bool,
) -> None:
    """Run the DCC's remote diagnostics on DEVICE; their number is named when an incident is raised.

    With the user's keys (--board or --keys) the Device itself is asked too, for the firmware it runs (11.2).
    """
    said = None
    if keys is not None or board_name is not None:
        bench, clock, place = BenchKeys.of(keys, board_name), Clock(), place_of(listen)

        async def asked() -> str:
            async with open_far_end(bench, store_path, clock, Trace(clock.now)) as end:
                hub = end.dcc.inventory.hub_of(device)
                if hub is not None:
                    await reach(end, hub, place, wait_s)
                return await ask(end.dcc, end.user(user), device, wait_s)

        said = carry_out(clock, asked())
    with _log(store_path) as log:
        found = log.diagnose(user, device, said)
    if as_json:
        click.echo(json.dumps({"diagnostic": found.number, "findings": found.findings}, indent=2))
        return
    click.echo(f"diagnostic {found.number}")
    click.echo("\n".join(f"  {finding}" for finding in found.findings))


@incidents.command("raise")
@click.argument("summary")
@click.option("--as", "user", type=EUI, help="The user; without it the DCC raises it.")
@click.option("--area", type=Choice(list(incident_rules().areas)), help="Place of the fault; by the Device's kind if not given.")
@click.option("--category", type=int, default=3, show_default=True, help="1 (most severe) to 5.")
@click.option("--device", type=EUI, help="The Device it is about.")
@click.option("--request", help="The user's own Service Request it is tied to.")
@click.option("--diagnostic", type=int, help="The diagnostic run before.")
@click.option("--visit", is_flag=True, help="A visit is needed.")
@click.option("--security", is_flag=True, help="A security incident: it is kept apart, and no user is told or shown it.")
@store_option
@json_option
def raise_incident(
    summary: str,
    user: Eui64 | None,
    area: str | None,
    category: int,
    device: Eui64 | None,
    request: str | None,
    diagnostic: int | None,
    visit: bool,
    security: bool,
    store_path: Path,
    as_json: bool,
) -> None:
    """Raise an incident about SUMMARY; it is allocated at once to the party responsible."""
    if security and user is not None:
        raise click.UsageError("a security incident is the DCC's to raise: leave --as out")
    with opened(store_path) as store:
        listed = None if device is None else Inventory(store, now).device(device)
        one = log_of(store).raise_incident(
            user,
            summary,
            area=area or default_area(None if listed is None else listed.type),
            category=category,
            device=device,
            request=request,
            diagnostic=diagnostic,
            visit=visit,
            security=security,
        )
    show([_row(one, now()) | {"rule": one.rule}], "Raised", as_json)


@incidents.command("indicators")
@click.argument("month")
@store_option
@json_option
def show_indicators(month: str, store_path: Path, as_json: bool) -> None:
    """Show the performance indicators of MONTH (2026-03) by category: raised, resolved, in target, overdue [224]."""
    with _log(store_path) as log:
        found = indicators(log, Month.parse(month), now())
    rows = [
        {
            "category": one.category,
            "target h": f"{one.target_h:g}",
            "raised": one.raised,
            "resolved": one.resolved,
            "in target": "-" if one.percent_in_target is None else f"{float(one.percent_in_target):.1f} %",
            "overdue": one.overdue,
            "mean h": "-" if one.mean_hours is None else f"{one.mean_hours:.1f}",
        }
        for one in found
    ]
    show(rows, f"Incident indicators of {month}", as_json)


_STEPS = ("note", "visit", "resolve", "close", "reopen")


@incidents.command("step")
@_number
@click.argument("step", type=Choice(_STEPS))
@click.argument("text")
@_as
@store_option
@json_option
def step(number: int, step: str, text: str, user: Eui64 | None, store_path: Path, as_json: bool) -> None:
    """Take the next STEP on an incident, with a TEXT that says what or why."""
    with _log(store_path) as log:
        match step:
            case "note":
                one = log.note(user, number, text)
            case "visit":
                one = log.visit_needed(user, number, text)
            case "resolve":
                one = log.resolve(user, number, text)
            case "close":
                one = log.close(user, number, text)
            case _:
                if user is None:
                    raise click.UsageError("a user reopens what it raised: say --as USER")
                one = log.reopen(user, number, text)
    show([_row(one, now())], f"Incident {number}", as_json)


@incidents.command("categorise")
@_number
@click.argument("category", type=int)
@store_option
@json_option
def categorise(number: int, category: int, store_path: Path, as_json: bool) -> None:
    """Set the CATEGORY and with it the target resolution time."""
    with _log(store_path) as log:
        one = log.categorise(number, category)
    show([_row(one, now())], f"Incident {number}", as_json)


def _fields(file: Path) -> dict[str, str]:
    """The fields of a report. Raises BadParameter."""
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as wrong:
        raise click.BadParameter(f"{file}: no JSON: {wrong}", param_hint="--report") from None
    if not isinstance(read, dict) or not all(isinstance(value, str) for value in read.values()):
        raise click.BadParameter(f"{file}: read {in_json(read)[:60]}, expected a JSON object whose values are texts", param_hint="--report")
    return read


@incidents.command("major")
@_number
@click.option("--managers", nargs=2, metavar="RESPONSIBLE DCC", help="Declare it: the two managers' names.")
@click.option("--affected", multiple=True, type=EUI, help="Another affected party; may be repeated.")
@click.option("--report", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Report it: a JSON object of the fields.")
@store_option
@json_option
def major(
    number: int, managers: tuple[str, str] | None, affected: tuple[Eui64, ...], report: Path | None, store_path: Path, as_json: bool
) -> None:
    """Declare a major incident, give its report, or show it."""
    with opened(store_path) as store:
        desk = MajorIncidents(store, log_of(store))
        if managers is not None:
            desk.declare(number, responsible_manager=managers[0], dcc_manager=managers[1], affected=affected, at=now())
        if report is not None:
            desk.report(number, _fields(report), now())
        one = desk.major(number)
    row = {
        "incident": one.incident,
        "declared": moment(one.declared),
        "responsible_manager": one.responsible_manager,
        "dcc_manager": one.dcc_manager,
        "report_due": moment(one.report_due),
        "reported": moment(one.reported),
    }
    show([row], "Major incident", as_json)


@incidents.command("contact")
@click.argument("channel")
@click.argument("party")
@click.argument("kind")
@click.argument("text")
@_as
@click.option("--tried-ssi", is_flag=True, help="The user tried the self-service interface first [247].")
@click.option("--incident", type=int, help="The incident that it is about.")
@store_option
@json_option
def contact(
    channel: str,
    party: str,
    kind: str,
    text: str,
    user: Eui64 | None,
    tried_ssi: bool,
    incident: int | None,
    store_path: Path,
    as_json: bool,
) -> None:
    """Record a contact with the service desk: CHANNEL telephone, email or SSI; KIND general query, incident or feedback [253-255]."""
    with opened(store_path) as store:
        desk = ServiceDesk(store, log_of(store), now)
        one = desk.contact(channel, party, kind, text, user=user, tried_ssi=tried_ssi, incident=incident)
    show([_contact(one)], "Contact", as_json)


@incidents.command("answer")
@_number
@click.argument("text")
@store_option
def answer(number: int, text: str, store_path: Path) -> None:
    """Answer contact NUMBER."""
    with opened(store_path) as store:
        ServiceDesk(store, log_of(store), now).answer(number, text)
    click.echo(f"contact {number} is answered")


@incidents.command("contacts")
@_as
@store_option
@json_option
def contacts(user: Eui64 | None, store_path: Path, as_json: bool) -> None:
    """Show the contacts of the desk, of one user or of all."""
    with opened(store_path) as store:
        show([_contact(one) for one in ServiceDesk(store, log_of(store), now).contacts(user)], "Contacts with the service desk", as_json)


def _contact(one: Contact) -> dict[str, object]:
    return {
        "number": one.number,
        "time": moment(one.time),
        "channel": one.channel,
        "party": one.party,
        "kind": one.kind,
        "text": one.text,
        "incident": one.incident,
        "answer": one.answer,
    }
