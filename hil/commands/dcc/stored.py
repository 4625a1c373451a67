"""Commands of ``chub dcc`` on what a DCC keeps: requests, schedules, firmware campaigns, quarantine, device logs, connections, users."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from firmware_emu.clock import Clock
from firmware_emu.errors import NotAvailable
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace
from hil.bench.far_end import BenchKeys, carry_out, open_far_end
from hil.commands.dcc.options import EUI, json_option, moment, now, opened, show, store_option
from hil.commands.dcc.send import board_option, keys_option, listen_option, place_of, reach
from hil.dcc.answers.outstanding import outstanding
from hil.dcc.base.profile import profile
from hil.dcc.base.requests import RequestEvent, Requests, RequestState, StoredRequest
from hil.dcc.base.results import Outcome
from hil.dcc.duis import ServiceRequest, read_request
from hil.dcc.gateway.connections import Connections, codes
from hil.dcc.gateway.quarantine import MessageDirection, Quarantine, QuarantinedMessage
from hil.dcc.inventory.device_log import DeviceLogCopy
from hil.dcc.inventory.inventory import Inventory
from hil.dcc.own_services.firmware import FAILED, targets_in
from hil.dcc.own_services.schedules import schedules_in
from hil.dcc.parties.users import EnteredUsers

_device = click.argument("device", type=EUI, required=False)


@click.command("requests")
@store_option
@click.option("--user", type=EUI, help="Those of one user alone.")
@click.option("--state", help="Those in one state: held, waiting, sent, responded, refused, cancelled ...")
@json_option
def requests(store_path: Path, user: Eui64 | None, state: str | None, as_json: bool) -> None:
    """Show the service requests the DCC has accepted: their state, and what they wait for."""
    with opened(store_path) as store:
        rows = [
            {
                "request": one.name,
                "variant": one.variant,
                "state": one.state.value,
                "received": moment(one.received),
                "waits for": _waits(one),
            }
            for one in Requests(store, now).all(user)
            if state in (None, one.state)
        ]
    show(rows, "requests", as_json)


def _waits(stored: StoredRequest) -> str:
    if stored.state is RequestState.WAITING:
        return str(read_request(stored.xml).preceding)
    return moment(stored.execute_at) if stored.state is RequestState.DEFERRED else ""


@click.command("owed")
@store_option
@json_option
def owed_responses(store_path: Path, as_json: bool) -> None:
    """Show the Commands for local delivery whose Response has not been returned (8.13); exit code 1 if one is overdue."""
    with opened(store_path) as store:
        found = outstanding(Requests(store, now), now(), profile().owed_after_s)
    rows: list[dict[str, object]] = [
        {
            "request": one.request,
            "user": str(one.user),
            "device": str(one.device),
            "service": one.variant,
            "since": moment(one.since),
            "overdue": one.overdue,
        }
        for one in found
    ]
    show(rows, "responses owed", as_json)
    if any(one.overdue for one in found):
        raise SystemExit(1)


@click.command("schedules")
@_device
@store_option
@click.option("--all", "gone", is_flag=True, help="Also those that were removed, with the event.")
@json_option
def schedules(device: Eui64 | None, store_path: Path, gone: bool, as_json: bool) -> None:
    """Show the schedules of all users, or those for one DEVICE."""
    with opened(store_path) as store:
        rows = [
            {
                "schedule": one.number,
                "user": str(one.user),
                "device": str(one.device),
                "service": one.variant,
                "frequency": one.frequency,
                "next run": moment(one.next_run),
                "removed": one.removal or "",
            }
            for one in schedules_in(store)
            if (gone or one.removed is None) and device in (None, one.device)
        ]
    show(rows, "schedules", as_json)


@click.command("firmware")
@click.argument("request_id", required=False)
@store_option
@json_option
def firmware(request_id: str | None, store_path: Path, as_json: bool) -> None:
    """Show the progress of each Device of all firmware campaigns, or of one: REQUEST_ID of its 11.1."""
    with opened(store_path) as store:
        found = [one for one in targets_in(store) if request_id in (None, one.request)]
    if as_json:
        rows = [{name: shown for name, shown in one.as_json().items() if name != "changed"} for one in found]
        click.echo(json.dumps(rows, indent=2))
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TextColumn("{task.fields[state]}"))
    with Progress(*columns, console=Console(), auto_refresh=False) as progress:
        for one in found:
            state = f"{one.state}: {one.reason}" if one.state == FAILED else one.state
            progress.add_task(str(one.device), total=one.total, completed=one.at_hub, state=state)
    if not found:
        click.echo("firmware: nothing")


@click.group("quarantine", invoke_without_command=True)
@click.pass_context
def quarantine(context: click.Context) -> None:
    """Messages that anomaly detection holds back: show, release or discard them."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@quarantine.command("show")
@store_option
@json_option
def quarantine_show(store_path: Path, as_json: bool) -> None:
    """Show every message that was ever held back."""
    with opened(store_path) as store:
        held = Quarantine(store, lambda: 0.0).messages()
    rows = [
        {
            "number": one.number,
            "time": moment(one.time),
            "user": str(one.user or ""),
            "direction": one.direction,
            "request": one.request or "",
            "state": one.state,
            "reason": one.reason,
        }
        for one in held
    ]
    show(rows, "quarantine", as_json)


@quarantine.command("discard")
@click.argument("number", type=int)
@store_option
def quarantine_discard(number: int, store_path: Path) -> None:
    """Discard message NUMBER. It takes no effect."""
    with opened(store_path) as store, store.transaction():
        message = (desk := Quarantine(store, now)).held(number)
        desk.settle(number, "discarded")
        if message.direction is MessageDirection.RESPONSE and message.request is not None:
            Requests(store, now).move(message.request, RequestEvent.DISCARD_RESPONSE)
    click.echo(f"message {number} is discarded")


@quarantine.command("release")
@click.argument("number", type=int)
@store_option
@keys_option
@board_option
@listen_option
@click.option("--wait", "wait_s", type=float, help="Seconds to wait for the hub.")
@json_option
def quarantine_release(
    number: int, store_path: Path, keys: Path | None, board_name: str | None, listen: str, wait_s: float | None, as_json: bool
) -> None:
    """Release message NUMBER: a request goes on as if its volume had been in order, a Response is delivered to its user."""
    bench, place, clock = BenchKeys.of(keys, board_name), place_of(listen), Clock()

    async def run() -> Outcome | None:
        async with open_far_end(bench, store_path, clock, Trace(clock.now)) as end:
            held = _held(end.dcc.quarantine, number)
            if held is not None and held.user is not None and end.dcc.receivers.get(held.user) is None:
                end.user(held.user)
            request = _request(held)
            hub = None if request is None else end.dcc.inventory.hub_of(request.request_id.target)
            if hub is not None and not await reach(end, hub, place, wait_s):
                raise NotAvailable(f"hub {hub}", f"message {number} stays in quarantine; release it where the hub connects (--listen)")
            return await end.dcc.release(number)

    outcome = carry_out(clock, run())
    if as_json:
        click.echo(json.dumps(None if outcome is None else outcome.as_json(), default=str, indent=2))
    else:
        click.echo(f"message {number} is released" + ("" if outcome is None else f": {outcome.why}"))
    if outcome is not None and not outcome.ok:
        raise SystemExit(1)


def _held(quarantine: Quarantine, number: int) -> QuarantinedMessage | None:
    return next((one for one in quarantine.messages() if one.number == number), None)


def _request(held: QuarantinedMessage | None) -> ServiceRequest | None:
    return None if held is None or held.direction is not MessageDirection.REQUEST else read_request(held.octets)


@click.command("device-log")
@click.argument("chf", type=EUI)
@store_option
@json_option
def device_log(chf: Eui64, store_path: Path, as_json: bool) -> None:
    """Compare the DCC's copy of hub CHF's device log with the inventory; exit code 1 where they differ.

    The hub's own log is the third side: read it with ``chub dcc send 8.9 CHF``, which keeps a new version of the copy.
    """
    with opened(store_path) as store:
        copy = DeviceLogCopy(store, Inventory(store, lambda: 0.0), lambda: 0.0)
        versions = [
            {"version": one.version, "time": moment(one.time), "source": one.source, "devices": " ".join(map(str, one.entries))}
            for one in copy.versions(chf)
        ]
        found = [{"device": str(one.device), "kind": one.kind, "explanation": one.sentence} for one in copy.compare(chf)]
    if as_json:
        click.echo(json.dumps({"versions": versions, "differences": found}, indent=2))
    else:
        show(versions, f"device log of hub {chf}", False)
        show(found, "differences", False)
    if found:
        raise SystemExit(1)


@click.group("connections", invoke_without_command=True)
@click.pass_context
def connections(context: click.Context) -> None:
    """Gateway connections: show them with their load, notify one, show the codes of connection."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@connections.command("show")
@store_option
@json_option
def connections_show(store_path: Path, as_json: bool) -> None:
    """Show every connection, what went over it in the last day, and which expectation of its code is exceeded."""
    with opened(store_path) as store:
        notified = Connections(store, Clock())
        rows = []
        for one in notified.of():
            load = notified.load(one)
            rows.append(
                {
                    "connection": one.number,
                    "user": str(one.user),
                    "means": one.code.means,
                    "edition": one.code.edition,
                    "messages in": load.messages.get("in", 0),
                    "messages out": load.messages.get("out", 0),
                    "octets in": load.octets.get("in", 0),
                    "octets out": load.octets.get("out", 0),
                    "over": "; ".join(load.over),
                }
            )
    show(rows, "connections", as_json)


@connections.command("notify")
@click.argument("user", type=EUI)
@click.argument("means")
@store_option
def connections_notify(user: Eui64, means: str, store_path: Path) -> None:
    """Note one more connection of USER by MEANS (chub dcc connections codes)."""
    with opened(store_path) as store:
        made = Connections(store, Clock()).notify(user, means)
    click.echo(f"connection {made.number} of {user}: {made.code.means}, code of connection edition {made.code.edition}")


@connections.command("codes")
@json_option
def connections_codes(as_json: bool) -> None:
    """Show the means of connection and the editions of their codes."""
    rows: list[dict[str, object]] = [
        {
            "means": code.means,
            "edition": code.edition,
            "since": code.since,
            "change": code.change,
            "messages": f"{code.messages or 'any'} in {code.window_s:g} s",
            "spacing_s": code.spacing_s,
            "average_a_minute": code.average_a_minute,
            "peak_s": code.peak_s,
        }
        for code in codes()
    ]
    show(rows, "codes of connection (figures profile-supplied)", as_json)


@click.command("users")
@store_option
@click.option("--suspend", type=EUI, help="Suspend this user's rights; its schedules go.")
@click.option("--reinstate", type=EUI, help="End the suspension of this user.")
@click.option("--reason", default="SEC Panel (M8)", show_default=True, help="Why, with --suspend.")
@keys_option
@board_option
@json_option
def users(
    store_path: Path,
    suspend: Eui64 | None,
    reinstate: Eui64 | None,
    reason: str,
    keys: Path | None,
    board_name: str | None,
    as_json: bool,
) -> None:
    """Show the users with their roles, or suspend or reinstate one (with --keys or --board)."""
    if suspend is not None or reinstate is not None:
        bench, clock = BenchKeys.of(keys, board_name), Clock()

        async def change() -> None:
            async with open_far_end(bench, store_path, clock, Trace(clock.now)) as end:
                if suspend is not None:
                    end.dcc.gateway.suspend(suspend, reason)
                if reinstate is not None:
                    end.dcc.gateway.reinstate(reinstate)
                await asyncio.sleep(0)

        carry_out(clock, change())
    with opened(store_path) as store:
        rows = [{"user": str(one.eui), "role": " ".join(one.roles), "suspended": one.suspended or ""} for one in EnteredUsers(store).all()]
    show(rows, "users", as_json)
