"""Cost of a home, of a request and of a key establishment, as numbers of homes grow; and the plan for a region that follows from them.

Processor time of a process of its own for each number of homes, so that neither a busy machine nor what came before counts.
"""

import json
import logging
import multiprocessing
import os
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import median

import click

from benchmarks.timing import Timing, report
from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.crypto import libcrypto
from firmware_emu.crypto.ecqv import ImplicitAuthority, issue
from firmware_emu.ids import Eui64
from firmware_emu.sqlite_file import SqliteFile
from firmware_emu.trace import Trace
from firmware_emu.zse.key_establishment import EstablishmentEvent, EstablishmentSession, Role, Send, event_of
from hil.dcc.base.store import DccStore
from hil.devices.esme.esme import Esme
from hil.fleet.capacity import DAY_S, Costs, plan_in_words, write_plots
from hil.fleet.cluster import Workers, play_all
from hil.fleet.partition import Partition, shared_out
from hil.journeys.steps import expect
from hil.scenarios.estate import Estate, Plan, open_estate

_INSTALL_BUDGET_S, _REQUESTS_BUDGET, _SLOPE_BUDGET, _KEYS_BUDGET = 0.03, 450.0, 1.2, 2.0
_WORKERS_BUDGET = 0.9
"""Share of a worker's throughput that each of several has: two have 1.8 times that of one."""
_PLAYED_AT_ONCE = 40
"""Homes of a partition that workers play. Own figure."""
_ALERT = 0x8F1D
_ALERT_TAKES_S = 0.05
"""Bench time from one alert to the next: more than the 0.015 s in which one reaches its user. Own figure."""
_ALERTS_A_HOME, _ALERTS_COUNTED = 15, 2
"""Alerts of a home whose processor time and whose commits are measured: with its first fewer than the 20 an hour of which the DCC lets each
pass (``storm_threshold``). Own figures."""
_IDLE_S = 1800.0
"""Bench time in which homes are left alone, since some of what they do by themselves comes every half-hour."""
_SUPPLIERS = 5
_COMMITS, _COUNTED = 200, 20


def _memory_mb() -> float:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6


def estate_costs(board_name: str, homes: int, requests: int) -> Costs:
    """An estate of so many homes is opened and installed, left alone, answers ``requests`` reads and tells as many alerts, as far as the
    DCC lets all of them pass. Of reads and alerts is taken off what the homes, by the half-hour in which they were left alone, did by
    themselves in the bench time of these."""
    logging.disable(logging.CRITICAL)
    board = load_board(board_name)
    clock = Clock(start=board.clock.start, warp=True)

    async def whole(folder: Path) -> Costs:
        before, began = _memory_mb(), time.process_time()
        async with open_estate(board, Plan(homes, _SUPPLIERS), clock, Trace(clock.now), folder) as estate:
            opened = time.process_time()
            await estate.install()
            installed, held, stored = time.process_time(), _memory_mb(), _octets(folder)
            for first in (_read, _alerted):  # a home's first of each costs more: among few homes it would weigh less than among many
                await first(estate, min(requests, homes))
            idle, _ = await _spent(estate, clock.sleep(_IDLE_S))
            alone_s, before_reads = idle / _IDLE_S, _octets(folder)
            read, read_for = await _spent(estate, _read(estate, requests))
            after = _octets(folder)
            alerts = min(requests, _ALERTS_A_HOME * homes)
            alerted, alerted_for = await _spent(estate, _alerted(estate, alerts))
            counted = min(requests, _COUNTED, _ALERTS_COUNTED * homes)  # by themselves, since counting costs
            with _commits(estate) as commits:
                await _read(estate, counted)
                of_reads = commits.total()
                await _alerted(estate, counted)
        return Costs(
            homes,
            (opened - began) / homes,
            (installed - opened) / homes,
            (read - read_for * alone_s) / requests,
            (alerted - alerted_for * alone_s) / alerts,
            alone_s * DAY_S / homes,
            max(0.0, held - before) / homes,
            stored / homes,
            (after - before_reads) / requests,
            of_reads / counted,
            (commits.total() - of_reads) / counted,
            *_store_costs(folder),
        )

    with tempfile.TemporaryDirectory() as folder:
        return clock.run(whole(Path(folder)))


async def _spent(estate: Estate, work: Awaitable[None]) -> tuple[float, float]:
    """Seconds of processor and of bench time that this takes."""
    began, since = time.process_time(), estate.clock.now()
    await work
    return time.process_time() - began, estate.clock.now() - since


async def _read(estate: Estate, requests: int) -> None:
    for number in range(requests):
        home = estate.dwellings[number % len(estate.dwellings)]
        outcome = await estate.ask(home, "4.1.1", home.rows["ESME"].eui)
        expect(outcome.ok, outcome.why)


async def _alerted(estate: Estate, alerts: int) -> None:
    def told() -> int:
        found = estate.dcc.store.row("SELECT count(*) AS n FROM alerts WHERE code = ? AND delivered IS NOT NULL", (f"{_ALERT:04X}",))
        return 0 if found is None else int(found["n"])

    before = told()
    for number in range(alerts):
        meter = estate.dwellings[number % len(estate.dwellings)].devices["ESME"]
        assert isinstance(meter, Esme)
        meter.events.tell(_ALERT)
        await estate.clock.sleep(_ALERT_TAKES_S)
    await estate.until("the alerts", lambda: told() - before >= alerts, 600)


@contextmanager
def _commits(estate: Estate) -> Iterator[Counter[str]]:
    """The commits to the DCC's store in the block."""
    database, found = estate.dcc.store._file, Counter[str]()
    assert isinstance(database, SqliteFile)
    connection = database.connection
    connection.set_trace_callback(lambda said: found.update(_committed(said, connection.in_transaction)))
    yield found
    connection.set_trace_callback(None)


def _committed(said: str, inside: bool) -> list[str]:
    """The statement, if it ends a transaction or is one by itself."""
    word = said.split(maxsplit=1)[0].upper()
    return [word] if word == "COMMIT" or (word in ("INSERT", "UPDATE", "DELETE") and not inside) else []


def _store_costs(folder: Path) -> tuple[float, float]:
    """Real seconds of a small commit that does not wait for the medium, and of a wait for it."""
    store = DccStore(folder / "commits.sqlite")
    store.batch()
    values, of_commits, of_waits = store.named("x/"), [], []
    for number in range(_COMMITS):
        began = time.perf_counter()
        with store.transaction():
            values.put(f"{number}", bytes(200))
        of_commits.append(time.perf_counter() - began)
        if number % 10 == 0:
            began = time.perf_counter()
            store._file.sync()
            of_waits.append(time.perf_counter() - began)
    store.close()
    return median(of_commits), median(of_waits)


def _octets(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file())


def key_establishment(rounds: int) -> tuple[float, float, int] | None:
    """Milliseconds of processor of both sides of a key establishment (suite 2) and of the bare multiplications of libcrypto in it, and how
    many these are; None where this machine's libcrypto does not have the curve."""
    if libcrypto.group_of("sect283k1") is None:
        return None
    ours, theirs = Eui64.parse("00db1234567890a1"), Eui64.parse("00db1234567890a0")
    authority = ImplicitAuthority.generate(Eui64.parse("1112131415161718"), suite=2)
    own, other = issue(authority, ours), issue(authority, theirs)

    def establish() -> None:
        sides = EstablishmentSession(Role.INITIATOR, ours, theirs, own), EstablishmentSession(Role.RESPONDER, theirs, ours, other)
        actions, turn = sides[0].handle(EstablishmentEvent.START), 1
        while (message := next((one for one in actions if isinstance(one, Send)), None)) is not None:
            actions, turn = sides[turn].handle(event_of(message.command), message.payload), 1 - turn

    calls: list[tuple[libcrypto.Group, int | None, bytes, bytes | None]] = []
    real = libcrypto.Group._times

    def noted(self: libcrypto.Group, scalar: int | None, point: bytes, plus: bytes | None = None, **form: int) -> bytes:
        calls.append((self, scalar, point, plus))
        return real(self, scalar, point, plus, **form)

    libcrypto.Group._times = noted  # type: ignore[method-assign]
    try:
        establish()
    finally:
        libcrypto.Group._times = real  # type: ignore[method-assign]
    bare = [call for call in calls if call[1] is not None]

    def multiply() -> None:
        for group, scalar, point, plus in bare:
            real(group, scalar, point, plus)

    pairs = [(_processor_ms(establish), _processor_ms(multiply)) for _ in range(rounds)]
    return median(one for one, _ in pairs), median(one for _, one in pairs), len(bare)


def _processor_ms(work: Callable[[], None], times: int = 20) -> float:
    began = time.process_time()
    for _ in range(times):
        work()
    return 1000 * (time.process_time() - began) / times


def timings_of(costs: Sequence[Costs], keys: tuple[float, float, int] | None) -> list[Timing]:
    """The figures, each beside its budget."""
    found = []
    for one in costs:
        install = one.open_s + one.install_s
        met = install <= _INSTALL_BUDGET_S
        found.append(Timing(f"processor to install a home, {one.homes} homes", install, "s", budget=f"{_INSTALL_BUDGET_S:g}", met=met))
        found.append(Timing(f"memory of a home, {one.homes} homes", one.home_mb, "MB"))
        rate = 1 / one.read_s
        met = rate >= _REQUESTS_BUDGET
        found.append(Timing(f"requests a second and core, {one.homes} homes", rate, "", budget=f"at least {_REQUESTS_BUDGET:g}", met=met))
        found.append(Timing(f"processor of an alert, {one.homes} homes", 1000 * one.alert_s, "ms"))
        found.append(Timing(f"processor of a home left alone for a day, {one.homes} homes", 1000 * one.idle_s, "ms"))
    few, many = costs[0], costs[-1]
    if many.homes > few.homes:
        for name, ratio in (
            ("install", (many.open_s + many.install_s) / (few.open_s + few.install_s)),
            ("read", many.read_s / few.read_s),
            ("alert", many.alert_s / few.alert_s),
            ("home left alone", many.idle_s / few.idle_s),
        ):
            said = f"slope of {name}, {few.homes} to {many.homes} homes"
            found.append(Timing(said, ratio, "", budget=f"at most {_SLOPE_BUDGET:g}", met=ratio <= _SLOPE_BUDGET))
    found.append(Timing("commit to the store", 1e6 * many.commit_s, "µs"))
    found.append(Timing("wait for the medium, which commits share", 1000 * many.flush_s, "ms"))
    found += [Timing(f"commits of a {name}", count, "") for name, count in (("read", many.request_commits), ("alert", many.alert_commits))]
    if keys is not None:
        both, bare, count = keys
        beside = f"{count} multiplications of libcrypto"
        found.append(Timing(beside, bare, "ms"))
        ratio = both / bare
        found.append(Timing("key establishment, both sides", both, "ms", beside, ratio, f"at most {_KEYS_BUDGET:g}", ratio <= _KEYS_BUDGET))
    return found


def _beside_one(board: str, homes: int, workers: int) -> Timing:
    """Throughput of so many workers beside that of one, the same homes installed and read by each."""
    parts = [Partition("install", board, 1, block.start, len(block)) for block in shared_out(homes, _PLAYED_AT_ONCE, workers)]
    one, many = (homes / play_all(parts, Workers(count)).real_s for count in (1, workers))
    met = many / one >= _WORKERS_BUDGET * workers
    budget = f"at least {_WORKERS_BUDGET * workers:g}"
    return Timing(f"homes a second, {workers} workers, {homes} homes", many, "", f"1 worker: {one:.2f}", many / one, budget, met)


@click.command()
@click.option("--board", "board_name", default="simulated", show_default=True, help="Board name or path of a .toml file.")
@click.option(
    "--homes",
    type=click.IntRange(1, 32767),
    multiple=True,
    default=(10, 50, 800),
    show_default=True,
    help="Numbers of homes, each a run of its own; repeatable. The whole slope: --homes 10 --homes 100 --homes 1000 --homes 10000.",
)
@click.option("--requests", type=click.IntRange(2), default=200, show_default=True, help="Reads, and alerts, in each.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Rounds of key establishments.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Play homes by one and by so many workers too.")
@click.option("--played", type=click.IntRange(1, 32767), default=400, show_default=True, help="Homes that these play.")
@click.option("--plan", type=click.Path(path_type=Path), help="Write the plan for 1 million and 30 million hubs there (CAPACITY.md).")
@click.option("--plots", type=click.Path(path_type=Path), help="Write plots over the numbers of homes there (SVG).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def benchmark(
    board_name: str,
    homes: tuple[int, ...],
    requests: int,
    rounds: int,
    workers: int,
    played: int,
    plan: Path | None,
    plots: Path | None,
    as_json: bool,
) -> None:
    """Cost of a home, a request, an alert and a key establishment, and its growth with the number of homes."""
    spawn = multiprocessing.get_context("spawn")
    costs = []
    for count in sorted(set(homes)):
        with ProcessPoolExecutor(1, mp_context=spawn) as process:
            costs.append(process.submit(estate_costs, board_name, count, requests).result())
    timings = timings_of(costs, key_establishment(rounds))
    if workers > 1:
        timings.append(_beside_one(board_name, played, workers))
    if plan is not None:
        memory_gb = os.sysconf("SC_PHYS_PAGES") * resource.getpagesize() / 1e9
        plan.write_text(plan_in_words(costs[-1], os.cpu_count() or 1, memory_gb), encoding="utf-8")
    if plots is not None:
        write_plots(costs, plots)
    told = {"board": board_name, "requests": requests}
    if as_json:
        told["costs"] = json.dumps([asdict(one) for one in costs])
    report(timings, as_json, told)
