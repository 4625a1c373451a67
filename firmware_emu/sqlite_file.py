"""A store in one SQLite file: opened by its owner, checked before anything is read, durable at each commit, one line for each trouble.

Write-ahead log with ``synchronous = FULL``: a commit is on the medium when it returns. ``application_id`` says whose store it is,
``user_version`` which release's form it has; each form but the first is reached by a step from the one before.

Where an owner asks for it (``batch``), commits are on the medium only with the next ``sync``, one for all of them: what a commit wrote is
in the write-ahead log in their order, so that a power cut takes the last ones away and leaves no part of one.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from firmware_emu.errors import NotAvailable, StoreTrouble
from firmware_emu.ownership import Owner

Value = str | int | float | bytes | None
MODE = 0o600
_HEADER = b"SQLite format 3\0"
STATEMENTS = 1024
"""Statements that a connection keeps compiled: more than any store has."""


class Fetches(Protocol):
    """Result of a statement."""

    def fetchall(self) -> list[Any]: ...


class Executes(Protocol):
    """A database as the steps of a store's form need it."""

    def execute(self, sql: str, values: Sequence[Value] = (), /) -> Fetches: ...


@dataclass(frozen=True, slots=True)
class StoreForm:
    """Layout that a store must have: ``what`` names it in a sentence, ``mark`` is its application id, ``steps`` lead to each version in
    turn (the first from nothing), ``tables`` are those of the last."""

    what: str
    mark: int
    steps: tuple[Callable[[Executes], None], ...]
    tables: frozenset[str]


def _columns(connection: sqlite3.Connection, tables: Iterable[str]) -> frozenset[tuple[str, str]]:
    return frozenset((table, row[1]) for table in tables for row in connection.execute(f"PRAGMA table_info({table})"))


@lru_cache
def columns_of(form: StoreForm) -> frozenset[tuple[str, str]]:
    """Table and column of everything that a new store of this form has."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for step in form.steps:
            step(connection)
        return _columns(connection, form.tables)


class SqliteFile:
    """The file ``path``, or memory where it is None.

    ``owner`` False opens beside the process that owns it, to read and for single transactions; the store must be there. Raises
    OwnedElsewhere, and NotAvailable for a store that is damaged, foreign, of a later release, read-only, full or not there.
    """

    def __init__(self, path: Path | None, form: StoreForm, *, owner: bool = True) -> None:
        self.path = path
        self._name = form.what if path is None else f"{form.what} {path}"
        self._owner = Owner.of_file(path, self._name) if owner and path is not None else None
        self._epoch: int | None = None
        self._version: object = None
        """Of the file as it was when the owner was looked at: it changes with what others write."""
        self._broken: NotAvailable | None = None
        try:
            with self.told():
                if path is not None:
                    self._check_header(path)
                if path is not None and owner:
                    path.touch(mode=MODE)
                self.connection = sqlite3.connect(":memory:" if path is None else path, isolation_level=None, cached_statements=STATEMENTS)
            self.connection.row_factory = sqlite3.Row
            self._prepare(form, owner)
        except BaseException:  # whatever it was, the lock goes with it
            self.close()
            raise

    def _check_header(self, path: Path) -> None:
        """SQLite takes a file too short for a page as an empty one and would write over it; only one beside a log of its own is torn."""
        if not path.is_file() or any(path.with_name(path.name + end).exists() for end in ("-wal", "-journal")):
            return
        with path.open("rb") as file:
            first = file.read(len(_HEADER))
        if first not in (b"", _HEADER):
            told = f"it is no store, or damaged (it begins with {first[:8].hex()})"
            raise NotAvailable(self._name, f"{told}: name another file, or restore it from a copy")

    def _prepare(self, form: StoreForm, owner: bool) -> None:
        with self.told(opening=True):
            self.connection.execute("PRAGMA busy_timeout = 5000")
            found = self.connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise NotAvailable(self._name, f"it is damaged ({' '.join(found.split())}): {self._way_out()}")
        with self.told(opening=True):
            mark = int(self.connection.execute("PRAGMA application_id").fetchone()[0])
            version = int(self.connection.execute("PRAGMA user_version").fetchone()[0])
            tables = self._tables()
        if mark not in (0, form.mark) or (mark == 0 and tables and not tables & form.tables):
            held = ", ".join(sorted(tables)[:4]) or "none"
            raise NotAvailable(self._name, f"it is the store of something else (tables {held}): name another file")
        if version > len(form.steps):
            raise NotAvailable(self._name, f"it has version {version}, expected at most {len(form.steps)}: use a later release")
        if owner:
            self._own(form, version)
        elif version < len(form.steps) and self.path is not None:
            # Of an earlier release: whoever owns it would have brought it up, so nobody does, and this is the moment.
            self._owner = Owner.of_file(self.path, self._name)
            self._own(form, version)
            self._owner.release()
            self._owner = self._epoch = None
        if gone := form.tables - self._tables():
            raise NotAvailable(self._name, f"its table {min(gone)} is gone: {self._way_out()}")
        with self.told(opening=True):
            columns = _columns(self.connection, form.tables)
        if lost := columns_of(form) - columns:
            table, column = min(lost)
            raise NotAvailable(self._name, f"it is damaged (its table {table} has no column {column}): {self._way_out()}")

    def _own(self, form: StoreForm, version: int) -> None:
        with self.told(opening=True):
            self.connection.execute("PRAGMA journal_mode = WAL")
            self.connection.execute("PRAGMA synchronous = FULL")
            for number, step in enumerate(form.steps[version:], version + 1):
                self.connection.execute("BEGIN IMMEDIATE")
                step(self.connection)
                self.connection.execute(f"PRAGMA user_version = {number}")
                self.connection.execute("COMMIT")
            self.connection.execute("BEGIN IMMEDIATE")
            self.connection.execute(f"PRAGMA application_id = {form.mark}")
            self.connection.execute("CREATE TABLE IF NOT EXISTS owner (epoch INTEGER NOT NULL)")
            if self.connection.execute("UPDATE owner SET epoch = epoch + 1").rowcount == 0:
                self.connection.execute("INSERT INTO owner VALUES (1)")
            epoch = self.connection.execute("SELECT epoch FROM owner").fetchone()[0]
            self.connection.execute("COMMIT")
        if not isinstance(epoch, int):
            raise NotAvailable(self._name, f"it is damaged (its owner has the epoch {epoch!r}): {self._way_out()}")
        self._epoch = epoch
        if self.path is not None:
            for file in (self.path, *(self.path.with_name(self.path.name + end) for end in ("-wal", "-shm"))):
                with contextlib.suppress(FileNotFoundError):
                    os.chmod(file, MODE)  # it holds keys: the mode is set at each opening, whoever changed it since

    def _tables(self) -> frozenset[str]:
        return frozenset(row[0] for row in self.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'"))

    def _way_out(self) -> str:
        path = self.path
        return f"restore it from a copy, or delete {path}, {path}-wal and {path}-shm to begin anew"

    @contextlib.contextmanager
    def told(self, *, opening: bool = False) -> Iterator[None]:
        """Troubles of the medium become StoreTrouble, damage becomes NotAvailable, in one line with a way out; mistakes in a statement stay
        what they are.

        While a store is opened (``opening``) a statement that is not understood is no mistake of ours: the file's own words are spoilt.
        """
        try:
            yield
        except (sqlite3.DatabaseError, UnicodeDecodeError, OSError) as wrong:
            if (trouble := self._trouble(wrong, opening)) is None:
                raise
            raise trouble from wrong

    def _trouble(self, wrong: sqlite3.DatabaseError | UnicodeDecodeError | OSError, opening: bool = False) -> NotAvailable | None:
        """The one line for it; None for a mistake in a statement."""
        if isinstance(wrong, UnicodeDecodeError):
            return NotAvailable(self._name, f"it is damaged (text that is none): {self._way_out()}")
        if isinstance(wrong, OSError):
            return NotAvailable(self._name, f"{wrong.strerror}: give a path to a writable file, or a new one")
        name = getattr(wrong, "sqlite_errorname", "")
        if isinstance(wrong, sqlite3.OperationalError):
            if name.startswith("SQLITE_FULL"):
                return StoreTrouble(self._name, f"{wrong}: make room on the medium and start again")
            if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_IOERR", "SQLITE_PERM")):
                return StoreTrouble(self._name, f"{wrong}: give a path to a writable file, or a new one")
            if name.startswith("SQLITE_BUSY"):
                return StoreTrouble(self._name, f"{wrong}: another process is writing to it, try again")
            return NotAvailable(self._name, f"it is damaged ({wrong}): {self._way_out()}") if opening else None
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            return NotAvailable(self._name, f"it is damaged or no store at all ({wrong}): {self._way_out()}")
        return None

    def execute(self, sql: str, values: Sequence[Value] = ()) -> sqlite3.Cursor:
        """Run one statement; outside a transaction it is one of its own, so that it too is written by the owner alone."""
        if self._epoch is None or self.connection.in_transaction:
            return self._statement(sql, values)
        self.begin()
        try:
            cursor = self._statement(sql, values)
        except BaseException:  # whatever it was, nothing of it stays
            self.rollback()
            raise
        self.commit()
        return cursor

    def _statement(self, sql: str, values: Sequence[Value] = ()) -> sqlite3.Cursor:
        try:
            return self.connection.execute(sql, values)
        except (sqlite3.DatabaseError, UnicodeDecodeError) as wrong:
            if (trouble := self._trouble(wrong)) is None:
                raise
            raise trouble from wrong

    def rows(self, sql: str, values: Sequence[Value] = (), most: int = -1) -> list[sqlite3.Row]:
        """All rows of a query, or the first ``most``, fetched here, so that a page or a text which is spoilt is told as such."""
        try:
            cursor = self.connection.execute(sql, values)
            found: list[sqlite3.Row] = cursor.fetchall() if most < 0 else cursor.fetchmany(most)
            return found
        except (sqlite3.DatabaseError, UnicodeDecodeError) as wrong:
            if (trouble := self._trouble(wrong)) is None:
                raise
            raise trouble from wrong

    def inserted(self, sql: str, values: Sequence[Value], table: str) -> int:
        """Run an INSERT of one row into ``table``; its number."""
        return self.execute(sql, values).lastrowid or 0

    def revision(self) -> tuple[int, int]:
        """Two numbers of which one changes with every change of the file, whoever makes it: another process, this one."""
        return int(self.rows("PRAGMA data_version")[0][0]), self.connection.total_changes

    def begin(self) -> bool:
        """Begin to write. True if nobody else has written since this object last began; False if somebody may have. Raises NotAvailable
        where another process took the store over meanwhile, or the medium failed at a ``sync``."""
        if self._broken is not None:
            raise self._broken
        self._statement("BEGIN IMMEDIATE")
        if self._epoch is None:
            return False
        try:
            with self.told(opening=True):  # whoever spoilt it since it was opened
                version: object = self.connection.execute("PRAGMA data_version").fetchone()[0]
                if version == self._version:
                    return True
                owners = self.connection.execute("SELECT epoch FROM owner").fetchall()
        except NotAvailable:
            self.rollback()
            raise
        if [row[0] for row in owners] != [self._epoch]:
            self.rollback()
            raise NotAvailable(self._name, "another process has opened it as its owner since: nothing more is written, start again")
        self._version = version
        return False

    def commit(self) -> None:
        """Make it durable; what cannot be is rolled back."""
        try:
            self._statement("COMMIT")
        except NotAvailable:
            self.rollback()
            raise

    def rollback(self) -> None:
        """Take back what was not committed."""
        if self.connection.in_transaction:
            self._statement("ROLLBACK")

    def batch(self) -> None:
        """Leave it from now on to :meth:`sync` to make commits durable."""
        self._statement("PRAGMA synchronous = NORMAL")

    @property
    def written(self) -> int:
        """Grows with all that this object writes."""
        return self.connection.total_changes

    def sync(self) -> None:
        """Make durable what is committed; may be called on any thread. Raises NotAvailable, and so does every ``begin`` from then on: what
        a medium has failed to take once may be lost although it says nothing the next time."""
        if self.path is None:
            return
        try:
            log = os.open(f"{self.path}-wal", os.O_RDONLY)
            try:
                os.fdatasync(log)
            finally:
                os.close(log)
        except OSError as wrong:
            self._broken = NotAvailable(self._name, f"{wrong.strerror} at making it durable: see to the medium and start again")
            raise self._broken from wrong

    def close(self) -> None:
        """Let go of the file and of its ownership."""
        if hasattr(self, "connection"):
            self.connection.close()
        if self._owner is not None:
            self._owner.release()
