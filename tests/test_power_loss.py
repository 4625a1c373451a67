"""Power that goes at any instant below SQLite: what was synced is there, of what was not any part may be; each image opens and is whole.

A child process commits to a real store under strace. At each of its system calls the images that a medium may hold then are laid out:
all that was synced before, with every combination of the writes since (beyond five: none, all, each alone, all but one, each torn); a
file that was removed may be there still, as it was, until its folder is synced. On a medium that fills up the child starts again.
"""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from firmware_emu.hub.nvm import SqliteStore
from hil.dcc.base.store import DccStore

COMMITS = 8
FULL_AT = 3
"""The commit from which on no file may grow beyond the limit, until the store has been told full."""
CHILD = """
import resource, sys
from pathlib import Path
from firmware_emu.errors import CommsHubError
from {module} import {name} as Store

def opened():
    store = Store(Path({path!r}))
    store._file.connection.execute("PRAGMA wal_autocheckpoint = 6")
    return store

def commit(store, number):
    values = store.named("") if hasattr(store, "named") else store
    with store.transaction():
        values.put("a", number.to_bytes(2, "big") * 600)
        values.put("b", number.to_bytes(2, "big") * 600)

def say(word):
    sys.stdout.write(word + "\\n")
    sys.stdout.flush()

store, none = opened(), resource.getrlimit(resource.RLIMIT_FSIZE)
for number in range(1, {commits} + 1):
    if number == {full_at} and {limit}:
        resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, none[1]))
    try:
        commit(store, number)
    except CommsHubError:
        store.close()
        resource.setrlimit(resource.RLIMIT_FSIZE, none)
        say("full")
        store = opened()
        commit(store, number)
    say(f"done {{number}}")
"""
_CALL = re.compile(
    r"(pwrite64|write|fsync|fdatasync|ftruncate)"  # what it does
    r"\((\d+)<([^>]*)>"  # descriptor and path
    r'(?:, (?:"((?:\\x[0-9a-f]{2})*)", )?(\d+)?(?:, (\d+))?)?\)\s+= (\d+)'  # octets, length, place; octets that were taken
    r'|(unlink)\("((?:\\x[0-9a-f]{2})*)"\)\s+= 0'
)


def told(octets: str) -> bytes:
    """Octets as strace prints them."""
    return bytes.fromhex(octets.replace("\\x", ""))


@dataclass
class File:
    """One file of the medium: what is surely on it, and the writes that may be."""

    synced: bytes
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)
    """Place and octets of each write since; octets None: cut off there."""
    removed: list[bytes] = field(default_factory=list)
    """Contents under this name that were removed, and may be there as long as the folder is not synced."""

    def remove(self) -> None:
        self.removed, self.synced, self.pending = [*self.removed, *self.images()], b"", []

    def with_(self, writes: list[tuple[int, bytes | None]]) -> bytes:
        octets = bytearray(self.synced)
        for place, data in writes:
            if data is None:
                del octets[place:]
                octets.extend(bytes(place - len(octets)))
                continue
            octets.extend(bytes(max(0, place - len(octets))))
            octets[place : place + len(data)] = data
        return bytes(octets)

    def images(self) -> Iterator[bytes]:
        """Each content that the medium may hold if the power goes now."""
        pending = self.pending
        if len(pending) <= 5:
            chosen = [list(part) for size in range(len(pending) + 1) for part in itertools.combinations(pending, size)]
        else:
            alone = [[one] for one in pending]
            chosen = [[], pending, *alone, *([other for other in pending if other is not one] for one in pending)]
        yield from self.removed
        seen = set(self.removed)
        for writes in chosen + [[*pending[:at], (one[0], one[1][: len(one[1]) // 2])] for at, one in enumerate(pending) if one[1]]:
            if (image := self.with_(writes)) not in seen:
                seen.add(image)
                yield image


def kept_by(opened: type[SqliteStore] | type[DccStore], path: Path) -> tuple[bytes | None, bytes | None]:
    store = opened(path)
    values = store if isinstance(store, SqliteStore) else store.named("")
    try:
        return values.get("a"), values.get("b")
    finally:
        store.close()


@pytest.mark.needs("strace")
@pytest.mark.parametrize("limit", [0, 5_000, 22_000], ids=lambda limit: f"full-at-{limit}" if limit else "room")
@pytest.mark.parametrize("opened", [pytest.param(SqliteStore, id="hub"), pytest.param(DccStore, id="dcc")])
def test_what_was_acknowledged_is_there_and_whole_wherever_the_power_goes(
    opened: type[SqliteStore] | type[DccStore], limit: int, tmp_path: Path
) -> None:
    path, after = tmp_path / "store.sqlite", tmp_path / "after" / "store.sqlite"
    after.parent.mkdir()
    opened(path).close()
    main, log = File(path.read_bytes()), File(b"")
    files = {str(path): main, f"{path}-wal": log}
    code = CHILD.format(module=opened.__module__, name=opened.__name__, path=str(path), commits=COMMITS, full_at=FULL_AT, limit=limit)
    calls = "trace=pwrite64,write,fsync,fdatasync,ftruncate,unlink"
    traced = subprocess.run(
        ["strace", "-f", "-y", "-xx", "-s", "100000", "-e", calls, sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
    )
    if "done 1" not in traced.stdout:
        pytest.skip("strace may not trace here")
    assert f"done {COMMITS}" in traced.stdout
    assert ("full" in traced.stdout) == bool(limit)
    acknowledged = images = synced = 0
    laid: set[tuple[bytes, bytes]] = set()
    for call, descriptor, place, data, first, second, taken, removal, victim in _CALL.findall(traced.stderr):
        octets = told(data)[: int(taken or 0)]
        name = told(victim or place).decode() if (victim or place).startswith("\\x") else place
        if call == "write" and descriptor == "1" and octets.startswith(b"done"):
            acknowledged = int(octets.split()[1])
            laid.clear()
        if call in ("fsync", "fdatasync") and name == str(path.parent):
            log.removed.clear()
        file = files.get(name)
        if file is None:
            continue
        if removal:
            file.remove()
        elif call in ("fsync", "fdatasync"):
            file.synced, file.pending = file.with_(file.pending), []
            synced += 1
        elif call == "ftruncate":
            file.pending.append((int(first), None))
        else:
            file.pending.append((int(second), octets))
        for image in itertools.product(main.images(), log.images()):
            if image in laid:
                continue
            laid.add(image)
            for one in after.parent.iterdir():
                one.unlink()
            after.write_bytes(image[0])
            Path(f"{after}-wal").write_bytes(image[1])
            kept = kept_by(opened, after)
            images += 1
            assert kept[0] == kept[1], "half of a transaction is there"
            number = int.from_bytes(kept[0][:2], "big") if kept[0] else 0
            assert acknowledged <= number <= acknowledged + 1, f"{number} is there, {acknowledged} was acknowledged"
    assert images > 10 * COMMITS
    assert synced >= COMMITS
