"""An independent judge of the air: tshark decodes every frame of a join and of data with the install code's link key alone."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from firmware_emu.clock import Clock
from firmware_emu.han.base import ApsFrame, SimpleDescriptor
from hil.radio.air.air import Air, Link
from hil.radio.nodes.node import StackNode
from tests.patience import PATIENCE_S
from tests.radio.radio_bench import DISPLAY, EXTENDED_PAN, HUB, LINK_KEY, METER, OTHER_KEY, Coordinator, Pcap


def tshark(path: Path, *options: str, keys: tuple[bytes, ...] = (LINK_KEY,)) -> list[str]:
    uat = [text for key in keys for text in ("-o", f'uat:zigbee_pc_keys:"{key.hex(":")}","Normal","k"')]
    done = subprocess.run(["tshark", "-r", str(path), *uat, *options], capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    return done.stdout.splitlines()


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """A hub, a meter as router and a sleepy display: join, data both ways, fragments, rejoin, leave; one lossy link."""
    clock = Clock(warp=True)
    air = Air(clock, 1)
    pcap = Pcap(air)
    hub = Coordinator(air)
    meter, display = StackNode(air, METER), StackNode(air, DISPLAY)
    meter.add_endpoint(SimpleDescriptor(1, 0x0501, (0x0000, 0x0702)))
    display.add_endpoint(SimpleDescriptor(1, 0x0502, (), (0x0000, 0x0702)))

    async def main() -> None:
        hub.form()
        hub.permit(METER)
        await meter.join(LINK_KEY, extended_pan_id=EXTENDED_PAN)
        hub.permit(DISPLAY)
        await display.join(LINK_KEY, sleepy=True)
        await asyncio.sleep(1)
        read_version = bytes.fromhex("00010000 00".replace(" ", ""))
        await meter.send(HUB, ApsFrame(0x0000, read_version, 1, 1))
        await meter.match_descriptors(HUB, 0x0019, server=True)
        await meter.import_link_key(DISPLAY, OTHER_KEY)
        await display.import_link_key(METER, OTHER_KEY)
        await meter.send(DISPLAY, ApsFrame(0x0000, bytes.fromhex("08020a") + b"\x04\x00\x42\xc8" + bytes(200), 1, 1))
        air.set_link(HUB, METER, Link(loss=0.2))
        for _ in range(5):
            await meter.send(HUB, ApsFrame(0x0000, read_version, 1, 1, secured=False))
        display.power(False)
        display.power(True)
        await display.resume()
        await asyncio.sleep(1)
        await display.leave()

    clock.run(main())
    path = tmp_path / "han.pcap"
    pcap.write(path)
    return path


@pytest.mark.needs("tshark")
def test_tshark_finds_no_malformed_frame_and_opens_all_with_the_join_key_and_the_partner_key(capture: Path) -> None:
    keys = (LINK_KEY, OTHER_KEY)
    assert tshark(capture, "-Y", "_ws.malformed", keys=keys) == []
    assert not [line for line in tshark(capture, "-q", "-z", "expert", keys=keys) if "Encrypted" in line]
    assert len(tshark(capture, keys=keys)) > 100


@pytest.mark.needs("tshark")
def test_tshark_learns_the_network_key_from_the_join_alone(capture: Path) -> None:
    commands = tshark(capture, "-Y", "zbee_aps.cmd.id == 0x05", "-T", "fields", "-e", "zbee_aps.cmd.id")
    assert len(commands) == 2
    announced = tshark(capture, "-Y", "zbee_aps.zdp_cluster == 0x0013", "-T", "fields", "-e", "zbee_zdp.ext_addr")
    assert {str(METER), str(DISPLAY)} <= {line.split(",")[0].replace(":", "") for line in announced}
    assert tshark(capture, "-Y", "zbee_nwk.cmd.id == 0x06")
    assert tshark(capture, "-Y", "zbee_nwk.cmd.id == 0x04")
    assert tshark(capture, "-Y", "zbee_zdp.cluster or zbee_aps.zdp_cluster == 0x8006")


@pytest.mark.needs("tshark")
def test_tshark_puts_the_fragments_together(capture: Path) -> None:
    field = "zbee_aps.reassembled.length"
    lengths = tshark(capture, "-Y", field, "-T", "fields", "-e", field, keys=(LINK_KEY, OTHER_KEY))
    assert "207" in lengths


@pytest.mark.needs("tshark")
def test_without_a_key_tshark_opens_nothing(capture: Path) -> None:
    assert [line for line in tshark(capture, "-q", "-z", "expert", keys=()) if "Encrypted" in line]
    assert tshark(capture, "-Y", "zbee_aps.cluster == 0x0702", keys=()) == []
