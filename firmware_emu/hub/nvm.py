"""Memory of the hub that outlives a power cut: a store in one SQLite file, durable at each commit.

A commit is on the medium when it returns, and one that was torn half way is not there at the next opening
(:mod:`firmware_emu.sqlite_file`). A power cut can be placed at a commit by a :class:`CommitFault` object.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from firmware_emu.errors import CommsHubError
from firmware_emu.sqlite_file import Executes, SqliteFile, StoreForm


def _entries(database: Executes) -> None:
    database.execute("CREATE TABLE IF NOT EXISTS entry (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")


FORM = StoreForm("the hub's store", 0x43485542, (_entries,), frozenset({"entry"}))
"""Marked ``CHUB``."""


class CommitFault(Protocol):
    """Something that happens to the medium at a commit. Each may raise: the store is then as after a power cut."""

    def before_commit(self, path: Path) -> None:
        """Nothing of the transaction is on the medium yet."""
        ...

    def after_commit(self, path: Path) -> None:
        """All of it is; a torn write cuts ``<path>-wal`` of a copy of the files here."""
        ...


class SqliteStore:
    """A ``device.store.Store`` in the file ``path`` (made if missing; mode 0600, since it holds keys).

    Outside a transaction each ``put`` and ``delete`` is its own. One process at a time owns it; ``owner`` False
    looks at it beside that. Raises NotAvailable when the file is another
    process's, cannot be opened, is damaged, or was written by a later version.
    """

    def __init__(self, path: Path, fault: CommitFault | None = None, *, owner: bool = True) -> None:
        self._path = path
        self._fault = fault
        self._depth = 0
        self._off = False
        self._file = SqliteFile(None if str(path) == ":memory:" else path, FORM, owner=owner)

    def get(self, key: str) -> bytes | None:
        """The value, or None."""
        rows = self._live().rows("SELECT value FROM entry WHERE key = ?", (key,))
        return bytes(rows[0][0]) if rows else None

    def put(self, key: str, value: bytes) -> None:
        """Set the value of ``key``."""
        with self.transaction():
            self._live().execute("INSERT INTO entry VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value))

    def delete(self, key: str) -> None:
        """Remove ``key``; nothing happens if it is not there."""
        with self.transaction():
            self._live().execute("DELETE FROM entry WHERE key = ?", (key,))

    def keys(self, prefix: str) -> list[str]:
        """The keys that begin with ``prefix``, in order."""
        rows = self._live().rows("SELECT key FROM entry WHERE key >= ? AND key < ? ORDER BY key", (prefix, prefix + "\U0010ffff"))
        return [str(row[0]) for row in rows]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, durable at the end. One inside another belongs to the outer."""
        database = self._live()
        if self._depth == 0:
            database.begin()
        self._depth += 1
        try:
            yield
        except BaseException:  # whatever ended it, nothing of it stays; the error goes on
            self._depth -= 1
            if self._depth == 0 and not self._off:
                database.rollback()
            raise
        self._depth -= 1
        if self._depth == 0:
            self._commit(database)

    def _commit(self, database: SqliteFile) -> None:
        try:
            if self._fault is not None:
                self._fault.before_commit(self._path)
            database.commit()
            if self._fault is not None:
                self._fault.after_commit(self._path)
        except BaseException:  # the power went at the commit: the store is as after a cut, and the error goes on
            self.close()
            raise

    def _live(self) -> SqliteFile:
        if self._off:
            raise CommsHubError(f"the store {self._path} is closed or lost its power: open it again")
        return self._file

    def close(self) -> None:
        """Let go of the file; what is not committed is gone."""
        self._off = True
        self._file.close()
