"""A message stands on the HAN or the SM WAN, is looked at, changed, lost, doubled and sent on; the far end judges what arrives."""

from __future__ import annotations

import re

import pytest

from firmware_emu.console import BlockingBench
from firmware_emu.console.declare import WordError
from firmware_emu.gbcs.envelope import Message
from tests.metered_bench import bench, cleared

__all__ = ["bench", "cleared"]


def _stopped(bench: BlockingBench) -> Message:
    bench.say("break wan to dcc of esme code 4.1.1")
    stopped = bench.dcc.read("esme")
    assert stopped.said.startswith("stopped: ")
    return Message.decode(stopped.raw)


def test_a_meters_response_that_is_changed_on_its_way_is_refused_by_the_user_and_why_names_it(bench: BlockingBench) -> None:
    message = _stopped(bench)
    before = bench.clock.now()
    assert "MAC" in bench.say("break show").as_text()
    assert bench.clock.now() == before  # time stands still while it is looked at
    last = message.payload_offset + len(message.payload) - 1
    bench.say(f"break change {last} {message.payload[-1] ^ 1:02x}")
    done = bench.say("break go")
    assert not done.ok
    assert any(one.event == "refused" and "MAC" in str(one.detail) for one in bench.records if one.time >= before)
    assert "MAC" in bench.say("why").as_text()


def test_the_same_change_with_its_protection_made_anew_is_taken(bench: BlockingBench) -> None:
    message = _stopped(bench)
    counter = message.payload_offset + len(message.payload) - 1
    changed = bench.say(f"break change {counter} {message.payload[-1]:02x} anew")
    assert Message.decode(changed.raw).mac == message.mac  # the same octets have the same MAC
    assert bench.say("break go").ok


def test_a_response_that_is_doubled_is_taken_once_and_one_that_is_dropped_the_hub_sends_again(bench: BlockingBench) -> None:
    _stopped(bench)
    assert bench.say("break go 2").ok
    _stopped(bench)
    again = bench.say("break drop")
    assert again.said.startswith("stopped: ")
    bench.say("break clear")
    assert bench.say("break go").ok


def _stopped_at_the_meter(bench: BlockingBench) -> Message:
    bench.say("break han from esme")
    stopped = bench.dcc.read("esme")
    assert stopped.said.startswith("stopped: ")
    assert "from esme to hub" in stopped.said
    return Message.decode(stopped.raw)


def test_a_meters_response_that_is_changed_on_the_han_is_refused_by_the_user_and_why_names_it(bench: BlockingBench) -> None:
    message = _stopped_at_the_meter(bench)
    before = bench.clock.now()
    assert "MAC" in bench.say("break show").as_text()
    assert bench.clock.now() == before
    last = message.payload_offset + len(message.payload) - 1
    bench.say(f"break change {last} {message.payload[-1] ^ 1:02x}")
    assert not bench.say("break go").ok
    why = bench.say("why").as_text()
    assert "does not hold" in why
    assert re.search(rf"changed by hand \(@\d+\) offset={last} ", why)


def test_a_changed_response_whose_protection_is_made_anew_is_taken_with_what_it_says_now(bench: BlockingBench) -> None:
    message = _stopped_at_the_meter(bench)
    last = message.payload_offset + len(message.payload) - 1
    changed = bench.say(f"break change {last} {message.payload[-1] ^ 1:02x} anew")
    assert Message.decode(changed.raw).mac != message.mac
    assert "item 0 HARDWARE_FAULT" in bench.say("break go").said  # that octet is the first result


def test_a_command_that_is_doubled_on_the_han_arrives_twice_at_the_meter(bench: BlockingBench) -> None:
    bench.say("break han to esme code 4.1.1")
    before = len(bench.records)
    assert bench.dcc.read("esme").said.startswith("stopped: ")
    assert bench.say("break go 2").ok
    assert sum(one.area == "device" and one.event == "received" for one in bench.records[before:]) == 2


def test_a_frame_of_a_cluster_stops_at_the_hubs_radio_and_is_read_as_one(bench: BlockingBench) -> None:
    bench.say("break han frame from esme of Tunneling")
    stopped = bench.dcc.read("esme")
    assert "a frame of Tunneling from esme to hub" in stopped.said
    assert bench.say("break show").as_text().splitlines()[1].startswith("Tunneling ")
    with pytest.raises(WordError, match="the radio makes that of a frame"):
        bench.say("break change 0 00 anew")
    bench.say("break clear")
    assert bench.say("break go").ok


def test_what_cannot_be_is_told_in_a_line(bench: BlockingBench) -> None:
    with pytest.raises(WordError, match="no message stands at a breakpoint"):
        bench.say("break go")
    with pytest.raises(WordError, match="expected a service request \\("):
        bench.say("break wan code 99.9")
    with pytest.raises(WordError, match="expected none: there is none"):
        bench.say("break clear 3")


def test_python_says_it_with_a_bar_behind_the_word_that_is_its_own(bench: BlockingBench) -> None:
    assert bench.break_.wan("to", "hub").said.endswith(": wan to hub")
    assert [row[1] for row in bench.break_.list().rows] == ["wan to hub"]
