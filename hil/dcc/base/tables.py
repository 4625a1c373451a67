"""The tables of a package beside the DCC's own ``schema.sql``: each package keeps its statements next to its code."""

from __future__ import annotations

from importlib import resources

from hil.dcc.base.store import DccStore


def create_tables(store: DccStore, package: str) -> None:
    """Create what ``schema.sql`` of ``package`` names and is not there yet. Statements end with a semicolon; none may hold one."""
    lines = resources.files(package).joinpath("schema.sql").read_text(encoding="utf-8").splitlines()
    for statement in "\n".join(line for line in lines if not line.startswith("--")).split(";"):
        if statement.strip():
            store.execute(statement)
