"""The page on a bench that runs: what it answers, what it does, and to whom."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from firmware_emu.console import BlockingBench
from firmware_emu.console.declare import WordError
from hil.watch.app import watch_app
from hil.watch.sources import LiveBench

KEY = "key"


@pytest.fixture
def page(socket: Path) -> TestClient:
    return TestClient(watch_app(LiveBench(socket), KEY), base_url=f"http://127.0.0.1/{KEY}/")


def test_the_state_of_a_bench_that_runs_has_its_hops_devices_and_supply(bench: BlockingBench, page: TestClient) -> None:
    said = len(bench.handle.core.said)
    state = page.get("state").json()
    assert state["live"]
    assert state["last"] == len(bench.records)
    assert state["registers"]["esme"]["joined"] is True
    assert state["jig"]["volts at the hub"] > 11
    assert {hop["area"] for hop in state["hops"]} >= {"dcc", "wan", "han", "device"}
    assert page.get(f"state?behind={state['last']}").json()["hops"] == []
    assert len(bench.handle.core.said) == said, "a look leaves no line in the session"


def test_a_fault_is_added_and_lifted_and_a_sentence_that_is_none_is_told(bench: BlockingBench, page: TestClient) -> None:
    assert page.post("faults", json={"sentence": "han delay 5ms to esme"}).json()["ok"]
    (fault,) = page.get("state").json()["faults"]
    assert fault["fault"] == "han delay 5ms to esme"
    refused = page.post("faults", json={"sentence": "han dorp 5% to esme"}).json()
    assert refused["ok"] is False
    assert "dorp" in refused["said"]
    assert page.post("lift", json={"number": fault["number"]}).json()["ok"]
    assert page.get("state").json()["faults"] == []
    assert bench.fault.list().rows == []


def test_a_click_on_a_hop_tells_why(bench: BlockingBench, page: TestClient) -> None:
    assert not bench.dcc.send("4.1.1", "gpf")
    refused = next(record for record in reversed(bench.records) if record.event == "refused")
    told = page.get(f"why?record={refused.number}").json()
    assert told["values"]["hop"].startswith(f"@{refused.number} ")
    assert page.get("why?record=99999999").json()["ok"] is False


def test_who_does_not_know_the_key_or_comes_from_elsewhere_gets_nothing(socket: Path, page: TestClient) -> None:
    assert page.get("http://127.0.0.1/state").status_code == 404
    assert page.get("http://127.0.0.1/other/").status_code == 404
    assert page.get(f"http://elsewhere.example/{KEY}/state").status_code == 400
    assert page.post("faults", content=b"sentence=han+drop+100%25+to+esme", headers={"content-type": "text/plain"}).json()["ok"] is False
    assert "default-src 'none'" in page.get("").headers["content-security-policy"]
    assert page.post("faults", json={"sentence": "x" * 5000}).status_code == 413


def test_a_bench_is_looked_at_with_words_that_do_nothing(socket: Path) -> None:
    bench = LiveBench(socket)
    told = bench.look("fault clear")
    assert told is not None
    assert "expected what only looks" in str(told["said"])
    with pytest.raises(WordError):
        bench.say("nothing of the kind")
    bench.close()
