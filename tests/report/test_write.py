"""A run as HTML and JUnit: complete, self-contained, reproducible."""

from __future__ import annotations

import re
from pathlib import Path

import junitparser
import pytest

from firmware_emu.trace import Record
from hil.report.verdict import Plot, Run, Step
from hil.report.write import write_html, write_junit


@pytest.fixture
def run() -> Run:
    records = [
        Record(1, 10.0, "dcc", "gateway", "sent", target="chf", detail={"use_case": "ECS17b"}),
        Record(2, 10.2, "hub", "chf", "refused", target="esme", detail={"what": "not in the device log"}),
        Record(3, 10.3, "hub", "chf", "noted"),
    ]
    plot = Plot("Supply at the hub", "V", {"hub": [(0, 0), (1, 12), (2, 0)]}, marks=[(1.5, "AC Lost")])
    steps = [
        Step("boot", "pass", 12.5, {"state": "formed"}),
        Step("join <esme>", "fail", 3.0, why="refused at hop 2", records=(0, 3)),
    ]
    lanes = {"gateway": "DCC", "chf": "hub", "esme": "esme"}
    return Run("A home", {"board": "simulated", "seed": 7}, steps, records, [plot], ["profile-supplied: hold-up"], lanes)


@pytest.mark.requirement("SHP-01")
def test_the_page_shows_verdicts_values_plot_and_ladder_and_loads_nothing(run: Run, tmp_path: Path) -> None:
    write_html(run, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    steps, drawn = ("1 of 2 steps passed", "state = formed", "join &lt;esme&gt;", "refused at hop 2"), ("sent ECS17b", "AC Lost")
    for wanted in (*steps, *drawn, "profile-supplied"):
        assert wanted in page
    assert page.count("<svg") == 2
    assert not re.search(r'(src|href)="(?!#)', page)


def test_the_same_run_gives_the_same_page(run: Run, tmp_path: Path) -> None:
    write_html(run, tmp_path / "one.html")
    write_html(run, tmp_path / "two.html")
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_junit_holds_each_step_and_the_facts(run: Run, tmp_path: Path) -> None:
    write_junit(run, tmp_path / "junit.xml")
    (suite,) = junitparser.JUnitXml.fromfile(str(tmp_path / "junit.xml"))
    assert [case.name for case in suite] == ["boot", "join <esme>"]
    assert [bool(case.result) for case in suite] == [False, True]
    assert {item.name: item.value for item in suite.properties()} == {"board": "simulated", "seed": "7"}
