"""The connector and the profile as ``chub ichis`` shows them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from firmware_emu.errors import BoardError
from ichis.cli import ichis

TEXT = (Path(__file__).resolve().parents[2] / "board_configs" / "ichis_default.toml").read_text()


def said(*words: str) -> dict[str, Any]:
    result = CliRunner().invoke(ichis, [*words, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.output))


@pytest.mark.requirement("ICH-01")
def test_twenty_pins_with_their_electrical_sense_and_the_data_lines_are_listed() -> None:
    pins = said("pins")["pins"]
    assert [pin["pin"] for pin in pins] == list(range(1, 21))
    assert [pin["pin"] for pin in pins if pin["host"] == "power"] == [1, 2, 3, 4]
    by_symbol = {pin["symbol"]: pin for pin in pins}
    assert (by_symbol["CH_PR"]["hub"], by_symbol["CH_PR"]["open"], by_symbol["CH_PR"]["pull_up"]) == ("output", "high", True)
    assert {pin["symbol"] for pin in pins} >= {"TX_MT", "RX_MT", "AC LO", "MT_PR"}


@pytest.mark.requirement("ICH-06")
@pytest.mark.requirement("ICH-12")
def test_one_profile_names_its_version_and_every_limit_with_its_source() -> None:
    profile = said("profile")
    assert "V1.0" in profile["version"]
    limits = {row["key"]: row for row in profile["limits"]}
    assert all(row["source"] for row in limits.values())
    assert limits["outage_threshold"]["value"] == 180
    assert (limits["holdup_time"]["source"], limits["holdup_time"]["confidence"]) == ("profile", "not established")
    assert limits["supply_nominal"]["confidence"] == "quoted"


@pytest.mark.requirement("ICH-07")
def test_hosts_are_meters_and_hot_shoes_and_a_gas_meter_is_an_option_that_is_off(tmp_path: Path) -> None:
    path = tmp_path / "ichis_mine.toml"
    for host in ("meter", "hot shoe"):
        path.write_text(TEXT.replace('host = "meter"', f'host = "{host}"', 1))
        assert said("profile", str(path))["host"] == host
    path.write_text(TEXT.replace('host = "meter"', 'host = "gas meter"', 1))
    with pytest.raises(BoardError, match="switched off"):
        said("profile", str(path))
