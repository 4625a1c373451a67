"""Any hub with any host of another maker, and a pair that does not work together says why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_emu.errors import BoardError
from ichis.cli import ichis
from ichis.interop import load_makers


@pytest.mark.requirement("ICH-03")
@pytest.mark.requirement("ICH-04")
@pytest.mark.requirement("ICH-05")
@pytest.mark.requirement("ICH-08")
def test_every_hub_works_in_every_host_meter_or_hot_shoe() -> None:
    outcome = CliRunner().invoke(ichis, ["interop", "--json"])
    pairs = json.loads(outcome.stdout)["pairs"]
    makers = load_makers()
    assert {(row["host"], row["hub"]) for row in pairs} == {(host, hub) for host in makers.hosts for hub in makers.hubs}
    assert {row["kind"] for row in pairs} == {"meter", "hot shoe"}
    assert [row["problems"] for row in pairs] == [[]] * 9
    assert outcome.exit_code == 0


@pytest.mark.parametrize(
    ("host", "hub", "problem"),
    [
        ("source_ohm = 0.3", "cold_start_v = 12.5", "did not show itself"),
        ("open_volts = 10.2", "", "expected 10.8 to 13.2 V"),
        ("holdup_s = 0.05", "holdup_s = 0.1", "stopped the hub"),
        ("ac_lost_s = 5.0", "", "no warning from AC Lost"),
        ("limit_a = 0.1", "", "did not come back"),
    ],
)
def test_a_pair_that_does_not_work_together_says_why(tmp_path: Path, host: str, hub: str, problem: str) -> None:
    path = tmp_path / "makers.toml"
    path.write_text(f'[host.theirs]\nkind = "meter"\n{host}\n[hub.ours]\n{hub}\n')
    outcome = CliRunner().invoke(ichis, ["interop", "--makers", str(path), "--json"])
    assert outcome.exit_code == 1
    assert any(problem in text for text in json.loads(outcome.stdout)["pairs"][0]["problems"]), outcome.stdout


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[hub.a]\n", "host"),
        ('[host.a]\nkind = "gas meter"\n[hub.a]\n', "host.a.kind"),
        ('[host.a]\nkind = "meter"\nvolts = 3\n[hub.a]\n', "host.a.volts"),
        ('[host.a]\nkind = "meter"\n[hub.a]\nload_w = "much"\n', "hub.a.load_w"),
    ],
)
def test_a_wrong_file_of_makers_is_refused_with_the_key(tmp_path: Path, text: str, key: str) -> None:
    path = tmp_path / "makers.toml"
    path.write_text(text)
    with pytest.raises(BoardError) as caught:
        load_makers(path)
    assert caught.value.key == key
