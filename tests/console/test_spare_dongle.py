"""``dongle``: the spare dongle answers EZSP commands, tells what it told, and says what it cannot read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from firmware_emu.console import Bench, BlockingBench
from firmware_emu.console.declare import WordError


@pytest.fixture(scope="module")
def bench() -> Iterator[BlockingBench]:
    with Bench.open("simulated", seed=7) as opened:
        yield opened


def test_a_command_is_answered_with_its_fields_by_name(bench: BlockingBench) -> None:
    assert bench.dongle.send("getEui64").said == "getEui64: eui64 02:d0:09:1e:00:00:00:01"
    assert bench.dongle.send("echo", data="010203").said == "echo: echo 010203"
    assert bench.dongle.send("getConfigurationValue", id="0x0D").said == "getConfigurationValue: status SUCCESS, value 5"
    refused = bench.dongle.send("permitJoining", duration="60")
    assert (refused.ok, refused.as_json()["values"]) == (False, {"status": "INVALID_CALL"})


def test_what_the_dongle_tells_of_itself_is_shown_beside_the_answer_and_again_later(bench: BlockingBench) -> None:
    assert bench.dongle.told().said == "the last 0 callbacks"
    done = bench.dongle.send("startScan", type="0", mask="0x800", duration="1")
    assert done.ok
    bench.time.go("5s")
    told = [str(row["told"]) for row in bench.dongle.told().as_json()["rows"]]
    assert told
    assert told[-1] == "scanCompleteHandler"
    assert [str(row["told"]) for row in bench.dongle.told(1).as_json()["rows"]] == told[-1:]


def test_a_reset_forgets_what_was_set(bench: BlockingBench) -> None:
    def stack_profile() -> str:
        return str(bench.dongle.send("getConfigurationValue", id="0x0C").as_json()["values"]["value"])  # type: ignore[index]

    assert bench.dongle.send("setConfigurationValue", id="0x0C", value="2").ok
    assert stack_profile() == "2"
    assert bench.dongle.reset().ok
    assert stack_profile() == "0"


@pytest.mark.parametrize(
    ("command", "fields", "says"),
    [
        ("getEui65", {}, "did you mean getEui64"),
        ("getEui64", {"x": "1"}, "getEui64: read field 'x', expected no field"),
        ("permitJoining", {"duration": "256"}, "permitJoining duration: read '256', expected a number"),
        ("echo", {"data": "zz"}, "echo data: read 'zz', expected octets in hex"),
    ],
)
def test_what_cannot_be_read_is_told_with_what_was_expected(bench: BlockingBench, command: str, fields: dict[str, str], says: str) -> None:
    with pytest.raises(WordError, match=says):
        bench.dongle.send(command, **fields)
