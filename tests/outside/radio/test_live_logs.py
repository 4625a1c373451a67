"""``chub log`` on what foreign hosts write of a whole session: every line of the dongle's is read, and every frame of it understood."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_emu.clock import Clock
from hil.hosts import matrix
from hil.hosts.session import Rig
from hil.radio.log.lines import said
from hil.radio.log.reading import read_log
from hil.radio.personality import personality

LEVELS = {
    "bellows": r"\[bellows\.ash\] (?:Sending|Received) data",
    "zigpy-znp": r"\[zigpy_znp\.(?:uart|api)\] (?:Sending|Received) (?:data|request|command)",
    "zigbee-herdsman ember": r"zh:ember:uart:ash: [<>-]+ \[|zh:ember:ezsp: (?:[<=>]+ \[|ezsp\w+: )",
    "zigbee-herdsman zstack": r"zh:zstack:\S* (?:-->|<--)",
}
"""Lines in which a host tells of its dongle's line."""


@pytest.fixture
def wall_clock(follow: Callable[[Clock], Clock]) -> Clock:
    return follow(Clock())


@pytest.mark.parametrize(
    ("name", "firmware"),
    [
        ("bellows", "zbt-1-7.4"),
        ("zigpy-znp", "cc2652-3.30"),
        ("zigbee-herdsman ember", "zbt-1-7.4"),
        ("zigbee-herdsman zstack", "cc2652-3.30"),
    ],
)
async def test_nothing_of_a_live_log_is_left_unread(
    name: str, firmware: str, wall_clock: Clock, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    if pytestconfig.getoption("--wall") is None:
        pytest.skip("a foreign host's whole session goes by real time: pytest --wall 1 tests/outside/radio")
    host = next(one for one in matrix.HOSTS if one.name == name)
    if (missing := host.missing()) is not None:
        pytest.skip(f"{name}: {missing}")
    log = tmp_path / "host.log"
    async with Rig(personality(firmware), "pty", wall_clock, log) as rig:
        told = await host.run(rig, personality(firmware))
    assert [one.verb for one in told if one.ok]
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    read = {one.line for one in said(lines)}
    assert [text for number, text in enumerate(lines, 1) if re.search(LEVELS[name], text) and number not in read] == []
    found = read_log(log)
    assert found.family == ("" if name.startswith("zigbee-herdsman") else personality(firmware).family), "zigbee-herdsman tells words alone"
    assert found.family != "ezsp" or found.told
    assert len(found.entries) > 100
    assert [one for one in found.entries if one.name == "unknown"] == []
    assert [one for one in found.wrong if one.what in ("not understood", "damaged")] == []
