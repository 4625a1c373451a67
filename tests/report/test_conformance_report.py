"""The conformance report: signed, comparable, reproducible, readable in a browser and on paper."""

from __future__ import annotations

import base64
import copy
import hashlib
import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import ExifTags, Image

from firmware_emu.errors import BoardError, CommsHubError, KeystoreError, NotAvailable
from hil.commands.ichis_check import check as check_command
from hil.commands.report import report
from hil.report.compare import compare, facts_moved
from hil.report.conformance import RunRecord, cross_check, read_record, render, run_verdict, thinned, write_record
from hil.report.measurements import Bounds, CheckVerdict, DecisionRule, Quantity, Rule
from hil.report.pictures import picture
from hil.report.run_log import RunLog, check_log
from hil.report.signature import bench_key, fingerprint, sign, verify
from ichis.measuring.reading import Basis, Plain, Reading
from tests.patience import PATIENCE_S
from tests.report.conformance_rows import row


def test_a_verdict_and_a_margin_follow_from_declared_bounds() -> None:
    quantity = Quantity("current", "A", Bounds(high=0.6))
    assert quantity.judge(0.6).verdict is CheckVerdict.PASS
    assert quantity.judge(0.61).verdict is CheckVerdict.FAIL
    assert quantity.judge(0.5).margin == pytest.approx(0.1)
    assert Quantity("count", "", Bounds(1, 1)).judge(2).margin == -1
    assert str(Bounds(1, 1)) == "= 1"
    assert str(Bounds(1, 2)) == "1 .. 2"
    for low, high in ((None, None), (2, 1)):
        with pytest.raises(ValueError, match=r"bounds|above"):
            Bounds(low, high)


def test_a_run_passes_only_when_everything_did(record: RunRecord) -> None:
    passed = [check for check in record["checks"] if check["verdict"] == "pass"]
    assert run_verdict(passed, []) == "pass"
    assert run_verdict(passed, ["the supply"]) == "inconclusive"
    assert run_verdict(record["checks"], []) == "fail"
    assert run_verdict([], []) == "inconclusive"


@pytest.mark.requirement("ICH-09")
@pytest.mark.requirement("ICH-12")
def test_the_page_holds_verdicts_sources_and_waveforms_and_loads_nothing(record: RunRecord) -> None:
    page = render(record)
    said = ("SST-13", "measured 2.5 A", "not tested: the supply", "&lt;does&gt;", "not a limit of ICHIS", "envelope_mm", "inconclusive")
    for wanted in said:
        assert wanted in page
    assert page.count("<svg") == 13
    assert 'aria-label="SST-01 round 1: volts at the hub\'s pins"' in page
    assert 'aria-label="SST-02 round 1: volts at the hub\'s pins, from 300 s on"' in page
    assert not re.search(r'(src|href)="(?!#)', page)
    assert "http://" not in re.sub(r'xmlns(:xlink)?="[^"]+"', "", page)


def test_what_has_no_figure_is_told_in_words_with_no_margin_and_a_group_keeps_its_capitals(record: RunRecord) -> None:
    record["checks"] = [row("RES-01", 1e9, unit="ohm", u=1.2e7, margin=9.99e8, limit=">= 1e+06", group="AC Lost and more")]
    page = render(record)
    assert '<td class="n" data-is="value">open</td>' in page
    for wrong in ("e+09", "e+08", "e+07", "open ohm", "Ac lost"):
        assert wrong not in page
    assert "<h2>AC Lost and more</h2>" in page


def test_two_reports_of_one_record_are_alike_to_the_octet(record: RunRecord, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_record(copy.deepcopy(record), tmp_path / name)
    for file in ("report.html", "report.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    assert read_record(tmp_path / "one") == record


def test_a_signed_run_verifies_until_anything_in_it_changes(record: RunRecord, tmp_path: Path) -> None:
    write_record(record, tmp_path)
    (tmp_path / "junit.xml").write_text("<testsuites/>")
    key = bench_key(tmp_path / "keys" / "bench.pem")
    assert (tmp_path / "keys" / "bench.pem").stat().st_mode & 0o777 == 0o600
    assert bench_key(tmp_path / "keys" / "bench.pem").public_key() == key.public_key()
    sign(tmp_path, key)
    checked = verify(tmp_path)
    assert checked.problems == ()
    assert checked.files == ("junit.xml", "report.html", "report.json")
    runner = CliRunner()
    assert runner.invoke(report, ["verify", str(tmp_path), "--fingerprint", checked.fingerprint]).exit_code == 0
    assert runner.invoke(report, ["verify", str(tmp_path), "--fingerprint", "00"]).exit_code == 1
    page = tmp_path / "report.html"
    page.write_text(page.read_text().replace(">fail<", ">pass<"))
    assert verify(tmp_path).problems == ("report.html is not what was signed",)
    said = runner.invoke(report, ["verify", str(tmp_path), "--json"])
    assert said.exit_code == 1
    assert json.loads(said.output)["valid"] is False


def test_a_point_of_a_waveform_that_is_changed_and_a_waveform_that_is_put_in_show(record: RunRecord, tmp_path: Path) -> None:
    write_record(record, tmp_path)
    courses = tmp_path / "waveforms"
    courses.mkdir()
    (courses / "SST-01-1.csv").write_text("seconds,volts\n0.000000,12.000000\n")
    sign(tmp_path, bench_key(tmp_path / "keys" / "bench.pem"))
    assert verify(tmp_path).problems == ()
    (courses / "SST-02-1.csv").write_text("seconds,volts\n")
    assert verify(tmp_path).problems == ("waveforms/SST-02-1.csv is not signed",)
    (courses / "SST-01-1.csv").write_text("seconds,volts\n0.000000,12.500000\n")
    assert "waveforms/SST-01-1.csv is not what was signed" in verify(tmp_path).problems


def test_a_signature_cannot_be_moved_to_other_files_or_keys(record: RunRecord, tmp_path: Path) -> None:
    write_record(record, tmp_path)
    sign(tmp_path, bench_key(tmp_path / "a.pem"))
    statement = json.loads((tmp_path / "report.sig").read_text())
    (tmp_path / "report.html").write_text("other")
    statement["files"]["report.html"] = hashlib.sha256(b"other").hexdigest()
    (tmp_path / "report.sig").write_text(json.dumps(statement))
    assert verify(tmp_path).problems == ("the signature does not hold",)
    statement["files"]["../../etc/passwd"] = "00"
    (tmp_path / "report.sig").write_text(json.dumps(statement))
    assert "../../etc/passwd is not there" in verify(tmp_path).problems
    (tmp_path / "trace.jsonl").write_text("{}\n")
    assert "trace.jsonl is not signed" in verify(tmp_path).problems


@pytest.mark.parametrize("text", ["", "{}", '{"public_key": "x"}', "[]"])
def test_what_is_no_signature_or_no_report_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(NotAvailable):
        verify(tmp_path)
    with pytest.raises(NotAvailable):
        read_record(tmp_path)
    (tmp_path / "report.sig").write_text(text)
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(KeystoreError):
        verify(tmp_path)
    with pytest.raises(CommsHubError):
        read_record(tmp_path)
    (tmp_path / "k.pem").write_text("no key")
    with pytest.raises(KeystoreError):
        bench_key(tmp_path / "k.pem")


def test_a_comparison_shows_verdicts_values_and_facts_that_moved(record: RunRecord, tmp_path: Path) -> None:
    later = copy.deepcopy(record)
    later["checks"][0]["value"] = 0.2
    later["checks"][1]["verdict"] = "fail"
    later["checks"].pop()
    later["facts"]["board"] = "other"
    moved = {(item.id, item.what): (item.before, item.after) for item in compare(record, later)}
    assert moved == {
        ("SST-01", "value"): ("0.1 A", "0.2 A"),
        ("SST-02", "verdict"): ("pass", "fail"),
        ("SST-14", "only in one run"): ("inconclusive", "not there"),
    }
    assert facts_moved(record, later) == {"board": ("simulated", "other")}
    for name, made in (("one", record), ("two", later)):
        (tmp_path / name).mkdir()
        write_record(made, tmp_path / name)
    runner = CliRunner()
    said = runner.invoke(report, ["diff", str(tmp_path / "one"), str(tmp_path / "two")])
    assert said.exit_code == 1
    assert "SST-02 verdict: pass -> fail" in said.output
    assert runner.invoke(report, ["diff", str(tmp_path / "one"), str(tmp_path / "one")]).exit_code == 0
    assert json.loads(runner.invoke(report, ["diff", str(tmp_path / "one"), str(tmp_path / "two"), "--json"]).output)["moved"]
    assert "SST-13" in runner.invoke(report, ["show", str(tmp_path / "one")]).output


def test_a_long_waveform_is_thinned_to_its_turns() -> None:
    flat = [(index / 10, 12.0) for index in range(5000)]
    assert len(thinned(flat)) == 2
    jagged = [(index / 10, float(index % 7)) for index in range(5000)]
    assert len(thinned(jagged)) <= 602
    assert thinned(jagged)[-1] == [499.9, float(4999 % 7)]


CHROMIUM = shutil.which("chromium")


def chromium(tmp_path: Path, *options: str) -> str:
    assert CHROMIUM is not None
    done = subprocess.run(
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            f"--user-data-dir={tmp_path / 'browser'}",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            *options,
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr[-1000:]
    return done.stdout


PROBE = """<script>
window.addEventListener("load", () => {
  const wide = [...document.querySelectorAll("table, svg, .facts, .cards")].filter(e => e.getBoundingClientRect().right > innerWidth + 1);
  const cells = [...document.querySelectorAll("td, th")].filter(e => e.scrollWidth > e.clientWidth + 1);
  const flat = [...document.querySelectorAll("svg")].filter(e => e.getBoundingClientRect().height < 60);
  document.title = JSON.stringify({wide: wide.length, cells: cells.map(e => e.textContent.slice(0, 30)), flat: flat.length,
    plots: document.querySelectorAll("svg").length, verdicts: document.querySelectorAll("td.pass, td.fail, td.inconclusive").length,
    loaded: performance.getEntriesByType("resource").length, page: innerWidth});
});
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: apt install chromium")
@pytest.mark.parametrize(("view", "width"), [("screen", 1200), ("narrow", 700), ("print", 703)])
def test_a_real_browser_shows_plots_and_verdicts_and_cuts_no_table(view: str, width: int, record: RunRecord, tmp_path: Path) -> None:
    page = render(record)
    if view == "print":  # the rules for paper, on a window as wide as the printed part of A4 at 96 dots an inch
        assert "@media print {" in page
        page = page.replace("@media print {", "@media all {")
    file = tmp_path / f"{view}.html"
    file.write_text(page.replace("</head>", PROBE + "</head>"))
    read = chromium(tmp_path, f"--window-size={width},1600", "--virtual-time-budget=3000", "--dump-dom", file.as_uri())
    found = re.search(r"<title>(\{.*?\})</title>", read)
    assert found is not None
    seen = json.loads(found.group(1).replace("&quot;", '"').replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&"))
    assert seen["page"] <= width
    assert (seen["wide"], seen["cells"], seen["flat"], seen["loaded"]) == (0, [], 0, 0)
    assert seen["plots"] == 13
    assert seen["verdicts"] == 14


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: apt install chromium")
def test_the_screenshot_and_the_printed_pages_are_artefacts(record: RunRecord, tmp_path: Path, record_property: object) -> None:
    write_record(record, tmp_path)
    page = (tmp_path / "report.html").as_uri()
    chromium(tmp_path, "--window-size=1200,2400", f"--screenshot={tmp_path / 'report.png'}", page)
    chromium(tmp_path, f"--print-to-pdf={tmp_path / 'report.pdf'}", "--no-pdf-header-footer", page)
    shot, paper = (tmp_path / "report.png").read_bytes(), (tmp_path / "report.pdf").read_bytes()
    assert shot.startswith(b"\x89PNG")
    assert len(shot) > 50_000
    assert paper.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) >= 3
    assert callable(record_property)
    record_property("artefact", str(tmp_path / "report.png"))
    record_property("artefact", str(tmp_path / "report.pdf"))


def test_a_run_that_was_changed_and_signed_again_does_not_verify(
    record: RunRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = tmp_path / "run"
    folder.mkdir()
    write_record(record, folder)
    log = RunLog(folder / "log.jsonl")
    for check in record["checks"]:
        log.note("result", check=check["id"], round=1, verdict=check["verdict"])
    own = bench_key(tmp_path / "own.pem")
    sign(folder, own)
    runner, mark = CliRunner(), fingerprint(own.public_key())
    unknown = runner.invoke(report, ["verify", str(folder)])
    assert unknown.exit_code == 1
    assert "does not know" in unknown.output
    assert runner.invoke(report, ["trust", mark, "bench one"]).exit_code == 0
    known = runner.invoke(report, ["verify", str(folder)])
    assert known.exit_code == 0
    assert "signed by bench one" in known.output
    forged = copy.deepcopy(record)
    forged["checks"][12]["verdict"] = "pass"
    write_record(forged, folder)
    sign(folder, bench_key(tmp_path / "forger.pem"))
    said = runner.invoke(report, ["verify", str(folder)])
    assert said.exit_code == 1
    assert "does not know" in said.output
    assert "log.jsonl and report.json differ about SST-13-1" in said.output
    assert runner.invoke(report, ["verify", str(folder), "--any-signer"]).exit_code == 1


def test_page_and_record_must_tell_the_same_verdicts_and_the_log_must_chain(record: RunRecord, tmp_path: Path) -> None:
    write_record(record, tmp_path)
    assert cross_check(tmp_path) == []
    page = tmp_path / "report.html"
    page.write_text(page.read_text().replace('data-verdict="fail"', 'data-verdict="pass"'))
    assert cross_check(tmp_path) == ["report.html and report.json differ about SST-13-1"]
    write_record(record, tmp_path)
    log = RunLog(tmp_path / "log.jsonl")
    log.note("began")
    log.note("result", check="SST-01", round=1, verdict="pass")
    assert cross_check(tmp_path) == []
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    (tmp_path / "log.jsonl").write_text(lines[1] + "\n")
    assert "log.jsonl line 1 does not follow the one before it" in cross_check(tmp_path)


@pytest.mark.parametrize("line", [b"[1]", b'"text"', b"{", b"\xff\xfe", b'{"what": "result"}', b"1" * 5000])
def test_a_log_in_which_a_line_is_anything_is_told_and_no_traceback(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "log.jsonl").write_bytes(line + b"\n")
    assert check_log(tmp_path / "log.jsonl", {}) in (
        ["log.jsonl line 1 is no JSON object"],
        ["log.jsonl line 1 does not follow the one before it"],
    )


def test_a_photograph_is_shown_upright_and_scaled_and_tells_no_place(tmp_path: Path, record: RunRecord) -> None:
    taken, told = Image.new("RGB", (4000, 1000), "green"), Image.Exif()
    told[ExifTags.Base.Orientation] = 6  # held upright: the first row is the right side
    told[ExifTags.Base.Artist] = "somebody"
    taken.save(tmp_path / "unit.jpg", exif=told)
    shown = picture(tmp_path / "unit.jpg", "the unit under test", "report.photograph")
    with Image.open(io.BytesIO(base64.b64decode(shown["jpeg"]))) as opened:
        assert opened.size == (320, 1280)
        assert dict(opened.getexif()) == {}
    assert shown["sha256"] == hashlib.sha256((tmp_path / "unit.jpg").read_bytes()).hexdigest()
    record["pictures"] = [shown]
    page = render(record)
    assert f'<img src="data:image/jpeg;base64,{shown["jpeg"]}" alt="the unit under test">' in page
    assert "unit.jpg" in page


def test_a_photograph_that_is_not_there_or_shows_nothing_is_refused_before_the_run_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHUB_RUNS", str(tmp_path / "runs"))
    (tmp_path / "text.jpg").write_text("no picture")
    for setting, problem in (
        (f"report.photograph={tmp_path}/nowhere.jpg", r"nowhere\.jpg: report\.photograph: No such file"),
        (f"report.photograph={tmp_path}/text.jpg", r"text\.jpg: report\.photograph: is no picture"),
        (f'report.attachments=["{tmp_path}/nowhere.csv"]', r"nowhere\.csv: report\.attachments: No such file"),
    ):
        with pytest.raises(BoardError, match=problem) as refused:
            CliRunner().invoke(check_command, ["--select", "MAT-01", "--set", setting], catch_exceptions=False)
        assert "\n" not in str(refused.value)
        assert list((tmp_path / "runs").iterdir()) == []


def test_the_headline_says_that_nothing_was_tested_and_whose_limits_these_are(record: RunRecord) -> None:
    page = render(record)
    assert "Simulated: no unit was tested. 36 of 36 limits are profile-supplied" in page
    record["simulated"] = False
    assert "no unit was tested. 36" not in render(record)


@pytest.mark.parametrize(
    ("value", "rule", "outcome", "verdict"),
    [
        (Reading(0.5, 0.05, Basis.DATASHEET), DecisionRule(), "pass", CheckVerdict.PASS),
        (Reading(0.58, 0.05, Basis.DATASHEET), DecisionRule(), "conditional pass", CheckVerdict.INDETERMINATE),
        (Reading(0.62, 0.05, Basis.DATASHEET), DecisionRule(), "conditional fail", CheckVerdict.INDETERMINATE),
        (Reading(0.7, 0.05, Basis.DATASHEET), DecisionRule(), "fail", CheckVerdict.FAIL),
        (Reading(0.58, 0.05, Basis.DATASHEET), DecisionRule(Rule.SIMPLE), "pass", CheckVerdict.PASS),
        (Reading(0.58, 0.05, Basis.DATASHEET), DecisionRule(factor=0.1), "pass", CheckVerdict.PASS),
        (Reading(0.58, 0.0, Basis.NONE), DecisionRule(), "pass", CheckVerdict.PASS),
        (Plain(False, "it never came"), DecisionRule(), "fail", CheckVerdict.FAIL),
    ],
)
def test_the_decision_rule_makes_pass_fail_or_indeterminate_of_a_reading(
    value: Reading | Plain, rule: DecisionRule, outcome: str, verdict: CheckVerdict
) -> None:
    found = Quantity("current", "A", Bounds(high=0.6)).judge(value, rule)
    assert (found.outcome, found.verdict) == (outcome, verdict)
