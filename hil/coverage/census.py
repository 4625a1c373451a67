"""Census of DUIS templates at homes: every template sent to a single element, a twin element and a polyphase home, and judged.

A template is judged by the services schedule (a service for the second element is for twin element meters, settings of single phases are
for polyphase meters) and by the reference response of the same stem, where the folder of reference messages is given.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from firmware_emu.board import Board
from firmware_emu.gbcs.envelope import Message
from hil.coverage.check import RESPONSE_SUFFIX
from hil.coverage.lived_home import HomePlan, LivedHome, make_home, templates_in_order
from hil.dcc.base.results import Outcome, Verdict, judge
from hil.dcc.base.services import schedule
from hil.dcc.duis import ServiceRequest, read_request
from hil.dcc.duis.request import SERVICE_NAMESPACE
from hil.dcc.transform.check import reference_devices
from hil.devices.esme.variant import VARIANTS, EsmeVariant


class CensusFinding(StrEnum):
    """Fate of a template; the order is that of the table."""

    VERIFIED = "verified"
    DEVICE_SAYS_NO = "Device says no"
    REFUSED_RIGHTLY = "refused rightly"
    REFUSED_WRONGLY = "refused wrongly"
    ANSWERED_WRONGLY = "answered wrongly"
    NOT_AT_HOME = "not at this home"


WRONG = frozenset({CensusFinding.REFUSED_WRONGLY, CensusFinding.ANSWERED_WRONGLY})
_ANSWERED = {
    Verdict.SUCCESS: CensusFinding.VERIFIED,
    Verdict.RETURNED: CensusFinding.VERIFIED,
    Verdict.FAILED: CensusFinding.DEVICE_SAYS_NO,
}


@dataclass(frozen=True, slots=True)
class CensusRow:
    """A template at a home: ``why`` says what the DCC or the Device said, ``expected`` what it should have, where that is another."""

    home: str
    stem: str
    service: str
    finding: CensusFinding
    why: str
    expected: str = ""


@dataclass
class Census:
    """Rows of every home."""

    rows: list[CensusRow] = field(default_factory=list)

    def table(self) -> dict[str, dict[str, int]]:
        """Counts by home and finding."""
        homes = dict.fromkeys(row.home for row in self.rows)
        return {
            home: {one.value: sum(row.home == home and row.finding is one for row in self.rows) for one in CensusFinding} for home in homes
        }

    @property
    def wrong(self) -> list[CensusRow]:
        """The rows that are not as they should be."""
        return [row for row in self.rows if row.finding in WRONG]

    def as_json(self) -> dict[str, object]:
        """Table and rows."""
        return {"table": self.table(), "rows": [asdict(row) for row in self.rows]}


def take_census(
    templates: Path,
    board: Board,
    *,
    references: Path | None = None,
    variants: Mapping[str, EsmeVariant] = VARIANTS,
    told: Callable[[str, int, int], None] = lambda home, done, of: None,
) -> Census:
    """Send every template of a folder to a home of each variant. ``told`` hears of progress: home, templates done, of how many.

    Raises NotAvailable, KeystoreError, RequestError."""
    census, plan, files = Census(), HomePlan.of(board), templates_in_order(templates)
    failures = set() if references is None else _failures(references)
    for name, variant in variants.items():
        with tempfile.TemporaryDirectory() as folder:
            home = make_home(plan, variant, Path(folder), templates)
            home.clock.run(_at_home(census, name, home, files, failures, told))
    return census


def _failures(references: Path) -> set[str]:
    """Stems whose reference response tells of a failure."""
    found = set()
    for path in references.rglob(f"*{RESPONSE_SUFFIX}"):
        if not judge(Message.decode(bytes.fromhex(path.read_text(encoding="ascii").strip()))).done:
            found.add(path.name.removesuffix(RESPONSE_SUFFIX))
    return found


async def _at_home(
    census: Census, name: str, home: LivedHome, files: Mapping[str, bytes], failures: set[str], told: Callable[[str, int, int], None]
) -> None:
    await home.start()
    try:
        emergency = {one: await _in_prepayment(home, one, files) for one, template in files.items() if _service(template) == "2.5"}
        for number, (stem, template) in enumerate(files.items(), 1):
            request = read_request(template)
            target, service = request.request_id.target, request.service_reference_variant
            here = home.plan.names.get(target, target)
            if target in reference_devices() and here not in home.devices:
                why = f"this home has no {home.types[here].name} such as {target}"
                census.rows.append(CensusRow(name, stem, service, CensusFinding.NOT_AT_HOME, why))
            else:
                outcome = emergency.get(stem) or await home.perform(template)
                no = _no(request, home.variant) or ("the reference response tells of a failure" if stem in failures else "")
                census.rows.append(_judged(name, stem, outcome, no))
            told(name, number, len(files))
    finally:
        await home.close()


def _service(template: bytes) -> str:
    return read_request(template).service_reference


async def _in_prepayment(home: LivedHome, name: str, files: Mapping[str, bytes]) -> Outcome:
    """Emergency credit is for meters in prepayment mode: they are taken there, and back."""
    target = read_request(files[name]).request_id.target
    modes = [one for one in files.values() if _service(one) == "1.6" and read_request(one).request_id.target == target]
    there, back = ([one for one in modes if mode in one] for mode in (b"Prepayment", b"Credit"))
    for mode in there[:1]:
        await home.perform(mode, now=True)
    outcome = await home.perform(files[name])
    for mode in back[:1]:
        await home.perform(mode, now=True)
    return outcome


def _no(request: ServiceRequest, variant: EsmeVariant) -> str:
    """Reason why a home's meter must not do the service, nothing where it must."""
    service = schedule()[request.service_reference_variant]
    if "Secondary Element" in service.name and variant.elements == 1:
        return f"{service.name} is for a twin element meter"
    if request.body.find(f".//{{{SERVICE_NAMESPACE}}}PolyPhaseVoltageSettings") is not None and variant.phases == 1:
        return "settings of single phases are for a polyphase meter"
    return ""


def _judged(home: str, name: str, outcome: Outcome, no: str) -> CensusRow:
    finding = _ANSWERED.get(outcome.verdict)
    if finding is None:
        finding = CensusFinding.REFUSED_RIGHTLY if no else CensusFinding.REFUSED_WRONGLY
    elif (finding is CensusFinding.VERIFIED) is bool(no):
        finding = CensusFinding.ANSWERED_WRONGLY
    expected = (no or "it succeeds") if finding in WRONG else no
    return CensusRow(home, name, outcome.variant, finding, outcome.why, expected)
