"""Attacks from the store and the process: a second owner, a store of something else, a damaged one, one that others may read."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from firmware_emu.errors import NotAvailable
from firmware_emu.hub.nvm import SqliteStore
from hil.attacks.arena import Arena, Attack, AttackOutcome, expects
from hil.dcc.base.store import DccStore

Opened = Callable[[Path], SqliteStore | DccStore]


def _second(opened: Opened, path: Path) -> None:
    first = opened(path)
    try:
        opened(path).close()
    finally:
        first.close()


def _foreign(opened: Opened, path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE invoices (number)")
    opened(path).close()


def _garbled(opened: Opened, path: Path) -> None:
    opened(path).close()
    octets = path.read_bytes()
    path.write_bytes(octets[: len(octets) // 2] + bytes(len(octets) - len(octets) // 2))
    opened(path).close()


def _gone(opened: Opened, path: Path) -> None:
    opened(path).close()
    with sqlite3.connect(path) as other:
        for (table,) in other.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name != 'owner'").fetchall():
            other.execute(f"DROP TABLE {table}")
    opened(path).close()


_WAYS: tuple[tuple[str, str, Callable[[Opened, Path], None]], ...] = (
    ("second-owner", "a second process on a store that has an owner", _second),
    ("foreign", "a store of something else in its place", _foreign),
    ("garbled", "a store of which half was overwritten", _garbled),
    ("tables-gone", "a store without its tables", _gone),
)


def attacks() -> Iterator[Attack]:
    """On copies of the kinds of stores that a home has."""
    for target, opened in (("hub, store", SqliteStore), ("DCC, store", DccStore)):
        for name, how, act in _WAYS:

            async def open_it(arena: Arena, opened: Opened = opened, act: Callable[[Opened, Path], None] = act) -> int:
                with TemporaryDirectory(prefix="chub-attack-") as folder:
                    try:
                        act(opened, Path(folder) / "store.sqlite")
                    except NotAvailable as told:
                        arena.tell(AttackOutcome.REFUSED, str(told)[:160])
                    else:
                        arena.tell(AttackOutcome.ANSWERED, "it was opened")
                return 1

            yield Attack(
                f"store/{name}-{target.partition(',')[0].lower()}", "store to process", target, how, expects(AttackOutcome.REFUSED), open_it
            )
