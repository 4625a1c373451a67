"""The bench from Python: both forms, time, sessions that repeat and are saved, runs that are compared, ladders."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_emu.cli import chub
from firmware_emu.clock import Clock
from firmware_emu.console import Bench, BlockingBench, Result
from firmware_emu.console.nouns.time import set_pace
from firmware_emu.console.records import read_trace
from firmware_emu.console.saving import as_test
from firmware_emu.errors import BoardError, NotAvailable
from hil.console.diff import RunDifference, compare
from hil.console.ladder_text import LadderText
from hil.report.ladder import Arrow

_TERMINAL = re.compile(r"/dev/pts/\d+")


def session(seed: int) -> tuple[list[str], Path]:
    """A session's trace and the folder of its run."""
    with Bench.open("simulated", seed=seed, faults=["han drop 10% to gsme"]) as bench:
        bench.hub.form()
        bench.esme.add()
        bench.gsme.add()
        bench.go("1h")
        bench.dcc.read("esme")
        return [_TERMINAL.sub("", record.as_json()) for record in bench.records], bench.folder


@pytest.fixture(scope="module")
def once() -> tuple[list[str], Path]:
    return session(7)


def test_one_seed_gives_one_session_and_another_gives_another(once: tuple[list[str], Path]) -> None:
    assert session(7)[0] == once[0]
    assert session(8)[0] != once[0]


@pytest.mark.requirement("CH-34")
async def test_a_program_awaits_the_same_verbs_on_any_loop() -> None:
    async with Bench.open("simulated", seed=7) as bench:
        formed = await bench.hub.form()
        assert formed["channel"] == 20
        assert (await bench.esme.add())["status"] == "Commissioned"
        assert (await bench.say("dcc read esme; esme status"))["at the DCC"] == "Commissioned"
        assert (await bench.han.read("esme", "Basic.manufacturer_name"))["value"]
        assert (await bench.han.send("esme", "Tunneling.CloseTunnel", tunnel=0)).said
        answer = await bench.esme.send("Tunneling.GetSupportedTunnelProtocols", offset="0")
        assert answer["protocol"] == "6"


def test_the_result_is_the_same_for_people_and_for_programs(home: BlockingBench) -> None:
    status = home.hub.status()
    assert isinstance(status, Result)
    assert status.as_json()["values"]["channel"] == status["channel"] == 20
    assert "channel" in repr(status)
    listed = home.hub.log()
    assert listed.as_json()["rows"][0]["Device"] == "esme"
    assert all(key not in repr(listed) for key in home.call(lambda station: [one.hex() for one in station.han_keys().values()]))


def test_values_may_be_words_or_values(home: BlockingBench) -> None:
    before = home.clock.now()
    home.go("10s")
    home.go(10)
    home.time.go(span="10s")
    assert home.clock.now() - before == pytest.approx(30, abs=0.1)


def test_bench_time_stands_still_while_nothing_is_asked(home: BlockingBench) -> None:
    before = home.clock.now()
    home.trace.show(3)
    home.why()
    home.hub.status()
    assert home.clock.now() == before


def test_time_is_set_forward_and_passes_what_is_due_on_the_way(home: BlockingBench) -> None:
    now = home.clock.datetime().replace(microsecond=0)
    later = now.replace(hour=(now.hour + 1) % 24)
    home.time.set(later.isoformat())
    assert home.clock.datetime().replace(microsecond=0) == later


def test_until_waits_for_an_alert_by_its_code_and_says_no_when_it_does_not_come() -> None:
    with Bench.open("simulated", seed=5) as bench:
        bench.hub.form()
        bench.esme.add()
        assert not bench.until("alert", "8F36", within="5m")
        bench.jig.mains("off")
        bench.go("200s")
        bench.jig.mains("on")
        came = bench.until("alert", "8F36", within="5m")
        assert came.ok
        assert came["code"] == "8F36"
        assert str(came["record"]).startswith("@")
        assert bench.until("alert", "0x8f36", within="1s").ok is False


def test_a_clock_changes_its_pace_and_the_time_outside_while_it_warped_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(warp=True)
    before, outside = clock.now(), time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: outside + 1000)
    set_pace(clock, 100.0)
    assert clock.now() - before < 1
    monkeypatch.setattr(time, "monotonic", lambda: outside + 1002)
    assert clock.now() - before == pytest.approx(200, abs=1)
    assert (clock.warp, clock.speed) == (False, 100.0)
    set_pace(clock, None)
    assert clock.warp


def test_the_speed_is_a_verb(home: BlockingBench) -> None:
    assert home.speed("1000").said.endswith("1000 times as fast as outside")
    home.go("1s")
    assert home.speed("warp").said.endswith("time stands still until asked")


def test_a_bench_that_cannot_be_opened_says_why() -> None:
    with pytest.raises(BoardError), Bench.open("simulatde"):
        pass


def test_a_verb_that_is_not_there_is_named_with_those_that_are(home: BlockingBench) -> None:
    with pytest.raises(AttributeError, match="hub has no verb 'from_': form, status"):
        home.hub.from_  # noqa: B018
    with pytest.raises(AttributeError, match="the bench has no 'gsm': "):
        home.gsm  # noqa: B018
    assert {"form", "status"} <= set(dir(home.hub))
    assert {"dcc", "go", "why"} <= set(dir(home))


def test_a_session_is_saved_as_a_test_that_says_the_same(tmp_path: Path) -> None:
    with Bench.open("simulated", seed=9, faults=["wan delay 10ms"]) as bench:
        bench.hub.form()
        bench.esme.add()
        bench.why()
        assert not bench.dcc.send("4.1.1", "gpf")
        with pytest.raises(NotAvailable):
            bench.say("gsme read Time.time")
        bench.say("fault add han delay 5ms to esme")
        bench.go("10m")
        said = bench.session.save(str(tmp_path / "test_it.py"))
        text = as_test(bench.handle.core, [one for one in bench.handle.core.said if not one.call.verb.looks], "test_it")
    saved = (tmp_path / "test_it.py").read_text(encoding="utf-8")
    assert saved == text
    assert said["calls"] == 6
    assert "Bench.open('simulated', seed=9, faults=('wan delay 10ms',))" in saved
    assert "assert bench.hub.form().ok" in saved
    assert "assert not bench.dcc.send('4.1.1', 'gpf').ok" in saved
    assert "with pytest.raises(NotAvailable):" in saved
    assert "why" not in saved
    names: dict[str, object] = {}
    exec(compile(saved, "test_it.py", "exec"), names)
    names["test_it"]()  # type: ignore[operator]


def test_what_a_session_did_and_what_came_of_it_is_shown_and_reported(home: BlockingBench) -> None:
    shown = home.session.show()
    assert shown.as_json()["rows"][0] == {"line": "hub form", "verdict": "ok", "result": "HAN formed on channel 20"}
    report = home.run.report()
    assert "esme add" in Path(report.said).read_text(encoding="utf-8")
    assert (Path(report.said).parent / "junit.xml").exists()


def test_two_runs_with_one_seed_have_the_same_messages_and_another_home_has_not(once: tuple[list[str], Path], runs: Path) -> None:
    _, folder = session(7)
    assert compare(read_trace(once[1]), read_trace(folder)) == []
    with Bench.open("simulated", seed=7) as bench:
        bench.hub.form()
        bench.esme.add()
        told = bench.diff(once[1].name)
        assert not told.ok
        assert {row["kind"] if "kind" in row else row[""] for row in told.as_json()["rows"]} <= {"-", "+", "~"}
        with pytest.raises(NotAvailable, match="trace in"):
            bench.diff("nowhere")
    done = CliRunner().invoke(chub, ["run", "diff", str(once[1]), str(folder)])
    assert (done.exit_code, done.output) == (0, "the same messages went the same ways\n")
    done = CliRunner().invoke(chub, ["run", "diff", str(once[1]), str(bench.folder), "--json"])
    assert done.exit_code == 1
    assert '"kind": "-"' in done.output


def test_a_message_that_went_another_way_is_told_without_its_counter() -> None:
    one = read_trace(_written(['{"number":1,"time":1,"area":"dcc","source":"acb","event":"sent","message":"a:b:command:7"}']))
    other = read_trace(
        _written(
            [
                '{"number":1,"time":9,"area":"dcc","source":"acb","event":"sent","message":"a:b:command:8"}',
                '{"number":2,"time":9,"area":"hub","source":"hub","event":"refused","message":"a:b:command:8"}',
            ]
        )
    )
    assert compare(one, other) == [RunDifference("~", "a:b:command", "but hub refused (@1)")]
    assert [found.kind for found in compare(one, [])] == ["-"]


def _written(lines: list[str]) -> Path:
    import tempfile

    path = Path(tempfile.mkdtemp()) / "trace.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_ladder_draws_the_hops_of_a_message_between_its_lanes(home: BlockingBench) -> None:
    home.dcc.send("7.2", "esme")
    message = next(one.message for one in reversed(home.records) if one.message and ":command:" in one.message)
    told = home.ladder(message)
    lines = told.as_text(120).splitlines()
    assert lines[1].split() == ["supplier", "DCC", "hub", "esme"]
    assert any("queued" in line and line.rstrip().endswith("▶│") for line in lines)
    assert {row["from"] for row in told.as_json()["rows"]} <= {"supplier", "DCC", "hub", "esme"}
    narrow = home.ladder(message).as_text(60).splitlines()
    assert max(map(len, narrow)) <= 60
    assert home.ladder(device="esme", last=5)
    assert home.dcc.send("7.1", "esme").ok  # other tests find the supply on


@pytest.mark.parametrize(
    ("source", "target", "refused", "tip"),
    [("hub", "esme", False, "▶│"), ("hub", "esme", True, "✗│"), ("esme", "hub", False, "│◀"), ("esme", "hub", True, "│✗")],
)
def test_an_arrow_points_at_its_target_and_a_refused_one_ends_in_a_cross(source: str, target: str, refused: bool, tip: str) -> None:
    drawing = LadderText([Arrow(1.0, source, target, "7.2", refused)], ["hub", "esme"], 1.0)
    line = Result("", picture=drawing).as_text(60).splitlines()[2]
    assert tip in line
    assert len(re.findall("[▶◀✗]", line)) == 1
    assert line.startswith("    0.000 s")


def test_a_refused_hop_ends_in_a_cross(home: BlockingBench) -> None:
    refused = home.dcc.send("4.1.1", "gpf")
    assert not refused
    assert "✗" in home.ladder(str(refused["request"])).as_text()


def test_faults_are_listed_counted_cleared_and_saved_with_the_run() -> None:
    with Bench.open("simulated", seed=7, faults=["han delay 5ms to esme"]) as bench:
        bench.hub.form()
        bench.esme.add()
        listed = bench.fault.list().as_json()["rows"]
        assert listed[0]["fault"] == "han delay 5ms to esme"
        assert listed[0]["acted"] > 0
        assert bench.fault.add("wan duplicate")["number"] == 2
        assert bench.fault.clear(1)
        assert [row["number"] for row in bench.fault.list().as_json()["rows"]] == [2]
    assert "wan duplicate" in (bench.folder / "faults.json").read_text(encoding="utf-8")


@pytest.mark.requirement("CH-23")
def test_a_gas_meter_is_woken_removed_and_added_again() -> None:
    with Bench.open("simulated", seed=7) as bench:
        bench.hub.form()
        assert bench.gsme.add()["status"] == "Commissioned"
        assert bench.gsme.wake()
        read = bench.dcc.read("gpf")
        assert read["current summation delivered"] == bench.gsme.status()["register"]
        assert bench.ihd.add()
        assert bench.ihd.remove()
        assert [row["Device"] for row in bench.hub.log().as_json()["rows"]] == ["gsme"]
        assert bench.esme.add()
        assert bench.ppmid.add()["status"] == "Commissioned"
        bench.hub.reset()
        assert bench.hub.status()["Devices in the log"] == 0
