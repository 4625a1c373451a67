from __future__ import annotations

import contextlib
import shutil
import sqlite3
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_emu.device.store import MemoryStore
from firmware_emu.errors import CommsHubError, NotAvailable
from firmware_emu.hub.nvm import FORM, SqliteStore


class PowerCut(BaseException):
    """The power went at this commit."""


class CutBefore:
    def before_commit(self, path: Path) -> None:
        raise PowerCut

    def after_commit(self, path: Path) -> None:
        raise AssertionError("the power went before")


class TornWrite:
    """Leaves in ``copy`` what is on the medium when only the first ``kept`` octets of the commit got there."""

    def __init__(self, copy: Path, kept: int) -> None:
        self.copy, self.kept, self.length = copy, kept, 0
        self.before: int | None = None

    def before_commit(self, path: Path) -> None:
        self.before = Path(f"{path}-wal").stat().st_size

    def after_commit(self, path: Path) -> None:
        assert self.before is not None
        wal = Path(f"{path}-wal").read_bytes()
        self.length = len(wal) - self.before
        shutil.copy(path, self.copy)
        Path(f"{self.copy}-wal").write_bytes(wal[: self.before + self.kept])
        raise PowerCut


def test_values_outlive_the_process_that_wrote_them(tmp_path: Path) -> None:
    with contextlib.closing(SqliteStore(tmp_path / "nvm")) as store:
        store.put("a/1", b"one")
        store.put("a/2", b"two")
        store.put("b/1", b"")
        store.delete("a/1")
    with contextlib.closing(SqliteStore(tmp_path / "nvm")) as store:
        assert (store.get("a/1"), store.get("a/2"), store.get("b/1")) == (None, b"two", b"")
        assert store.keys("a/") == ["a/2"]
        assert store.keys("") == ["a/2", "b/1"]


def test_the_file_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    with contextlib.closing(SqliteStore(tmp_path / "nvm")):
        assert stat.S_IMODE((tmp_path / "nvm").stat().st_mode) == 0o600


def change_and_fail(store: SqliteStore) -> None:
    with store.transaction():
        store.put("kept", b"changed")
        with store.transaction():
            store.put("new", b"x")
        raise ZeroDivisionError


def put_all(store: SqliteStore, values: dict[str, bytes]) -> None:
    with store.transaction():
        for key, value in values.items():
            store.put(key, value)


def test_an_exception_takes_back_the_whole_of_nested_transactions(tmp_path: Path) -> None:
    with contextlib.closing(SqliteStore(tmp_path / "nvm")) as store:
        store.put("kept", b"before")
        with pytest.raises(ZeroDivisionError):
            change_and_fail(store)
        assert (store.get("kept"), store.get("new")) == (b"before", None)


@pytest.mark.parametrize("kept", [0, 1, 24, 100, 4000, 4200, 8000])
def test_a_commit_that_was_torn_half_way_is_not_there_at_the_next_opening(tmp_path: Path, kept: int) -> None:
    with contextlib.closing(SqliteStore(tmp_path / "nvm")) as store:
        store.put("old", b"stays")
    fault = TornWrite(tmp_path / "copy", kept)
    with contextlib.closing(SqliteStore(tmp_path / "nvm", fault)) as store, pytest.raises(PowerCut):
        put_all(store, {f"new/{number}": bytes(100) for number in range(100)})
    assert fault.length > kept
    with contextlib.closing(SqliteStore(tmp_path / "copy")) as store:
        assert store.get("old") == b"stays"
        assert store.keys("new/") == []


def test_a_commit_that_got_through_before_the_cut_is_there_whole(tmp_path: Path) -> None:
    fault = TornWrite(tmp_path / "copy", 1 << 30)
    with contextlib.closing(SqliteStore(tmp_path / "nvm")):
        pass
    with contextlib.closing(SqliteStore(tmp_path / "nvm", fault)) as store, pytest.raises(PowerCut):
        put_all(store, {"a": b"1", "b": b"2"})
    with contextlib.closing(SqliteStore(tmp_path / "copy")) as store:
        assert store.keys("") == ["a", "b"]


def test_a_store_that_lost_its_power_refuses_further_use(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "nvm", CutBefore())
    with pytest.raises(PowerCut):
        store.put("a", b"1")
    with pytest.raises(CommsHubError, match="lost its power: open it again"):
        store.get("a")
    with contextlib.closing(SqliteStore(tmp_path / "nvm")) as again:
        assert again.get("a") is None


def test_a_store_of_a_later_release_is_refused_and_left_alone(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "nvm")) as database:
        database.execute(f"PRAGMA user_version = {len(FORM.steps) + 1}")
    with pytest.raises(NotAvailable, match="version 2, expected at most 1"):
        SqliteStore(tmp_path / "nvm")


def test_a_file_that_is_no_store_is_named(tmp_path: Path) -> None:
    (tmp_path / "nvm").write_bytes(b"this is not a database, it only looks long enough to be one" * 20)
    with pytest.raises(NotAvailable, match="nvm is not available"):
        SqliteStore(tmp_path / "nvm")


_KEYS = st.text("ab/%_", max_size=4)
_STEPS = st.lists(st.tuples(st.sampled_from(["put", "delete", "abort", "keys"]), _KEYS, st.binary(max_size=8)), max_size=30)


@settings(max_examples=40, deadline=None)
@given(steps=_STEPS)
def test_it_behaves_as_the_store_in_memory(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, bytes]]) -> None:
    model = MemoryStore()
    with contextlib.closing(SqliteStore(tmp_path_factory.mktemp("nvm") / "nvm")) as store:
        for step, key, value in steps:
            for one in (store, model):
                if step == "put":
                    one.put(key, value)
                elif step == "delete":
                    one.delete(key)
                elif step == "abort":
                    with contextlib.suppress(ZeroDivisionError), one.transaction():
                        one.put(key, value)
                        raise ZeroDivisionError
            assert store.keys(key) == model.keys(key)
            assert store.get(key) == model.get(key)
