"""What the hub keeps over a power cut: a store in one SQLite file, durable at each commit.

Write-ahead log with ``synchronous = FULL``: a commit is on the medium when it returns, and one that was torn half way is
not there at the next opening. A power cut can be placed at a commit by a :class:`CommitFault` object.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from firmware_emu.errors import CommsHubError, NotAvailable

SCHEMA_VERSION = 1


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

    Outside a transaction each ``put`` and ``delete`` is its own. One process at a time. Raises NotAvailable when the file
    cannot be opened or was written by a later version.
    """

    def __init__(self, path: Path, fault: CommitFault | None = None) -> None:
        self._path = path
        self._fault = fault
        self._depth = 0
        self._off = False
        try:
            if str(path) != ":memory:":
                path.touch(mode=0o600)
            self._database = sqlite3.connect(path, isolation_level=None)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            version = int(self._database.execute("PRAGMA user_version").fetchone()[0])
        except (OSError, sqlite3.DatabaseError) as error:
            remedy = "give a path to a writable file that this hub made, or a new one"
            raise NotAvailable(f"the hub's store {path}", f"{error}: {remedy}") from error
        if version > SCHEMA_VERSION:
            self._database.close()
            remedy = f"it has schema version {version}, expected at most {SCHEMA_VERSION}: use a later release"
            raise NotAvailable(f"the hub's store {path}", remedy)
        if version == 0:
            self._database.executescript(
                "BEGIN; CREATE TABLE IF NOT EXISTS entry (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
                f" PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
            )

    def get(self, key: str) -> bytes | None:
        """The value, or None."""
        row = self._live().execute("SELECT value FROM entry WHERE key = ?", (key,)).fetchone()
        return None if row is None else bytes(row[0])

    def put(self, key: str, value: bytes) -> None:
        """Set the value of ``key``."""
        with self.transaction():
            self._database.execute("INSERT INTO entry VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value))

    def delete(self, key: str) -> None:
        """Remove ``key``; nothing happens if it is not there."""
        with self.transaction():
            self._database.execute("DELETE FROM entry WHERE key = ?", (key,))

    def keys(self, prefix: str) -> list[str]:
        """The keys that begin with ``prefix``, in order."""
        rows = self._live().execute("SELECT key FROM entry WHERE key >= ? AND key < ? ORDER BY key", (prefix, prefix + "\U0010ffff"))
        return [str(row[0]) for row in rows]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, durable at the end. One inside another belongs to the outer."""
        database = self._live()
        if self._depth == 0:
            database.execute("BEGIN IMMEDIATE")
        self._depth += 1
        try:
            yield
        except BaseException:  # whatever ended it, nothing of it stays; the error goes on
            self._depth -= 1
            if self._depth == 0 and not self._off:
                database.execute("ROLLBACK")
            raise
        self._depth -= 1
        if self._depth == 0:
            self._commit(database)

    def _commit(self, database: sqlite3.Connection) -> None:
        try:
            if self._fault is not None:
                self._fault.before_commit(self._path)
            database.execute("COMMIT")
            if self._fault is not None:
                self._fault.after_commit(self._path)
        except BaseException:  # the power went at the commit: the store is as after a cut, and the error goes on
            self.close()
            raise

    def _live(self) -> sqlite3.Connection:
        if self._off:
            raise CommsHubError(f"the store {self._path} is closed or lost its power: open it again")
        return self._database

    def close(self) -> None:
        """Let go of the file; what is not committed is gone."""
        self._off = True
        self._database.close()
