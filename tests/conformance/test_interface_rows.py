"""The interface suite as a user runs it: its three chapters, one profile for everything that is under test, and a report that proves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hil.commands.ichis_check import check
from hil.report.signature import verify

TEXT = (Path(__file__).resolve().parents[2] / "board_configs" / "ichis_default.toml").read_text(encoding="utf-8")
STRICTER = TEXT.replace('host = "meter"', 'host = "hot shoe"', 1)
for limit, usual, stricter in (("current_continuous_max", "0.6", "0.1"), ("supply_tolerance_high", "13.2", "12.1")):
    assert f"[{limit}]\nvalue = {usual}\n" in STRICTER
    STRICTER = STRICTER.replace(f"[{limit}]\nvalue = {usual}\n", f"[{limit}]\nvalue = {stricter}\n")


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("CHUB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def run(*checks: str, of: str = "hub", profile: Path | None = None) -> tuple[dict[str, Any], Path]:
        named = () if profile is None else ("--profile", str(profile))
        selected = [word for one in checks for word in ("--select", one)]
        done = CliRunner().invoke(check, ["--of", of, *named, *selected, "--json"], catch_exceptions=False)
        folder = Path(json.loads(done.stdout)["report"]).parent
        return json.loads((folder / "report.json").read_text(encoding="utf-8")), folder

    return run


@pytest.mark.requirement("ICH-01")
@pytest.mark.requirement("ICH-11")
def test_the_physical_the_electrical_and_the_data_part_are_each_measured_at_a_hub_and_at_a_host(ran: Any) -> None:
    for of, checks in (("hub", ("MAT-01", "SST-05", "SER-03")), ("host", ("HLI-01", "HSU-01", "HLI-07"))):
        record, _ = ran(*checks, of=of)
        assert {row["chapter"]: row["verdict"] for row in record["checks"]} == dict.fromkeys(("physical", "electrical", "data"), "pass")


@pytest.mark.requirement("ICH-06")
def test_one_profile_file_decides_for_the_hub_for_the_meter_and_for_the_hot_shoe(ran: Any, tmp_path: Path) -> None:
    stricter = tmp_path / "ichis_stricter.toml"
    stricter.write_text(STRICTER, encoding="utf-8")
    for of, checks in (("hub", ("SST-04",)), ("host", ("HSU-01",))):
        for profile, verdict in ((None, "pass"), (stricter, "fail")):
            record, _ = ran(*checks, of=of, profile=profile)
            assert {row["id"]: row["verdict"] for row in record["checks"]} == dict.fromkeys(checks, verdict)


@pytest.mark.requirement("ICH-09")
@pytest.mark.requirement("ICH-12")
def test_a_report_is_signed_and_names_the_interface_version_and_the_source_of_each_limit(ran: Any) -> None:
    record, folder = ran("MAT-01", "SST-05")
    assert (record["verdict"], record["facts"]["interface"]) == ("pass", next(one for one in TEXT.split('"') if "V1.0" in one))
    assert all(row["source"] and row["limit_sources"] for row in record["checks"])
    assert verify(folder).problems == ()
    report = folder / "report.json"
    report.write_text(report.read_text(encoding="utf-8").replace('"pass"', '"fail"', 1), encoding="utf-8")
    assert verify(folder).problems == ("report.json is not what was signed",)
