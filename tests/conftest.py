"""Shared by all tests: bench time for coroutine tests, the default PKI, and the official reference data.

The reference data are never part of this repository.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import runpy
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.pki import DEFAULT_DEVICES, make_pki
from firmware_emu.ownership import held_places
from tests.bench_time import followed, new_event_loop

settings.register_profile("bench", deadline=None, suppress_health_check=[HealthCheck.too_slow])  # no test judges by the wall clock
settings.load_profile("bench")

_ROOT = Path(__file__).resolve().parents[1]
_SHARED = _ROOT.parent / "shared"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("reference data")
    group.addoption("--rtds", type=Path, default=_SHARED / "rtds", help="folder with 4.5.0/ and keys/ (Reference Test Data Set)")
    group.addoption(
        "--wall",
        type=float,
        metavar="SPEED",
        help="also what waits on real time, at so many bench seconds a second: 1 as in life, 10 on a machine with nothing else to do",
    )
    group.addoption(
        "--long", action="store_true", help="also what takes minutes of processor: a home's year, not weeks of it; the whole book"
    )
    group.addoption("--postgresql", action="store_true", help="every store of a DCC is one of PostgreSQL, started for the run")
    group.addoption("--duis", type=Path, default=_SHARED / "duis", help="folder with templates/ and xsd/ (DUIS requests and schemas)")


def pytest_configure() -> None:
    """A shell lets what it runs in the background ignore Ctrl-C, and so would every program that these tests start and interrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Carry requirement rows and clauses into the JUnit file, one property each: tools/coverage reads them there."""
    for item in items:
        for name in ("requirement", "clause"):
            item.user_properties.extend((name, str(row)) for marker in item.iter_markers(name) for row in marker.args)


def pytest_collection_finish() -> None:
    """Spare the collector what the tests' modules brought: a million objects that live for ever."""
    gc.collect()
    gc.freeze()


def _processor_s() -> float:
    """Processor seconds of this process and of the programs that it started and that have ended."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


_BEGAN: pytest.StashKey[float] = pytest.StashKey()
_LOGGED: pytest.StashKey[tuple[int, int]] = pytest.StashKey()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    item.stash[_BEGAN] = _processor_s()
    item.stash[_LOGGED] = logging.root.manager.disable, logging.root.level
    for program in (program for marker in item.iter_markers("needs") for program in marker.args):
        if shutil.which(program) is None:
            package = runpy.run_path(str(_ROOT / "tools" / "prepare.py"))["PROGRAMS"].get(program, program)
            pytest.skip(f"{program} is not here: apt-get install {package}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Say in the JUnit file what the test cost: its duration there says as much of the other work of the machine."""
    yield
    logging.root.manager.disable, level = item.stash[_LOGGED]  # a command that ran in this process may have made it quiet
    logging.root.setLevel(level)
    item.user_properties.append(("processor_s", f"{_processor_s() - item.stash[_BEGAN]:.3f}"))


def _folder(request: pytest.FixtureRequest, option: str, wanted: str) -> Path:
    folder: Path = request.config.getoption(option)
    if not (folder / wanted).exists():
        pytest.skip(f"{folder / wanted} is not here: point {option} at it")
    return folder


@pytest.fixture(scope="session")
def rtds(request: pytest.FixtureRequest) -> Path:
    """The Reference Test Data Set: ``4.5.0/`` with messages, ``keys/`` with test keys."""
    return _folder(request, "--rtds", "4.5.0")


@pytest.fixture(scope="session")
def duis(request: pytest.FixtureRequest) -> Path:
    """DUIS request templates and schemas."""
    return _folder(request, "--duis", "templates")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of a PostgreSQL server of the session's own."""
    from tests.databases import server

    with server() as url:
        yield url


@pytest.fixture(autouse=True, scope="session")
def _lines_and_ports_are_given_back() -> Iterator[None]:
    """A terminal's number and a port's are soon another's: one that is still owned here keeps that other out."""
    yield
    assert [held.what for held in held_places() if held.process == os.getpid()] == []


@pytest.fixture(autouse=True)
def _stores_in_postgresql(request: pytest.FixtureRequest) -> Iterator[None]:
    if not request.config.getoption("--postgresql"):
        yield
        return
    from tests.databases import instead_of_files

    with pytest.MonkeyPatch.context() as patch:
        instead_of_files(request.getfixturevalue("postgresql"), patch, request.node.nodeid)
        yield


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the bench's default PKI: every organisation and Device, with all private keys and the SM WAN's TLS files."""
    folder = Path(tmp_path_factory.mktemp("pki")) / "pki"
    make_pki(folder, organisations=None, devices=DEFAULT_DEVICES)
    return folder


@pytest.fixture(scope="session")
def keystore(keys: Path) -> Keystore:
    return Keystore.load(keys)


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"bench time": new_event_loop}


@pytest.fixture
def follow() -> Iterator[Callable[[Clock], Clock]]:
    """Puts the coroutine test, with its asynchronous fixtures, on a clock, and returns it. Call it in a synchronous fixture."""
    with contextlib.ExitStack() as stack:
        yield lambda clock: stack.enter_context(followed(clock))


@pytest.fixture
def clock(follow: Callable[[Clock], Clock]) -> Clock:
    """A warp clock, on which the coroutine test runs."""
    return follow(Clock(warp=True))
