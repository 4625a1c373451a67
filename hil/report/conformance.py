"""A conformance run as data, as one HTML page and as JUnit's neighbour: ``report.json`` is the record, the page is drawn from it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, TypedDict

import jinja2

from firmware_emu.errors import CommsHubError, NotAvailable
from hil.report.measurements import figure, is_open
from hil.report.pictures import PictureRow
from hil.report.plots import draw
from hil.report.run_log import NAME as LOG
from hil.report.run_log import check_log
from hil.report.verdict import Plot
from hil.report.write import PAGES

FORMAT = "commshub conformance run 1"
_MOST_POINTS = 600
VERDICTS = ("pass", "fail", "indeterminate", "inconclusive", "not tested", "not applicable")


class CheckRow(TypedDict):
    """One check as recorded. ``limit`` is text as ``>= 10.8``; ``value`` and ``margin`` are None where nothing was measured.

    ``u`` is the expanded uncertainty of the value (k = 2), None where it is exact or nobody states one; ``basis`` says which.
    """

    id: str
    group: str
    chapter: str
    title: str
    verdict: str
    value: float | None
    limit: str
    unit: str
    u: float | None
    basis: str
    outcome: str
    margin: float | None
    source: str
    requirement: list[str]
    profile_supplied: bool
    limit_sources: list[str]
    why: str
    round: int
    waveform: list[list[float]]
    waveform_at: str
    """Place where these volts were."""


class LimitRow(TypedDict):
    """One value of the profile."""

    key: str
    value: float | str
    unit: str
    source: str
    confidence: str


class RunRecord(TypedDict):
    """``report.json``. Only ``when`` differs between two runs of the same bench, board, seed and firmware."""

    format: str
    verdict: str
    facts: dict[str, str]
    profile: list[LimitRow]
    not_measured: list[str]
    simulated: bool
    about: dict[str, str]
    """Unit under test, operator, place, environment: what no instrument tells."""
    deviations: list[str]
    attachments: list[str]
    """Name and SHA-256 of each file."""
    pictures: list[PictureRow]
    checks: list[CheckRow]
    not_tested: list[str]
    problems: list[str]
    when: dict[str, str]


def run_verdict(checks: Sequence[CheckRow], problems: Sequence[str], *, left_on: bool = False) -> str:
    """``pass`` only where every check passed and nothing went wrong beside them; ``fail`` for a bench that may be left on, too."""
    verdicts = {row["verdict"] for row in checks}
    if "fail" in verdicts or left_on:
        return "fail"
    return "pass" if "pass" in verdicts and verdicts <= {"pass", "not applicable"} and not problems else "inconclusive"


def write_record(record: RunRecord, folder: Path) -> None:
    """Write ``report.json`` and ``report.html``."""
    (folder / "report.json").write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    (folder / "report.html").write_text(render(record), encoding="utf-8")


def cross_check(folder: Path) -> list[str]:
    """Places in which page, record and log of a run do not say the same."""
    record = read_record(folder)
    verdicts = {f"{row['id']}-{row['round']}": row["verdict"] for row in record["checks"]}
    problems = []
    page = folder / "report.html"
    if page.is_file():
        shown = dict(re.findall(r'<tr id="([^"]+)" data-verdict="([^"]+)"', page.read_text(encoding="utf-8")))
        problems += [
            f"report.html and report.json differ about {name}"
            for name in sorted(verdicts.keys() | shown)
            if verdicts.get(name) != shown.get(name)
        ]
    log = folder / LOG
    return problems + (check_log(log, verdicts) if log.is_file() else [])


def headline(record: RunRecord) -> str:
    """The sentence that a reader must know before any verdict: whether a unit was tested at all, and whose limits these are."""
    limits = [row for row in record["profile"] if row["unit"] != "text"]
    own = sum(row["source"] == "profile" for row in limits)
    what = "Simulated: no unit was tested. " if record["simulated"] else ""
    return f"{what}{own} of {len(limits)} limits are profile-supplied: a pass says within that profile, not conforming to ICHIS."


def read_record(place: Path) -> RunRecord:
    """The record of a run's folder, or of the file. Raises NotAvailable for a place without one."""
    path = place / "report.json" if place.is_dir() else place
    try:
        record: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as wrong:
        raise NotAvailable(f"the report in {place}", f"{wrong.strerror}: give the folder of a conformance run") from wrong
    except ValueError as wrong:
        raise CommsHubError(f"{path}: not a report: {wrong}") from wrong
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise CommsHubError(f"{path}: expected a report of format {FORMAT!r}")
    return record  # type: ignore[return-value]


def render(record: RunRecord) -> str:
    """The page. The same record gives the same page."""
    environment = jinja2.Environment(loader=PAGES, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["figure"] = figure
    environment.tests["open"] = is_open
    template = environment.get_template("conformance.html.j2")
    groups: dict[str, list[CheckRow]] = {}
    for row in record["checks"]:
        groups.setdefault(row["group"], []).append(row)
    counts = {verdict: sum(row["verdict"] == verdict for row in record["checks"]) for verdict in VERDICTS}
    by_chapter = {
        chapter: {verdict: sum(row["verdict"] == verdict for row in record["checks"] if row["chapter"] == chapter) for verdict in VERDICTS}
        for chapter in ("physical", "electrical", "data")
    }
    plots = {f"{row['id']}-{row['round']}": _plot(row) for row in record["checks"] if len(row["waveform"]) > 1}
    measured = (row for row in record["checks"] if row["margin"] is not None and row["u"] is not None and not is_open(row["value"]))
    tightest = sorted(measured, key=_tightness)[:8]
    return template.render(
        run=record, groups=groups, counts=counts, chapters=by_chapter, plots=plots, tightest=tightest, headline=headline(record)
    )


def _tightness(row: CheckRow) -> float:
    """Margin in parts of the reading, of readings that are analogue: a count is at its limit or is not."""
    return (row["margin"] or 0.0) / max(abs(row["value"] or 0.0), 1e-6)


def _plot(row: CheckRow) -> str:
    points = [(when, volts) for when, volts in row["waveform"]]
    kept = f", from {points[0][0]:.0f} s on" if points[0][0] >= 1 else ""  # who recorded it kept no more
    title = f"{row['id']} round {row['round']}: volts {row['waveform_at']}{kept}"
    return draw(Plot(title, "V", {"hub": points}), width_in=7.2, height_in=1.7)


def thinned(points: Sequence[tuple[float, float]]) -> list[list[float]]:
    """At most 600 points, ends and turns kept, rounded to what a plot shows."""
    rounded = [[round(when, 4), round(volts, 3)] for when, volts in points]
    kept = [
        point
        for index, point in enumerate(rounded)
        if index in (0, len(rounded) - 1) or not (rounded[index - 1][1] == point[1] == rounded[index + 1][1])
    ]
    step = max(1, -(-len(kept) // _MOST_POINTS))
    return kept[::step] + ([kept[-1]] if kept and (len(kept) - 1) % step else [])


def digest(value: Mapping[str, object] | Sequence[object]) -> str:
    """SHA-256 of a value's canonical JSON, hex."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def source_digest(*packages: str) -> str:
    """SHA-256 over names and contents of every source and data file of installed packages, hex: the identity of this firmware."""
    state = hashlib.sha256()
    for package in packages:
        root = Path(str(resources.files(package)))
        for path in sorted(root.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                state.update(str(path.relative_to(root)).encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return state.hexdigest()
