"""The bench for pytest: ``--board``, ``--seed``, ``--speed``, ``--fault``; fixtures on the console's Bench; markers.

::

    def test_the_meter_is_read(bench, hub, esme, dcc):
        hub.form()
        esme.add()
        assert dcc.read("esme")["Import Register Collection, Wh"] >= 0

A fixture is the noun of its name at the prompt; ``clock`` is bench time. A test has a bench of its own, torn down at its end. Where the
board's hardware is not here the test is skipped with the reason; so is one that ``needs`` a part that the board does not provide.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # the plugin is loaded into every run of pytest: the bench only where a test asks for it
    from firmware_emu.board import Board
    from firmware_emu.clock import Clock
    from firmware_emu.console import BlockingBench

_PARTS = frozenset({"radio", "jig", "wan", "meters"})
"""Parts that a board says it provides; any other part that a test needs is a program on the path."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of a bench."""
    group = parser.getgroup("bench")
    group.addoption("--board", default="simulated", help="board name or path of a .toml file (default: simulated)")
    group.addoption("--seed", type=int, default=None, help="seed of the bench; the board's if not given")
    group.addoption("--speed", type=float, default=None, help="bench seconds per real second; without it the board's clock")
    group.addoption("--fault", action="append", default=[], metavar="SENTENCE", help="lay a fault on each bench; may be repeated")


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers for projects that use the plugin without this repository's settings."""
    config.addinivalue_line("markers", "requirement(row): the row of requirements.csv that the test proves")
    config.addinivalue_line("markers", "clause(text): the clause of a specification that the test proves")
    config.addinivalue_line("markers", "needs(part): a part of the bench; the test is skipped with the reason where it is missing")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Carry requirement rows and clauses into the JUnit file, one property each."""
    for item in items:
        for name in ("requirement", "clause"):
            for marker in item.iter_markers(name):
                item.user_properties.extend((name, str(row)) for row in marker.args)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose bench would lack a part that it needs."""
    if "bench" not in getattr(item, "fixturenames", ()):
        return
    for marker in item.iter_markers("needs"):
        for part in marker.args:
            provided = _board(item.config).provides if part in _PARTS else ()
            if part not in provided and shutil.which(part) is None:
                pytest.skip(f"needs {part}: board {item.config.getoption('--board')} provides {', '.join(provided) or 'none'}")


def _board(config: pytest.Config) -> Board:
    from firmware_emu.board import load_board
    from firmware_emu.errors import BoardError

    try:
        return load_board(config.getoption("--board"))
    except BoardError as wrong:
        raise pytest.UsageError(str(wrong)) from wrong


@pytest.fixture(scope="session")
def board(request: pytest.FixtureRequest, record_testsuite_property: Any) -> Board:
    """The board of ``--board``; it and the seed become properties of the JUnit suite."""
    found = _board(request.config)
    seed = request.config.getoption("--seed")
    record_testsuite_property("board", found.name)
    record_testsuite_property("seed", str(found.seed if seed is None else seed))
    return found


@pytest.fixture
def bench(request: pytest.FixtureRequest, board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BlockingBench]:
    """A bench that is open: ``bench.hub.form()``, ``bench.say("fault add wan cut")``, ``bench.records``."""
    from firmware_emu.console import Bench
    from firmware_emu.errors import NotAvailable

    monkeypatch.setenv("CHUB_RUNS", str(tmp_path / "runs"))
    option = request.config.getoption
    opening = Bench.open(option("--board"), seed=option("--seed"), speed=option("--speed"), faults=option("--fault"))
    try:
        opened = opening.__enter__()
    except NotAvailable as missing:
        pytest.skip(str(missing))
    try:
        yield opened
    finally:
        opening.__exit__(None, None, None)


def _noun(name: str, what: str) -> Any:
    @pytest.fixture(name=name)
    def noun(bench: BlockingBench) -> Any:
        return getattr(bench, name)

    noun.__doc__ = what
    return noun


hub = _noun("hub", "The hub's firmware: form, status, log, reset.")
dcc = _noun("dcc", "The far end: read, send, alerts, list.")
jig = _noun("jig", "The hub's socket: supply, volts, mains, status.")
esme = _noun("esme", "The electricity meter: add, join, remove, pair, power, status.")
gsme = _noun("gsme", "The gas meter: as esme, and wake.")
fault = _noun("fault", "What goes wrong: add, list, clear.")
trace = _noun("trace", "What was recorded: show, explain, why. The records themselves are ``bench.records``.")


@pytest.fixture
def clock(bench: BlockingBench) -> Clock:
    """Bench time. ``bench.go("30m")`` lets some of it pass."""
    return bench.clock


__all__: Sequence[str] = ("bench", "board", "clock", "dcc", "esme", "fault", "gsme", "hub", "jig", "trace")
