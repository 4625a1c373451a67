"""A count that outlives its run: power cycles that were carried out, written after each, and taken up again by a later run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from firmware_emu.errors import BoardError, NotAvailable

NAME = "checkpoint.json"
_SAME = ("board SHA-256", "profile SHA-256", "checks SHA-256")
"""Facts of a run that must not have changed where another goes on with its count."""


@dataclass(slots=True)
class Checkpoint:
    """Cycles carried out and reached so far, in the file ``path``; ``facts`` are those of the run that counts."""

    path: Path
    facts: Mapping[str, str]
    done: int = 0
    reached: int = 0
    misses: list[int] = field(default_factory=list)
    """Numbers of the cycles after which the hub did not run."""

    def note(self, reached: bool) -> None:
        """One cycle more. Raises OSError where the disk takes no more."""
        self.done += 1
        self.reached += reached
        if not reached:
            self.misses.append(self.done)
        row = {"done": self.done, "reached": self.reached, "misses": self.misses, "facts": {key: self.facts.get(key, "") for key in _SAME}}
        beside = self.path.with_suffix(".new")
        beside.write_text(json.dumps(row), encoding="utf-8")
        beside.replace(self.path)

    @classmethod
    def resumed(cls, path: Path, facts: Mapping[str, str]) -> Checkpoint:
        """The count in the file. Raises NotAvailable where there is none, BoardError where it is of another board, profile or checks."""
        try:
            row = json.loads(path.read_text(encoding="utf-8"))
            found = cls(path, facts, int(row["done"]), int(row["reached"]), [int(one) for one in row["misses"]])
            told = dict(row["facts"])
        except OSError as wrong:
            raise NotAvailable(
                f"a count of cycles in {path.parent}", f"{wrong.strerror}: name the folder of a run that counted power cycles"
            ) from wrong
        except (ValueError, KeyError, TypeError) as wrong:
            raise BoardError(str(path), "", f"no checkpoint ({wrong}): name the folder of a run that counted power cycles") from wrong
        for key in _SAME:
            if told.get(key) != facts.get(key, ""):
                raise BoardError(str(path), key, "it is not the one of this run: go on with the same board, profile and release")
        return found
