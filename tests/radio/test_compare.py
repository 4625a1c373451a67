"""A log's commands put to a virtual dongle, and a personality learned from one: the same firmware differs in nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bellows.ezsp import EZSP
from click.testing import CliRunner

from firmware_emu.clock import Clock
from hil.commands.ncp import ncp
from hil.inventory.learn import learn
from hil.radio.air.air import Air
from hil.radio.log.compare import compare
from hil.radio.log.reading import read_log
from hil.radio.ncp.server import NcpServer
from hil.radio.personality import personality
from hil.radio.recording import Recorder
from hil.radio.znp.server import ZnpServer
from tests.radio.radio_bench import HUB


async def recorded(clock: Clock, file: Path, firmware: str) -> None:
    """Commands that a host sends to a dongle at its start."""
    dongle = NcpServer(Air(clock, 1), HUB, clock=clock, personality=personality(firmware))
    recorder = Recorder(file, clock, personality(firmware).version)
    dongle.tap = recorder.heard
    host = EZSP({"path": str(await dongle.serve_pty()), "baudrate": 115200, "flow_control": None})
    await host.connect()
    await host._command("getEui64")
    for number in (0x01, 0x02, 0x03, 0x05, 0x07, 0x1E):
        await host._command("getConfigurationValue", configId=number)
    await host.disconnect()
    await dongle.close()
    recorder.close()


@pytest.fixture
def sonoff(tmp_path: Path) -> Path:
    file, clock = tmp_path / "sonoff.jsonl", Clock(warp=True)
    clock.run(recorded(clock, file, "zbdongle-e-7.4"))
    return file


def test_the_same_firmware_answers_alike_and_another_differs_field_by_field(sonoff: Path) -> None:
    same = compare(read_log(sonoff), "zbdongle-e-7.4")
    assert (same.differences, same.alike) == ((), same.asked)
    assert same.asked >= 8
    told = CliRunner().invoke(ncp, ["compare", str(sonoff), "--json"])
    assert told.exit_code == 1
    shown = json.loads(told.output)
    assert shown["firmware"] == "ezsp-13"
    assert {(one["command"], one["field"], one["real"]) for one in shown["differences"]} >= {("getConfigurationValue", "value", "250")}


async def test_a_personality_is_learned_from_an_ezsp_dongle_and_plays_as_it(clock: Clock, tmp_path: Path) -> None:
    dongle = NcpServer(Air(clock, 1), HUB, clock=clock, personality=personality("zbdongle-e-7.4"))
    text = await learn(str(await dongle.serve_pty()), "ezsp", 115200, clock, datetime(2026, 11, 30, tzinfo=UTC))
    await dongle.close()
    file = tmp_path / "learned.toml"
    file.write_text(text)
    learned, real = personality(str(file)), personality("zbdongle-e-7.4")
    assert learned.stack == real.stack
    assert {one.id: one.value for one in learned.settings.values()} == {one.id: one.value for one in real.settings.values()}
    assert "asked of the dongle at" in text


async def test_a_personality_is_learned_from_a_znp(clock: Clock, tmp_path: Path) -> None:
    pytest.importorskip("zigpy_znp", reason="needs zigpy-znp (pip install zigpy-znp)")
    dongle = ZnpServer(Air(clock, 1), HUB, clock=clock, firmware=personality("cc2652-3.30"))
    text = await learn(str(await dongle.serve_pty()), "znp", 115200, clock, datetime(2026, 11, 30, tzinfo=UTC))
    await dongle.close()
    file = tmp_path / "learned.toml"
    file.write_text(text)
    assert personality(str(file)).family == "znp"
    assert personality(str(file)).stack == personality("cc2652-3.30").stack
