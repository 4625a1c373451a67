"""Each table of the DCC's store has one module that reads and writes it."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

_HIL = Path(__file__).resolve().parents[3] / "hil"
_USE = re.compile(r"\b(?:FROM|INTO|UPDATE|JOIN)\s+(\w+)|\binsert\(\s*\"(\w+)\"")
_ALSO = {
    "counters": {"dcc/base/store.py"},  # the step that gives an older store the counters' present form
    "audit": {"ssi/views.py"},  # the page's one question over three tables: has anything of this user's changed
    "devices": {"ssi/views.py"},
    "registration": {"ssi/views.py"},
}


def test_each_table_is_read_and_written_by_one_module() -> None:
    tables = {
        name
        for schema in _HIL.rglob("*.sql")
        for name in re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", schema.read_text(encoding="utf-8"))
    }
    users: defaultdict[str, set[str]] = defaultdict(set)
    for file in _HIL.rglob("*.py"):
        for first, second in _USE.findall(file.read_text(encoding="utf-8")):
            if (first or second) in tables:
                users[first or second].add(file.relative_to(_HIL).as_posix())
    assert len(tables) > 50
    shared = {name: sorted(files - _ALSO.get(name, set())) for name, files in users.items()}
    assert {name: files for name, files in shared.items() if len(files) > 1} == {}
