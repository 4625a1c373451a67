"""The log of a run, one JSON object a line, each holding the hash of the line before: a line that is changed, left out or put in shows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

NAME = "log.jsonl"
_FIRST = "0" * 64


class RunLog:
    """Writes the log as the run goes on, so that a run that is broken off has it too."""

    def __init__(self, path: Path) -> None:
        self._path, self._last, self._number = path, _FIRST, 0

    def note(self, what: str, **values: object) -> None:
        """Add a line. Raises OSError where the disk takes no more."""
        self._number += 1
        line = json.dumps({"line": self._number, "what": what, **values, "before": self._last}, sort_keys=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        self._last = hashlib.sha256(line.encode()).hexdigest()


def check_log(path: Path, verdicts: Mapping[str, str]) -> list[str]:
    """Problems of the log: of its chain, and of its verdicts (by check and round, ``SST-01-1``) against those of the report."""
    problems, before, told = [], _FIRST, {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            return [f"{NAME} line {number} is no JSON object"]
        if row.get("before") != before or row.get("line") != number:
            problems.append(f"{NAME} line {number} does not follow the one before it")
        before = hashlib.sha256(line.encode()).hexdigest()
        if row.get("what") == "result":
            told[f"{row.get('check')}-{row.get('round')}"] = row.get("verdict")
    problems += [f"{NAME} and report.json differ about {name}" for name in verdicts if told.get(name, verdicts[name]) != verdicts[name]]
    return problems
