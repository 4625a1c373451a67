"""Drivers of PyMeasure, that nobody here wrote, control what ``chub ichis serve`` plays: the second party of our dialects.

Each of our dialects is one file that both our driver and our stand-in read, so a wrong word in it is wrong at both ends and agrees.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_emu.clock import Clock
from firmware_emu.trace import Trace
from ichis.condition import Condition
from ichis.host_port import HostCondition
from ichis.hub_jig import SimulatedHubJig
from ichis.instrument.stand_in import Behind, StandIn
from ichis.measuring.dialect import named
from ichis.profile import load_profile
from ichis.served_jig import Serving, SocketStandIn, serve
from tests.patience import PATIENCE_S

pytest.importorskip("pymeasure", reason="PyMeasure is not installed: pip install pymeasure")

from pymeasure.instruments import Instrument
from pymeasure.instruments.aimtti import LD400P, PL155P
from pymeasure.instruments.keysight import KeysightE36312A
from pymeasure.instruments.siglenttechnologies import SPD1305X

VISA = {"visa_library": "@py", "read_termination": "\n", "write_termination": "\n", "timeout": PATIENCE_S * 1000}


def on_a_served_supply(folder: Path, model: str, drive: Callable[[str], None]) -> None:
    """Serve a supply with a healthy unit in the socket, and let somebody else's program drive it."""

    async def main() -> None:
        async with serve(folder, serving=Serving(model, unit=Condition(), tcp=True)) as table:
            await asyncio.to_thread(drive, table["supply"])

    asyncio.run(main())


@pytest.mark.parametrize(("model", "driver", "channel"), [("keysight-e36312a", KeysightE36312A, "ch_2"), ("tti-ql355", PL155P, "ch_1")])
def test_a_driver_of_pymeasure_sets_switches_and_measures(model: str, driver: type[Instrument], channel: str, tmp_path: Path) -> None:
    def drive(address: str) -> None:
        supply = driver(address, **VISA)
        assert named(model)[1].idn == supply.id
        output = getattr(supply, channel)
        output.voltage_setpoint = 12.0
        output.current_limit = 0.9
        assert output.voltage_setpoint == pytest.approx(12.0)
        assert output.current_limit == pytest.approx(0.9)
        assert output.output_enabled is False
        assert output.voltage == pytest.approx(0.0, abs=0.01)
        output.output_enabled = True
        assert output.output_enabled is True
        assert output.voltage == pytest.approx(12.0, abs=0.1)
        assert 0.0 < output.current < 0.9
        output.output_enabled = False
        assert output.output_enabled is False
        assert output.current == pytest.approx(0.0, abs=0.01)
        supply.adapter.close()

    on_a_served_supply(tmp_path, model, drive)


def test_the_siglent_driver_of_pymeasure_reads_the_state_of_the_output_as_a_bit(tmp_path: Path) -> None:
    def drive(address: str) -> None:
        supply = SPD1305X(address, visa_library="@py", timeout=PATIENCE_S * 1000)
        supply.ch_1.voltage_setpoint = 12
        supply.ch_1.current_limit = 1.5
        assert supply.ch_1.voltage_setpoint == pytest.approx(12)
        assert supply.ch_1.current_limit == pytest.approx(1.5)
        supply.ch_1.enable_output(True)
        assert supply.system_status_code & supply.system_status_code.OUTPUT_ENABLED
        assert supply.ch_1.voltage == pytest.approx(12, abs=0.1)
        supply.ch_1.enable_output(False)
        assert not supply.system_status_code & supply.system_status_code.OUTPUT_ENABLED
        assert "No Error" in str(supply.error), "it understood every word"
        supply.adapter.close()

    on_a_served_supply(tmp_path, "siglent-spd3303x", drive)


def test_the_load_driver_of_pymeasure_draws_from_a_modelled_port() -> None:
    def drive(address: str) -> None:
        load = LD400P(address, **VISA)
        load.level_a = 0.4
        assert load.level_a == pytest.approx(0.4)
        load.input_enabled = True
        assert load.input_enabled is True
        assert load.voltage == pytest.approx(12, abs=0.5)
        assert load.current == pytest.approx(0.4, abs=0.01)
        load.input_enabled = False
        assert load.current == pytest.approx(0, abs=0.01)
        load.adapter.close()

    async def main() -> None:
        clock = Clock()
        jig = SimulatedHubJig(load_profile("ichis_default"), clock, Trace(clock.now), HostCondition(start_s=0.0))
        await jig.lines.drive("CH_PR", True)
        await jig.mains.switch(True)
        at = SocketStandIn(StandIn(*named("aim-tti-ld400p"), Behind(load=jig.load)))
        await asyncio.to_thread(drive, await at.open())
        await at.close()
        await jig.close()

    asyncio.run(main())
