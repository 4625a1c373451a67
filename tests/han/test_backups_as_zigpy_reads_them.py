"""A backup that is composed, as zigpy reads it; files of backups; and each difference of a dongle in its own words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from zigpy.backups import NetworkBackup

from firmware_emu.errors import NotAvailable
from firmware_emu.han.base import NetworkSettings
from firmware_emu.han.custody import DongleContent, compose, differences, read_file, write_backup, write_file
from hil.hosts.matrix import SKIP, MatrixCell, _colons, _last, _unless, home
from hil.hosts.session import Ended
from tests.radio.radio_bench import DISPLAY, HUB, METER

KEY, LINK_KEY = bytes(range(16)), bytes(range(16, 32))
OWN = NetworkSettings(HUB, 20, 0x0A62, KEY, key_sequence=3, frame_counter=0x012345, update_id=7)


def test_zigpy_finds_the_network_and_its_link_keys_in_a_composed_backup() -> None:
    read = NetworkBackup.from_open_coordinator_json(compose(DISPLAY, OWN, {METER: LINK_KEY}))
    network, node = read.network_info, read.node_info
    assert node.ieee.serialize() == DISPLAY.zigbee
    assert (node.nwk, node.logical_type.name) == (0x0000, "Coordinator")
    assert network.extended_pan_id.serialize() == HUB.zigbee
    assert (network.pan_id, network.channel, list(network.channel_mask)) == (0x0A62, 20, [20])
    assert (network.nwk_update_id, network.security_level) == (7, 5)  # level 5: encrypted, MIC of 32 bits (ZigBee PRO r21 4.5.1)
    assert network.network_key.key.serialize() == KEY
    assert (network.network_key.seq, network.network_key.tx_counter) == (3, 0x012345)
    (key,) = network.key_table
    assert (key.partner_ieee.serialize(), key.key.serialize()) == (METER.zigbee, LINK_KEY)
    assert (key.tx_counter, key.rx_counter) == (0x012345, 0)
    assert [one.serialize() for one in network.children] == []


@pytest.mark.parametrize("unknown", [{"pan_id": None}, {"network_key": None}])
def test_a_network_whose_pan_or_key_is_not_known_is_no_backup(unknown: dict[str, None]) -> None:
    with pytest.raises(NotAvailable, match="its PAN id or its network key is not known: use --take-over"):
        compose(HUB, replace(OWN, **unknown), {})


@pytest.mark.parametrize(
    ("held", "dongle", "own", "told"),
    [
        (
            DongleContent(HUB, replace(OWN, extended_pan_id=METER)),
            HUB,
            OWN,
            f"it holds the network {METER} on PAN 0A62, channel 20, and this hub's is {HUB}",
        ),
        (DongleContent(HUB, replace(OWN, extended_pan_id=METER)), HUB, replace(OWN, extended_pan_id=METER), ""),
        (
            DongleContent(HUB, replace(OWN, pan_id=None)),
            HUB,
            OWN,
            "its network is on a PAN that is not known, channel 20, and this hub's is on PAN 0A62, channel 20",
        ),
        (DongleContent(HUB, replace(OWN, pan_id=5)), HUB, replace(OWN, pan_id=None), ""),
        (DongleContent(HUB, OWN), DISPLAY, OWN, f"it is the dongle {HUB}, and this hub's network was on {DISPLAY}"),
        (DongleContent(HUB, OWN, False), HUB, OWN, f"it has joined the network {HUB} of another coordinator"),
        (DongleContent(HUB, replace(OWN, network_key=LINK_KEY)), HUB, OWN, ""),
        (
            DongleContent(HUB, replace(OWN, network_key=LINK_KEY)),
            DISPLAY,
            OWN,
            f"it is the dongle {HUB}, and this hub's network was on {DISPLAY}; its network key is another one than this hub's",
        ),
    ],
    ids=[
        "stranger",
        "own of an earlier id",
        "no PAN",
        "PAN not remembered",
        "another dongle",
        "joined",
        "key changed",
        "key of a stranger",
    ],
)
def test_a_difference_is_told_once_and_whole(held: DongleContent, dongle: object, own: NetworkSettings, told: str) -> None:
    assert "; ".join(differences(held, dongle, own, HUB)) == told  # type: ignore[arg-type]


def test_backups_are_numbered_from_one_and_never_written_over(tmp_path: Path) -> None:
    backup = compose(DISPLAY, OWN, {})
    names = [write_backup(backup, tmp_path / "a" / "b").name for _ in range(3)]
    assert names == [f"{DISPLAY.octets.hex()}-{HUB.octets.hex()}-{number}.json" for number in (1, 2, 3)]
    assert write_backup({}, tmp_path).name == "dongle-network-1.json"
    with pytest.raises(NotAvailable, match="File exists: name a file that is not there yet"):
        write_file(backup, tmp_path / "dongle-network-1.json")
    assert read_file(tmp_path / "a" / "b" / names[2]) == backup
    (tmp_path / "file").touch()
    with pytest.raises(NotAvailable, match="name a folder that can be written to"):
        write_backup(backup, tmp_path / "file" / "under")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[]", "its metadata does not say format"),
        ('{"metadata": []}', "its metadata does not say format"),
        ('{"metadata": {"format": "zigpy"}}', "its metadata does not say format"),
        ("{", "it is no JSON"),
        (None, "No such file or directory: name a file that `chub hub backup` or another host wrote"),
    ],
    ids=["list", "metadata of no table", "another format", "no JSON", "no file"],
)
def test_a_file_that_is_no_backup_says_why(tmp_path: Path, text: str | None, words: str) -> None:
    if text is not None:
        (tmp_path / "backup.json").write_text(text)
    with pytest.raises(NotAvailable, match=words):
        read_file(tmp_path / "backup.json")


# -- hosts that are asked the same


@pytest.mark.parametrize(
    ("said", "last"),
    [
        ("", "exit code 3"),
        (" \n\n", "exit code 3"),
        ("one\n \x1b[31mtwo\x1b[0m \n\n", "two"),
        ("x" * 300, "x" * 300),
        ("x" * 301, "x" * 300),
    ],
    ids=["nothing", "blank lines", "colours", "300 characters", "301 characters"],
)
def test_the_last_line_of_a_host_counts_without_colours_else_its_exit_code(said: str, last: str) -> None:
    assert _last(Ended(3, said)) == last


def test_a_host_that_is_not_installed_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert home() == tmp_path / "commshub" / "hosts"
    missing = _unless("zha", "python", " (Python 3.12 or newer)")
    assert missing() == f"not installed: python -m venv {home()}/zha, and pip install zha in it (Python 3.12 or newer)"
    (home() / "zha" / "bin").mkdir(parents=True)
    (home() / "zha" / "bin" / "python").touch()
    assert missing() is None


@pytest.mark.parametrize(("text", "written"), [("00db12", "00:db:12"), ("", ""), ("00", "00")])
def test_an_address_is_written_octet_by_octet(text: str, written: str) -> None:
    assert _colons(text) == written


def test_a_cell_tells_each_of_its_fields() -> None:
    cell = MatrixCell("bellows", "pty", "zbt-1-7.4", "form", SKIP, "why")
    assert list(cell.as_json().values()) == ["bellows", "pty", "zbt-1-7.4", "form", "skip", "why"]
