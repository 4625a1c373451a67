"""Profiles: every limit with its source; missing and contradictory ones refused by key."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_emu.errors import BoardError
from ichis.profile import load_profile

TEXT = (Path(__file__).resolve().parents[2] / "board_configs" / "ichis_default.toml").read_text()


@pytest.mark.requirement("ICH-06")
@pytest.mark.requirement("ICH-12")
def test_the_default_profile_names_its_interface_version_and_what_nobody_established() -> None:
    profile = load_profile("ichis_default")
    assert "V1.0" in profile.version
    assert not profile.limits["supply_nominal"].profile_supplied
    assert profile.limits["holdup_time"].profile_supplied
    assert profile["outage_threshold"] == 180


@pytest.mark.requirement("ICH-07")
def test_hosts_are_meters_and_hot_shoes_and_a_gas_meter_is_an_option_that_is_off(tmp_path: Path) -> None:
    path = tmp_path / "ichis_mine.toml"
    for host in ("meter", "hot shoe"):
        path.write_text(TEXT.replace('host = "meter"', f'host = "{host}"', 1))
        assert load_profile(str(path)).host == host
    path.write_text(TEXT.replace('host = "meter"', 'host = "gas meter"', 1))
    with pytest.raises(BoardError, match="switched off"):
        load_profile(str(path))


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("[holdup_time]", "[hold_up]", "holdup_time"),
        ("value = 8.5", "value = 10.5", "brownout_threshold"),
        ("value = 12.0", "value = -1", "supply_nominal.value"),
        ('unit = "A"', 'unit = "mA"', "current_continuous_max.unit"),
        ('host = "meter"', 'host = "gas meter"', "host"),
        ('confidence = "quoted"', 'confidence = "sure"', "supply_nominal.confidence"),
    ],
)
def test_a_wrong_profile_is_refused_with_the_key(tmp_path: Path, old: str, new: str, key: str) -> None:
    assert old in TEXT
    path = tmp_path / "ichis_mine.toml"
    path.write_text(TEXT.replace(old, new, 1))
    with pytest.raises(BoardError) as caught:
        load_profile(str(path))
    assert caught.value.key == key
