"""``chub dcc charges`` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from hil.commands.dcc.charges import charges
from hil.sec.charging.money import ChargingError

HUBS = """
maintenance_gbp = "0.40"
[enrolled_systems]
A = 1
B = 3
[[hub]]
name = "one"
ordered_by = "A"
cost_gbp = "120"
delivered = 2026-01-20
contract_ends = "2040-12"
installed = 2026-02-01
commissioned = 2026-02-01
[[hub]]
name = "two"
ordered_by = "B"
cost_gbp = "120"
delivered = 2026-03-02
contract_ends = "2040-12"
"""


def said(*words: str) -> list[dict[str, str]]:
    result = CliRunner().invoke(charges, [*words, "--json"], catch_exceptions=False)
    found: list[dict[str, str]] = json.loads(result.output)
    return found


def test_a_month_of_hubs_is_charged_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "hubs.toml"
    file.write_text(HUBS)
    assert said("month", "2026-03", str(file)) == [
        {"supplier": "A", "asset GBP": "0.25", "maintenance GBP": "0.10", "total GBP": "0.35"},
        {"supplier": "B", "asset GBP": "1.75", "maintenance GBP": "0.30", "total GBP": "2.05"},
    ]
    assert "2.05" in CliRunner().invoke(charges, ["month", "2026-03", str(file)]).output


@pytest.mark.parametrize(
    ("was", "becomes", "says"), [('"120"', "120.5", "never a float"), ('"0.40"', '"much"', "pounds"), ("name =", "nome =", "nome")]
)
def test_a_hub_that_cannot_be_charged_is_named(tmp_path: Path, was: str, becomes: str, says: str) -> None:
    file = tmp_path / "hubs.toml"
    file.write_text(HUBS.replace(was, becomes, 1))
    with pytest.raises(ChargingError, match=says):
        said("month", "2026-03", str(file))


def test_damages_causes_removals_and_figures_are_shown() -> None:
    assert said("type-fault", "15", "1000")[0]["GBP"] == "500"
    assert said("batch-fault", "12", "100")[0]["GBP"] == "100"
    assert said("cause", "lost or stolen")[0]["responsible"] == "user fault"
    assert {one["figure"]: one["value"] for one in said("figures")}["liquidated_damages"] == "50"
    settled = json.loads(CliRunner().invoke(charges, ["removal", "no fault", "100", "--supplier", "A", "--json"]).output)
    assert settled["charges_gbp"] == {"A": "80.00"}


@pytest.mark.requirement("CHG-15")
@pytest.mark.requirement("CHG-16")
@pytest.mark.requirement("CHG-17")
@pytest.mark.requirement("CHG-18")
@pytest.mark.requirement("CHG-19")
@pytest.mark.requirement("CHG-05")
@pytest.mark.parametrize(
    ("kind", "charged", "visit"),
    [
        ("no fault", {"A": "80.00"}, "A"),
        ("non-domestic opt out", {"A": "20.00", "B": "60.00"}, "A"),
        ("split fuel dual band replacement", {"A": "20.00", "B": "60.00"}, "A"),
        ("early refresh", {}, "CSP"),
        ("single mode hub without mesh reach", {}, "DCC"),
    ],
)
def test_each_kind_of_removal_has_its_payers(kind: str, charged: dict[str, str], visit: str) -> None:
    words = ["removal", kind, "100", "--supplier", "A", "--count", "A=1", "--count", "B=3", "--json"]
    settled = json.loads(CliRunner().invoke(charges, words, catch_exceptions=False).output)
    assert (settled["charges_gbp"], settled["site_visit"]) == (charged, visit)
