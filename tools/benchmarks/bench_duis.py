"""Processor time of one request at the DUIS web service alone, at 10, 1,000 and 100,000 Devices in the inventory, beside its signatures."""

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.pki import DEFAULT_ORGANISATIONS, make_pki
from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace
from firmware_emu.wan.virtual import MemoryWan
from hil.bench.standing_dcc import seeded
from hil.dcc.base.services import UserRole
from hil.dcc.base.tables import create_tables
from hil.dcc.dcc import Dcc
from hil.dcc.duis import ServiceRequest, write_request
from hil.dcc.parties.users import User
from hil.dcc.service.exchange import SERVED, Exchange
from hil.dcc.service.faults import BoundaryFaults
from hil.dcc.service.outbox import PushOutbox, ReceivingAddresses
from hil.dcc.service.push import Pusher
from hil.dcc.service.response import Documents, Signer
from hil.dcc.service.settings import service_settings

CHF, GPF, ESME = (Eui64.parse(f"00db1234567890a{digit}") for digit in "230")
SUPPLIER, DCC = DEFAULT_ORGANISATIONS["supplier"][1], DEFAULT_ORGANISATIONS["access-control-broker"][1]
MPAN = "1312345678111"
PARTIES = {role: eui for role, eui in DEFAULT_ORGANISATIONS.values() if role is not RemotePartyRole.OTHER}
PARTIES[RemotePartyRole.SUPPLIER] = SUPPLIER
LARGEST_RATIO = 1.2
"""Cost at the largest inventory against that at the smallest (budget of the design)."""


def _service(keystore: Keystore, clock: Clock, store: Path, devices: int) -> tuple[Exchange, User]:
    """A DCC with one home in service and so many other Devices; its hub takes what is posted and answers nothing."""
    dcc = Dcc(keystore, PARTIES, clock, Trace(clock.now), store)
    user = User(SUPPLIER, UserRole.IS, keystore)
    dcc.add_user(user)
    dcc.pre_notify(CHF, DeviceType.CHF, gpf=GPF)
    for eui, kind in ((ESME, DeviceType.ESME), (GPF, DeviceType.GPF)):
        dcc.pre_notify(eui, kind)
    dcc.register_supply(MPAN, UserRole.IS, SUPPLIER)
    dcc.attach_hub(MemoryWan(clock).dcc, CHF)
    inventory = dcc.inventory
    inventory.associate(ESME, "chf", CHF)
    inventory.describe(ESME, import_mpxn=MPAN)
    inventory.move(CHF, "first SM WAN contact", reason="benchmark")
    for event in ("joined", "commissioned"):
        inventory.move(ESME, event, reason="benchmark")
    columns = "eui, type, status, since, manufacturer, model, firmware, import_mpxn"
    with dcc.store.transaction():
        for number in range(devices):
            eui, hub = f"0200{number:012x}", f"0200{number - number % 2:012x}"
            kind = ("CHF", "ESME")[number % 2]
            row = (eui, kind, "Commissioned", 0.0, "BENCH", "BENCH", "00000001", str(2_000_000_000_000 + number))
            dcc.store.execute(f"INSERT INTO devices ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            if number % 2:
                dcc.store.execute("INSERT INTO associations VALUES (?, 'chf', ?)", (eui, hub))
    create_tables(dcc.store, "hil.dcc.service")
    outbox, settings = PushOutbox(dcc.store, clock.now), service_settings()
    faults = BoundaryFaults(clock, dcc.trace, seeded(1))
    pusher = Pusher(dcc.bus, outbox, ReceivingAddresses(dcc.store), settings, clock, dcc.trace, faults)
    documents = Documents(Signer.of(keystore, dcc.eui), settings, clock.now, faults.schema)
    return Exchange(dcc, documents, outbox, pusher, settings, faults), user


def _notification(number: int) -> dict[str, object]:
    model = {"DeviceManufacturer": "BENCH", "DeviceModel": "BENCH", "FirmwareVersion": "00000001"}
    kind = {"DeviceType": "ESME", "SMETSCHTSVersion": "SMETS V5.2", "ESMEVariant": "A"}
    return {"DeviceID": Eui64.parse(f"0300{number:012x}"), **model, **kind}


async def measure(exchange: Exchange, user: User, requests: int) -> dict[str, float]:
    """Median milliseconds of processor time by kind of request."""
    dcc = exchange.dcc
    kinds: dict[str, Callable[[int], ServiceRequest]] = {
        "4.1.1 to a Device": lambda _: dcc.request(user, "4.1.1", ESME),
        "7.2 to its pre-command": lambda _: dcc.request(user, "7.2", ESME),
        "8.2 by Device": lambda _: dcc.request(user, "8.2", body={"DeviceID": ESME}),
        "8.2 by MPxN": lambda _: dcc.request(user, "8.2", body={"MPxN": MPAN}),
        "12.2": lambda number: dcc.request(user, "12.2", body=_notification(number)),  # type: ignore[arg-type]
    }
    took = {}
    for kind, make in kinds.items():
        times = []
        for number in range(requests):
            signed = user.sign(make(number))
            octets = write_request(signed)
            place = next(one for one, variants in SERVED.items() if signed.command_variant in variants)
            began = time.process_time()
            answer = await exchange.answer(place, octets)
            times.append(time.process_time() - began)
            if b"ResponseCode>I" not in answer:
                raise AssertionError(f"{kind} was refused: {answer.decode()[-400:]}")
        took[kind] = 1000 * statistics.median(times)
    return took


@click.command("duis")
@click.option("--requests", default=25, show_default=True, type=click.IntRange(1), help="Of each kind, at each size.")
@click.option("--sizes", default="10,1000,100000", show_default=True, help="Devices in the inventory.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def benchmark(requests: int, sizes: str, as_json: bool) -> None:
    """The DUIS web service alone: a request's cost, and that it does not grow with the inventory."""
    counts = [int(word) for word in sizes.split(",")]
    found: dict[int, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        keystore = make_pki(Path(folder) / "pki", devices={CHF: DeviceType.CHF, GPF: DeviceType.GPF, ESME: DeviceType.ESME})
        for count in counts:
            clock = Clock(warp=True)

            async def run(clock: Clock = clock, count: int = count) -> dict[str, float]:
                exchange, user = _service(keystore, clock, Path(folder) / f"{count}.sqlite", count)
                try:
                    return await measure(exchange, user, requests)
                finally:
                    await exchange.dcc.close()

            found[count] = clock.run(run())
    ratios = {kind: found[counts[-1]][kind] / found[counts[0]][kind] for kind in found[counts[0]]}
    met = max(ratios.values()) <= LARGEST_RATIO
    if as_json:
        timings = [
            {"name": f"{what}, most Devices to fewest", "value": ratio, "unit": "", "budget": LARGEST_RATIO, "met": ratio <= LARGEST_RATIO}
            for what, ratio in ratios.items()
        ]
        click.echo(json.dumps({"ms": {str(count): took for count, took in found.items()}, "timings": timings}, indent=2))
        return
    table = Table("request", *(f"ms at {count}" for count in counts), f"ratio (at most {LARGEST_RATIO})")
    for kind, ratio in ratios.items():
        table.add_row(kind, *(f"{found[count][kind]:.2f}" for count in counts), f"{ratio:.2f}")
    Console().print(table)
    click.echo("the budget is met" if met else "the budget is missed")
