"""Faults and hooks by what a message or a frame is, on a home with its meter that is read over the whole chain."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_emu.console import BlockingBench
from firmware_emu.console.declare import WordError
from firmware_emu.errors import NotAvailable
from firmware_emu.gbcs.envelope import Message
from hil.faults import Passing
from tests.metered_bench import bench, cleared

__all__ = ["bench", "cleared"]


def _effects(bench: BlockingBench) -> int:
    return int(bench.fault.list().rows[0][2])


def test_a_meter_that_answers_late_is_that_much_later_and_else_the_same(bench: BlockingBench) -> None:
    began = bench.clock.now()
    assert bench.dcc.read("esme").ok
    prompt = bench.clock.now() - began
    bench.say("fault add esme answers 4s late")
    began = bench.clock.now()
    assert bench.dcc.read("esme").ok
    assert bench.clock.now() - began == pytest.approx(prompt + 4, abs=0.5)
    assert _effects(bench) == 1


def test_a_response_with_a_wrong_mac_is_refused_and_why_names_the_fault(bench: BlockingBench) -> None:
    bench.say("fault add response 4.1.1 with a wrong MAC")
    assert not bench.dcc.read("esme").ok
    why = bench.say("why").as_text()
    assert "does not hold" in why
    assert "response 4.1.1 with a wrong MAC" in why


def test_a_code_that_is_another_leaves_the_message_alone(bench: BlockingBench) -> None:
    bench.say("fault add response 7.2 lost")
    assert bench.dcc.read("esme").ok
    assert _effects(bench) == 0


@pytest.mark.parametrize(
    ("sentence", "answered"), [("esme answers never", False), ("esme answers twice", True), ("response 4.1.1 corrupted 9bits", False)]
)
def test_a_response_that_is_lost_doubled_or_damaged_is_taken_once_or_not_at_all(
    bench: BlockingBench, sentence: str, answered: bool
) -> None:
    bench.say(f"fault add {sentence}")
    assert bench.dcc.read("esme").ok is answered
    assert _effects(bench) >= 1


def test_only_the_second_tunneling_frame_is_lost(bench: BlockingBench) -> None:
    bench.say("fault add han drop on the 2nd Tunneling frame from esme")
    for _ in range(3):
        bench.dcc.read("esme")
    assert _effects(bench) == 1
    lost = next(one for one in reversed(bench.records) if one.source.startswith("fault") and one.event == "dropped")
    assert lost.detail["cluster"] == "Tunneling"


def test_a_response_with_a_wrong_counter_answers_nothing_that_was_asked_though_its_protection_holds(bench: BlockingBench) -> None:
    bench.say("fault add response any with a wrong counter from esme")
    assert not bench.dcc.read("esme").ok
    assert _effects(bench) >= 1


def test_a_hook_in_python_sees_each_message_and_what_it_gives_goes_on(bench: BlockingBench) -> None:
    seen: list[Passing] = []

    def late(passing: Passing) -> list[tuple[float, bytes]]:
        seen.append(passing)
        return [(2.0, passing.octets)]

    began = bench.clock.now()
    bench.fault.hook(late, "response 4.1.1 from esme")
    assert bench.dcc.read("esme").ok
    assert bench.clock.now() - began >= 2
    assert [type(one.message) for one in seen] == [Message]


def test_a_fault_of_the_hooks_own_is_told_and_the_message_passes(bench: BlockingBench) -> None:
    bench.fault.hook(lambda passing: bytes(1 // 0), "message any")
    before = len(bench.records)
    assert bench.dcc.read("esme").ok
    told = [one for one in bench.records[before:] if one.source.startswith("fault") and one.event == "failed"]
    assert "ZeroDivisionError" in str(told[0].detail["reason"])


def test_a_hook_of_a_file_is_typed_at_the_prompt(bench: BlockingBench, tmp_path: Path) -> None:
    (tmp_path / "habits.py").write_text("def silent(passing):\n    return []\n")
    bench.say(f"fault hook {tmp_path}/habits.py:silent response 4.1.1 from esme")
    assert not bench.dcc.read("esme").ok
    with pytest.raises(WordError, match="has no function 'loud'"):
        bench.say(f"fault hook {tmp_path}/habits.py:loud response 4.1.1")
    with pytest.raises(WordError, match=r"hook 'response 9\.9'"):
        bench.say(f"fault hook {tmp_path}/habits.py:silent response 9.9")


def test_messages_of_a_device_without_gbcs_are_refused_with_what_to_do(bench: BlockingBench) -> None:
    with pytest.raises(NotAvailable, match="take its frames"):
        bench.say("fault add ihd answers 4s late")
