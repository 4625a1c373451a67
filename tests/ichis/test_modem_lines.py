"""Modem lines that are read again and again: a change lies between two readings, however far apart a busy machine makes them."""

from __future__ import annotations

import pytest
import serial

from firmware_emu.clock import Clock
from ichis.connector import Level
from ichis.modem_lines import ModemLines


class SlowLines(ModemLines):
    """A cable whose reading takes ``takes_s``, and whose Device Present is there until ``goes_at``."""

    def __init__(self, clock: Clock, takes_s: float, goes_at: float) -> None:
        super().__init__("loop://", serial.serial_for_url("loop://"), clock)
        self.clock, self.takes_s, self.goes_at = clock, takes_s, goes_at

    async def read(self, symbol: str) -> Level:
        await self.clock.sleep(self.takes_s / 2)
        level = Level.LOW if self.clock.now() < self.goes_at else Level.HIGH
        await self.clock.sleep(self.takes_s / 2)
        return level


@pytest.mark.parametrize("takes_s", [0.0, 0.0004, 0.03, 0.4])
@pytest.mark.parametrize("goes_s", [0.26, 0.51, 0.9, 1.3])
async def test_a_change_lies_within_the_resolution_of_where_it_is_told(clock: Clock, takes_s: float, goes_s: float) -> None:
    goes_at = clock.now() + goes_s
    lines, seen = SlowLines(clock, takes_s, goes_at), list[tuple[float, Level]]()
    for _ in range(8):  # watches that follow each other, as a check's do
        seen += [one for one in await lines.watch("CH_PR", 0.25) if not seen or one[1] is not seen[-1][1]]
    assert [level for _, level in seen] == [Level.LOW, Level.HIGH]
    assert lines.resolution_s == pytest.approx((takes_s + max(0.002, takes_s)) / 2, abs=0.0025)
    assert abs(seen[1][0] - goes_at) <= lines.resolution_s
    lines.close()


async def test_a_pause_between_two_watches_is_no_reading_and_a_slow_minute_is_forgotten(clock: Clock) -> None:
    lines = SlowLines(clock, 0.4, clock.now() + 1)
    await lines.watch("CH_PR", 0.25)
    lines.takes_s = 0.0
    await clock.sleep(5)
    ((when, level),) = await lines.watch("CH_PR", 0.25)
    assert (level, when) == (Level.HIGH, pytest.approx(clock.now() - 0.25, abs=0.01))
    assert lines.resolution_s == pytest.approx(0.001, abs=1e-5)
    lines.takes_s = 0.4
    await lines.watch("CH_PR", 0.25)
    assert lines.resolution_s > 0.1
    lines.takes_s = 0.0
    await clock.sleep(61)
    await lines.watch("CH_PR", 0.25)
    assert lines.resolution_s == pytest.approx(0.001, abs=1e-5)
    lines.close()
