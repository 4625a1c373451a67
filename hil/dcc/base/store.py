"""The DCC's memory: one SQLite file that a restarted DCC opens again and goes on from.

A transaction covers everything inside it: the request's new state, the counter it used and the frame put into the SM WAN
outbox become durable together or not at all, so that a DCC killed between two steps neither loses nor repeats a command.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

Value = str | int | float | bytes | None


class DccStore:
    """SQLite behind the DCC's parts. ``path`` None keeps it in memory (it then ends with the object).

    Survives the death of the process (write-ahead log); a power cut of the DCC's own machine may cost the last
    transactions but never tears one (SQLite ``synchronous=NORMAL``).
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        if path is not None:
            path.touch(mode=0o600)  # what is at rest here is for the DCC alone
        self._db = sqlite3.connect(":memory:" if path is None else path, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._depth = 0
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(resources.files(__package__).joinpath("schema.sql").read_text(encoding="utf-8"))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; a transaction inside a transaction is part of the outer one."""
        if self._depth:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        self._depth = 1
        try:
            yield
        except BaseException:  # whatever ended it, nothing of it stays; the error goes on
            self._db.execute("ROLLBACK")
            raise
        else:
            self._db.execute("COMMIT")
        finally:
            self._depth = 0

    def execute(self, sql: str, values: Sequence[Value] = ()) -> int:
        """Run one statement; returns the number of rows it changed."""
        return self._db.execute(sql, values).rowcount

    def insert(self, table: str, **values: Value) -> int:
        """Insert one row into ``table`` (a name of schema.sql); returns its row number."""
        columns = ", ".join(values)
        marks = ", ".join("?" * len(values))
        number = self._db.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", tuple(values.values())).lastrowid
        return number or 0

    def rows(self, sql: str, values: Sequence[Value] = ()) -> list[sqlite3.Row]:
        """All rows of a query, readable by column name."""
        return self._db.execute(sql, values).fetchall()

    def row(self, sql: str, values: Sequence[Value] = ()) -> sqlite3.Row | None:
        """The first row of a query, None if there is none."""
        found: sqlite3.Row | None = self._db.execute(sql, values).fetchone()
        return found

    def revision(self) -> tuple[int, int]:
        """Two numbers of which one changes with every change of the file, whoever makes it: another process, this one."""
        return int(self._db.execute("PRAGMA data_version").fetchone()[0]), self._db.total_changes

    def named(self, prefix: str) -> NamedValues:
        """Named octets under ``prefix``, as :class:`firmware_emu.device.store.Store` asks for; part of this file's transactions."""
        return NamedValues(self, prefix)

    def close(self) -> None:
        self._db.close()


class NamedValues:
    """A :class:`firmware_emu.device.store.Store` inside the DCC's SQLite file (the SM WAN channels keep their outboxes here)."""

    def __init__(self, store: DccStore, prefix: str) -> None:
        self._store = store
        self._prefix = prefix

    def get(self, key: str) -> bytes | None:
        row = self._store.row("SELECT value FROM store WHERE key = ?", (self._prefix + key,))
        return None if row is None else bytes(row["value"])

    def put(self, key: str, value: bytes) -> None:
        self._store.execute("INSERT OR REPLACE INTO store (key, value) VALUES (?, ?)", (self._prefix + key, value))

    def delete(self, key: str) -> None:
        self._store.execute("DELETE FROM store WHERE key = ?", (self._prefix + key,))

    def keys(self, prefix: str) -> list[str]:
        low = self._prefix + prefix
        rows = self._store.rows("SELECT key FROM store WHERE key >= ? AND key < ? ORDER BY key", (low, low + "\U0010ffff"))
        return [row["key"][len(self._prefix) :] for row in rows]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._store.transaction():
            yield
