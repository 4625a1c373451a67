"""A second process is told in one line, with exit code 2, by pid and command line, who has a port, a socket, a line or a store."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from firmware_emu import ownership
from firmware_emu.board import JigTable
from firmware_emu.cli import main
from firmware_emu.clock import Clock
from firmware_emu.errors import NotAvailable
from firmware_emu.ownership import OwnedElsewhere, Owner, ServedPort, held_places, places
from hil.dcc.base.store import DccStore
from hil.inventory.instruments import asked
from ichis.instrument.lease import Lease
from ichis.instrument.opening import Instruments
from ichis.manual import Engineer
from ichis.profile import load_profile

JIG = """name = "mine"
extends = "simulated"
[jig]
kind = "instruments"
supply = "ASRL{terminal}::INSTR"
probes = "manual"
data = "loop://"
"""
HOLDER = """
import sys
from pathlib import Path
from firmware_emu.ownership import Owner, ServedPort
held = []
for line in sys.stdin:
    kind, _, what = line.strip().partition(" ")
    if kind == "port":
        held.append(ServedPort("127.0.0.1", int(what), "a port"))
        print(held[-1].port, flush=True)
    else:
        held.append(Owner.of_line(what, what) if kind == "line" else Owner.of_file(Path(what), what))
        print(what, flush=True)
"""


@dataclass(frozen=True, slots=True)
class OtherProcess:
    """Has what it is told to take, until it ends."""

    process: subprocess.Popen[str]

    def takes(self, kind: str, what: object) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{kind} {what}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def is_named(self, text: str) -> bool:
        return f"process {self.process.pid} has it (-c)" in text


@pytest.fixture
def other() -> Iterator[OtherProcess]:
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield OtherProcess(process)
        process.kill()


@pytest.fixture
def terminal() -> Iterator[str]:
    master, slave = os.openpty()
    yield os.ttyname(slave)
    os.close(master)
    os.close(slave)


@pytest.fixture
def refused(other: OtherProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHUB_RUNS", str(tmp_path / "runs"))

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["chub", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("chub:")]
        assert len(lines) == 1
        assert other.is_named(lines[0])
        return lines[0]

    return run


def test_a_port_of_dongles_is_told(other: OtherProcess, refused: Callable[..., str]) -> None:
    port = other.takes("port", 0)
    assert f"127.0.0.1:{port}" in refused("ncp", "--tcp", f"127.0.0.1:{port}")


def test_the_memory_of_a_dongle_is_told(other: OtherProcess, refused: Callable[..., str], tmp_path: Path) -> None:
    other.takes("file", tmp_path / "tokens")
    assert "dongle's memory" in refused("ncp", "--tcp", "127.0.0.1:0", "--tokens", str(tmp_path / "tokens"))


def test_the_folder_of_a_home_without_a_hub_is_told(other: OtherProcess, refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    other.takes("file", tmp_path / "state" / "home")
    assert "the home in" in refused("run", "home", "--no-hub", "--state", str(tmp_path / "state"))


def test_the_port_of_the_page_is_told(other: OtherProcess, refused: Callable[..., str], tmp_path: Path) -> None:
    DccStore(tmp_path / "dcc.sqlite").close()
    assert "web server" in refused("dcc", "serve", "--store", str(tmp_path / "dcc.sqlite"), "--port", other.takes("port", 0))


def test_the_port_of_a_served_jig_and_its_folder_are_told(other: OtherProcess, refused: Callable[..., str], tmp_path: Path) -> None:
    assert "hub's end" in refused("ichis", "serve", str(tmp_path / "jig"), "--port", other.takes("port", 0))
    other.takes("file", tmp_path / "jig" / "jig")
    assert "served jig" in refused("ichis", "serve", str(tmp_path / "jig"))


def test_a_dongle_is_told_under_any_of_its_names(other: OtherProcess, refused: Callable[..., str], tmp_path: Path, terminal: str) -> None:
    by_id = tmp_path / "usb-dongle"
    by_id.symlink_to(terminal)
    other.takes("line", by_id)
    assert "the dongle at" in refused("hub", "backup", terminal, str(tmp_path / "backup.json"))
    assert "the dongle at" in refused("hub", "backup", str(by_id), str(tmp_path / "backup.json"))
    with pytest.raises(OwnedElsewhere) as told:
        asked(f"ASRL{terminal}::INSTR")
    assert other.is_named(str(told.value))


def test_an_instrument_is_told_under_any_of_its_names(
    other: OtherProcess, refused: Callable[..., str], tmp_path: Path, terminal: str
) -> None:
    other.takes("line", terminal)
    (tmp_path / "mine.toml").write_text(JIG.format(terminal=terminal))
    assert f"ASRL{terminal}" in refused("ichis", "check", "--board", "mine.toml")


async def test_the_lines_and_the_serial_pair_of_a_jig_are_told(other: OtherProcess, terminal: str) -> None:
    other.takes("line", terminal)
    bench = Instruments(Clock(), Engineer(Clock()))
    profile = load_profile("ichis_default")
    with pytest.raises(OwnedElsewhere) as told:
        bench.port(terminal, profile, inverts=profile.line.inverted)
    assert other.is_named(str(told.value))
    with pytest.raises(OwnedElsewhere) as told:
        await bench.lines(JigTable(kind="instruments", lines=terminal))
    assert other.is_named(str(told.value))


async def test_one_run_has_a_cable_for_its_data_and_its_modem_lines(terminal: str) -> None:
    bench = Instruments(Clock(), Engineer(Clock()))
    bench._lease(terminal)
    bench._lease(terminal)
    bench._ports.close()
    Lease(terminal).close()


def terminal_of(name: str) -> tuple[int, int]:
    """A pseudo-terminal of that name: its number is free, and comes again."""
    others = []
    while True:
        master, slave = os.openpty()
        if os.ttyname(slave) == name:
            break
        others += [master, slave]
    for one in others:
        os.close(one)
    return master, slave


def test_a_terminal_that_gets_the_number_of_one_that_is_owned_and_gone_is_another() -> None:
    master, slave = os.openpty()
    name = os.ttyname(slave)
    before = set(places().glob("*"))
    gone = Owner.of_line(name, "the dongle that was pulled")
    os.close(master)
    os.close(slave)
    master, slave = terminal_of(name)
    now = Owner.of_line(name, "the supply that came")
    with pytest.raises(OwnedElsewhere):
        Owner.of_line(name, "a second one")
    assert {"the dongle that was pulled", "the supply that came"} <= {held.what for held in held_places()}
    gone.release()
    with pytest.raises(OwnedElsewhere):
        Owner.of_line(name, "a second one")
    now.release()
    assert not [left for left in places().glob(f"{name.replace('/', '_')}-*") if left not in before]
    Owner.of_line(name, "who comes next").release()
    os.close(master)
    os.close(slave)


def test_the_lease_of_a_terminal_that_is_gone_keeps_nobody_from_the_one_that_gets_its_number() -> None:
    master, slave = os.openpty()
    name = os.ttyname(slave)
    gone = Lease(name)
    os.close(master)
    os.close(slave)
    master, slave = terminal_of(name)
    now = Lease(name)
    with pytest.raises(OwnedElsewhere):
        Lease(name)
    gone.close()
    now.close()
    os.close(master)
    os.close(slave)


def test_a_lock_that_goes_while_all_are_looked_at_is_nobodys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    owner = Owner.of_place("line", "a line")
    (places() / "gone.owner").symlink_to(tmp_path / "nothing")  # it is listed and cannot be opened
    assert [held.what for held in held_places()] == ["a line"]
    owner.release()


def test_a_lock_that_its_owner_took_away_after_it_was_opened_is_taken_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, taken = tmp_path / "line.owner", 0
    locking = ownership._lock

    def late(file: int) -> None:
        nonlocal taken
        taken += 1
        if taken == 1:
            lock.unlink()
        locking(file)

    monkeypatch.setattr(ownership, "_lock", late)
    owner = Owner.take(lock, "a line", passing=True)
    assert taken == 2
    with pytest.raises(OwnedElsewhere):
        Owner.take(lock, "a line", passing=True)
    owner.release()
    assert not lock.exists()


def test_a_console_socket_is_told(other: OtherProcess, refused: Callable[..., str], tmp_path: Path) -> None:
    other.takes("file", tmp_path / "c.sock")
    assert "console's socket" in refused("run", "home", "--wan", "127.0.0.1:1", "--console", str(tmp_path / "c.sock"))


def test_the_memory_of_a_home_is_told(other: OtherProcess, refused: Callable[..., str], tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    other.takes("file", state / "hub.sqlite")
    assert "hub.sqlite" in refused("run", "home", "--wan", "127.0.0.1:1", "--state", str(state))


def test_a_port_of_something_else_is_told_with_the_way_to_find_it(tmp_path: Path) -> None:
    first = ServedPort("127.0.0.1", 0, "a port")
    assert first._owner is not None
    first._owner.release()  # as a program of another maker
    with pytest.raises(NotAvailable, match="ss -ltnp"):
        ServedPort("127.0.0.1", first.port, "a port")
    first.close()
    with pytest.raises(NotAvailable, match="an address of this machine"):
        ServedPort("no-such-host.invalid", 0, "a port")
    with pytest.raises(NotAvailable, match="cannot listen"):
        ServedPort("192.0.2.1", 0, "a port")


def test_a_port_can_be_served_again_when_it_was_let_go() -> None:
    first = ServedPort("127.0.0.1", 0, "a port")
    with pytest.raises(OwnedElsewhere, match=str(os.getpid())):
        ServedPort("127.0.0.1", first.port, "a port")
    first.close()
    ServedPort("127.0.0.1", first.port, "a port").close()


def test_a_lock_that_another_process_is_just_letting_go_of_is_no_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, looks = fcntl.flock, list[int]()

    def held_for_two_looks(file: int, operation: int) -> None:
        looks.append(operation)
        if len(looks) <= 2:
            raise BlockingIOError
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", held_for_two_looks)
    Owner.of_file(tmp_path / "store", "a store").release()
    assert len(looks) == 3


def test_whoever_asks_who_has_a_file_takes_nothing_and_makes_nothing(other: OtherProcess, tmp_path: Path) -> None:
    file = tmp_path / "store"
    assert Owner.holder(file) is None
    assert list(tmp_path.iterdir()) == []
    other.takes("file", file)
    assert Owner.holder(file) == (other.process.pid, "-c")
