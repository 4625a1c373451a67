"""A conformance run under pytest: each check is a test of its TOML file, the bench stays up from the first to the last."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from importlib import metadata
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import pytest

from firmware_emu.board import Board
from firmware_emu.clock import Clock
from firmware_emu.errors import CommsHubError, JigError, NotAvailable, in_words, one_of
from firmware_emu.ownership import OwnedElsewhere
from firmware_emu.trace import JsonLines, Record, Trace
from hil.conformance.bench import ConformanceBench, rule_of
from hil.conformance.checkpoint import NAME as COUNT_NAME
from hil.conformance.checkpoint import Checkpoint
from hil.conformance.host_bench import HOST_CHECKS, HostBench
from hil.conformance.readings import HUB_CHECKS
from hil.conformance.real_hub import RealHubBench
from hil.conformance.runner import CheckBench, CheckResult, Runner, not_tested, quantity_of
from hil.report.conformance import FORMAT, CheckRow, LimitRow, RunRecord, digest, run_verdict, source_digest, thinned, write_record
from hil.report.measurements import CheckVerdict, figure
from hil.report.pictures import PictureRow, attachment, picture, shows
from hil.report.run_log import NAME as LOG_NAME
from hil.report.run_log import RunLog
from hil.report.signature import SIGNERS, WAVEFORMS, bench_key, fingerprint, sign, trust
from ichis.condition import Condition
from ichis.conformance.check import Check, check_packages, load_checks, read_checks
from ichis.host_port import HostCondition
from ichis.instrument.opening import BY_HAND
from ichis.interop import unit_under_test
from ichis.loop_back import loop_back, plug_is_modelled
from ichis.measuring.latency import OffLatency
from ichis.profile import InterfaceProfile

T = TypeVar("T")
LOGGER = logging.getLogger(__name__)
INTERRUPTED = "the run was interrupted at the keyboard"
_RESERVE = ".reserve"
_TOO_LITTLE_OCTETS = 200_000
_RESERVE_OCTETS = 8_000_000
"""Kept free on the disk from the beginning, so that a run that fills it still leaves its report."""


class TraceFile:
    """A trace sink that remembers a disk that takes no more, instead of breaking whoever emits."""

    def __init__(self, path: Path) -> None:
        self._lines: JsonLines | None = JsonLines(path)
        self.trouble: OSError | None = None

    def __call__(self, record: Record) -> None:
        if self._lines is not None:
            try:
                self._lines(record)
            except OSError as wrong:
                self.trouble, self._lines = wrong, None

    def close(self) -> None:
        if self._lines is not None:
            self._lines.close()


@dataclass(slots=True)
class ConformanceRun:
    """One run: where it writes, what it ran, what it found. ``progress`` hears of each result."""

    board: Board
    profile: InterfaceProfile
    folder: Path
    clock: Clock
    checks: tuple[Check, ...]
    rounds: int = 1
    condition: Condition | None = None
    """Of the modelled unit where a hub is under test; the one that the board names if None."""
    host_condition: HostCondition = field(default_factory=HostCondition)
    """Of the modelled port where a host is under test."""
    progress: Callable[[CheckResult, int, int], None] | None = None
    allow_overdue: bool = False
    loop_back: bool = False
    """Measure the supply's latency first also where the engineer must put the plug into the socket."""
    resume: Path | None = None
    """Folder of a run whose count of power cycles this one goes on with."""
    today: date = field(default_factory=date.today)
    deviations: list[str] = field(default_factory=list)
    results: list[CheckResult] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    left_on: bool = False
    """True where the bench could not confirm at the end that it is off: no run passes so, whatever its checks say."""
    facts: dict[str, str] = field(default_factory=dict)
    pictures: list[PictureRow] = field(default_factory=list)
    attachments: list[str] = field(default_factory=list)

    @property
    def under_test(self) -> str:
        """``hub`` or ``host``: the checks of a run are all for one."""
        return self.checks[0].under_test if self.checks else "hub"

    def sessions(self) -> Iterator[tuple[Check, int]]:
        """Every check of every round, in order."""
        for number in range(1, self.rounds + 1):
            for check in self.checks:
                yield check, number


def _bench_of(run: ConformanceRun, trace: Trace) -> tuple[CheckBench, Runner[Any]]:
    """The bench for what is under test: a host's port, the emulated hub, or a real one."""
    if run.under_test == "host":
        port = HostBench(run.board, run.profile, run.host_condition, run.clock, trace)
        return port, Runner(port, HOST_CHECKS)
    real = run.board.jig.kind == "instruments" and run.board.jig.hub_end is None
    hub = (RealHubBench if real else ConformanceBench)(
        run.board, run.profile, run.condition or unit_under_test(run.board.jig.unit), run.clock, trace, run.folder / "state"
    )
    return hub, Runner(hub, HUB_CHECKS)


class RunSession:
    """The event loop and the bench of a run. Use as a context: at its end the supply is off, whatever happened.

    An interrupt from the keyboard ends what the bench awaits, and the run with it; it never lands in the middle of anything else. A second
    one is Python's own again: it ends the program where it is.
    """

    def __init__(self, run: ConformanceRun) -> None:
        self.run = run
        trace = Trace(run.clock.now)
        self._trace_file = TraceFile(run.folder / "trace.jsonl")
        trace.subscribe(self._trace_file)
        self._loop = asyncio.Runner(loop_factory=run.clock.new_event_loop)
        self._bench, self._runner = _bench_of(run, trace)
        self._log = RunLog(run.folder / LOG_NAME)
        self._awaits: asyncio.Task[Any] | None = None
        """Work that an interrupt may end."""
        self.interrupted = False

    def __enter__(self) -> RunSession:
        self._hear_interrupts(self._interrupt, instead_of=signal.default_int_handler)
        try:
            self._breakable(self._open())
        except asyncio.CancelledError:  # the interrupt said so: no check is tested
            if not self.interrupted:
                raise
        except OwnedElsewhere:  # somebody's run goes on there: this one never began and has nothing to report
            self._let_go()
            raise
        except (CommsHubError, OSError, sqlite3.Error) as wrong:
            self._break(f"the bench did not come up: {in_words(wrong)}")
        with contextlib.suppress(OSError):
            self._log.note("began", facts=self.run.facts)
        return self

    async def _open(self) -> None:
        if isinstance(self._bench, ConformanceBench):
            self._bench.checkpoint = self._count()
            self._bench.off_latency = await self._loop_back()
        await self._bench.open()
        self.run.facts |= await self._bench.identities()
        today = self.run.today
        for role, one in self._bench.calibrations.items():
            self.run.facts[f"{role} calibration"] = (
                f"serial {one.serial}, {one.calibrated}, due {one.due}, {one.certificate} {one.laboratory}".strip()
            )
            if one.overdue(today):
                why = f"the calibration of the {role} (serial {one.serial}) was due on {one.due}: have it calibrated, or say --overdue"
                if not self.run.allow_overdue:
                    raise NotAvailable("instruments that are in calibration", why)
                self.run.deviations.append(f"run with an instrument out of calibration: {role}, due {one.due}")

    async def _loop_back(self) -> OffLatency | None:
        """The latency of the supply, where it is an instrument and the plug can be had. What hinders it is a deviation."""
        run, table = self.run, self.run.board.jig
        supply = table.supply if table.kind == "instruments" else table.stand_in and table.stand_in.supply
        if supply in (None, BY_HAND) or not (run.loop_back or plug_is_modelled(table)):
            return None
        try:
            found = await loop_back(table, run.profile, run.clock)
        except JigError as wrong:
            run.deviations.append(f"the latency of the supply was not measured: {wrong}")
            return None
        run.facts["supply off latency"] = (
            f"{found.shortest_s:.4f} to {found.longest_s:.4f} s, mean {found.mean_s:.4f} s, of {found.times} by loop-back at the start"
        )
        return found

    @staticmethod
    def _hear_interrupts(by: Callable[[int, FrameType | None], Any], *, instead_of: object) -> None:
        """Python lets the first thread alone hear them; who else hears them by a handler of their own keeps it."""
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) == instead_of:
            signal.signal(signal.SIGINT, by)

    def _interrupt(self, *_: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.interrupted = True
        self._break(INTERRUPTED)
        if self._awaits is not None:
            self._awaits.cancel()
            self._awaits.get_loop().call_soon_threadsafe(lambda: None)  # it may sleep: as asyncio's own handler does

    def _breakable(self, work: Coroutine[Any, Any, T]) -> T:
        """Carry it out. Raises CancelledError where an interrupt came."""

        async def main() -> T:
            self._awaits = asyncio.current_task()
            try:
                return await work
            finally:
                self._awaits = None

        return self._loop.run(main())

    def _count(self) -> Checkpoint:
        run, own = self.run, self.run.folder / COUNT_NAME
        if run.resume is None:
            return Checkpoint(own, run.facts)
        count = Checkpoint.resumed(run.resume / COUNT_NAME, run.facts)
        count.path = own
        run.deviations.append(f"{count.done} power cycles were counted by the run {run.resume.name}, before this one")
        return count

    def _break(self, why: str) -> None:
        self._runner.broken = self._runner.broken or why

    def check(self, check: Check, number: int) -> CheckResult:
        """Carry out one check, note its result."""
        if self._trace_file.trouble is not None:
            self._break(f"the trace could not be written: {self._trace_file.trouble.strerror}")
        try:
            result = self._breakable(self._runner.run(check, number))
        except asyncio.CancelledError:
            if not self.interrupted:
                raise
            result = CheckResult(check, quantity_of(check, self.run.profile), CheckVerdict.INCONCLUSIVE, None, INTERRUPTED, number)
        except Exception as wrong:  # a fault of the bench or the hub that nobody foresaw: recorded, then shown by pytest in full
            why = f"the check itself broke: {type(wrong).__name__}: {wrong}"
            self.run.results.append(CheckResult(check, quantity_of(check, self.run.profile), CheckVerdict.INCONCLUSIVE, None, why, number))
            raise
        if (
            result.verdict not in (CheckVerdict.PASS, CheckVerdict.NOT_APPLICABLE)
            and not self._runner.broken
            and (full := self._disk_full())
        ):
            self._break(full)
            result = replace(result, verdict=CheckVerdict.INCONCLUSIVE, why=f"{full}; {result.why}")
        self.run.results.append(result)
        self.run.deviations += self._runner.missed
        self._runner.missed = []
        self._keep_waveform(result)
        with contextlib.suppress(OSError):  # a full disk is told of by the trace and the report
            self._log.note(
                "result",
                check=check.id,
                round=number,
                verdict=result.verdict.value,
                value=result.value,
                u=result.u,
                why=result.why,
                at=round(self.run.clock.now(), 3),
            )
        if self.run.progress is not None:
            self.run.progress(result, len(self.run.results), len(self.run.checks) * self.run.rounds)
        return result

    def _keep_waveform(self, result: CheckResult) -> None:
        """Every point of it, in a file of its own: the report draws some hundreds."""
        if not result.waveform:
            return
        with contextlib.suppress(OSError):  # a full disk is told of by the trace and the report
            place = self.run.folder / WAVEFORMS
            place.mkdir(exist_ok=True)
            lines = ["seconds,volts", *(f"{when:.6f},{volts:.6f}" for when, volts in result.waveform)]
            (place / f"{result.check.id}-{result.round}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _disk_full(self) -> str:
        """Why the disk is why, if it is: the hub and the DCC keep their stores on it too."""
        if self._trace_file.trouble is not None:
            return f"the trace could not be written: {self._trace_file.trouble.strerror}"
        free = shutil.disk_usage(self.run.folder).free
        return f"the disk of {self.run.folder} has {free} octets left" if free < _TOO_LITTLE_OCTETS else ""

    def __exit__(self, *_: object) -> None:
        run = self.run
        if self._trace_file.trouble is not None:
            run.problems.append(f"trace.jsonl is not complete: {self._trace_file.trouble.strerror}")
        try:
            self._loop.run(self._bench.close())
        except (CommsHubError, OSError, sqlite3.Error) as wrong:
            run.left_on = isinstance(wrong, JigError)
            run.problems.append(
                f"at the end the bench could not be switched off in order: {in_words(wrong)}; "
                "switch it off at its panel or pull its mains plug, measure that it is off, and look at the supply"
            )
        done = {(result.check.id, result.round) for result in run.results}
        left = [(check, number) for check, number in run.sessions() if (check.id, number) not in done]
        reason = self._runner.broken or "the run was ended before it"
        run.results += [not_tested(check, run.profile, reason, number) for check, number in left]
        if self._runner.broken:
            run.problems.insert(0, self._runner.broken)
        with contextlib.suppress(OSError):
            self._log.note("ended", problems=run.problems)
        self._let_go()

    def _let_go(self) -> None:
        self._loop.close()
        self._trace_file.close()
        self._hear_interrupts(signal.default_int_handler, instead_of=self._interrupt)


class CheckItem(pytest.Item):
    """One check as a test."""

    def __init__(self, *, check: Check, number: int, session_of_run: RunSession, **keys: object) -> None:
        super().__init__(**keys)  # type: ignore[arg-type]
        self._check, self._number, self._session = check, number, session_of_run
        self.user_properties += [("requirement", row) for row in check.requirement] + [("source", check.source), ("group", check.group)]
        self.result: CheckResult | None = None

    def runtest(self) -> None:
        self.result = self._session.check(self._check, self._number)
        if self._session.interrupted:
            self.session.shouldstop = INTERRUPTED
        if self.result.value is not None:
            self.user_properties += [
                ("value", figure(self.result.value, self._check.unit, 6)),
                ("limit", str(self.result.quantity.bounds)),
                ("margin", f"{self.result.margin:.6g}"),
            ]
        if self.result.verdict not in (CheckVerdict.PASS, CheckVerdict.FAIL):
            pytest.skip(f"{self.result.verdict.value}: {self.result.why}")
        if self.result.verdict is CheckVerdict.FAIL:
            raise CheckFailed(self.result.why)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str:
        return str(excinfo.value) if isinstance(excinfo.value, CheckFailed) else str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, f"{self._check.id} {self._check.title}"


class CheckFailed(CommsHubError):
    """A measurement outside its limit; the text says by how much."""


class CheckFile(pytest.File):
    """The checks of one TOML file that this run selected."""

    session_of_run: RunSession

    def collect(self) -> Iterator[CheckItem]:
        wanted = {check.id: check for check in self.session_of_run.run.checks}
        for read in read_checks(self.path.name, self.path.read_text(encoding="utf-8")):
            if read.id in wanted:
                for number in range(1, self.session_of_run.run.rounds + 1):
                    name = read.id if number == 1 else f"{read.id}-{number}"
                    yield CheckItem.from_parent(self, name=name, check=wanted[read.id], number=number, session_of_run=self.session_of_run)


class Plugin:
    """Makes pytest take check files, in the order of this run."""

    def __init__(self, session: RunSession) -> None:
        self._session = session

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        if file_path.suffix != ".toml":
            return None
        collector: CheckFile = CheckFile.from_parent(parent, path=file_path)
        collector.session_of_run = self._session
        return collector

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: item._number if isinstance(item, CheckItem) else 0)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """From here on files are written that must be there: give back the room that was kept for them."""
        (self._session.run.folder / _RESERVE).unlink(missing_ok=True)


def carry_out(run: ConformanceRun, folders_of_checks: Sequence[Path]) -> RunRecord:
    """Carry out the run under pytest, write report, JUnit and signature, return the record. Raises NotAvailable for a folder that
    cannot be written at all or a run to go on with that counted nothing, BoardError for a count of another board or a photograph that is
    not there, OwnedElsewhere where another run has a part of the bench."""
    _attach(run)
    run.facts |= _facts(run)
    if run.resume is not None:
        Checkpoint.resumed(run.resume / COUNT_NAME, run.facts)
    _reserve(run.folder)
    started, began = datetime.now(UTC), time.monotonic()
    with RunSession(run) as session:
        code = pytest.main(
            [
                *map(str, folders_of_checks),
                f"--rootdir={folders_of_checks[0]}",
                "-p",
                "no:cacheprovider",
                "-p",
                "no:terminal",
                "-p",
                "no:logging",
                "-p",
                "no:asyncio",
                "-p",
                "no:unraisableexception",
                "--capture=no",
                "-c",
                "/dev/null",
                f"--junitxml={run.folder / 'junit.xml'}",
            ],
            plugins=[Plugin(session)],
        )
        if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED):
            run.problems.append(f"pytest ended with {pytest.ExitCode(code).name}")
    (run.folder / _RESERVE).unlink(missing_ok=True)
    record = record_of(run, started, time.monotonic() - began)
    write_record(record, run.folder)
    return record


def sign_run(folder: Path, key: Path) -> None:
    """Sign the run's files with the bench's key, which this bench knows from then on."""
    own = bench_key(key)
    trust(key.parent / SIGNERS, fingerprint(own.public_key()), "this bench")
    sign(folder, own)


def _attach(run: ConformanceRun) -> None:
    """Read what the board attaches to the report: before anything is switched on, since it may not be there."""
    told = run.board.report
    if told.photograph:
        run.pictures.append(picture(Path(told.photograph), "the unit under test", "report.photograph"))
    for path in map(Path, told.attachments):
        run.attachments.append(attachment(path, "report.attachments"))
        if shows(path):
            run.pictures.append(picture(path, path.stem, "report.attachments"))


def _reserve(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _RESERVE).write_bytes(bytes(_RESERVE_OCTETS))
    except OSError as wrong:
        remedy = f"{wrong.strerror}; point CHUB_RUNS at a folder that can be written"
        raise NotAvailable(f"room for a report in {folder}", remedy) from wrong


def _facts(run: ConformanceRun) -> dict[str, str]:
    board = run.board.model_dump(exclude={"device": {"__all__": {"install_code"}}})
    profile = {key: (limit.value, limit.unit, limit.source) for key, limit in run.profile.limits.items()}
    return {
        "board": run.board.name,
        "board SHA-256": digest(board),
        "interface": run.profile.version,
        "host": run.profile.host,
        "profile": run.profile.name,
        "profile SHA-256": digest(profile),
        "checks SHA-256": source_digest(*check_packages()),
        **_firmware(run),
        "bench SHA-256": source_digest("ichis", "hil"),
        "seed": str(run.board.seed),
        "clock": "warp" if run.clock.warp else "wall",
        "decision rule": str(rule_of(run.board)),
        "run": run.folder.name,
    }


def _firmware(run: ConformanceRun) -> dict[str, str]:
    if run.under_test == "host" or (run.board.jig.kind == "instruments" and run.board.jig.hub_end is None):
        return {"firmware": "of the thing under test: not known to this bench"}
    return {"firmware": f"emulated hub {metadata.version('commshub')}", "firmware SHA-256": source_digest("firmware_emu")}


def record_of(run: ConformanceRun, started: datetime, seconds: float) -> RunRecord:
    """Everything that the report shows."""
    rows = [row_of(result) for result in run.results]
    limits: list[LimitRow] = [
        {"key": key, "value": limit.value, "unit": limit.unit, "source": limit.source, "confidence": limit.confidence}
        for key, limit in run.profile.limits.items()
    ]
    limits += [
        {"key": key, "value": choice.value, "unit": "", "source": choice.source, "confidence": choice.confidence}
        for key, choice in run.profile.choices.items()
    ]
    return {
        "format": FORMAT,
        "verdict": run_verdict(rows, run.problems, left_on=run.left_on),
        "simulated": run.board.jig.kind == "simulated" or run.board.jig.hub_end is not None,
        "about": about(run),
        "deviations": [*run.board.report.deviations, *run.deviations],
        "attachments": list(run.attachments),
        "pictures": list(run.pictures),
        "facts": dict(run.facts),
        "profile": limits,
        "not_measured": list(run.profile.not_measured),
        "checks": rows,
        "not_tested": [row["id"] for row in rows if row["verdict"] == CheckVerdict.NOT_TESTED.value],
        "problems": list(run.problems),
        "when": {"started": started.isoformat(timespec="seconds"), "took": f"{seconds:.1f} s"},
    }


_TOLD = ("unit", "serial", "firmware", "photograph", "operator", "station", "site", "environment")


def about(run: ConformanceRun) -> dict[str, str]:
    """The statements that ISO/IEC 17025 wants and no instrument makes; one that the board leaves out is reported as not stated."""
    told = {name: str(getattr(run.board.report, name)) or "not stated" for name in _TOLD}
    if run.board.jig.kind == "simulated" or run.board.jig.hub_end is not None:
        told["unit"] = f"emulated {run.under_test}: no unit was tested"
    return told


def row_of(result: CheckResult) -> CheckRow:
    """One check as the record holds it; figures rounded to what the instruments tell."""
    check = result.check
    return {
        "id": check.id,
        "group": check.group,
        "chapter": check.chapter,
        "title": check.title,
        "verdict": result.verdict.value,
        "value": None if result.value is None else round(result.value, 4),
        "limit": str(result.quantity.bounds),
        "unit": check.unit,
        "u": None if result.u is None else float(f"{result.u:.2g}"),
        "basis": result.basis,
        "outcome": result.outcome,
        "margin": None if result.margin is None else round(result.margin, 4),
        "source": check.source,
        "requirement": list(check.requirement),
        "profile_supplied": result.profile_supplied,
        "limit_sources": list(result.limit_sources),
        "why": result.why,
        "round": result.round,
        "waveform": thinned(result.waveform),
        "waveform_at": result.waveform_at,
    }


def clear_state(folder: Path) -> None:
    """Remove what the emulated hub kept: it holds keys of the test PKI."""
    shutil.rmtree(folder / "state", ignore_errors=True)


def selected(select: tuple[str, ...], under_test: str = "hub") -> tuple[Check, ...]:
    """The checks whose group or id is asked for; all without a choice. Raises NotAvailable for a choice that names none."""
    checks = load_checks(under_test)
    if not select:
        return checks
    for wanted in select:
        if not any(_fits(check, wanted) for check in checks):
            groups = dict.fromkeys(check.group for check in checks)
            raise NotAvailable(f"a group or check named {wanted!r}", f"an id such as {checks[0].id}, or a group, {one_of(wanted, groups)}")
    return tuple(check for check in checks if any(_fits(check, wanted) for wanted in select))


def _fits(check: Check, wanted: str) -> bool:
    low = wanted.lower()
    return check.id.lower().startswith(low) or check.group.lower().startswith(low)
