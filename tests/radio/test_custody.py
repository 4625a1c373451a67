"""A dongle that holds another network, or is another one: refused, saved, untouched; taken over or restored only when told to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from firmware_emu.clock import Clock
from firmware_emu.errors import NotAvailable, RadioError
from firmware_emu.han.base import NetworkSettings
from firmware_emu.han.custody import FORMAT, DongleContent, compose, differences, read_file, write_backup
from firmware_emu.ids import Eui64
from hil.radio.dongles import virtual_dongle
from hil.radio.personality import personality
from tests.radio.custody_rig import Rig
from tests.radio.radio_bench import HUB, METER

OTHER_DONGLE = Eui64.parse("00db1234567890b0")
STRANGER = Eui64.parse("dddddddddddddddd")
WANTED = Eui64.parse("00db1234567890a1")
OWN = NetworkSettings(WANTED, 15, 0x1234, bytes(range(16)))
FAMILIES = pytest.mark.parametrize("family", ["ezsp", "znp"])


@FAMILIES
async def test_a_dongle_tells_what_it_holds_and_is_left_silent(clock: Clock, family: str, tmp_path: Path) -> None:
    rig = Rig(family, tmp_path, clock)

    dongle = rig.dongle(HUB)
    async with rig.radio(dongle) as radio:
        empty = await radio.held()
        await radio.form(NetworkSettings(STRANGER, 20, 0x1A62, bytes(range(16))))
    async with rig.radio(dongle) as radio:
        held = await radio.held()
        await radio.silence()
        running = dongle.ncp.stack.running
    assert empty == DongleContent(HUB)
    assert held == DongleContent(HUB, NetworkSettings(STRANGER, 20, 0x1A62, bytes(range(16))))
    assert not running


@FAMILIES
async def test_a_backup_restored_on_another_dongle_gives_it_eui64_network_keys_and_counters_ahead(
    clock: Clock, family: str, tmp_path: Path
) -> None:
    rig = Rig(family, tmp_path, clock)

    old, new = rig.dongle(HUB), rig.dongle(OTHER_DONGLE)
    async with rig.radio(old) as radio:
        await radio.form(NetworkSettings(WANTED, 20, 0x1A62, bytes(range(16))))
        await radio.import_link_key(METER, b"m" * 16)
        file = await radio.save_backup()
        before = old.ncp.stack.nwk.counter
    async with rig.radio(new) as radio:
        restored = await radio.restore(read_file(file))
        tokens = new.ncp.stack.tokens
        eui64, after, keys = radio.eui64, new.ncp.stack.nwk.counter, dict(tokens.link_keys.values())
    assert eui64 == HUB
    assert restored == NetworkSettings(WANTED, 20, 0x1A62, bytes(range(16)))
    assert after > before
    assert keys == {METER: b"m" * 16}
    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text())["metadata"]["format"] == FORMAT


@pytest.mark.parametrize(
    ("held", "dongle", "own", "words"),
    [
        (DongleContent(HUB), HUB, OWN, ""),
        (DongleContent(HUB, OWN), HUB, OWN, ""),
        (DongleContent(HUB, OWN), None, None, ""),
        (DongleContent(HUB, NetworkSettings(WANTED, 20, 0x1234, b"k" * 16)), HUB, OWN, ""),
        (DongleContent(OTHER_DONGLE), HUB, OWN, "it is the dongle 00db1234567890b0"),
        (DongleContent(HUB, NetworkSettings(STRANGER, 11, 0x1A62, bytes(16))), None, None, "dddddddddddddddd on PAN 1A62, channel 11"),
        (
            DongleContent(HUB, NetworkSettings(WANTED, 15, 0x4321, bytes(16))),
            HUB,
            OWN,
            "on PAN 4321, channel 15, and this hub's is on PAN 1234",
        ),
        (DongleContent(HUB, NetworkSettings(STRANGER, 11, 0x1A62), False), HUB, OWN, "has joined the network"),
        (DongleContent(OTHER_DONGLE, NetworkSettings(WANTED, 15, 0x1234, b"k" * 16)), HUB, OWN, "its network key is another one"),
    ],
)
def test_what_differs_is_told_in_words(held: DongleContent, dongle: Eui64 | None, own: NetworkSettings | None, words: str) -> None:
    found = "; ".join(differences(held, dongle, own, WANTED))
    assert words in found
    assert bool(words) == bool(found)
    assert (b"k" * 16).hex() not in found


def test_a_file_that_is_no_coordinator_backup_is_refused_and_none_is_ever_written_over(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(NotAvailable, match="open-coordinator-backup"):
        read_file(tmp_path / "other.json")
    first, second = (write_backup(compose(HUB, OWN, {}), tmp_path) for _ in range(2))
    assert first != second
    assert first.read_text() == second.read_text()


async def test_an_ember_dongle_that_cannot_be_given_another_eui64_says_so_and_takes_the_network_without_it(
    clock: Clock, tmp_path: Path
) -> None:
    rig = Rig("ezsp", tmp_path, clock)
    backup = compose(HUB, OWN, {METER: b"m" * 16})

    dongle = virtual_dongle("ezsp", rig.air, OTHER_DONGLE, 13, None, rig.clock, firmware=personality("zbdongle-e-7.4"))
    async with rig.radio(dongle) as radio:
        with pytest.raises(RadioError) as refused:
            await radio.restore(backup)
        await radio.restore(backup, own_eui64=True)
        said, eui64 = str(refused.value), radio.eui64
    assert f"cannot be given the EUI-64 {HUB}" in said
    assert "--own-eui" in said
    assert eui64 == OTHER_DONGLE
