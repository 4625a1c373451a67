"""Commands of ``chub dcc`` for a user at work: prepare a store, write requests, send them, listen to the hubs."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from pathlib import Path

import click

from firmware_emu.clock import Clock
from firmware_emu.crypto.roles import RemotePartyRole
from firmware_emu.errors import IdentifierError, NotAvailable, in_json, nearest
from firmware_emu.extras import Choice
from firmware_emu.ids import Eui64
from firmware_emu.trace import JsonLines, Record, Trace
from hil.bench import dcc_board as from_board
from hil.bench.duties import standing_duties
from hil.bench.far_end import BenchKeys, FarEnd, carry_out, open_far_end
from hil.commands.dcc.options import moment, show
from hil.dcc.base.profile import profile
from hil.dcc.base.results import Outcome
from hil.dcc.base.services import UserRole, schedule
from hil.dcc.base.store import DccStore
from hil.dcc.duis import ServiceRequest, new_request, read_request, write_request
from hil.dcc.duis.document import Content
from hil.dcc.duis.request import CommandVariant, Node
from hil.dcc.duis.simplified import document_of
from hil.dcc.parties.acb import OriginatorCounters
from hil.dcc.parties.users import User
from hil.dcc.service.settings import service_settings

JOIN_TIME_S = 600
"""Seconds for which an 8.11 made from a board lets the Device join; DUIS allows 1 to 3,600 s."""
_KEYS = click.Path(exists=True, path_type=Path)
_STORE = click.Path(dir_okay=False, path_type=Path)
keys_option = click.option("--keys", type=_KEYS, help="Keys, as a folder of PEM files or DCC Boxed's JSON; without it those of --board.")
board_option = click.option("--board", "board_name", help="Board name or path: its keys, its parties, its Devices by name.")
listen_option = click.option(
    "--listen", default="127.0.0.1:0", show_default=True, metavar="HOST:PORT", help="Address at which hubs connect (mutual TLS)."
)
_json = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
_role = click.option("--role", type=Choice([role.value for role in UserRole]), help="The user's role where the store has none.")
_sender = click.option("--as", "sender", type=click.UNPROCESSED, callback=lambda ctx, _, value: _eui(value, ctx, "--as"), help="The user.")


def _eui(value: str | None, ctx: click.Context, hint: str) -> Eui64 | None:
    try:
        return None if value is None else Eui64.parse(value)
    except IdentifierError as error:
        raise click.BadParameter(str(error), ctx, param_hint=hint) from None


def _content(body: str) -> dict[str, Content]:
    try:
        read = json.loads(body)
    except json.JSONDecodeError as error:
        raise click.BadParameter(f"no JSON: {error}", param_hint="--body") from None
    if not isinstance(read, dict):
        raise click.BadParameter(f"read {in_json(read)[:60]}, expected a JSON object", param_hint="--body")
    return read


def _xml(octets: bytes) -> bytes:
    """A file as XML. Raises RequestError."""
    try:
        content = json.loads(octets)
    except ValueError:
        return octets
    return document_of(content, service_settings().schema_version)


def place_of(listen: str) -> tuple[str, int]:
    """HOST:PORT in two. Raises BadParameter."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal():
        raise click.BadParameter(f"read {listen!r}, expected HOST:PORT", param_hint="--listen")
    return host, int(port)


def _device(bench: BenchKeys, text: str | None, hint: str) -> Eui64 | None:
    try:
        return None if text is None else bench.device(text)
    except IdentifierError as error:
        raise click.BadParameter(str(error), param_hint=hint) from None


@click.command("prepare")
@click.option("--board", "board_name", default="simulated", show_default=True, help="Board name or path.")
@click.option("--store", "store_path", type=_STORE, required=True, help="The DCC's store (SQLite), made where it is missing.")
@keys_option
@_json
def prepare(board_name: str, store_path: Path, keys: Path | None, as_json: bool) -> None:
    """Fill a DCC's store from a board: users, registration data and other facts that no service request carries.

    The board's users, its hub as the DCC lists it, the certified products, who is registered for which MPxN, and the supplier that
    the gas Devices hold. Done twice it changes nothing more.
    """
    bench = BenchKeys.of(keys, board_name)
    clock = Clock()

    async def run() -> dict[str, object]:
        async with open_far_end(bench, store_path, clock, Trace(clock.now)) as end:
            assert bench.board is not None
            from_board.prepare(end.dcc, bench.board)
            return {
                "store": str(store_path),
                "keys": str(bench.folder),
                "dcc": str(end.dcc.eui),
                "users": {str(eui): " ".join(roles) for eui, roles in from_board.user_roles(bench.board).items()},
                "devices": {str(one.eui): f"{one.type.name} {one.status}" for one in end.dcc.inventory.devices()},
            }

    done = carry_out(clock, run())
    click.echo(json.dumps(done, indent=2) if as_json else "\n".join(f"{name}: {_plain(value)}" for name, value in done.items()))


def _plain(value: object) -> str:
    return ", ".join(f"{key} {text}" for key, text in value.items()) if isinstance(value, Mapping) else str(value)


@click.command("request")
@click.argument("variant")
@click.argument("target", required=False)
@board_option
@keys_option
@click.option("--store", "store_path", type=_STORE, help="The DCC's store: its next counter of the sender is taken.")
@click.option("--counter", type=click.IntRange(1), help="Originator counter of the RequestID, instead of the store's next.")
@_sender
@click.option("--device", "device_name", help="A Device of the board: fills the body of 12.2, and of 8.11 to add it, from its label.")
@click.option(
    "--body", default="{}", show_default=True, help="Content of the request's element, as JSON; it replaces what --device fills in."
)
@click.option("--sign/--no-sign", default=True, show_default=True, help="With the sender's XML signature.")
def request(
    variant: str,
    target: str | None,
    board_name: str | None,
    keys: Path | None,
    store_path: Path | None,
    counter: int | None,
    sender: Eui64 | None,
    device_name: str | None,
    body: str,
    sign: bool,
) -> None:
    """Write a service request as DUIS XML: VARIANT is its number (7.2), TARGET its Device, left out for the DCC itself.

    Counters rise in the order of sending: a Device takes none that is not above the last.
    """
    if variant not in schedule():
        raise NotAvailable(f"service {variant!r}", f"name a variant such as 7.4; there are {len(schedule())}{nearest(variant, schedule())}")
    bench = BenchKeys.of(keys, board_name)
    recipient, about = _device(bench, target, "TARGET"), _device(bench, device_name, "--device")
    who = sender or bench.sender(recipient or about, UserRole.IS)
    content = {**_label(bench, variant, about), **_content(body)}
    identifier = counter if counter is not None else _next_counter(store_path, who)
    made = new_request(variant, who, recipient or bench.parties()[RemotePartyRole.ACCESS_CONTROL_BROKER], identifier, content)
    user = User(who, UserRole.IS, bench.keystore)
    click.echo(write_request(user.sign(made) if sign else made), nl=False)


def _label(bench: BenchKeys, variant: str, about: Eui64 | None) -> dict[str, Content]:
    """The board's knowledge of the Device that a 12.2 or 8.11 is about."""
    if about is None:
        return {}
    rows = () if bench.board is None else bench.board.device
    row = next((row for row in rows if row.eui == about), None)
    if row is None or variant not in ("12.2", "8.11"):
        raise click.BadParameter("expected a Device of --board, and 12.2 or 8.11 as VARIANT", param_hint="--device")
    return from_board.notification(row) if variant == "12.2" else from_board.addition(row, JOIN_TIME_S)


def _next_counter(store_path: Path | None, sender: Eui64) -> int:
    if store_path is None:
        raise click.UsageError("say which counter the RequestID gets: --counter N, or --store S for the next of that store")
    store = DccStore(store_path, owner=False)
    try:
        return OriginatorCounters(store, int(profile().first_counter)).next(sender)
    finally:
        store.close()


@click.command("send")
@click.argument("what", nargs=-1, required=True, metavar="VARIANT [TARGET] | FILE.xml...")
@click.option("--store", "store_path", type=_STORE, required=True, help="The DCC's store (SQLite).")
@keys_option
@board_option
@_sender
@_role
@click.option("--body", default="{}", show_default=True, help="Content of the request's element, as JSON (with VARIANT).")
@listen_option
@click.option("--wait", "wait_s", type=float, help="Seconds to wait for the hub and then for the answer.")
@click.option("--local", is_flag=True, help="Return the Command for local delivery instead of sending it (with VARIANT).")
@click.option("--both", is_flag=True, help="Send the Command, and return it for local delivery as well (with VARIANT).")
@click.option("--auto-sign/--as-is", "auto_sign", default=True, show_default=True, help="Files as they are: unsigned or wrongly signed.")
@click.option("--trace", "trace_path", type=click.Path(dir_okay=False, path_type=Path), help="Write every hop as a line of JSON.")
@_json
def send(
    what: tuple[str, ...],
    store_path: Path,
    keys: Path | None,
    board_name: str | None,
    sender: Eui64 | None,
    role: str | None,
    body: str,
    listen: str,
    wait_s: float | None,
    local: bool,
    both: bool,
    auto_sign: bool,
    trace_path: Path | None,
    as_json: bool,
) -> None:
    """Send a service request, and wait for its end: VARIANT is its number (7.2), TARGET its Device, left out for the DCC itself.

    Or send DUIS files, XML or the simplified JSON of `chub dcc convert`, in the order given, each by the user that its RequestID names; the
    first that fails ends it. A file that is not signed is signed with that user's key. With --as-is files go as a user's client posts them:
    nothing is signed here, and what the gateway says at once is the end; the exit code tells if it took them all.
    """
    documents = [_xml(Path(name).read_bytes()) for name in what if Path(name).is_file()]
    if documents and len(documents) != len(what):
        raise NotAvailable(next(name for name in what if not Path(name).is_file()), "name files alone, or a variant and its Device")
    if not documents and (what[0] not in schedule() or len(what) > 2):
        wanted = "name a variant such as 7.4 and its Device, or DUIS XML files"
        raise NotAvailable(f"service {' '.join(what)!r}", f"{wanted}; there are {len(schedule())} variants{nearest(what[0], schedule())}")
    place, content, bench = place_of(listen), _content(body), BenchKeys.of(keys, board_name)
    target = _device(bench, what[1] if len(what) > 1 else None, "TARGET") if not documents else None
    clock = Clock()
    if not auto_sign:
        if not documents:
            raise click.UsageError("--as-is sends files: name them, or leave it out")
        _post(bench, store_path, clock, documents, what, as_json)
        return

    async def run() -> list[Outcome]:
        async with open_far_end(bench, store_path, clock, Trace(clock.now)) as end, contextlib.AsyncExitStack() as stack:
            if trace_path is not None:
                stack.callback(end.trace.subscribe(JsonLines(trace_path)))
            chosen = UserRole(role) if role else None
            if documents:
                requests = [read_request(document) for document in documents]
            else:
                who = end.user(sender or bench.sender(target, chosen or UserRole.IS), chosen)
                wanted = None if schedule()[what[0]].critical else _way(local, both)
                requests = [end.dcc.request(who, what[0], target, content, command_variant=wanted)]
            done: list[Outcome] = []
            for name, request in zip(what, requests, strict=False):
                outcome = await _send(end, request, chosen, place, wait_s, _returns(local, both))
                done.append(outcome)
                if not as_json:
                    _print(outcome, name if documents else None)
                if not outcome.ok:
                    break
            return done

    outcomes = carry_out(clock, run())
    if as_json:
        shown = [outcome.as_json() for outcome in outcomes]
        click.echo(json.dumps(shown if len(what) > 1 and documents else shown[0], default=str, indent=2))
    if not outcomes[-1].ok:
        raise SystemExit(1)


def _post(bench: BenchKeys, store_path: Path, clock: Clock, documents: list[bytes], names: tuple[str, ...], as_json: bool) -> None:
    """Hand files to the gateway as they are, and show what it answers each."""

    async def run() -> list[dict[str, object]]:
        async with open_far_end(bench, store_path, clock, Trace(clock.now)) as end:
            rows: list[dict[str, object]] = []
            for name, document in zip(names, documents, strict=True):
                answered = await end.dcc.take(document)
                made = answered.pre_command or answered.command
                rows.append(
                    {
                        "file": name,
                        "code": answered.code or "none published",
                        "said": "taken" if answered.refusal is None else str(answered.refusal),
                        "message": "" if made is None else made.hex(),
                    }
                )
            return rows

    rows = carry_out(clock, run())
    show(rows, "answers of the gateway", as_json)
    if any(row["said"] != "taken" for row in rows):
        raise SystemExit(1)


def _way(local: bool, both: bool) -> CommandVariant | None:
    """Of a request that is not critical."""
    return CommandVariant.RETURN if local else CommandVariant.SEND_AND_RETURN if both else None


def _returns(local: bool, both: bool) -> CommandVariant:
    """Of the signed pre-command of a critical one."""
    if local:
        return CommandVariant.SIGNED_RETURN
    return CommandVariant.SIGNED_SEND_AND_RETURN if both else CommandVariant.SIGNED_SEND


async def _send(
    end: FarEnd, request: ServiceRequest, role: UserRole | None, place: tuple[str, int], wait_s: float | None, returns: CommandVariant
) -> Outcome:
    user = end.user(request.request_id.originator, role)
    service = schedule().get(request.service_reference_variant)
    hub = end.dcc.inventory.hub_of(request.request_id.target)
    way = returns if request.command_variant is CommandVariant.TRANSFORM else request.command_variant
    if service is not None and service.device_service and way.over_wan and hub is not None:
        # Without a hub the gateway refuses it, with the reason.
        await reach(end, hub, place, wait_s)
    held: list[str] = []

    def told(record: Record) -> None:
        if record.event == "held" and record.message == str(request.request_id):
            until = record.detail.get("until")
            held.append(f"until {moment(until)}" if isinstance(until, float) else f"for request {until}")
            click.echo(f"request {record.message} waits {held[-1]}", err=True)

    leave = end.watch(told)
    deferred = request.preceding is not None or Node(request.body).has("ExecutionDateTime")
    try:
        async with asyncio.timeout(wait_s if deferred else None):
            return await end.dcc.send(user, request, wait_s=wait_s, returns=returns)
    except TimeoutError:
        remedy = "it stays in the store; `chub dcc listen` carries it out, `chub dcc requests` shows it"
        raise NotAvailable(f"the end of request {request.request_id}, which waits {held[-1] if held else 'still'},", remedy) from None
    finally:
        leave()


async def reach(end: FarEnd, hub: Eui64, place: tuple[str, int], wait_s: float | None) -> bool:
    """Let ``hub`` connect at ``place``, and say so where it does not. Whether it is connected."""
    if end.dcc.head_end.connected(hub):
        return True
    end.add_known_users()
    port = await end.listen(*place)
    click.echo(f"waiting for hub {hub} at {place[0]}:{port}", err=True)
    wait_s = wait_s or end.dcc.settings.response_wait_s
    if await end.reach(hub, wait_s):
        return True
    click.echo(f"hub {hub} did not connect within {wait_s:g} s: point its --wan at this --listen", err=True)
    return False


def _print(outcome: Outcome, name: str | None) -> None:
    file = "" if name is None else f"{name}: "
    click.echo(f"{file}{outcome.verdict}  {outcome.variant}  {outcome.response_code or 'no published code'}")
    click.echo(f"  {outcome.why}")
    for leg, ms in outcome.legs.items():
        click.echo(f"  {ms:10.1f} ms  {leg}")
    if outcome.parsed is not None:
        click.echo(json.dumps(outcome.parsed.as_json(), default=str, indent=2))
    for key, value in outcome.result.items():
        click.echo(f"  {key}: {json.dumps(value, default=str)}")


@click.command("listen")
@click.option("--store", "store_path", type=_STORE, required=True, help="The DCC's store (SQLite).")
@keys_option
@board_option
@listen_option
@click.option("--until", "wanted", multiple=True, metavar="DEVICE=STATUS", help="End when the Device has this status; may be repeated.")
@click.option("--for", "for_s", type=float, help="End after so many seconds; with --until that is exit code 1.")
@_json
def listen(
    store_path: Path,
    keys: Path | None,
    board_name: str | None,
    listen: str,
    wanted: tuple[str, ...],
    for_s: float | None,
    as_json: bool,
) -> None:
    """Let the hubs connect and take what they tell: one line for every connection, alert, response and change of the inventory."""
    place, bench = place_of(listen), BenchKeys.of(keys, board_name)
    statuses = [(_device(bench, name, "--until"), status) for name, _, status in (text.rpartition("=") for text in wanted)]
    clock = Clock()

    async def run() -> bool:
        async with open_far_end(bench, store_path, clock, Trace(clock.now)) as end, contextlib.AsyncExitStack() as stack:
            stack.callback(end.watch(lambda record: _tell(record, as_json)))
            if not end.stays_up:
                await stack.enter_async_context(standing_duties(end.dcc))
            end.add_known_users()
            click.echo(f"listening at {place[0]}:{await end.listen(*place)}", err=True)

            def done() -> bool:
                found = [(None if eui is None else end.dcc.inventory.device(eui), status) for eui, status in statuses]
                return all(device is not None and device.status == status for device, status in found)

            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(for_s):
                    while not statuses or not done():
                        await clock.sleep(0.1)
            return done()

    if not carry_out(clock, run()):
        raise SystemExit(1)


def _tell(record: Record, as_json: bool) -> None:
    if (record.area, record.event) not in _TOLD:
        return
    if as_json:
        click.echo(record.as_json())
        return
    detail = " ".join(f"{key}={value}" for key, value in record.detail.items() if value is not None)
    click.echo(f"{record.source} {record.event} {record.target or record.message or ''} {detail}".rstrip())


_TOLD = {("wan", "connected"), ("wan", "lost"), ("dcc", "changed"), ("dcc", "received"), ("dcc", "refused"), ("dcc", "delivered")}
"""Area and event of what ``listen`` shows."""
