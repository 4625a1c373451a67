"""No instrument fault turns one verdict into another: checks x faults of instruments x latencies, on good units and on bad ones.

A case runs one check alone on a bench of its own, with stand-ins of instruments between the models and the check. Its verdict may be
the one that sound instruments give, or none at all (indeterminate, inconclusive, not tested); never the other one. Every
fault strikes: when it does is drawn among the events that the check has with sound instruments.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from firmware_emu.errors import BoardError, CommsHubError
from firmware_emu.hub.hub import Hub
from hil.conformance.proofs.alone import ProofFinding, events_of, run_alone, run_exchanging
from hil.conformance.proofs.bad_firmware import BAD_UNITS, Unit
from hil.conformance.runner import CheckResult
from hil.report.measurements import CheckVerdict
from ichis.bad_units import BAD_HOSTS
from ichis.conformance.check import Check, load_checks
from ichis.host_port import HostCondition
from ichis.instrument.fault import WHO, Concerns, Misbehaviour

LATENCIES_MS = (5.0, 100.0, 600.0)
_SOUND_MS = 5.0
SUPPLIES = ("scpi-supply", "rigol-dp832", "tti-ql355")
LOADS = ("scpi-load", "aim-tti-ld400p", "rigol-dl3031a")
_MODELS = {"hub": SUPPLIES, "host": LOADS}
_AMOUNT = {Misbehaviour.LATE: "3", Misbehaviour.OFF_LATE: "30", Misbehaviour.HIGH: "20"}
_WHO = {"hub": ("supply", "probe"), "host": ("load", "probe", "relay")}
_FAULTS_OF = {
    "supply": tuple(one for one in Misbehaviour if one is not Misbehaviour.WRONG_CONTACT),
    "load": tuple(one for one in Misbehaviour if one not in (Misbehaviour.WRONG_CONTACT, Misbehaviour.OFF_LATE)),
    "probe": tuple(one for one in Misbehaviour if one.concerns in (Concerns.READING, Concerns.LINE)),
    "relay": (Misbehaviour.OFF_IGNORED, Misbehaviour.ON_IGNORED, Misbehaviour.GONE),
}


def instruments(under_test: str, model: str, latency_ms: float, fault: str = "") -> tuple[str, ...]:
    """Settings of a board with stand-ins: ``model`` of the supply, or of the load where a host is under test."""
    if under_test == "host":
        settings = [f"jig.stand_in.load={model}", "jig.stand_in.relay=scpi-relay"]
    else:
        settings = [f"jig.stand_in.supply={model}"]
    settings += ["jig.stand_in.probes=scpi-scanner", f"jig.stand_in.latency_ms={latency_ms:g}"]
    return (*settings, *([f'jig.stand_in.faults=["{fault}"]'] if fault else []))


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault of an instrument; ``part`` of the events that it concerns pass before it, from 0 up to 1."""

    who: str
    what: Misbehaviour
    part: float
    once: bool

    def among(self, count: int) -> str:
        """Its sentence, among so many events; empty where there is nothing to strike."""
        return "" if not count else sentence(self.who, self.what, 1 + int(self.part * count), self.once)


@dataclass(frozen=True, slots=True)
class FaultCase:
    """One check, on a good unit or on the bad one of that check, with one model of instruments, again and again."""

    check: Check
    bad: bool
    instrument: str
    """Model of the supply, or of the load where a host is under test."""
    strikes: tuple[tuple[Strike | str, float], ...]
    """Fault of an instrument (a sentence; empty: none) and latency of all (ms), of each time."""

    def __str__(self) -> str:
        return f"{self.check.id} on a {'bad' if self.bad else 'good'} unit, {self.instrument}"

    def find(self) -> list[ProofFinding]:
        """Run it. A bench that does not come up with these instruments, or does not go off, tests nothing.

        A fault that finds nothing to strike in this check has no finding.
        """
        expected = CheckVerdict.FAIL if self.bad else CheckVerdict.PASS
        faults = self._sentences()
        names = [f"{self}, {latency_ms:g} ms, {fault or 'no fault'}" for fault, latency_ms in faults]
        return [
            ProofFinding(name, expected, CheckVerdict.INCONCLUSIVE, str(one))
            if isinstance(one, CommsHubError)
            else ProofFinding(name, expected, one.verdict, one.why)
            for name, one in zip(names, self._results(faults), strict=True)
        ]

    def _sentences(self) -> list[tuple[str, float]]:
        drawn = [one for one in self.strikes if isinstance(one[0], Strike)]
        sound = instruments(self.check.under_test, self.instrument, _SOUND_MS)
        events = events_of(self.check, self._unit(), sound) if drawn else {}
        found = []
        for fault, latency_ms in self.strikes:
            told = fault if isinstance(fault, str) else fault.among(events.get((WHO[fault.who], fault.what.concerns), 0))
            if told or isinstance(fault, str):
                found.append((told, latency_ms))
        return found

    def _unit(self) -> Unit | HostCondition | None:
        if not self.bad:
            return None
        return BAD_HOSTS[self.check.id] if self.check.under_test == "host" else BAD_UNITS[self.check.id]()

    def _results(self, faults: Sequence[tuple[str, float]]) -> list[CheckResult | CommsHubError]:
        check = self.check
        boards = [instruments(check.under_test, self.instrument, latency_ms, fault) for fault, latency_ms in faults]
        if check.under_test == "hub":
            unit = BAD_UNITS[check.id]() if self.bad else Unit()
            if unit.firmware is Hub and unit.prepare is None:
                return run_exchanging(check, unit, boards)
        return [self._alone(board) for board in boards]

    def _alone(self, board: tuple[str, ...]) -> CheckResult | CommsHubError:
        try:
            return run_alone((self.check,), self._unit(), board)[0]
        except BoardError:  # of the proof, not of a bench
            raise
        except CommsHubError as trouble:  # loud: the run that meets this does not pass, whatever its checks say
            return trouble


def sentence(who: str, what: Misbehaviour, number: int, once: bool) -> str:
    """The sentence of a fault."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number not in (11, 12, 13) else 0, "th")
    return f"{who} {what.words.replace('{}', _AMOUNT.get(what, ''))} {'at' if once else 'from'} {number}{ending}"


def cases(seed: int, under_test: Sequence[str] = ("hub", "host"), *, covering: bool = False) -> list[FaultCase]:
    """Every check x fault x latency, once on its good unit and once on its bad unit. ``covering``: every check x fault once, its latency
    and its unit drawn.

    When a fault strikes, and on which model, is drawn from the seed.
    """
    drawn = random.Random(seed)
    checks = [check for kind in under_test for check in load_checks(kind)]
    if covering:
        return [case for check in checks for case in _each_fault_once(drawn, check)]
    return [case for check in checks for bad in (False, True) for case in _by_model(drawn, check, bad)]


def _faults(check: Check) -> list[tuple[str, Misbehaviour]]:
    return [(who, what) for who in _WHO[check.under_test] for what in _FAULTS_OF[who]]


def _struck(drawn: random.Random, who: str, what: Misbehaviour) -> Strike:
    return Strike(who, what, drawn.random(), drawn.random() < 0.5)


def _by_model(drawn: random.Random, check: Check, bad: bool) -> Iterator[FaultCase]:
    models = _MODELS[check.under_test]
    strikes: dict[str, list[tuple[Strike | str, float]]] = {model: [("", _SOUND_MS)] for model in models}
    for who, what in _faults(check):
        for latency_ms in LATENCIES_MS:
            fault = _struck(drawn, who, what)
            strikes[drawn.choice(models)].append((fault, latency_ms))
    for model in models:
        yield FaultCase(check, bad, model, tuple(strikes[model]))


def _each_fault_once(drawn: random.Random, check: Check) -> Iterator[FaultCase]:
    strikes: dict[tuple[bool, str], list[tuple[Strike | str, float]]] = {}
    for who, what in _faults(check):
        fault = _struck(drawn, who, what)
        group = strikes.setdefault((drawn.random() < 0.5, drawn.choice(_MODELS[check.under_test])), [])
        group.append((fault, drawn.choice(LATENCIES_MS)))
    for (bad, model), some in strikes.items():
        yield FaultCase(check, bad, model, tuple(some))
