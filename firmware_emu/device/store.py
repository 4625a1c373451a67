"""Memory of a Device that outlives a power cut: a small store of named octets with real transactions.

Two implementations stand behind :class:`Store`: :class:`MemoryStore` here (lives as long as the process) and the
hub's SQLite store. Everything a Device must not lose (certificates, keys, counters, logs) goes through this seam.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol


class Store(Protocol):
    """Named values. A write outside :meth:`transaction` is durable when the call returns."""

    def get(self, key: str) -> bytes | None:
        """The value under ``key``, None if there is none."""
        ...

    def put(self, key: str, value: bytes) -> None:
        """Write ``value`` under ``key``, replacing what was there."""
        ...

    def delete(self, key: str) -> None:
        """Forget ``key``; nothing happens if it is not there."""
        ...

    def keys(self, prefix: str) -> list[str]:
        """All keys that begin with ``prefix``, sorted."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """All writes inside become durable together at the end, or none does if an exception leaves the block.

        Reads inside see the writes made inside. A transaction inside a transaction is part of the outer one.
        """
        ...


_PART: AbstractContextManager[None] = nullcontext()
"""Transaction inside a transaction: part of the outer one."""


class MemoryStore:
    """A :class:`Store` in memory. Does not model torn writes or wear; it survives the Device object, not the process."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}
        self._names: list[str] = []
        """The names, sorted: the values of one prefix are found without looking at all others."""
        self._pending: dict[str, bytes | None] | None = None

    def get(self, key: str) -> bytes | None:
        if self._pending is not None and key in self._pending:
            return self._pending[key]
        return self._values.get(key)

    def put(self, key: str, value: bytes) -> None:
        if self._pending is None:
            self._write(key, bytes(value))
        else:
            self._pending[key] = bytes(value)

    def delete(self, key: str) -> None:
        if self._pending is None:
            self._write(key, None)
        else:
            self._pending[key] = None

    def keys(self, prefix: str) -> list[str]:
        names = self._names
        first = last = bisect_left(names, prefix)
        while last < len(names) and names[last].startswith(prefix):
            last += 1
        found = names[first:last]
        pending = {key: value for key, value in (self._pending or {}).items() if key.startswith(prefix)}
        if pending:
            kept = {key for key in found if pending.get(key, b"") is not None}
            found = sorted(kept | {key for key, value in pending.items() if value is not None})
        return found

    def _write(self, key: str, value: bytes | None) -> None:
        there = key in self._values
        if value is None:
            if there:
                del self._values[key]
                del self._names[bisect_left(self._names, key)]
            return
        if not there:
            insort(self._names, key)
        self._values[key] = value

    def transaction(self) -> AbstractContextManager[None]:
        return self._outermost() if self._pending is None else _PART

    @contextmanager
    def _outermost(self) -> Iterator[None]:
        self._pending = {}
        try:
            yield
            for key, value in self._pending.items():
                self._write(key, value)
        finally:
            self._pending = None
