"""A run as one HTML file and as JUnit."""

from __future__ import annotations

from pathlib import Path

import jinja2
import junitparser

from hil.report.ladder import arrows, draw_ladder
from hil.report.plots import draw
from hil.report.verdict import Run

PAGES = jinja2.PackageLoader("hil.report", "")
"""Templates of the reports, and the style that a narrow screen gives all of them."""


def write_html(run: Run, path: Path) -> None:
    """Write the report: verdicts, values, plots, ladder; one file that loads nothing."""
    environment = jinja2.Environment(loader=PAGES, autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.get_template("report.html.j2")
    began = run.records[0].time if run.records else 0.0
    path.write_text(
        template.render(
            run=run,
            passed=sum(step.verdict == "pass" for step in run.steps),
            total_ms=sum(step.ms for step in run.steps),
            plots=[draw(plot) for plot in run.plots],
            ladders=_ladders(run, began),
        ),
        encoding="utf-8",
    )


def _ladders(run: Run, began: float) -> list[tuple[str, str]]:
    """Title and drawing for each step in which something went from one lane to another."""
    found = [(step.name, arrows(run.records[slice(*step.records)], run.lanes)) for step in run.steps]
    return [(name, draw_ladder(hops, run.lanes, began=began, title=name)) for name, hops in found if hops]


def write_junit(run: Run, path: Path) -> None:
    """Write the steps as JUnit test cases, the facts as suite properties."""
    suite = junitparser.TestSuite(run.title)
    for name, value in run.facts.items():
        suite.add_property(name, str(value))
    for step in run.steps:
        case = junitparser.TestCase(step.name, classname=run.title.replace(" ", "_"), time=step.ms / 1000)
        if step.verdict == "skip":
            case.result = [junitparser.Skipped(step.why)]
        elif step.verdict != "pass":
            case.result = [junitparser.Failure(step.why or step.verdict)]
        suite.add_testcase(case)
    document = junitparser.JUnitXml()
    document.add_testsuite(suite)
    document.write(str(path), pretty=True)
