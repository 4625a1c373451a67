"""Benches to watch: one that runs, behind its console's socket, and a run whose folder is left."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from firmware_emu.console.attach import AttachedTalk
from firmware_emu.console.records import record_of
from firmware_emu.console.result import Result
from firmware_emu.console.why import told, why
from firmware_emu.errors import CommsHubError, NotAvailable, in_words
from firmware_emu.trace import Record

SOCKET = "console.sock"
TRACE = "trace.jsonl"


class WatchedBench(Protocol):
    """A bench as the page sees it. Every method may wait for the bench, and raises CommsHubError where that is gone."""

    name: str
    live: bool
    """True where it can be asked and told; a run's folder only shows what was."""

    def board(self) -> Mapping[str, Any]: ...

    def records(self, behind: int) -> list[Record]: ...

    def look(self, line: str) -> dict[str, object] | None:
        """Result of a verb that only looks; None where nobody can be asked."""
        ...

    def say(self, line: str) -> dict[str, object]: ...

    def why(self, number: int, records: Sequence[Record]) -> dict[str, object]: ...

    def close(self) -> None: ...


class LiveBench:
    """A bench that runs: ``chub console``, ``chub run home``, ``chub hub run``."""

    live = True

    def __init__(self, socket: Path) -> None:
        """Raises NotAvailable where none listens."""
        self._talk = AttachedTalk(socket)
        self.name = self._talk.name

    def board(self) -> Mapping[str, Any]:
        return self._talk.board()

    def records(self, behind: int) -> list[Record]:
        return [record_of(json.loads(line)) for line in self._talk.records(behind)]

    def look(self, line: str) -> dict[str, object] | None:
        try:
            return self._talk.look(line)[-1]
        except CommsHubError as lacking:  # a lone hub has no jig; the page says so
            return {"ok": False, "said": str(lacking)}

    def say(self, line: str) -> dict[str, object]:
        return [result.as_json() for result in self._talk.say(line)][-1]

    def why(self, number: int, records: Sequence[Record]) -> dict[str, object]:
        return self._talk.look(f"why @{number}")[-1]

    def close(self) -> None:
        self._talk.close()


class RunOfFolder:
    """A run's folder, finished or still written to."""

    live = False

    def __init__(self, folder: Path) -> None:
        """Raises NotAvailable where there is no trace, or no board that it belongs to."""
        self.name = folder.name
        self._path = folder / TRACE
        self._read = 0
        self._records: list[Record] = []
        try:
            self._board: Mapping[str, Any] = json.loads((folder / "board.json").read_text(encoding="utf-8"))
            self._more()
        except (OSError, ValueError, KeyError) as wrong:
            raise NotAvailable(
                f"a run in {folder}", f"{in_words(wrong)}; name a run's folder, as `chub console` and `chub run demo` leave it"
            ) from None

    def _more(self) -> None:
        with self._path.open("rb") as file:
            file.seek(self._read)
            octets = file.read()
        whole = octets[: octets.rfind(b"\n") + 1]
        self._read += len(whole)
        self._records += [record_of(json.loads(line)) for line in whole.splitlines() if line]

    def board(self) -> Mapping[str, Any]:
        return self._board

    def records(self, behind: int) -> list[Record]:
        self._more()
        return [record for record in self._records if record.number > behind]

    def look(self, line: str) -> dict[str, object] | None:
        return None

    def say(self, line: str) -> dict[str, object]:
        return Result("this run is over: nothing can be said to it", ok=False).as_json()

    def why(self, number: int, records: Sequence[Record]) -> dict[str, object]:
        record = next((one for one in records if one.number == number), None)
        return told(why(records, None, record=record)).as_json()

    def close(self) -> None:
        pass


def find(place: Path) -> WatchedBench:
    """The bench behind a socket, in a state's folder, or in a run's folder. Raises NotAvailable where there is none."""
    if place.is_socket():
        return LiveBench(place)
    if (place / SOCKET).is_socket():
        try:
            return LiveBench(place / SOCKET)
        except NotAvailable:  # a bench that was killed left it
            if not (place / TRACE).exists():
                raise
    return RunOfFolder(place)
