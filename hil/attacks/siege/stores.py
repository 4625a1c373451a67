"""The stores of hub and DCC: killed at a statement, out of power, full at an octet, with a second owner, with somebody beside, damaged.

What has been returned is there at the next opening, in whole transactions; no counter comes twice; troubles are told as such.
Power goes below SQLite: what was synced is there (which the store's own setting says), of what was written since each 512 octets may be.
"""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final, Protocol

from firmware_emu.crypto.roles import DeviceType
from firmware_emu.device.credentials import Credentials
from firmware_emu.device.store import Store
from firmware_emu.errors import CommsHubError
from firmware_emu.hub.nvm import SqliteStore
from firmware_emu.ids import Eui64
from firmware_emu.sqlite_file import SqliteFile
from hil.attacks.siege.search import Mutation
from hil.dcc.base.store import DccStore
from hil.dcc.parties.acb import OriginatorCounters

OWNER: Final = Eui64.parse("02c4b00000000001")
STEPS: Final = 6
"""Steps of the honest work: counters and pairs of values, in turn."""
SECTOR: Final = 512
FULL: Final = 2
"""SQLite's ``synchronous`` under which a commit is synced when it returns."""
_UNHURRIED: Final = 0
"""Milliseconds that a process beside waits for the owner's transaction: the trial is one thread, so it never ends meanwhile."""


class OpenedStore(Protocol):
    """A store with the two things that are asked of it."""

    file: SqliteFile

    def draw(self) -> int:
        """The next counter."""
        ...

    def put(self, value: bytes) -> None:
        """A pair of values, in one transaction."""
        ...

    def pair(self) -> tuple[bytes | None, bytes | None]:
        """The pair as it is found."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class _Named:
    """The pair of values in named octets."""

    values: Store

    def put(self, value: bytes) -> None:
        with self.values.transaction():
            self.values.put("siege/a", value)
            self.values.put("siege/b", value)

    def pair(self) -> tuple[bytes | None, bytes | None]:
        return self.values.get("siege/a"), self.values.get("siege/b")


class HubStore(_Named):
    """The hub's store, its counter drawn as a Device draws it."""

    def __init__(self, path: Path, owner: bool) -> None:
        self._store = self.values = SqliteStore(path, owner=owner)
        self.file = self._store._file
        self._credentials = Credentials(self._store, OWNER, DeviceType.CHF)

    def draw(self) -> int:
        return self._credentials.next_counter()

    def close(self) -> None:
        self._store.close()


class FarStore(_Named):
    """The DCC's store, its counter drawn as the broker draws it."""

    def __init__(self, path: Path, owner: bool) -> None:
        self._store = DccStore(path, owner=owner)
        self.values = self._store.named("")
        assert isinstance(self._store._file, SqliteFile)
        self.file = self._store._file
        self._counters = OriginatorCounters(self._store, 1)

    def draw(self) -> int:
        return self._counters.next(OWNER)

    def close(self) -> None:
        self._store.close()


Image = dict[str, bytes]


@dataclass
class _Work:
    """Honest work on one store, and what became of it."""

    path: Path
    opening: Callable[[Path, bool], OpenedStore]
    drawn: list[int] = field(default_factory=list)
    written: bytes | None = None
    tried: set[bytes | None] = field(default_factory=lambda: {None})
    """Values that may be found: the last one returned, and those under way since."""
    damaged: bool = False
    broken: list[str] = field(default_factory=list)
    synced: Image = field(default_factory=dict)
    synchronous: int = FULL

    def __post_init__(self) -> None:
        self.store = self.opening(self.path, True)
        self._mark()

    def _mark(self) -> None:
        """The part that is on the medium for sure: all of it after a commit that was synced."""
        self.synchronous = int(self.store.file.connection.execute("PRAGMA synchronous").fetchone()[0])
        if self.synchronous >= FULL or not self.synced:
            self.synced = self.image()

    def mark_closed(self) -> None:
        """Whoever closes a store last, as one that fails does by itself, brings its log into the file, syncs that, and only then removes
        the log."""
        image = self.image()
        if self.synchronous and self.synced.get(self._log) and not image[self._log]:
            self.synced = image

    @property
    def _log(self) -> str:
        return f"{self.path.name}-wal"

    def image(self) -> Image:
        """The files as another process would find them."""
        files = (self.path.with_name(self.path.name + end) for end in ("", "-wal"))
        return {one.name: one.read_bytes() if one.exists() else b"" for one in files}

    def step(self, number: int) -> None:
        """One step of the work. Raises CommsHubError."""
        try:
            if number % 2:
                value = b"%d" % number * 40
                self.tried.add(value)
                self.store.put(value)
                self.written, self.tried = value, {value}
            else:
                self.got(self.store.draw())
        except CommsHubError:
            self.mark_closed()
            raise
        self._mark()

    def got(self, counter: int) -> None:
        """A counter that was returned to somebody."""
        if counter in self.drawn:
            self.broken.append(f"counter {counter} was drawn twice")
        elif self.drawn and counter < max(self.drawn):
            self.broken.append(f"counter {counter} was drawn after {max(self.drawn)}")
        self.drawn.append(counter)

    def again(self, image: Image | None = None) -> None:
        """The owner ends, ``image`` is laid in its place, and the next owner opens it."""
        with contextlib.suppress(CommsHubError):
            self.store.close()
        for name, octets in (image or {}).items():
            self.path.with_name(name).write_bytes(octets)
        if image is not None:
            self.path.with_name(self.path.name + "-shm").unlink(missing_ok=True)
        self.store = self.opening(self.path, True)
        self.synced = {}
        self._mark()
        self.look()

    def look(self) -> None:
        """Whole transactions, and nothing lost that was returned."""
        if self.damaged:
            return
        one, other = self.store.pair()
        if one != other:
            self.broken.append("half of a transaction is there")
        elif one not in self.tried:
            self.broken.append(f"{one!r:.12} is there, {self.written!r:.12} was written last")
        else:
            self.written, self.tried = one, {one}


class Stores:
    """One of the two stores under work."""

    kinds = ("kill", "power", "full", "second", "beside", "between", "damage", "again")

    def __init__(self, folder: Path, opening: Callable[[Path, bool], OpenedStore]) -> None:
        self._folder = folder
        self._opening = opening
        folder.mkdir(parents=True, exist_ok=True)

    def judge(self, changes: Sequence[Mutation]) -> str | None:
        with TemporaryDirectory(dir=self._folder) as folder:
            work = _Work(Path(folder) / "store", self._opening)
            try:
                for number in range(STEPS):
                    now = [change for change in changes if int(change.place * STEPS) == number]
                    self._step(work, number, now)
                    if work.broken or work.damaged:
                        break
                else:
                    work.again()
            finally:
                work.store.close()
        return work.broken[0] if work.broken else None

    def _step(self, work: _Work, number: int, changes: Sequence[Mutation]) -> None:
        with contextlib.ExitStack() as around:
            after: list[Callable[[], None]] = []
            for change in sorted(changes, key=lambda one: one.kind == "full"):  # the medium fills up under the step, not under who looks on
                if not work.damaged:
                    _CHANGES[change.kind](work, Random(change.number), around, after)
            if work.broken or work.damaged:
                return
            try:
                work.step(number)
                fell = False
            except CommsHubError:
                fell = True
            around.close()
            work.mark_closed()  # by whoever was beside it, as the last one to close it
            for one in after:
                one()
            if fell and not after:  # as its owner is told to: end, and start again
                work.again()


_Change = Callable[[_Work, Random, contextlib.ExitStack, list[Callable[[], None]]], None]


@contextlib.contextmanager
def _at_statement(work: _Work, number: int, act: Callable[[], None]) -> Iterator[None]:
    """``act`` before the ``number``-th statement that the owner makes meanwhile."""
    left = [number]

    def heard(_: str) -> None:
        left[0] -= 1
        if left[0] == 0:
            act()

    connection = work.store.file.connection
    connection.set_trace_callback(heard)
    try:
        yield
    finally:
        with contextlib.suppress(Exception):  # it was closed meanwhile
            connection.set_trace_callback(None)


def _ends(work: _Work, random: Random, around: contextlib.ExitStack, after: list[Callable[[], None]], power: bool) -> None:
    """The process ends before a statement, or the power does: the step that is under way was returned to nobody. It ends once in a step:
    how another end would have left the files is of a time that never was."""
    if after:
        return
    before = (list(work.drawn), work.written, set(work.tried), dict(work.synced))
    found: Image = {}
    around.enter_context(_at_statement(work, random.randint(1, 8), lambda: found.update(work.image())))

    def end() -> None:
        if found:
            tried = work.tried
            work.drawn, work.written, work.tried, synced = before
            work.tried = work.tried | tried
        else:
            found.update(work.image())
            synced = work.synced
        work.again(_power_lost(synced, found, random) if power else found)

    after.append(end)


def _power_lost(synced: Image, written: Image, random: Random) -> Image:
    """The synced octets, with any of the sectors that were written since; a file has the length of the last one that is there."""
    image = {}
    for name, new in written.items():
        old, out, length = synced.get(name, b""), bytearray(), 0
        for at in range(0, max(len(old), len(new)), SECTOR):
            takes = random.random() < 0.5
            piece = (new if takes else old)[at : at + SECTOR]
            out += piece.ljust(SECTOR, b"\0")
            length = max(length, at + len(piece)) if piece else length
        image[name] = bytes(out[:length])
    return image


def _full(work: _Work, random: Random, around: contextlib.ExitStack, after: list[Callable[[], None]]) -> None:
    """No file grows beyond an octet while the step is made."""
    sizes = [len(octets) for octets in work.image().values()]
    limit = max(random.choice(sizes) + random.randrange(0, 9000), 1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    around.callback(resource.setrlimit, resource.RLIMIT_FSIZE, before)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))


def _second(work: _Work, random: Random, *_: object) -> None:
    """A second process opens the store as its owner, and works."""
    with contextlib.suppress(CommsHubError):
        second = work.opening(work.path, True)
        with contextlib.closing(second):
            for _step in range(2):
                work.got(second.draw())
                work.got(work.store.draw())


def _beside(work: _Work, random: Random, *_: object) -> None:
    """On a medium that knows no locks a second process opens the store, and the first works on."""
    work.path.with_name(work.path.name + ".owner").unlink(missing_ok=True)
    second = work.opening(work.path, True)
    with contextlib.closing(second):
        for one in (second, work.store, second):
            with contextlib.suppress(CommsHubError):
                work.got(one.draw())
    work.again()


def _between(work: _Work, random: Random, around: contextlib.ExitStack, after: list[Callable[[], None]]) -> None:
    """A process that is not the owner draws a counter before one of the statements of the owner."""
    other = work.opening(work.path, False)
    around.callback(other.close)
    other.file.connection.execute(f"PRAGMA busy_timeout = {_UNHURRIED}")

    def draw() -> None:
        with contextlib.suppress(CommsHubError):
            work.got(other.draw())

    around.enter_context(_at_statement(work, random.randint(1, 6), draw))


def _damage(work: _Work, random: Random, *_: object) -> None:
    """Somebody writes over the files: what is read then is read or refused, and nothing else happens."""
    work.damaged = True
    image = work.image()
    work.store.close()
    for name, octets in image.items():
        spoilt = bytearray(octets)
        for _octet in range(random.randint(1, 64) if spoilt else 0):
            spoilt[random.randrange(len(spoilt))] = random.randrange(256)
        work.path.with_name(name).write_bytes(
            bytes(spoilt[: random.randrange(len(spoilt))] if spoilt and random.random() < 0.2 else spoilt)
        )
    work.path.with_name(work.path.name + "-shm").unlink(missing_ok=True)
    with contextlib.suppress(CommsHubError), contextlib.closing(work.opening(work.path, True)) as store:
        store.pair()
        store.draw()
        store.put(b"after")


_CHANGES: Final[dict[str, _Change]] = {
    "kill": partial(_ends, power=False),
    "power": partial(_ends, power=True),
    "full": _full,
    "second": _second,
    "beside": _beside,
    "between": _between,
    "damage": _damage,
    "again": lambda work, *_: work.again(),
}
