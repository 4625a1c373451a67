"""Breaks of Devices (``book_mutants.toml``), each made in a copy of the tree, where a row of the book must find it."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from security_mutants import Mutant, copied, run_in

LIST = Path(__file__).with_name("book_mutants.toml")
_CHUB = "from firmware_emu.cli import main; main()"


def listed(pattern: str = "") -> list[tuple[Mutant, int]]:
    """The mutants whose name or file holds ``pattern``, each with the number of its row."""
    found = []
    for table in tomllib.loads(LIST.read_text(encoding="utf-8"))["mutant"]:
        row = table.pop("row")
        if pattern in table["name"] or pattern in table["file"]:
            found.append((Mutant(**table, tests=[f"chub book run --row {row}"]), row))
    return found


def fates(mutants: list[tuple[Mutant, int]]) -> Iterator[tuple[Mutant, str]]:
    """Each mutant and what its row made of it: ``killed``, ``survives``, or why it could not be judged."""
    with TemporaryDirectory(prefix="chub-mutants-") as folder:
        tree = copied(Path(folder))
        for mutant, row in mutants:
            yield mutant, _fate(mutant, row, tree)


def _fate(mutant: Mutant, row: int, tree: Path) -> str:
    done = run_in(mutant, tree, "-c", _CHUB, "book", "run", "--row", str(row), "--json")
    try:
        told = json.loads(done.stdout)
    except ValueError:
        return f"not judged: {(done.stdout + done.stderr).strip()[-200:]}"
    return "killed" if {one["row"] for one in told["findings"]} == {row} else "survives"
