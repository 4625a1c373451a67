"""``chub dcc registration``: the registration data, its feed, incidents and disputes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import RemotePartyRole
from firmware_emu.errors import KeystoreError
from firmware_emu.extras import Choice
from firmware_emu.ids import Eui64
from hil.commands.dcc.options import EUI, json_option, moment, now, opened, show, store_option
from hil.dcc.base.store import DccStore
from hil.dcc.base.tables import create_tables
from hil.dcc.inventory.inventory import Inventory
from hil.dcc.registration.counts import SOURCES, NonDomestic, enrolled_systems, registered_systems, smoothed
from hil.dcc.registration.disputes import Disputes
from hil.dcc.registration.feed import RegistrationFeed
from hil.dcc.registration.files import Fuel
from hil.dcc.registration.incidents import FeedIncidentKind, RegistrationIncidents, handling
from hil.dcc.registration.refreshes import Refreshes
from hil.dcc.registration.register import Registration
from hil.dcc.registration.settings import feed_setting_sources, feed_settings

__all__ = ["registration"]

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_keys = click.option("--keys", type=click.Path(exists=True, path_type=Path), required=True, help="Keystore with the DCC's key.")
_fuel = click.option("--fuel", type=Choice([fuel.value for fuel in Fuel]), required=True, help="Fuel of the interface.")


@click.group("registration")
def registration() -> None:
    """Registration data: who is registered for an MPxN, the providers' files, refreshes, incidents, disputes."""


def _feed(store: DccStore, keys: Path) -> RegistrationFeed:
    keystore = Keystore.load(keys)
    found = keystore.find(RemotePartyRole.ACCESS_CONTROL_BROKER)
    if not found:
        raise KeystoreError(keystore.source, "holds no Access Control Broker: the DCC signs its receipts with that key")
    return RegistrationFeed(store, Registration(store), keystore, found[0], now)


@registration.command("show")
@click.argument("mpxn", required=False)
@click.option("--at", "days", type=float, default=0.0, help="So many days from now.")
@store_option
@json_option
def show_parties(mpxn: str | None, days: float, store_path: Path, as_json: bool) -> None:
    """Show who is registered for MPXN, or for every one."""
    with opened(store_path) as store:
        rows = Registration(store).all_at(now() + days * 86400)
        found = [{"mpxn": one, "role": role.value, "user": str(user)} for one, role, user in rows if mpxn in (None, one)]
    show(found, "Registrations", as_json)


@registration.command("receive")
@click.argument("file", type=_FILE)
@click.argument("signature", type=_FILE)
@_keys
@store_option
@json_option
def receive(file: Path, signature: Path, keys: Path, store_path: Path, as_json: bool) -> None:
    """Take a provider's FILE with its detached SIGNATURE (raw 64 octets); exit code 1 unless it is taken whole."""
    with opened(store_path) as store:
        receipt = _feed(store, keys).receive(file.read_bytes(), signature.read_bytes())
    row = {"sequence": receipt.sequence, "state": receipt.state, "rows": receipt.taken_rows, "problems": receipt.problems}
    show([{**row, "receipt_signature": receipt.signature.hex()}] if as_json else [row], "Receipt", as_json)
    if receipt.state != "taken" or receipt.problems:
        raise SystemExit(1)


@registration.command("nominate")
@click.argument("operator", type=EUI)
@click.argument("provider", type=EUI)
@_fuel
@_keys
@store_option
def nominate(operator: Eui64, provider: Eui64, fuel: str, keys: Path, store_path: Path) -> None:
    """Network OPERATOR names PROVIDER as its registration data provider [84]."""
    with opened(store_path) as store:
        feed = _feed(store, keys)
        feed.nominate(operator, Fuel(fuel), provider)
        click.echo(f"{provider} serves {', '.join(map(str, feed.operators_of(provider)))}")


@registration.command("refresh")
@click.argument("provider", type=EUI, required=False)
@click.option("--fuel", type=Choice([fuel.value for fuel in Fuel]), help="Fuel of the interface, to ask for one.")
@click.option("--reason", default="asked by an operator", show_default=True, help="Why.")
@store_option
@json_option
def refresh(provider: Eui64 | None, fuel: str | None, reason: str, store_path: Path, as_json: bool) -> None:
    """Ask PROVIDER for a refresh, or list those that were asked for."""
    with opened(store_path) as store:
        create_tables(store, "hil.dcc.registration")
        refreshes = Refreshes(store, now, feed_settings())
        if provider is not None:
            if fuel is None:
                raise click.UsageError("say which interface: --fuel electricity or gas")
            refreshes.ask(provider, Fuel(fuel), reason)
        late = {one.number for one in refreshes.overdue()}
        rows = [
            {
                "provider": str(one.provider),
                "fuel": one.fuel.value,
                "asked": moment(one.asked),
                "due": moment(one.due),
                "given": moment(one.given),
                "overdue": one.number in late,
                "reason": one.reason,
            }
            for one in refreshes.all()
        ]
    show(rows, "Refreshes", as_json)


@registration.command("incidents")
@click.option("--open", "raised", nargs=4, metavar="PROVIDER FUEL KIND WHAT", help="Raise one, with its --step options.")
@click.option("--step", "steps", multiple=True, help="A step that was taken before raising it.")
@click.option("--resolve", "resolved", nargs=2, metavar="NUMBER RESOLUTION", help="Resolve one.")
@click.option("--prevention", help="Step that prevents it next time.")
@store_option
@json_option
def incidents(
    raised: tuple[str, str, str, str] | None,
    steps: tuple[str, ...],
    resolved: tuple[str, str] | None,
    prevention: str | None,
    store_path: Path,
    as_json: bool,
) -> None:
    """Registration data incidents: list, raise after its steps, resolve [87]."""
    with opened(store_path) as store:
        create_tables(store, "hil.dcc.registration")
        register = RegistrationIncidents(store, now, feed_settings())
        if raised is not None:
            try:
                provider, fuel, kind = Eui64.parse(raised[0]), Fuel(raised[1]), FeedIncidentKind(raised[2])
            except ValueError as error:
                kinds = ", ".join(one.value for one in handling())
                raise click.BadParameter(f"{error}; KIND is one of {kinds}", param_hint="--open") from None
            register.open(provider, fuel, kind, raised[3], steps)
        if resolved is not None:
            if not resolved[0].isdecimal():
                raise click.BadParameter(f"read {resolved[0]!r}, expected the incident's number", param_hint="--resolve")
            register.resolve(int(resolved[0]), resolved[1], prevention)
        rows = [
            {
                "number": one.number,
                "time": moment(one.time),
                "provider": str(one.provider),
                "fuel": one.fuel.value,
                "kind": one.kind.value,
                "what": one.what,
                "state": one.state,
                "resolution": one.resolution or one.prevention,
            }
            for one in register.incidents()
        ]
    show(rows, "Registration data incidents", as_json)


@registration.command("disputes")
@store_option
@json_option
def disputes(store_path: Path, as_json: bool) -> None:
    """List the disputes between the DCC's copy and a provider's, and which is master."""
    with opened(store_path) as store:
        create_tables(store, "hil.dcc.registration")
        rows = [
            {
                "number": one.number,
                "mpxn": one.mpxn,
                "role": one.role.value,
                "master": one.master,
                "dcc_says": str(one.dcc_says or "-"),
                "provider_says": str(one.provider_says),
                "state": one.state,
            }
            for one in Disputes(store, Registration(store), now, feed_settings()).all()
        ]
    show(rows, "Registration disputes", as_json)


@registration.command("settings")
@json_option
def settings(as_json: bool) -> None:
    """Show the settings of the feed with their sources."""
    used = feed_settings()
    show(
        [{"setting": name, "value": str(getattr(used, name)), "source": source} for name, source in feed_setting_sources().items()],
        "Registration data feed",
        as_json,
    )


@registration.command("counts")
@store_option
@json_option
def counts(store_path: Path, as_json: bool) -> None:
    """Count MPxNs registered and systems enrolled by party, which charging goes by, and non-domestic MPxNs by each source [75, 81-83]."""
    with opened(store_path) as store:
        register = Registration(store)
        registered, enrolled = registered_systems(register, now()), enrolled_systems(Inventory(store, now), register, now())
        non_domestic = {source: NonDomestic(store, replace(feed_settings(), non_domestic_source=source)).count() for source in SOURCES}
    parties = {*registered, *enrolled.by_supplier, *enrolled.by_network}
    rows: list[dict[str, object]] = [
        {
            "of": str(party),
            "registered": registered.get(party, 0),
            "enrolled": enrolled.by_supplier.get(party, enrolled.by_network.get(party, 0)),
        }
        for party in sorted(parties, key=str)
    ]
    used = feed_settings().non_domestic_source
    rows += [
        {"of": f"non-domestic by {source}{' (in use)' if source == used else ''}", "registered": number, "enrolled": "-"}
        for source, number in non_domestic.items()
    ]
    show(rows, "Counts of registrations", as_json)


@registration.command("non-domestic")
@click.argument("supplier", type=EUI)
@click.argument("mpxn")
@click.argument("marker", type=Choice(("domestic", "non-domestic")))
@click.option("--switched-off", is_flag=True, help="As after X2.4(c), which switches suppliers' own figures off [82].")
@store_option
def non_domestic(supplier: Eui64, mpxn: str, marker: str, switched_off: bool, store_path: Path) -> None:
    """SUPPLIER gives its own figure for an MPXN [82]; refused once X2.4(c) has switched them off."""
    used = feed_settings()
    with opened(store_path) as store:
        NonDomestic(store, replace(used, supplier_figures=used.supplier_figures and not switched_off)).say(supplier, mpxn, marker)
    click.echo(f"{mpxn}: {marker}, by {supplier}")


@registration.command("batches")
@click.argument("rows", type=click.IntRange(0))
@json_option
def batches(rows: int, as_json: bool) -> None:
    """Show in which batches, and how far apart, a provider sends so many ROWS [390]."""
    found = [{"first row": one.first, "rows": one.rows, "after s": one.after_s} for one in smoothed(rows)]
    show(found, "Batches of a delivery", as_json)
