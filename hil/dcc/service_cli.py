"""Commands of ``chub dcc`` that speak to users, inventory and hubs: send, inventory, alerts. The store file is the DCC's memory."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import click

from firmware_emu.clock import EPOCH, Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import RemotePartyRole
from firmware_emu.errors import IdentifierError, KeystoreError, NotAvailable
from firmware_emu.ids import Eui64
from firmware_emu.trace import JsonLines, Trace
from firmware_emu.wan.tcp import TcpWanServer
from firmware_emu.wan.tls import files_of
from hil.dcc.cos_party import CosParty
from hil.dcc.dcc import Dcc
from hil.dcc.duis import read_request
from hil.dcc.inventory import Inventory
from hil.dcc.outcome import Outcome
from hil.dcc.services import UserRole, schedule
from hil.dcc.store import DccStore
from hil.dcc.users import User

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_store = click.option(
    "--store", "store_path", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The DCC's store (SQLite)."
)
_json = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")


class EuiType(click.ParamType[Eui64]):
    """An EUI-64 in any of its spellings."""

    name = "eui64"

    def convert(self, value: str | Eui64, param: click.Parameter | None, ctx: click.Context | None) -> Eui64:
        if isinstance(value, Eui64):
            return value
        try:
            return Eui64.parse(value)
        except IdentifierError as error:
            self.fail(str(error), param, ctx)


def _stored(path: Path) -> DccStore:
    if not path.exists():
        raise NotAvailable(str(path), "name the store of a DCC that has run (--store)")
    return DccStore(path)


def _moment(seconds: float) -> str:
    return (EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S")


@click.command("inventory")
@click.argument("device", type=EuiType(), required=False)
@_store
@click.option("--audit", is_flag=True, help="Every change, with request, user and reason.")
@_json
def inventory(device: Eui64 | None, store_path: Path, audit: bool, as_json: bool) -> None:
    """Show the Devices the DCC knows, or one DEVICE, or every change of them."""
    store = _stored(store_path)
    try:
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
                click.echo(f"{_moment(line.time)}  {line.device}  {line.from_status or '-'} -> {line.to_status or '-'}  {line.reason}")
            return
        found = listed.devices() if device is None else (listed.listed(device),)
        rows = [one.as_row() | {"hub": str(listed.hub_of(one.eui) or "-"), "enrolled": listed.enrolled(one.eui)} for one in found]
        if as_json:
            click.echo(json.dumps(rows, default=str, indent=2))
        for one, row in () if as_json else zip(found, rows, strict=True):
            enrolled = "  enrolled" if row["enrolled"] else ""
            click.echo(f"{one.eui}  {one.type.name:6}  {one.status:24}  hub {row['hub']:16}  {' '.join(one.mpxns) or '-'}{enrolled}")
    finally:
        store.close()


@click.command("alerts")
@_store
@click.option("--device", type=EuiType(), help="Alerts of one Device or hub alone.")
@_json
def alerts(store_path: Path, device: Eui64 | None, as_json: bool) -> None:
    """Show every alert received or raised: to whom it went, or why it did not."""
    store = _stored(store_path)
    try:
        where, values = ("", ()) if device is None else (" WHERE device = ?", (str(device),))
        rows = store.rows(f"SELECT * FROM alerts{where} ORDER BY number", values)
        if as_json:
            shown = [dict(zip(row.keys(), row, strict=True)) for row in rows]
            click.echo(json.dumps([one | {"octets": one["octets"].hex() if one["octets"] else None} for one in shown], indent=2))
        for row in () if as_json else rows:
            took = "" if row["delivered"] is None else f"  after {row['delivered'] - row['clock_start']:.1f} s"
            who = f"{row['device']}  {row['state']:9}  {row['party'] or '-':16}"
            click.echo(f"{_moment(row['time'])}  {row['code'] or '?':5}  {who}  {row['reason']}{took}")
    finally:
        store.close()


@click.command("send")
@click.argument("variant")
@click.argument("target", type=EuiType(), required=False)
@_store
@click.option("--keys", type=_FOLDER, required=True, help="Keystore folder.")
@click.option("--as", "sender", type=EuiType(), help="The user; default: the supplier of the keystore.")
@click.option("--role", type=click.Choice([role.value for role in UserRole]), default="IS", show_default=True, help="The user's role.")
@click.option("--body", default="{}", help="What the request's element holds, as JSON.")
@click.option("--listen", default="127.0.0.1:0", show_default=True, metavar="HOST:PORT", help="Where the hubs connect (mutual TLS).")
@click.option("--wait", "wait_s", type=float, help="Seconds to wait for the hub and then for the answer.")
@click.option("--local", is_flag=True, help="Return the Command for local delivery instead of sending it.")
@click.option("--trace", "trace_path", type=click.Path(dir_okay=False, path_type=Path), help="Write every hop as a line of JSON.")
@_json
def send(
    variant: str,
    target: Eui64 | None,
    store_path: Path,
    keys: Path,
    sender: Eui64 | None,
    role: str,
    body: str,
    listen: str,
    wait_s: float | None,
    local: bool,
    trace_path: Path | None,
    as_json: bool,
) -> None:
    """Send a service request: VARIANT is its number (7.2) or a DUIS XML file; TARGET its Device, left out for the DCC itself."""
    keystore = Keystore.load(keys)
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal():
        raise click.BadParameter(f"read {listen!r}, expected HOST:PORT", param_hint="--listen")
    try:
        content = json.loads(body)
    except json.JSONDecodeError as error:
        raise click.BadParameter(f"no JSON: {error}", param_hint="--body") from None
    document = Path(variant).read_bytes() if Path(variant).is_file() else None
    clock = Clock()
    trace = Trace(clock.now)
    if trace_path is not None:
        trace.subscribe(JsonLines(trace_path))

    async def run() -> Outcome:
        dcc = Dcc(keystore, _parties(keystore), clock, trace, store_path, cos=_cos(keystore, clock))
        try:
            user = User(sender or _one(keystore, UserRole(role).party), UserRole(role), keystore)
            dcc.add_user(user)
            if document is not None:
                request = read_request(document)
            elif variant in schedule():
                request = dcc.request(
                    user, variant, target, content, command_variant=(6 if schedule()[variant].critical else 2) if local else None
                )
            else:
                raise NotAvailable(f"service {variant}", f"name a variant such as 7.4 or a DUIS XML file; there are {len(schedule())}")
            row = schedule().get(request.service_reference_variant)
            if row is not None and row.device_service and not local:
                await _reach(dcc, request.request_id.target, host, int(port), keys, wait_s)
            return await dcc.send(user, request, wait_s=wait_s)
        finally:
            await dcc.close()

    outcome = clock.run(run())
    if as_json:
        click.echo(json.dumps(outcome.as_json(), default=str, indent=2))
    else:
        _print(outcome)
    if not outcome.ok:
        raise SystemExit(1)


async def _reach(dcc: Dcc, target: Eui64, host: str, port: int, keys: Path, wait_s: float | None) -> None:
    """Listen for the hub of ``target`` and wait until it is there, or as long as ``wait_s`` says."""
    hub = dcc.inventory.hub_of(target)
    if hub is None:
        return  # the gateway refuses it with the reason
    server = TcpWanServer(host, port, files_of(keys / "tls", "dcc"))
    await server.start()
    dcc.attach_hub(server.link(hub), hub)
    click.echo(f"waiting for hub {hub} at {host}:{server.port}", err=True)
    waited = 0.0
    while not dcc.head_end.connected(hub) and waited < (wait_s or dcc.settings.response_wait_s):
        await dcc.clock.sleep(0.1)
        waited += 0.1


def _parties(keystore: Keystore) -> dict[RemotePartyRole, Eui64]:
    found = {role: keystore.find(role) for role in RemotePartyRole if role not in (RemotePartyRole.ROOT, RemotePartyRole.ISSUING_AUTHORITY)}
    return {role: euis[0] for role, euis in found.items() if euis}


def _one(keystore: Keystore, role: RemotePartyRole) -> Eui64:
    found = keystore.find(role)
    if not found:
        raise KeystoreError(keystore.source, f"holds no {role.name.lower().replace('_', ' ')}: say who sends (--as)")
    return found[0]


def _cos(keystore: Keystore, clock: Clock) -> CosParty | None:
    found = keystore.find(RemotePartyRole.TRANSITIONAL_COS)
    return CosParty(found[0], keystore, clock) if found else None


def _print(outcome: Outcome) -> None:
    click.echo(f"{outcome.verdict}  {outcome.variant}  {outcome.response_code or 'no published code'}")
    click.echo(f"  {outcome.why}")
    for name, ms in outcome.legs.items():
        click.echo(f"  {ms:10.1f} ms  {name}")
    if outcome.parsed is not None:
        click.echo(json.dumps(outcome.parsed.as_json(), default=str, indent=2))
    for key, value in outcome.result.items():
        click.echo(f"  {key}: {json.dumps(value, default=str)}")
