"""The engineer as a driver."""

from __future__ import annotations

import pytest

from firmware_emu.clock import Clock
from firmware_emu.errors import JigError, NotAvailable
from ichis.connector import Level
from ichis.jig import OPEN_OHM
from ichis.manual import Engineer, ManualLines, ManualProbes, ManualSupply
from ichis.measuring.reading import Basis


def engineer(*answers: str) -> tuple[Engineer, list[str]]:
    asked: list[str] = []
    given = iter(answers)

    def ask(question: str) -> str:
        asked.append(question)
        return next(given)

    return Engineer(Clock(), ask), asked


async def test_the_engineer_is_told_what_to_do_and_asked_what_is_read() -> None:
    by_hand, asked = engineer("", "12,02", "open", "low")
    await ManualSupply(by_hand).set_voltage(12)
    volts = await ManualSupply(by_hand).measure_voltage()
    assert (volts.value, volts.basis) == (12.02, Basis.NONE)
    assert (await ManualProbes(by_hand).ohms(1, 10)).value == OPEN_OHM
    assert await ManualLines(by_hand).read("CH_PR") is Level.LOW
    assert asked[0].startswith("Set the supply to 12.00 V")
    assert "pin 1 to pin 10" in asked[2]


async def test_answers_that_cannot_be_used_are_asked_again_three_times() -> None:
    by_hand, _ = engineer("what?", "9.5")
    assert (await ManualProbes(by_hand).volts(1)).value == 9.5
    by_hand, _ = engineer("a", "b", "c")
    with pytest.raises(JigError, match="no number in 3 answers"):
        await ManualProbes(by_hand).volts(1)


async def test_stop_ends_the_check_and_what_no_hand_can_do_is_refused() -> None:
    by_hand, _ = engineer("stop")
    with pytest.raises(JigError, match="stopped the run"):
        await ManualSupply(by_hand).output(True)
    with pytest.raises(NotAvailable, match="needs a supply that is an instrument"):
        await ManualSupply(by_hand).play([(12, 0.001), (0, 0.001)])
    with pytest.raises(NotAvailable, match="no eye"):
        await ManualLines(by_hand).watch("CH_PR", 1)
