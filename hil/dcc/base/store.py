"""The DCC's memory: one SQLite file that a restarted DCC opens again and goes on from, and the events told inside its transactions.

A transaction covers everything inside it: the request's new state, the counter it used and the frame put into the SM WAN
outbox become durable together or not at all, so that a DCC killed between two steps neither loses nor repeats a command.

On the bus a part tells what happened, and who listens is decided where the DCC is put together. An event is a frozen dataclass, declared
beside the part that tells it. Listeners of one kind are called in the order in which they were added, inside the transaction in which
the event was told; an error of a listener ends that transaction.
"""

from __future__ import annotations

import logging
import re
import sqlite3
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TypeVar

from firmware_emu.clock import Clock
from firmware_emu.errors import StoreTrouble
from firmware_emu.sqlite_file import SqliteFile, StoreForm, Value
from firmware_emu.trace import Trace

LOGGER = logging.getLogger(__name__)
T = TypeVar("T")


def _schema() -> str:
    return resources.files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")


def _statements(database: sqlite3.Connection) -> None:
    for statement in re.sub(r"--[^\n]*", "", _schema()).split(";"):
        database.execute(statement)


def _wide_counters(database: sqlite3.Connection) -> None:
    """Counters have 64 bits without a sign, SQLite's integers 63: each becomes its 8 octets, which sort as the numbers do."""
    rows = database.execute("SELECT originator, value FROM counters").fetchall()
    for originator, value in rows:
        if isinstance(value, int):
            database.execute("UPDATE counters SET value = ? WHERE originator = ?", (value.to_bytes(8, "big"), originator))


FORM = StoreForm(
    "the DCC's store",
    0x43444343,
    (_statements, _wide_counters, _statements),
    frozenset(re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", _schema())),
)
"""Marked ``CDCC``. A new table or column needs a step of its own at the end (``_statements`` again, where tables are all that is new)."""


class DccStore:
    """SQLite behind the DCC's parts. ``path`` None keeps it in memory (it then ends with the object).

    What a commit holds is on the medium when it returns, so what the DCC has acknowledged to a hub or a user outlives a power cut of its
    own machine. One process at a time owns it; ``owner`` False opens a store that is there beside its owner, for a look and for single
    transactions. Raises NotAvailable, as :class:`firmware_emu.sqlite_file.SqliteFile` does.
    """

    def __init__(self, path: Path | None, *, owner: bool = True) -> None:
        self.path = path
        self._file = SqliteFile(path, FORM, owner=owner)
        self._depth = 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; a transaction inside a transaction is part of the outer one."""
        if self._depth:
            yield
            return
        self._file.begin()
        self._depth = 1
        try:
            yield
        except BaseException:  # whatever ended it, nothing of it stays; the error goes on
            self._file.rollback()
            raise
        else:
            self._file.commit()
        finally:
            self._depth = 0

    def execute(self, sql: str, values: Sequence[Value] = ()) -> int:
        """Run one statement; returns the number of rows it changed."""
        return self._file.execute(sql, values).rowcount

    def insert(self, table: str, **values: Value) -> int:
        """Insert one row into ``table`` (a name of schema.sql); returns its row number."""
        columns = ", ".join(values)
        marks = ", ".join("?" * len(values))
        number = self._file.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", tuple(values.values())).lastrowid
        return number or 0

    def rows(self, sql: str, values: Sequence[Value] = ()) -> list[sqlite3.Row]:
        """All rows of a query, readable by column name."""
        return self._file.rows(sql, values)

    def row(self, sql: str, values: Sequence[Value] = ()) -> sqlite3.Row | None:
        """The first row of a query, None if there is none."""
        found = self._file.rows(sql, values, most=1)
        return found[0] if found else None

    def revision(self) -> tuple[int, int]:
        """Two numbers of which one changes with every change of the file, whoever makes it: another process, this one."""
        return int(self._file.execute("PRAGMA data_version").fetchone()[0]), self._file.connection.total_changes

    def named(self, prefix: str) -> NamedValues:
        """Named octets under ``prefix``, as :class:`firmware_emu.device.store.Store` asks for; part of this file's transactions."""
        return NamedValues(self, prefix)

    def close(self) -> None:
        self._file.close()


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


E = TypeVar("E")


STORE_RETRY_S = 5.0
"""Own figure: how long the DCC waits before it tries its store again."""


async def outliving(work: Callable[[], Awaitable[T]], what: str, clock: Clock, trace: Trace) -> T:
    """The result of ``work``, which is begun again as long as the medium of the store takes nothing: the DCC outlives a full one."""
    while True:
        try:
            return await work()
        except StoreTrouble as trouble:
            LOGGER.warning("%s waits %g s: %s", what, STORE_RETRY_S, trouble)
            trace.emit("dcc", "store", "waiting", reason=f"{what}: {trouble}", retry_s=STORE_RETRY_S)
            await clock.sleep(STORE_RETRY_S)


class Bus:
    """Listeners by the kind of event."""

    def __init__(self) -> None:
        self._listeners: defaultdict[type[object], list[Callable[[object], None]]] = defaultdict(list)

    def on(self, kind: type[E], take: Callable[[E], None]) -> None:
        """``take`` is called with every event of this kind."""

        def listener(event: object) -> None:
            assert isinstance(event, kind)
            take(event)

        self._listeners[kind].append(listener)

    def tell(self, event: object) -> None:
        """An event has happened. Of a kind that nobody listens to, nothing follows."""
        for listener in self._listeners[type(event)]:
            listener(event)
