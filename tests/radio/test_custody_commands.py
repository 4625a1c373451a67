"""``chub hub backup``, ``restore`` and ``migrate`` as typed, on dongles of another process."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_emu.han.base import NetworkSettings
from firmware_emu.han.custody import FORMAT, compose, write_file
from firmware_emu.ids import Eui64
from tests.patience import PATIENCE_S
from tests.radio.dongle_process import CHUB, dongle
from tests.radio.radio_bench import METER

OWNER = Eui64.parse("00db12345678900a")
NETWORK = NetworkSettings(Eui64.parse("00db1234567890a1"), 20, 0x1A62, bytes(range(16)))
STRANGERS = NetworkSettings(Eui64.parse("dddddddddddddddd"), 11, 0x2B73, bytes(16 * [0x5A]))


@pytest.fixture(params=["ezsp", "znp"])
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def paths(family: str) -> Iterator[tuple[str, str]]:
    """Two dongles of a family on one air."""
    with dongle("--count", "2", "--family", family, "--json") as process:
        assert process.stdout is not None
        first, second = (json.loads(process.stdout.readline())["path"] for _ in range(2))
        yield first, second


def typed(family: str, *words: str | Path, code: int = 0) -> dict[str, object]:
    """Answer of ``chub hub WORDS``; a refusal is {"said": its line}."""
    command = [*CHUB, "hub", *map(str, words), "--kind", family, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == code, done.stderr
    if code:
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
        return {"said": done.stderr}
    told: dict[str, object] = json.loads(done.stdout)
    return told


def held(file: Path) -> tuple[object, ...]:
    """Owner, network and link keys in a backup."""
    read = json.loads(file.read_text())
    assert read["metadata"]["format"] == FORMAT
    assert file.stat().st_mode & 0o777 == 0o600
    keys = {one["ieee_address"]: one["link_key"]["key"] for one in read["devices"] if one.get("link_key")}
    return read["coordinator_ieee"], read["pan_id"], read["extended_pan_id"], read["channel"], read["network_key"]["key"], keys


@pytest.mark.requirement("CH-33")
def test_a_network_is_restored_saved_and_migrated_by_command(family: str, paths: tuple[str, str], tmp_path: Path) -> None:
    first, second = paths
    before, after, backups = tmp_path / "before.json", tmp_path / "after.json", tmp_path / "backups"
    write_file(compose(OWNER, NETWORK, {METER: b"m" * 16}), before)

    restored = typed(family, "restore", before, first, "--backups", backups)
    migrated = typed(family, "migrate", first, second, "--backups", backups)
    saved = typed(family, "backup", second, after)

    assert (restored["dongle"], restored["saved_before"]) == (str(OWNER), None)
    assert (migrated["dongle"], migrated["same_eui"], migrated["saved_before"]) == (str(OWNER), True, None)
    assert saved["devices"] == 1
    assert held(after) == held(before) == held(Path(str(migrated["backup"])))
    assert (
        json.loads(after.read_text())["network_key"]["frame_counter"] > json.loads(before.read_text())["network_key"]["frame_counter"] or 0
    )
    assert "there yet" in str(typed(family, "backup", second, after, code=2)["said"])


def test_what_a_dongle_holds_is_saved_before_it_is_overwritten_and_an_empty_one_cannot_be_migrated(
    family: str, paths: tuple[str, str], tmp_path: Path
) -> None:
    first, second = paths
    stranger, own, backups = tmp_path / "stranger.json", tmp_path / "own.json", tmp_path / "backups"
    write_file(compose(OWNER, STRANGERS, {}), stranger)
    write_file(compose(OWNER, NETWORK, {}), own)

    refused = typed(family, "migrate", second, first, "--backups", backups, code=2)
    typed(family, "restore", stranger, first, "--backups", backups)
    restored = typed(family, "restore", own, first, "--backups", backups)

    assert f"a network in the dongle at {second}" in str(refused["said"])
    assert held(Path(str(restored["saved_before"]))) == held(stranger)
