"""Simulated Devices beside a virtual dongle (`chub ncp --with`), interviewed and read by a host of another maker."""

from __future__ import annotations

import pytest
from bellows.zigbee.application import ControllerApplication
from click.testing import CliRunner

from firmware_emu.clock import Clock
from firmware_emu.crypto.aes_mmo import install_code_link_key
from firmware_emu.errors import BoardError
from firmware_emu.trace import Trace
from hil.bench.neighbours import WELL_KNOWN_KEY, Neighbours
from hil.commands.ncp import ncp
from hil.radio.air.air import Air
from hil.radio.ncp.server import NcpServer
from tests.radio.radio_bench import HUB

METERING = 0x0702


async def test_zigpy_lets_a_meter_in_without_key_establishment_interviews_it_and_reads_its_register(clock: Clock) -> None:
    air = Air(clock, 1)
    dongle = NcpServer(air, HUB, clock=clock)
    device = {"path": str(await dongle.serve_pty()), "baudrate": 115200, "flow_control": None}
    settings = {"database_path": None, "device": device, "backup_enabled": False, "startup_energy_scan": False}
    host = ControllerApplication(settings | {"use_thread": False, "network": {"channel": 15}})
    near = Neighbours(air, clock, Trace(clock.now), ["esme"], cbke=False)
    try:
        await host.connect()
        await host.form_network()
        await host.disconnect()
        await host.connect()
        await host.start_network()
        await host.permit(250)
        await near.start()
        meter = None
        for _ in range(240):
            await clock.sleep(0.5)
            meter = next((one for one in host.devices.values() if one.nwk and one.is_initialized), None)
            if meter is not None:
                break
        assert meter is not None, "the host has not interviewed it"
        endpoint = next(one for number, one in meter.endpoints.items() if number and METERING in one.in_clusters)
        read, refused = await endpoint.in_clusters[METERING].read_attributes([0x0000])
        assert not refused
        assert len(read) == 1
    finally:
        await near.close()
        await host.disconnect()
        await dongle.close()


def test_with_key_establishment_a_device_joins_by_its_install_code(clock: Clock) -> None:
    air = Air(Clock(warp=True), 1)
    guarded, plain = (Neighbours(air, clock, Trace(clock.now), ["esme", "ihd"], cbke=cbke) for cbke in (True, False))
    assert [row.name for row in guarded.rows] == ["esme", "ihd"]
    assert guarded.link_key(guarded.rows[0]) == install_code_link_key(guarded.rows[0].install_code)
    assert plain.link_key(plain.rows[0]) == WELL_KNOWN_KEY


@pytest.mark.parametrize("names", ["toaster", "esme,esme"])
def test_a_device_that_is_not_there_or_named_twice_is_refused(names: str, clock: Clock) -> None:
    with pytest.raises(BoardError):
        Neighbours(Air(Clock(warp=True), 1), clock, Trace(clock.now), names.split(","), cbke=True)


def test_no_cbke_without_devices_is_refused_in_a_sentence() -> None:
    assert "name some, as --with esme" in str(CliRunner().invoke(ncp, ["--no-cbke"]).exception)
