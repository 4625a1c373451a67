"""PostgreSQL for tests: one server a session, from Debian's package, and a place of its own in it for each store."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from firmware_emu.errors import NotAvailable
from hil.commands.dcc import options
from hil.dcc.base import store
from hil.fleet.database import own_database


@contextmanager
def server() -> Iterator[str]:
    """The address of a server that lives as long as the block; skips where PostgreSQL is not here."""
    opened = own_database(durable=False)
    try:
        url = opened.__enter__()
    except NotAvailable as missing:
        pytest.skip(str(missing))
    try:
        yield url
    finally:
        opened.__exit__(None, None, None)


def place_in(url: str, name: str) -> str:
    """The address of an empty store in the database at ``url``: the schema ``name`` of it, made if it is not there."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(name)))
    return f"{url}?options=-csearch_path%3D{name}"


def instead_of_files(url: str, patch: pytest.MonkeyPatch, test: str) -> None:
    """Every store that the test opens, in a file or in memory, is one of the database at ``url``."""
    nameless = iter(range(1 << 20))
    real = store.database_url

    def there(place: Path | None) -> str:
        if (given := real(place)) is not None:
            return given
        name = hashlib.sha256(f"{test} {place or next(nameless)}".encode()).hexdigest()[:16]
        return place_in(url, f"s{name}")

    for module in (store, options):
        patch.setattr(module, "database_url", there)
