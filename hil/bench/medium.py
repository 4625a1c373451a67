"""Medium of a hub's store, and torn writes to it: see :class:`firmware_emu.hub.nvm.CommitFault`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


class PowerGone(asyncio.CancelledError):
    """The power went at this commit; whatever was under way ends here."""


@dataclass(frozen=True, slots=True)
class Torn:
    """Content of the medium after a cut: the store's file and its write-ahead log."""

    path: Path
    main: bytes
    log: bytes

    def lay(self) -> None:
        """Put it in place; the store must be closed."""
        self.path.write_bytes(self.main)
        Path(f"{self.path}-wal").write_bytes(self.log)
        Path(f"{self.path}-shm").unlink(missing_ok=True)


def _log(path: Path) -> bytes:
    wal = Path(f"{path}-wal")
    return wal.read_bytes() if wal.exists() else b""


_BLOCK = 512


def _alike(one: bytes, other: bytes) -> int:
    """Number of octets at the beginning of both that are the same, in whole blocks."""
    at = 0
    while at + _BLOCK <= min(len(one), len(other)) and one[at : at + _BLOCK] == other[at : at + _BLOCK]:
        at += _BLOCK
    return at


def torn(before: bytes, after: bytes, kept: float) -> bytes:
    """``after`` with only the first ``kept`` (0..1) of what changed: a log that is written from its beginning again keeps its old end."""
    first = _alike(before, after)
    last = len(after) - (_alike(before[::-1], after[::-1]) if len(before) == len(after) else 0)
    until = first + int(kept * (last - first))
    return after[:until] + before[until:]


class Medium:
    """Counts commits, and may cut the power at one of them. Not modelled: wear, read errors, a file system of its own."""

    def __init__(self) -> None:
        self.writes = 0
        """Commits that were begun since the medium is in use."""
        self.on_begin: Callable[[], None] | None = None
        """Called at each commit before anything of it is written."""
        self._cut_at = 0
        self._kept: float | None = None
        self._before = b""
        self._on_cut: Callable[[Torn | None], None] | None = None

    def cut_at(self, nth: int, kept: float | None, on_cut: Callable[[Torn | None], None]) -> None:
        """At the ``nth`` commit from now the power goes: before it (``kept`` None), or with ``kept`` (0..1) of it written.

        ``on_cut`` is called then, with the octets that have to be on the medium before the store is opened again.
        """
        self._cut_at, self._kept, self._on_cut = self.writes + nth, kept, on_cut

    def sound(self) -> None:
        """No cut is pending."""
        self._on_cut = None

    def before_commit(self, path: Path) -> None:
        self.writes += 1
        if self.on_begin is not None:
            self.on_begin()
        if self._on_cut is None or self.writes != self._cut_at:
            return
        if self._kept is None:
            self._die(None)
        self._before = _log(path)

    def after_commit(self, path: Path) -> None:
        if self._on_cut is not None and self._kept is not None and self.writes == self._cut_at:
            self._die(Torn(path, path.read_bytes(), torn(self._before, _log(path), self._kept)))

    def _die(self, left: Torn | None) -> None:
        on_cut, self._on_cut = self._on_cut, None
        assert on_cut is not None
        on_cut(left)
        raise PowerGone
