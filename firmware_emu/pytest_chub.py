"""The bench for pytest: ``--chub-board``, ``--chub-seed``, ``--chub-speed``, ``--chub-fault``; fixtures and markers ``chub_...``.

::

    def test_the_meter_is_read(chub_hub, chub_esme, chub_dcc):
        chub_hub.form()
        chub_esme.add()
        assert chub_dcc.read("esme")["Import Register Collection, Wh"] >= 0

A fixture is the noun of its name at the prompt; ``chub_clock`` is bench time. A test has a bench of its own, torn down at its end, and
``chub_open`` opens more of them. Where the board's hardware is not here the test is skipped with the reason; so is one that
``chub_needs`` a part that the board does not provide.

The plugin is loaded into every run of pytest where the package is installed, so it has no name that another project could have, and
imports nothing of the bench before a test asks for it.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from firmware_emu.board import Board
    from firmware_emu.clock import Clock
    from firmware_emu.console import BlockingBench

BOARD = "simulated"
_PARTS = frozenset({"radio", "jig", "wan", "meters"})
"""Parts that a board says it provides; any other part that a test needs is a program on the path."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of a bench."""
    group = parser.getgroup("chub", "bench of a Communications Hub")
    group.addoption("--chub-board", default=None, help=f"board name or path of a .toml file (default: {BOARD})")
    group.addoption("--chub-seed", type=int, default=None, help="seed of the bench; the board's if not given")
    group.addoption("--chub-speed", type=float, default=None, help="bench seconds per real second; without it the board's clock")
    group.addoption("--chub-fault", action="append", default=[], metavar="SENTENCE", help="lay a fault on each bench; may be repeated")


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, and refuse a board that cannot be read before anything runs. Raises UsageError."""
    config.addinivalue_line("markers", "chub_requirement(row): a row of requirements that the test proves, for the JUnit file")
    config.addinivalue_line("markers", "chub_clause(text): a clause of a specification that the test proves, for the JUnit file")
    config.addinivalue_line("markers", "chub_needs(part): a part of the bench; the test is skipped with the reason where it is missing")
    if config.getoption("--chub-board") is not None:
        _board(config)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Carry requirement rows and clauses into the JUnit file, one property each."""
    for item in items:
        for name in ("requirement", "clause"):
            for marker in item.iter_markers(f"chub_{name}"):
                item.user_properties.extend((name, str(row)) for row in marker.args)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose bench would lack a part that it needs."""
    for marker in item.iter_markers("chub_needs"):
        for part in marker.args:
            board = _board(item.config)
            if part not in board.provides if part in _PARTS else shutil.which(part) is None:
                pytest.skip(f"needs {part}: board {board.name} provides {', '.join(board.provides) or 'none'}")


_BENCHES = pytest.StashKey[list["BlockingBench"]]()
_NOISE = ("zigpy", "bellows", "zigpy_znp", "asyncio", "firmware_emu", "hil")
"""Loggers whose lines the trace tells better."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that failed tells of each of its benches the earliest cause, the last hops, and where trace and capture are."""
    report = yield
    benches = item.stash.get(_BENCHES, [])
    if call.when == "call" and report.failed and benches:
        report.sections = [(title, _without_noise(text) if "log" in title else text) for title, text in report.sections]
        report.sections += [("chub", _told(bench)) for bench in benches]
    return report


def _without_noise(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not any(f" {name}" in line.split(":")[0] for name in _NOISE))


def _told(bench: BlockingBench) -> str:
    why, ladder = bench.noun("why")(), bench.noun("ladder")
    drawn = ladder() if bench.records else None
    parts = [why.as_text(100), "" if drawn is None else drawn.as_text(100), f"run folder: {bench.folder}"]
    capture = bench.folder / "han.pcapng"
    return "\n".join([*(part for part in parts if part), *([f"capture: {capture}"] if capture.is_file() else [])])


def _board(config: pytest.Config) -> Board:
    from firmware_emu.board import load_board
    from firmware_emu.errors import BoardError

    try:
        return load_board(config.getoption("--chub-board") or BOARD)
    except BoardError as wrong:
        raise pytest.UsageError(f"--chub-board: {wrong}") from wrong


@pytest.fixture(scope="session")
def chub_board(request: pytest.FixtureRequest, record_testsuite_property: Any) -> Board:
    """The board of ``--chub-board``; it and the seed become properties of the JUnit suite."""
    found = _board(request.config)
    seed = request.config.getoption("--chub-seed")
    record_testsuite_property("board", found.name)
    record_testsuite_property("seed", str(found.seed if seed is None else seed))
    return found


@pytest.fixture
def chub_open(
    request: pytest.FixtureRequest, chub_board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., BlockingBench]]:
    """Opens a bench: ``chub_open()`` as the options say, ``chub_open(seed=2, board="dual_band")`` another. All close with the test."""
    from firmware_emu.console import Bench
    from firmware_emu.errors import NotAvailable

    option = request.config.getoption
    monkeypatch.setenv("CHUB_RUNS", str(tmp_path / "runs"))
    with contextlib.ExitStack() as opened:

        def open_bench(board: str | None = None, *, seed: int | None = None, faults: Sequence[str] = ()) -> BlockingBench:
            try:
                bench = opened.enter_context(
                    Bench.open(
                        board or option("--chub-board") or BOARD,
                        seed=option("--chub-seed") if seed is None else seed,
                        speed=option("--chub-speed"),
                        faults=[*option("--chub-fault"), *faults],
                    )
                )
            except NotAvailable as missing:
                pytest.skip(str(missing))
            request.node.stash.setdefault(_BENCHES, []).append(bench)
            return bench

        yield open_bench


@pytest.fixture
def chub_bench(chub_open: Callable[..., BlockingBench]) -> BlockingBench:
    """A bench that is open: ``chub_bench.hub.form()``, ``chub_bench.say("fault add wan cut")``, ``chub_bench.records``."""
    return chub_open()


def _noun(name: str, what: str) -> Any:
    @pytest.fixture(name=f"chub_{name}")
    def noun(chub_bench: BlockingBench) -> Any:
        return getattr(chub_bench, name)

    noun.__doc__ = what
    return noun


chub_hub = _noun("hub", "The hub's firmware: form, status, log, reset.")
chub_dcc = _noun("dcc", "The far end: read, send, alerts, list.")
chub_jig = _noun("jig", "The hub's socket: supply, volts, mains, status.")
chub_esme = _noun("esme", "The electricity meter: add, join, remove, pair, power, status.")
chub_gsme = _noun("gsme", "The gas meter: as esme, and wake.")
chub_fault = _noun("fault", "What goes wrong: add, list, clear.")
chub_trace = _noun("trace", "What was recorded: show, explain, why. The records themselves are ``chub_bench.records``.")


@pytest.fixture
def chub_clock(chub_bench: BlockingBench) -> Clock:
    """Bench time. ``chub_bench.go("30m")`` lets some of it pass."""
    return chub_bench.clock


__all__: Sequence[str] = (
    "chub_bench",
    "chub_board",
    "chub_clock",
    "chub_dcc",
    "chub_esme",
    "chub_fault",
    "chub_gsme",
    "chub_hub",
    "chub_jig",
    "chub_open",
    "chub_trace",
)
