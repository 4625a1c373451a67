"""Both stores, the hub's and the DCC's: one owner, durable before acknowledged, one line for each trouble of the medium."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Protocol

import pytest

from firmware_emu.crypto.roles import DeviceType
from firmware_emu.device.credentials import Credentials
from firmware_emu.errors import CommsHubError, NotAvailable, ProtectionError
from firmware_emu.hub.nvm import SqliteStore
from firmware_emu.ids import Eui64
from firmware_emu.ownership import OwnedElsewhere, Owner
from hil.dcc.base.store import FORM, DccStore, NamedValues
from hil.dcc.parties.acb import LARGEST_COUNTER, OriginatorCounters

HUB = Eui64.parse("00db1234567890a2")
USER = Eui64.parse("90b3d51f30010000")


class Closable(Protocol):
    def close(self) -> None: ...


STORES = [pytest.param(SqliteStore, id="hub"), pytest.param(DccStore, id="dcc")]
Open = Callable[[Path], Closable]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


def child(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": os.getcwd()}
    )


@pytest.mark.parametrize("opened", STORES)
def test_a_second_process_is_told_who_has_the_store(opened: Open, path: Path) -> None:
    first = opened(path)
    module = opened.__module__  # type: ignore[attr-defined]
    done = child(f"from pathlib import Path\nfrom {module} import {opened.__name__} as S\nS(Path({str(path)!r}))")  # type: ignore[attr-defined]
    assert "OwnedElsewhere" in done.stderr
    assert f"process {os.getpid()} has it ({' '.join(sys.argv)})"[:200] in done.stderr
    first.close()
    opened(path).close()


def test_two_hubs_on_one_store_never_draw_an_equal_counter(path: Path) -> None:
    store = SqliteStore(path)
    mine = Credentials(store, HUB, DeviceType.CHF)
    drawn = [mine.next_counter() for _ in range(20)]
    with pytest.raises(OwnedElsewhere):
        SqliteStore(path)
    store.close()
    again = SqliteStore(path)
    assert Credentials(again, HUB, DeviceType.CHF).next_counter() == drawn[-1] + 1
    again.close()


@pytest.mark.parametrize("at", [(1 << 32) - 1, (1 << 63) - 1, (1 << 64) - 2])
def test_a_devices_own_counter_goes_on_wherever_it_stands_and_ends_by_name(path: Path, at: int) -> None:
    store = SqliteStore(path)
    mine = Credentials(store, HUB, DeviceType.CHF)
    mine._write_counter("own", at)
    assert mine.next_counter() == at + 1
    mine._write_counter("own", (1 << 64) - 1)
    for _ in range(2):
        with pytest.raises(ProtectionError, match="end of its 64 bits"):
            mine.next_counter()
    store.close()


def test_a_single_statement_of_an_owner_whose_lock_did_not_hold_is_stopped_too(path: Path) -> None:
    first = DccStore(path)
    path.with_name(path.name + ".owner").unlink()  # as on a medium that knows no locks
    second = DccStore(path)
    with pytest.raises(NotAvailable, match="another process has opened it"):
        first.insert("store", key="a", value=b"1")
    with pytest.raises(NotAvailable, match="another process has opened it"):
        first.execute("DELETE FROM store")
    second.insert("store", key="a", value=b"2")
    assert second.rows("SELECT value FROM store")[0]["value"] == b"2"
    first.close()
    second.close()


def test_an_owner_whose_lock_did_not_hold_is_stopped_by_the_epoch(path: Path) -> None:
    first = SqliteStore(path)
    path.with_name(path.name + ".owner").unlink()  # as on a medium that knows no locks
    second = SqliteStore(path)
    with pytest.raises(NotAvailable, match="another process has opened it"):
        first.put("counter", b"1")
    second.put("counter", b"2")
    assert second.get("counter") == b"2"
    first.close()
    second.close()


@pytest.mark.parametrize(
    "spoilt", ["DELETE FROM owner", "DROP TABLE owner", "UPDATE owner SET epoch = 'x'", "INSERT INTO owner VALUES (1)"]
)
@pytest.mark.parametrize("opened", STORES)
def test_a_store_whose_owner_somebody_spoils_while_it_is_open_is_one_line_and_nothing_more_is_written(
    opened: Open, spoilt: str, path: Path
) -> None:
    store = opened(path)
    with sqlite3.connect(path) as other:
        other.execute(spoilt)
    with pytest.raises(NotAvailable):
        (store if isinstance(store, SqliteStore) else store.named("")).put("a", b"1")  # type: ignore[attr-defined]
    assert not store._file.connection.in_transaction  # type: ignore[attr-defined]
    store.close()


@pytest.mark.parametrize("opened", STORES)
def test_each_commit_is_synced_and_quick_check_runs_first(opened: Open, path: Path) -> None:
    store = opened(path)
    connection = store._file.connection  # type: ignore[attr-defined]
    assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    store.close()


@pytest.mark.needs("strace")
@pytest.mark.parametrize("opened", STORES)
def test_twenty_commits_are_twenty_syncs(opened: Open, path: Path) -> None:
    put = "s.put('k', bytes([n]))" if opened is SqliteStore else "s.named('').put('k', bytes([n]))"
    module, name = opened.__module__, opened.__name__  # type: ignore[attr-defined]
    lines = ("from pathlib import Path", f"from {module} import {name} as S", f"s = S(Path({str(path)!r}))", "print('begin', flush=True)")
    code = "\n".join((*lines, f"for n in range(20): {put}", "print('end', flush=True)"))
    traced = subprocess.run(
        ["strace", "-f", "-e", "trace=fsync,fdatasync,write", sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    if "begin" not in traced.stdout:
        pytest.skip("strace may not trace here")
    between = traced.stderr.partition('"begin')[2].partition('"end')[0]
    assert len(re.findall(r"f(?:data)?sync\(", between)) >= 20


@pytest.mark.parametrize("opened", STORES)
def test_a_store_that_others_could_read_is_closed_to_them_at_the_next_opening(opened: Open, path: Path) -> None:
    opened(path).close()
    path.chmod(0o666)
    store = opened(path)
    files = [path, *(one for one in path.parent.iterdir() if one.name.startswith(path.name))]
    assert {oct(one.stat().st_mode & 0o777) for one in files} == {"0o600"}
    store.close()


@pytest.mark.parametrize("opened", STORES)
@pytest.mark.parametrize("damage", ["garbled", "truncated", "free pages", "text", "foreign", "later"])
def test_a_store_that_cannot_be_used_is_told_in_one_line_with_a_way_out(opened: Open, path: Path, damage: str) -> None:
    opened(path).close()
    octets = path.read_bytes()
    match damage:
        case "garbled":
            path.write_bytes(octets[:4096] + b"\x55" * (len(octets) - 4096))
        case "truncated":
            path.write_bytes(octets[: len(octets) // 2])
        case "free pages":  # a list of seven free pages that is not there: no statement of an opening meets it, only quick_check
            path.write_bytes(octets[:36] + (7).to_bytes(4, "big") + octets[40:])
        case "text":
            path.write_text("this is no store\n" * 400)
        case "foreign":
            path.unlink()
            with sqlite3.connect(path) as other:
                other.execute("CREATE TABLE invoices (number)")
        case "later":
            with sqlite3.connect(path) as other:
                other.execute("PRAGMA user_version = 999")
    with pytest.raises(NotAvailable) as told:
        opened(path)
    assert str(path) in str(told.value)
    assert "\n" not in str(told.value)
    assert re.search(r"restore it from a copy|name another file|use a later release", str(told.value))


@pytest.mark.parametrize("opened", STORES)
@pytest.mark.parametrize("octets", [b"x", b"SQLite", b"0" * 511], ids=["one", "part of a header", "less than a page"])
def test_a_foreign_file_too_short_for_a_page_is_refused_and_left_as_it_is(opened: Open, path: Path, octets: bytes) -> None:
    path.write_bytes(octets)
    with pytest.raises(NotAvailable, match=r"no store, or damaged .* name another file"):
        opened(path)
    assert path.read_bytes() == octets


@pytest.mark.parametrize("opened", STORES)
def test_an_empty_file_becomes_a_store(opened: Open, path: Path) -> None:
    path.touch()
    opened(path).close()
    assert path.read_bytes().startswith(b"SQLite format 3")


@pytest.mark.parametrize("opened", STORES)
def test_a_store_of_the_other_kind_is_refused(opened: Open, path: Path) -> None:
    (DccStore if opened is SqliteStore else SqliteStore)(path).close()
    with pytest.raises(NotAvailable, match="the store of something else"):
        opened(path)


def test_a_table_that_is_gone_is_told_and_never_shown_as_nothing(path: Path) -> None:
    DccStore(path).close()
    with sqlite3.connect(path) as other:
        other.execute("DROP TABLE schedules")
    for owner in (True, False):
        with pytest.raises(NotAvailable, match="table schedules is gone"):
            DccStore(path, owner=owner)


def test_a_full_medium_is_one_line_and_nothing_of_the_transaction_stays(path: Path) -> None:
    store = DccStore(path)
    pages = int(store.row("PRAGMA page_count")[0])  # type: ignore[index]
    store.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(NotAvailable, match="make room on the medium"), store.transaction():
        store.named("x").put("1", bytes(1 << 20))
    assert store.named("x").keys("") == []
    store.close()


@pytest.mark.parametrize("opened", STORES)
def test_a_read_only_store_is_one_line_at_the_write_and_is_still_read(opened: Open, path: Path) -> None:
    store = opened(path)
    store._file.execute("PRAGMA query_only = 1")  # type: ignore[attr-defined]
    values = store.named("") if isinstance(store, DccStore) else store
    assert isinstance(values, SqliteStore | NamedValues)
    with pytest.raises(NotAvailable, match=r"readonly.*give a path to a writable file"), values.transaction():
        values.put("k", b"v")
    assert values.get("k") is None
    store.close()


@pytest.mark.parametrize("opened", STORES)
@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.ENOENT])
def test_a_store_whose_place_cannot_be_written_is_one_line(opened: Open, path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "touch", fails)
    with pytest.raises(NotAvailable, match=os.strerror(code)) as told:
        opened(path)
    assert str(path) in str(told.value)
    monkeypatch.undo()
    opened(path).close()  # the lock went with it


@pytest.mark.parametrize("opened", STORES)
def test_a_folder_or_a_device_in_place_of_a_store_is_one_line(opened: Open, path: Path) -> None:
    path.mkdir()
    with pytest.raises(NotAvailable, match=str(path)):
        opened(path)
    with pytest.raises(NotAvailable, match="/dev/full"):
        opened(Path("/dev/full"))


def test_a_full_medium_is_one_line_for_the_hub_and_the_value_before_stays(path: Path) -> None:
    store = SqliteStore(path)
    store.put("k", b"before")
    pages = int(store._file.execute("PRAGMA page_count").fetchone()[0])
    store._file.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(NotAvailable, match="make room on the medium"):
        store.put("k", bytes(1 << 20))
    assert store.get("k") == b"before"
    store.put("k", b"after")
    store.close()


@pytest.mark.parametrize(("opened", "table"), [(SqliteStore, "entry"), (DccStore, "requests"), (DccStore, "store"), (DccStore, "counters")])
def test_a_store_whose_table_is_gone_is_never_an_empty_one(opened: Open, table: str, path: Path) -> None:
    opened(path).close()
    with sqlite3.connect(path) as other:
        other.execute(f"DROP TABLE {table}")
    with pytest.raises(NotAvailable, match=f"table {table} is gone: restore it from a copy, or delete"):
        opened(path)


def test_a_store_of_an_earlier_release_is_brought_up_and_keeps_its_counters(path: Path) -> None:
    with sqlite3.connect(path) as old:
        old.execute("CREATE TABLE counters (originator TEXT PRIMARY KEY, value INTEGER NOT NULL)")
        old.execute("INSERT INTO counters VALUES (?, 4711)", (str(USER),))
    store = DccStore(path, owner=False)
    assert OriginatorCounters(store, 1000).next(USER) == 4712
    assert store.row("PRAGMA user_version")[0] == len(FORM.steps)  # type: ignore[index]
    store.close()


@pytest.mark.parametrize("at", [(1 << 32) - 1, 1 << 32, 5 << 32, (1 << 63) - 1, 1 << 63, LARGEST_COUNTER - 2])
def test_a_counter_goes_on_wherever_it_stands(at: int) -> None:
    counters = OriginatorCounters(DccStore(None), 1000)
    counters.saw(USER, at)
    assert [counters.next(USER), counters.next(USER)] == [at + 1, at + 2]


def test_a_counter_at_its_end_is_told_and_never_given_twice() -> None:
    counters = OriginatorCounters(DccStore(None), 1000)
    counters.saw(USER, LARGEST_COUNTER)
    for _ in range(2):
        with pytest.raises(CommsHubError, match="the end of their 64 bits"):
            counters.next(USER)


def test_top_ups_count_apart_and_both_kinds_are_told_by_their_message_not_by_their_bits() -> None:
    counters = OriginatorCounters(DccStore(None), 1000)
    assert counters.next(USER, top_up=True) == 1000 << 32
    assert counters.next(USER) == 1000
    counters.saw(USER, 7 << 32)
    assert counters.next(USER) == (7 << 32) + 1
    assert counters.next(USER, top_up=True) == 1001 << 32


def test_what_is_released_can_be_owned_again(tmp_path: Path) -> None:
    owner = Owner.of_place(f"test {tmp_path}", "a port")
    with pytest.raises(OwnedElsewhere, match=str(os.getpid())):
        Owner.of_place(f"test {tmp_path}", "a port")
    owner.release()
    owner.release()
    Owner.of_place(f"test {tmp_path}", "a port").release()


def test_the_version_moves_with_the_schema() -> None:
    """A change of schema.sql without a step would leave old stores behind: raise the number here together with a step."""
    text = resources.files("hil.dcc.base").joinpath("schema.sql").read_text(encoding="utf-8")
    plain = " ".join(re.sub(r"--[^\n]*", "", text).split())
    assert (len(FORM.steps), hashlib.sha256(plain.encode()).hexdigest()[:12]) == (4, "793fc3f8b484")
