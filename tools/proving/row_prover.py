"""A pytest plugin that runs the tests of requirement rows one at a time, each in a process of its own that begins with everything loaded.

``CHUB_PROVE`` names a JSON file with what to do: ``{"mode": "trace", "rows": [...], "cost": {...}, "each": 2}`` traces so many tests of
these rows, those that cost least (seconds by the test's name in JUnit), and none that costs ten times what the cheapest does;
``{"mode": "judge", "proofs": [[row, test, watched]], "out": ...}`` runs each test sound and with its mutant;
``{"mode": "find", "wanted": {row: [[test, [watched, ...]]]}, "out": ...}`` runs mutants until one turns a test red;
``{"mode": "kill", "mutants": [[number, watched, [test, ...], seconds]], "out": ...}`` runs the tests of each mutant (none: all) until one
is red that is green without it, or takes more seconds of processor than these: a mutant that goes round for ever is noticed too.
Each answer is a line of JSON in ``out``.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import through_doors
from _pytest.runner import runtestprotocol
from through_doors import Watched

LIMIT_S = 240
"""A test whose process takes more seconds of processor has gone astray by its mutant, which is no verdict: such a mutant is not taken.
Each program that a test starts has as many of its own."""
STANDS_STILL = 8
"""So many times as long on the wall for one that waits for what never comes; a busy machine alone takes no test there."""
_BEGINS = b"."
"""Told by the child at each test."""


class Prover:
    """Runs what it is told instead of the session's tests."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self.told["mode"] in ("trace", "find"):
            items[:] = [item for item in items if item.get_closest_marker("requirement")]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        with open(self.told["out"], "a", encoding="utf-8") as out:
            for answer in getattr(self, f"_{self.told['mode']}")(items):
                out.write(json.dumps(answer) + "\n")
                out.flush()
        return True

    def _trace(self, items: dict[str, pytest.Item]) -> Iterator[dict[str, Any]]:
        wanted, cost = set(self.told["rows"]), self.told["cost"]
        named = {
            item.nodeid: sorted({str(row) for marker in item.iter_markers("requirement") for row in marker.args}) for item in items.values()
        }
        chosen: dict[str, None] = {}
        for row in sorted(wanted):
            seconds = {test: cost.get(test.replace(".py::", "::").replace("/", "."), 0.0) for test, rows in named.items() if row in rows}
            first = {
                test.partition("[")[0]: test for test in sorted(seconds, key=seconds.__getitem__, reverse=True)
            }  # one of its parameters
            cheapest = sorted(first.values(), key=seconds.__getitem__)[: self.told["each"]]
            chosen |= dict.fromkeys(test for test in cheapest if seconds[test] <= max(1.0, 10 * seconds[cheapest[0]]))
        for _, tests in groupby(sorted(chosen, key=lambda test: _together(items[test])), key=lambda test: _together(items[test])):
            for traced in _traced([items[test] for test in tests]):
                yield {**traced, "rows": named[traced["test"]], "of": len(chosen)}

    def _judge(self, items: dict[str, pytest.Item]) -> Iterator[dict[str, Any]]:
        """Rows whose proofs change the same line before tests of the same module are judged in one run of these tests."""
        together: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for row, name, facts in self.told["proofs"]:
            first = next((one for one in items if one.partition("[")[0] == name), name)  # a name without parameters stands for the first
            test = name if name in items else first
            if test not in items:
                yield {"row": row, "test": test, "sound": "no such test", "doors": [], "mutant": ""}
            else:
                together.setdefault((test.partition("::")[0], json.dumps(facts)), []).append((row, test))
        for (_, facts), rows in together.items():
            watched = Watched(**json.loads(facts))
            tests = list(dict.fromkeys(items[test] for _, test in rows))
            sound, doors = _watched(tests, Watched(watched.file, watched.function))
            passed = [item for item in tests if sound[item.nodeid] == "passed"]
            mutant = _watched(passed, watched)[0] if passed else {}
            for row, test in rows:
                yield {"row": row, "test": test, "sound": sound[test], "doors": doors, "mutant": mutant.get(test, "")}

    def _find(self, items: dict[str, pytest.Item]) -> Iterator[dict[str, Any]]:
        for row, tests in self.told["wanted"].items():
            tried = 0
            found: dict[str, Any] = {}
            for test, mutants in tests:
                for facts in mutants:
                    tried += 1
                    outcomes, doors = _watched([items[test]], Watched(**facts))
                    if outcomes[test] == "failed" and [door for door in doors if door]:
                        found = {"test": test, "watched": facts, "doors": doors}
                        break
                if found:
                    break
            yield {"row": row, "tried": tried, **found}

    def _kill(self, items: dict[str, pytest.Item]) -> Iterator[dict[str, Any]]:
        sound: dict[tuple[str, str, str], str] = {}
        for number, facts, tests, limit_s in self.told["mutants"]:
            watched = Watched(**facts)
            left = [items[test] for test in tests if test in items] if tests else list(items.values())
            asked, red, unsound = len(left), "", ""
            while left and not red:
                outcomes, _ = _watched(left, watched, limit_s, until_red=True)
                if "" in outcomes:
                    unsound = f"the change could not be made: {outcomes['']}"
                    break
                test = next((test for test, outcome in outcomes.items() if outcome not in ("passed", "skipped", "done")), "")
                if not test:
                    break
                key = watched.file, watched.function, test
                if key not in sound:
                    sound[key] = _watched([items[test]], Watched(watched.file, watched.function), limit_s)[0][test]
                if sound[key] == "passed":
                    red = f"{test}: {outcomes[test]}"
                else:  # it is no judge
                    unsound = f"{test} fails without a mutant"
                    left = left[[item.nodeid for item in left].index(test) + 1 :]
            yield {"number": number, "asked": asked, "red": red, "unsound": unsound}


def _together(item: pytest.Item) -> tuple[str, str]:
    """Tests that are traced in one process: those of a module, but each row apart where a row is what the module's fixture prepares."""
    parameters = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    return item.nodeid.partition("::")[0], str(parameters.get("row", ""))


def _traced(items: list[pytest.Item]) -> list[dict[str, Any]]:
    """Outcome of each test of a module and the lines that ran: its own, the first's (it made the module's fixtures), those of programs."""
    with TemporaryDirectory(prefix="chub-trace-") as folder:
        own = Path(folder) / "own"

        def run(begins: Callable[[], None]) -> str:
            os.environ["CHUB_TRACE"] = folder  # for programs that the tests start
            entered = through_doors.trace()
            with own.open("w", encoding="utf-8") as file:
                for item, after in zip(items, [*items[1:], items[-1]], strict=True):
                    through_doors.forget(entered)
                    begins()
                    began = _processor_s()
                    outcome = _outcome(item, items, after)
                    seconds = round(_processor_s() - began, 2)
                    found = {"test": item.nodeid, "outcome": outcome, "seconds": seconds, "entered": through_doors.named(entered)}
                    file.write(json.dumps(found) + "\n")
                    file.flush()
            return "done"

        _in_a_process(run, LIMIT_S)
        answers = [json.loads(line) for line in own.read_text(encoding="utf-8").splitlines()]
        for answer in answers[1:]:
            answer["seconds"] += answers[0]["seconds"]  # alone it would make the module's fixtures too
        shared = {tuple(one) for file in Path(folder).glob("*.json") for one in json.loads(file.read_text(encoding="utf-8"))}
    shared |= {tuple(one) for one in answers[0]["entered"]} if answers else set()
    return [{**answer, "entered": sorted(shared | {tuple(one) for one in answer["entered"]})} for answer in answers]


def _processor_s() -> float:
    """Processor seconds of this process and of the programs that it started and that have ended."""
    return sum(os.times()[:4])


def _watched(
    items: list[pytest.Item], watched: Watched, limit_s: float = LIMIT_S, until_red: bool = False
) -> tuple[dict[str, str], list[str]]:
    """Outcome of each test with the function watched, and the doors by which it was entered; an empty one for a call past all doors.

    ``limit_s``: seconds of processor that each of them may take. ``until_red``: run them only until one fails. The key "" stands for a
    change that could not be made."""
    with TemporaryDirectory(prefix="chub-watch-") as folder:
        notes, told = Path(folder) / "passed", Path(folder) / "told"

        def run(begins: Callable[[], None]) -> str:
            os.environ["CHUB_PASSED"] = str(notes)
            try:
                through_doors.watch(watched)
            except (ValueError, SyntaxError) as refused:
                told.write_text(json.dumps(["", str(refused)]) + "\n", encoding="utf-8")
                return "done"
            with told.open("w", encoding="utf-8") as file:
                for item, after in zip(items, [*items[1:], items[-1]], strict=True):
                    begins()
                    outcome = _outcome(item, items, after)
                    file.write(json.dumps([item.nodeid, outcome]) + "\n")
                    file.flush()
                    if until_red and outcome == "failed":
                        break
            return "done"

        ended = _in_a_process(run, limit_s)
        known = dict(json.loads(line) for line in told.read_text(encoding="utf-8").splitlines()) if told.exists() else {}
        outcomes = {item.nodeid: known.get(item.nodeid, ended) for item in items} | ({"": known[""]} if "" in known else {})
        return outcomes, sorted(set(notes.read_text(encoding="utf-8").splitlines())) if notes.exists() else []


def _outcome(item: pytest.Item, together: list[pytest.Item], after: pytest.Item) -> str:
    item.session.items = together  # what a fixture prepares for the tests that were asked for
    reports = runtestprotocol(item, log=False, nextitem=after)
    outcomes = {report.outcome for report in reports}
    return "failed" if "failed" in outcomes else "skipped" if "skipped" in outcomes else "passed"


def _in_a_process(run: Callable[[Callable[[], None]], str], limit_s: float) -> str:
    """Value of ``run`` in a child process; ``astray`` where a test does not end, ``broken`` where the process ends by itself.

    ``run`` calls what it is given where a test begins; each has so many seconds of processor."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:

        def begins() -> None:
            resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time() + limit_s) + 1, resource.RLIM_INFINITY))
            os.write(write, _BEGINS)

        outcome = "broken"
        try:
            os.setpgid(0, 0)
            os.close(read)
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            outcome = run(begins)
        finally:
            os.write(write, outcome.encode())
            os._exit(0)
    os.close(write)
    told = b""
    try:
        while not told:
            if not select.select([read], [], [], limit_s * STANDS_STILL)[0]:
                told = b"astray"
            elif octets := os.read(read, 4096):
                told = octets.strip(_BEGINS)
            else:
                break
    finally:
        os.close(read)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        _, ended = os.waitpid(child, 0)
    used_up = os.WIFSIGNALED(ended) and os.WTERMSIG(ended) == signal.SIGXCPU
    return told.decode() or ("astray" if used_up else "broken")


def pytest_configure(config: pytest.Config) -> None:
    told = json.loads(Path(os.environ["CHUB_PROVE"]).read_text(encoding="utf-8"))
    config.pluginmanager.register(Prover(told), "row-prover")
    sys.setrecursionlimit(max(sys.getrecursionlimit(), 4000))
