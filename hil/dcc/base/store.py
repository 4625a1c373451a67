"""The DCC's memory: one SQLite file, or a PostgreSQL database, that a restarted DCC opens again and goes on from, and the events told
inside its transactions.

A transaction covers everything inside it: the request's new state, the counter it used and the frame put into the SM WAN
outbox become durable together or not at all, so that a DCC killed between two steps neither loses nor repeats a command.

On the bus a part tells what happened, and who listens is decided where the DCC is put together. An event is a frozen dataclass, declared
beside the part that tells it. Listeners of one kind are called in the order in which they were added, inside the transaction in which
the event was told; an error of a listener ends that transaction.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from firmware_emu.clock import Clock
from firmware_emu.errors import NotAvailable, StoreTrouble
from firmware_emu.extras import lacking
from firmware_emu.sqlite_file import Executes, SqliteFile, StoreForm, Value
from firmware_emu.trace import Trace

if TYPE_CHECKING:
    from hil.dcc.base.postgres import PostgresDatabase

LOGGER = logging.getLogger(__name__)
T = TypeVar("T")


def _schema() -> str:
    return resources.files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")


def _statements(database: Executes) -> None:
    for statement in re.sub(r"--[^\n]*", "", _schema()).split(";"):
        if statement.strip():
            database.execute(statement)


def _wide_counters(database: Executes) -> None:
    """Counters have 64 bits without a sign, SQLite's integers 63: each becomes its 8 octets, which sort as the numbers do."""
    rows = database.execute("SELECT originator, value FROM counters").fetchall()
    for originator, value in rows:
        if isinstance(value, int):
            database.execute("UPDATE counters SET value = ? WHERE originator = ?", (value.to_bytes(8, "big"), originator))


FORM = StoreForm(
    "the DCC's store",
    0x43444343,
    (_statements, _wide_counters, _statements, _statements),
    frozenset(re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", _schema())),
)
"""Marked ``CDCC``. A new table or column needs a step of its own at the end (``_statements`` again, where tables are all that is new)."""


class Row(Protocol):
    """One row of a query, whose values have an index and the name of their column."""

    def __getitem__(self, key: int | str, /) -> Any: ...

    def __iter__(self) -> Iterator[Any]: ...

    def keys(self) -> list[str]: ...


class _Changed(Protocol):
    @property
    def rowcount(self) -> int: ...


class Database(Protocol):
    """A database as the DCC's store needs it. Statements are written for SQLite."""

    def execute(self, sql: str, values: Sequence[Value] = ()) -> _Changed: ...

    def inserted(self, sql: str, values: Sequence[Value], table: str) -> int: ...

    def rows(self, sql: str, values: Sequence[Value] = (), most: int = -1) -> Sequence[Row]: ...

    def begin(self) -> bool: ...

    def commit(self) -> None: ...

    def rollback(self) -> None: ...

    def revision(self) -> tuple[int, int]: ...

    @property
    def written(self) -> int: ...

    def batch(self) -> None: ...

    def sync(self) -> None: ...

    def close(self) -> None: ...


class Companions(Protocol):
    """A database as processes need it that have it open at once, see :class:`hil.dcc.base.postgres.PostgresDatabase`."""

    @property
    def leads(self) -> bool: ...

    def lead(self) -> bool: ...

    @property
    def connected(self) -> int: ...

    def members(self) -> frozenset[int]: ...

    def tell(self, text: str) -> None: ...

    def hear(self, take: Callable[[str], None]) -> None: ...


_KEPT = 4096
"""Rows of a table that are kept at most, once they were read. Own choice."""
_PART: AbstractContextManager[None] = nullcontext()
"""Transaction inside a transaction."""
_URL = re.compile(r"postgres(?:ql)?:/+")


def database_url(place: Path | None) -> str | None:
    """The address of the PostgreSQL database that a store's place names, None for a file; a path keeps one of its two slashes."""
    text = "" if place is None else str(place)
    found = _URL.match(text)
    return None if found is None else f"postgresql://{text[found.end() :]}"


class DccStore:
    """The database behind the DCC's parts: a SQLite file, or with ``postgresql://user@host:port/name`` a PostgreSQL database. ``path`` None
    keeps it in memory (it then ends with the object).

    What a commit holds is on the medium when it returns, or after :meth:`batch` when :meth:`durable` does, and nothing leaves the DCC
    before: what it has acknowledged to a hub or a user outlives a power cut of its own machine. One process at a time owns a file,
    several may own a database; ``owner`` False opens a store that is there beside its owner, for a look and for single transactions.
    Raises NotAvailable, as :class:`firmware_emu.sqlite_file.SqliteFile` does.
    """

    def __init__(self, path: Path | None, *, owner: bool = True) -> None:
        self.path = path
        self._file: Database
        self.companions: Companions | None = None
        """The other processes that may have the store, None where there can be none."""
        if (url := database_url(path)) is None:
            self._file = SqliteFile(path, FORM, owner=owner)
        else:
            self._file = self.companions = database = _postgres(url, owner)
            if owner:
                database.lead()
        self._depth = 0
        self._once: dict[str, dict[str, Any]] = {}
        self._batches = self._at_once = False
        self._synced = 0
        self._syncing: asyncio.Task[None] | None = None

    @property
    def leads(self) -> bool:
        """True if this process does what only one may do: of those that have the store open at once, one."""
        return self.companions is None or self.companions.leads

    def tell(self, text: str) -> None:
        """Told to the other processes that have the store, where there can be any, when the transaction commits."""
        if self.companions is not None:
            self.companions.tell(text)

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing; a transaction inside a transaction is part of the outer one."""
        return _PART if self._depth else self._outermost()

    @contextmanager
    def _outermost(self) -> Iterator[None]:
        if not self._file.begin():
            self._once.clear()
        self._depth = 1
        try:
            yield
            self._file.commit()
        except BaseException:  # whatever ended it, nothing of it stays; the error goes on
            self._once.clear()
            self._file.rollback()
            raise
        finally:
            self._depth = 0

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """All or nothing, though a transaction that it is part of goes on."""
        if not self._depth:
            with self._outermost():
                yield
            return
        self._file.execute("SAVEPOINT part")
        try:
            yield
        except NotAvailable:
            raise  # the store itself failed: the whole transaction goes
        except BaseException:
            self._once.clear()
            self._file.execute("ROLLBACK TO SAVEPOINT part")
            self._file.execute("RELEASE SAVEPOINT part")
            raise
        else:
            self._file.execute("RELEASE SAVEPOINT part")

    def batch(self, *, at_once: bool = False) -> None:
        """One wait for the medium for many commits: from now on :meth:`durable` has it, and they do not. It waits on a thread, while others
        go on; ``at_once`` right there, for a warp clock, whose time would pass meanwhile."""
        self._file.batch()
        self._batches, self._at_once = True, at_once

    async def durable(self) -> None:
        """Return when all that is committed at this moment is on the medium; whoever asks meanwhile shares the wait that comes next. Raises
        NotAvailable: what was committed may not be told to anybody."""
        if not self._batches:
            return
        mark = self._file.written
        if self._at_once and self._synced < mark:
            self._file.sync()
            self._synced = mark
        while self._synced < mark:
            if self._syncing is None or self._syncing.done():
                self._syncing = asyncio.create_task(self._sync())
                self._syncing.add_done_callback(_told)
            await asyncio.shield(self._syncing)

    async def _sync(self) -> None:
        mark = self._file.written
        await asyncio.to_thread(self._file.sync)
        self._synced = mark

    def execute(self, sql: str, values: Sequence[Value] = ()) -> int:
        """Run one statement; returns the number of rows it changed."""
        self._written(sql)
        return self._file.execute(sql, values).rowcount

    def insert(self, table: str, **values: Value) -> int:
        """Insert one row into ``table`` (a name of schema.sql); returns its row number."""
        self._written(table)
        columns = ", ".join(values)
        marks = ", ".join("?" * len(values))
        return self._file.inserted(f"INSERT INTO {table} ({columns}) VALUES ({marks})", tuple(values.values()), table)

    def once(self, table: str, key: str, read: Callable[[str], T]) -> T:
        """``read(key)``, which looks at ``table`` alone. A transaction is alone with the store, so it reads once what it looks at again
        and again, until it writes to that table, and so do those that follow until somebody else writes; outside of one it is read each
        time."""
        if not self._depth:
            return read(key)
        kept = self._once.get(table)
        if kept is None:
            kept = self._once[table] = {}
        elif key in kept:
            known: T = kept[key]
            return known
        if len(kept) >= _KEPT:
            kept.clear()
        found = kept[key] = read(key)
        return found

    def rewrite(self, table: str, key: str, now: object, sql: str, values: Sequence[Value]) -> None:
        """Run a statement that changes one row of ``table`` alone: that which :meth:`once` keeps as ``key``, and which is ``now`` from here
        on."""
        kept = self._once.pop(table, {})
        self.execute(sql, values)
        if self._depth:  # else nothing says that nobody else writes meanwhile
            if len(kept) >= _KEPT:
                kept.clear()
            kept[key] = now
            self._once[table] = kept

    def _written(self, statement: str) -> None:
        for table in [one for one in self._once if one in statement]:
            del self._once[table]

    def rows(self, sql: str, values: Sequence[Value] = ()) -> Sequence[Row]:
        """All rows of a query, readable by column name."""
        return self._file.rows(sql, values)

    def row(self, sql: str, values: Sequence[Value] = ()) -> Row | None:
        """The first row of a query, None if there is none."""
        found = self._file.rows(sql, values, most=1)
        return found[0] if found else None

    def revision(self) -> tuple[int, int]:
        """Two numbers of which one changes with every change of the store, whoever makes it: another process, this one."""
        return self._file.revision()

    def named(self, prefix: str) -> NamedValues:
        """Named octets under ``prefix``, as :class:`firmware_emu.device.store.Store` asks for; part of this file's transactions."""
        return NamedValues(self, prefix)

    def close(self) -> None:
        """Let go of it; what is committed is on the medium, if that takes it."""
        if self._batches:
            self._batches = False
            with suppress(NotAvailable):
                self._file.sync()
        self._file.close()


def _told(task: asyncio.Task[None]) -> None:
    """Its error is told to those who wait; if there are none left, to nobody."""
    if not task.cancelled():
        task.exception()


def _postgres(url: str, owner: bool) -> PostgresDatabase:
    try:
        from hil.dcc.base.postgres import PostgresDatabase
    except ModuleNotFoundError as missing:
        raise (lacking(missing) or missing) from missing
    return PostgresDatabase(url, FORM, owner=owner)


class NamedValues:
    """A :class:`firmware_emu.device.store.Store` inside the DCC's store (the SM WAN channels keep their outboxes here)."""

    def __init__(self, store: DccStore, prefix: str) -> None:
        self._store = store
        self._prefix = prefix

    def get(self, key: str) -> bytes | None:
        return self._store.once("store", self._prefix + key, self._get)

    def _get(self, name: str) -> bytes | None:
        row = self._store.row("SELECT value FROM store WHERE key = ?", (name,))
        return None if row is None else bytes(row["value"])

    def put(self, key: str, value: bytes) -> None:
        name = self._prefix + key
        self._store.rewrite("store", name, value, "INSERT OR REPLACE INTO store (key, value) VALUES (?, ?)", (name, value))

    def delete(self, key: str) -> None:
        name = self._prefix + key
        self._store.rewrite("store", name, None, "DELETE FROM store WHERE key = ?", (name,))

    def keys(self, prefix: str) -> list[str]:
        low = self._prefix + prefix
        rows = self._store.rows("SELECT key FROM store WHERE key >= ? AND key < ? ORDER BY key", (low, low + "\U0010ffff"))
        return [row["key"][len(self._prefix) :] for row in rows]

    def transaction(self) -> AbstractContextManager[None]:
        return self._store.transaction()


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
