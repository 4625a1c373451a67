"""Some checks on a bench of their own, in memory, on bench time that jumps; and a finding about one of them."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.errors import BoardError, CommsHubError
from firmware_emu.trace import Trace
from hil.bench.keys import pki_folder
from hil.conformance.bench import ConformanceBench
from hil.conformance.host_bench import HOST_CHECKS, HostBench
from hil.conformance.proofs.bad_firmware import Unit
from hil.conformance.readings import HUB_CHECKS
from hil.conformance.runner import CheckResult, Runner
from hil.report.measurements import CheckVerdict
from ichis.bench_jig import StandInJig
from ichis.conformance.check import Check
from ichis.host_port import HostCondition
from ichis.hub_jig import SimulatedHubJig
from ichis.instrument.fault import Concerns
from ichis.instrument.stand_in import StandInLink
from ichis.profile import InterfaceProfile, load_profile

_MEMORY = Path("/dev/shm")
SOUND = ("jig.stand_in.supply=scpi-supply", "jig.stand_in.probes=scpi-scanner")
"""Settings of a board with stand-ins that do what they are told."""
_REST_S = 600.0
_DECIDED = (CheckVerdict.PASS, CheckVerdict.FAIL)


@dataclass(frozen=True, slots=True)
class ProofFinding:
    """A verdict that a proof came to, beside the one that is true of the unit. ``must_decide``: no verdict at all is wrong too."""

    case: str
    expected: CheckVerdict
    verdict: CheckVerdict
    why: str = ""
    must_decide: bool = False

    @property
    def wrong(self) -> bool:
        """True for the other verdict, and for none where there must be one."""
        return self.verdict is not self.expected and (self.must_decide or self.verdict in _DECIDED)


def quick_folder() -> str | None:
    """A folder in memory for stores that nobody needs afterwards; None where this machine has none."""
    return str(_MEMORY) if os.access(_MEMORY, os.W_OK) else None


def own_limits() -> InterfaceProfile:
    """The profile that the proofs judge by."""
    return load_profile("ichis_default")


@cache
def _keys(folder: Path) -> Keystore:
    return Keystore.load(folder)


@contextlib.contextmanager
def a_bench(
    host: bool, unit: Unit | HostCondition | None, settings: Sequence[str], profile: InterfaceProfile
) -> Iterator[ConformanceBench | HostBench]:
    """A bench that is not open yet, with one unit, on a clock and in a folder of its own. Raises BoardError."""
    hub = unit if isinstance(unit, Unit) else Unit()
    board = load_board("simulated", (*settings, *hub.settings))
    clock = Clock(start=board.clock.start, warp=True)
    trace = Trace(clock.now)
    if host:
        yield HostBench(board, profile, unit if isinstance(unit, HostCondition) else HostCondition(), clock, trace)
        return
    with tempfile.TemporaryDirectory(prefix="checks-", dir=quick_folder()) as folder:
        yield ConformanceBench(
            board,
            profile,
            hub.condition,
            clock,
            trace,
            Path(folder),
            in_memory=True,
            firmware=hub.firmware,
            keystore=_keys(pki_folder(board)),
            prepare=hub.prepare,
        )


def run_alone(
    checks: Sequence[Check],
    unit: Unit | HostCondition | None = None,
    settings: Sequence[str] = (),
    profiles: Sequence[InterfaceProfile] = (),
) -> list[CheckResult]:
    """These checks in this order, on one bench with one unit (the healthy one if None). ``settings`` are laid over the simulated board.

    ``profiles``: for each check the one it is judged by, where it is not the bench's own.

    Raises CommsHubError for a bench that does not come up, or cannot be switched off at the end.
    """
    host = checks[0].under_test == "host"
    judged_by = profiles or [own_limits()] * len(checks)
    with a_bench(host, unit, settings, judged_by[0]) as bench:

        async def main() -> list[CheckResult]:
            try:
                await bench.open()
                runner: Runner[Any] = Runner(bench, HOST_CHECKS if host else HUB_CHECKS)
                found = []
                for check, bench.profile in zip(checks, judged_by, strict=True):
                    found.append(await runner.run(check))
            finally:
                await bench.close()
            return found

        return bench.clock.run(main())


def events_of(check: Check, unit: Unit | HostCondition | None, settings: Sequence[str]) -> Counter[tuple[str, Concerns]]:
    """Events that faults of instruments may concern, by kind of instrument, from the opening of the bench to the end of this check.

    ``settings`` name the stand-ins. Raises CommsHubError for a bench that does not come up.
    """
    found: Counter[tuple[str, Concerns]] = Counter()
    host = check.under_test == "host"
    with a_bench(host, unit, settings, own_limits()) as bench:

        async def main() -> None:
            try:
                await bench.open()
                runner: Runner[Any] = Runner(bench, HOST_CHECKS if host else HUB_CHECKS)
                await runner.run(check)
                jig = bench.jig
                assert isinstance(jig, StandInJig | SimulatedHubJig)
                for session in jig.sessions.values():
                    assert isinstance(session.link, StandInLink)
                    stand_in = session.link.stand_in
                    found.update({(stand_in.dialect.kind, concerns): count for concerns, count in stand_in.counts.items()})
            finally:
                await bench.close()

        bench.clock.run(main())
    return found


def run_exchanging(check: Check, unit: Unit, boards: Sequence[Sequence[str]]) -> list[CheckResult | CommsHubError]:
    """One check of a hub again and again, on one bench, before each time with the stand-ins of other settings.

    The hub rests between: ten minutes without supply, so that nothing it counts reaches from one time to the next. Where the
    stand-ins do not come up, or do not go off at the end, that is the result. A bench that does not take other stand-ins is given up,
    and another goes on from there. Raises BoardError.
    """
    found: list[CheckResult | CommsHubError] = []
    while len(found) < len(boards):
        found += _on_one_bench(check, unit, boards[len(found) :])
    return found


def _on_one_bench(check: Check, unit: Unit, boards: Sequence[Sequence[str]]) -> list[CheckResult | CommsHubError]:
    """The results of these settings up to the first that the bench does not take; that one has the trouble as its result."""
    found: list[CheckResult | CommsHubError] = []
    with a_bench(False, unit, SOUND, own_limits()) as bench:
        assert isinstance(bench, ConformanceBench)

        async def main() -> None:
            await bench.open()
            for settings in boards:
                board = load_board("simulated", (*settings, *unit.settings))
                try:
                    await bench.exchange_instruments(board, _REST_S)
                except CommsHubError as trouble:
                    found.append(trouble)
                    break
                try:
                    result = await Runner(bench, HUB_CHECKS).run(check)
                    await bench.make_safe()
                    found.append(result)
                except BoardError:
                    raise
                except CommsHubError as trouble:
                    found.append(trouble)
            with contextlib.suppress(CommsHubError):  # its results are there; the bench goes as it is
                await bench.exchange_instruments(load_board("simulated", (*SOUND, *unit.settings)), 0)
                await bench.close()

        bench.clock.run(main())
    return found
