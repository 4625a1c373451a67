"""Charges as a user works them out: ``chub dcc charges`` on files of facts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from hil.commands.dcc.charges import charges
from hil.sec.charging.money import ChargingError

Rows = list[dict[str, str]]
BILL = """
liability_gbp = "100.00"
[shares]
A = 1
B = 1
C = 1
[prices_gbp]
"SVC.4.8" = "0.125"
"ALERT.A1" = "0.01"
[used.A]
"SVC.4.8" = 3
"ALERT.A1" = 10
"SVC.9.9" = 7
[hub_charges_gbp]
A = "5.00"
[bad_debt]
debtor = "C"
unpaid_gbp = "9.00"
[[dispute]]
party = "A"
account = "services"
gbp = "4.00"
manifest_error = MANIFEST
"""
YEAR = """
implementation_margin_gbp = "600"
[costs]
pass_through_gbp = "1000"
own_gbp = "200"
ofgem_gbp = "30"
secco_gbp = "20"
secas_gbp = "10"
margin = "0.15"
[last_year]
charged_gbp = "1290"
allowed_gbp = "1290"
credits_gbp = ["12.50", "7.50"]
[bonus]
implementation_costs_gbp = ["30000", "30000"]
milestones_met = 2
[contracts]
annual_gbp = "12345.00"
[gain]
allowed_gbp = "100"
actual_gbp = "80"
[gain.retained]
DCC = "0.1"
DSP = "0.1"
"CSP North" = "0.05"
[period]
begins = 2015-04-01
ends = 2016-04-01
[[set_up]]
provider = "DSP"
amount_gbp = "700"
accepted = 2015-09-01
milestone_achieved = 2015-10-01
[[set_up]]
provider = "DSP"
amount_gbp = "40"
accepted = 2015-09-01
[[set_up]]
provider = "CSP North"
amount_gbp = "300"
accepted = 2016-02-01
milestone_achieved = 2016-04-01
[emergency]
shortfall_gbp = "90"
[emergency.charges_gbp]
A = "200"
B = "100"
[persistent_failure]
at_risk_gbp = "55.50"
carried_out = ["remedial plan", "step-in"]
[[milestone]]
name = "first"
at_risk_gbp = "900"
days_late = 45
full_after_days = 90
recoverable = "0.6"
recovered = true
[[milestone]]
name = "second"
at_risk_gbp = "900"
days_late = 365
full_after_days = 90
"""
PRICES = """
finance_charges_gbp = ["10.10", "20.20", "30.30", "999"]
hubs = 101
[smwan_prices_gbp]
cellular = "40.25"
"long range radio" = "40.25"
[[receipt]]
supplier = "A"
hubs = 10
variant_cost_gbp = "45.50"
standard_cost_gbp = "40.25"
[[receipt]]
supplier = "B"
hubs = 10
variant_cost_gbp = "45.50"
standard_cost_gbp = "40.25"
split_fuel = true
[[region]]
hubs = 3
hub_cost_gbp = "30"
[[region]]
hubs = 1
hub_cost_gbp = "50"
"""
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
"""
FAULTS = """
hub_price_gbp = "40"
[period]
begins = 2026-01-01
ends = 2027-01-01
[installed]
A = 100
B = 300
[ordered]
spring = 20
"""


def said(tmp_path: Path, text: str, *words: str) -> Rows:
    """Rows of the command, which reads a file of ``text``."""
    file = tmp_path / "facts.toml"
    file.write_text(text)
    result = CliRunner().invoke(charges, [*words, str(file), "--json"], catch_exceptions=False)
    found: Rows = json.loads(result.output)
    return found


def amounts(rows: Rows) -> dict[str, str]:
    return {row["what"]: row.get("GBP") or row["amount"] for row in rows}


def fault(hub: str, supplier: str, cause: str, *, order: str = "spring", failed: str = "2026-06-01") -> str:
    text = "\n".join(f'{name} = "{value}"' for name, value in {"hub": hub, "supplier": supplier, "order": order, "cause": cause}.items())
    return f"[[fault]]\n{text}\ninstalled = 2026-02-01\nfailed = {failed}\n"


@pytest.mark.requirement("CHG-21")
@pytest.mark.requirement("CHG-23")
def test_services_are_billed_at_their_price_and_hub_charges_have_an_invoice_of_their_own(tmp_path: Path) -> None:
    rows = said(tmp_path, BILL.replace("MANIFEST", "false"), "bill", "2026-03")
    of_a = {row["account"]: row for row in rows if row["party"] == "A"}
    assert set(of_a) == {"DCC charges", "Communications Hub charges"}
    assert "10 x ALERT.A1 0.10 [400]" in of_a["DCC charges"]["lines"]
    assert "3 x SVC.4.8 0.38 [400]" in of_a["DCC charges"]["lines"]
    assert "5.00" in of_a["Communications Hub charges"]["lines"]
    assert "SVC.9.9" not in of_a["DCC charges"]["lines"]


@pytest.mark.requirement("CHG-24")
@pytest.mark.requirement("COM-02")
def test_an_acceleration_event_is_shared_and_invoices_go_out_early_in_the_next_month(tmp_path: Path) -> None:
    rows = said(tmp_path, BILL.replace("MANIFEST", "false"), "bill", "2026-03")
    hubs = {row["party"]: row["total GBP"] for row in rows if row["account"] == "Communications Hub charges"}
    assert hubs == {"A": "38.34", "B": "33.33", "C": "33.33"}
    assert {row["issued"] for row in rows} == {"2026-04-05"}
    file = tmp_path / "facts.toml"
    assert "providers are paid on 2026-04-30" in CliRunner().invoke(charges, ["bill", "2026-03", str(file)], env={"COLUMNS": "200"}).output


@pytest.mark.requirement("COM-03")
def test_an_invoice_in_dispute_is_paid_first_save_where_the_error_is_manifest_and_bad_debt_is_shared(tmp_path: Path) -> None:
    for manifest, due in (("false", "4.98"), ("true", "0.98")):
        rows = said(tmp_path, BILL.replace("MANIFEST", manifest), "bill", "2026-03")
        row = next(row for row in rows if (row["party"], row["account"]) == ("A", "DCC charges"))
        assert (row["total GBP"], row["due GBP"]) == ("4.98", due)  # 0.48 of services and half of C's debt
        assert "bad debt of C 4.50" in row["lines"]
        assert not any(one["party"] == "C" and "bad debt" in one["lines"] for one in rows)


@pytest.mark.requirement("COM-01")
@pytest.mark.requirement("COM-08")
@pytest.mark.requirement("COM-10")
def test_the_years_charges_have_margin_on_own_costs_alone_and_the_k_factor_of_last_years_credits(tmp_path: Path) -> None:
    found = amounts(said(tmp_path, YEAR, "year"))
    assert found["margin on own costs"] == "30.00"
    assert found["K factor"] == "-20.00"
    assert found["total"] == "1270.00"
    passed_through = amounts(said(tmp_path, YEAR.replace('"1000"', '"999999"'), "year"))
    assert passed_through["margin on own costs"] == "30.00"
    with pytest.raises(ChargingError, match="read a margin of"):
        said(tmp_path, YEAR.replace('"0.15"', '"-0.1"'), "year")


@pytest.mark.requirement("COM-04")
@pytest.mark.requirement("COM-05")
def test_the_bonus_pool_and_the_collaborative_fund_are_one_per_cent(tmp_path: Path) -> None:
    found = amounts(said(tmp_path, YEAR, "year"))
    assert (found["bonus pool"], found["bonus earned"]) == ("600.00", "400.00")
    assert found["collaborative fund at most"] == "123.45"
    with pytest.raises(ChargingError, match="0 to 3"):
        said(tmp_path, YEAR.replace("milestones_met = 2", "milestones_met = 4"), "year")


@pytest.mark.requirement("COM-06")
@pytest.mark.requirement("COM-07")
def test_a_milestone_credit_slides_to_the_full_amount_part_comes_back_and_the_margin_is_all_that_is_at_risk(tmp_path: Path) -> None:
    found = amounts(said(tmp_path, YEAR, "year"))
    on_the_dcc = {name.rpartition(" ")[2]: amount for name, amount in found.items() if name.startswith("credit on the DCC's charges for")}
    assert on_the_dcc == {"first": "450.00", "second": "900.00"}
    assert (found["recovered of first"], found["recovered of second"]) == ("270.00", "0.00")
    assert found["credits together"] == "600"  # 180 and 900, but the margin is 600


@pytest.mark.requirement("COM-09")
def test_a_saving_is_shared_by_dcc_dsp_and_csps_the_rest_is_the_users_and_a_loss_is_nobodys(tmp_path: Path) -> None:
    found = amounts(said(tmp_path, YEAR, "year"))
    gains = {name.removeprefix("gain of "): amount for name, amount in found.items() if name.startswith("gain of ")}
    assert gains == {"DCC": "2.00", "DSP": "2.00", "CSP North": "1.00", "users": "15.00"}
    loss = amounts(said(tmp_path, YEAR.replace('actual_gbp = "80"', 'actual_gbp = "120"'), "year"))
    assert {amount for name, amount in loss.items() if name.startswith("gain of ")} == {"0"}
    with pytest.raises(ChargingError, match=r"expected one of the CSP too \[386\]"):
        said(tmp_path, YEAR.replace('"CSP North" = "0.05"', ""), "year")
    with pytest.raises(ChargingError, match="something left for users"):
        said(tmp_path, YEAR.replace('DSP = "0.1"', 'DSP = "0.9"'), "year")


@pytest.mark.requirement("COM-11")
def test_set_up_costs_wait_for_joint_acceptance_and_their_milestone(tmp_path: Path) -> None:
    found = amounts(said(tmp_path, YEAR, "year"))
    assert (found["set-up costs of DSP"], found["set-up costs of DSP still deferred"]) == ("700", "40")
    assert (found["set-up costs of CSP North"], found["set-up costs of CSP North still deferred"]) == ("0", "300")
    next_year = YEAR.replace("2015-04-01", "2016-04-01", 1).replace("ends = 2016-04-01", "ends = 2017-04-01")
    later = amounts(said(tmp_path, next_year, "year"))
    assert (later["set-up costs of DSP"], later["set-up costs of CSP North"]) == ("0", "300")


@pytest.mark.requirement("COM-12")
def test_emergency_funding_comes_from_the_users_by_their_charges(tmp_path: Path) -> None:
    found = amounts(said(tmp_path, YEAR, "year"))
    assert (found["emergency funding by A"], found["emergency funding by B"]) == ("60.00", "30.00")


@pytest.mark.requirement("COM-13")
def test_the_dcc_has_relief_from_persistent_failure_only_with_all_three_obligations_carried_out(tmp_path: Path) -> None:
    found = amounts(said(tmp_path, YEAR, "year"))
    assert found["credit for persistent service failure (not yet: enhanced scrutiny)"] == "55.50"
    all_three = YEAR.replace('"remedial plan", "step-in"', '"remedial plan", "enhanced scrutiny", "step-in"')
    assert amounts(said(tmp_path, all_three, "year"))["credit for persistent service failure (relief)"] == "0.00"
    with pytest.raises(ChargingError, match="read 'a letter', expected one of remedial plan"):
        said(tmp_path, YEAR.replace('"step-in"', '"a letter"'), "year")


@pytest.mark.requirement("CHG-33")
@pytest.mark.parametrize("left_out", ["", "--acceleration-called", "--left-unpaid", "--dcc-unable"])
def test_a_financier_pursues_a_supplier_only_with_all_three_parts_there(left_out: str) -> None:
    words = [one for one in ("--acceleration-called", "--left-unpaid", "--dcc-unable") if one != left_out]
    result = CliRunner().invoke(charges, ["third-party", *words, "--json"])
    (row,) = json.loads(result.output)
    assert (result.exit_code, row["may be exercised"], len(row["missing"])) == ((1, False, 1) if left_out else (0, True, 0))


@pytest.mark.requirement("CHG-10")
@pytest.mark.requirement("CHG-11")
def test_the_han_variant_is_paid_on_receipt_by_the_installing_supplier_without_a_rebate_in_split_fuel(tmp_path: Path) -> None:
    rows = said(tmp_path, PRICES, "hubs")
    assert [row["amount"] for row in rows if row["what"].startswith("HAN variant")] == ["52.50", "52.50"]
    assert "[325, 326]" in next(row["source"] for row in rows if row["what"].startswith("HAN variant, B (rebate 0)"))
    with pytest.raises(ChargingError, match="under the standard hub"):
        said(tmp_path, PRICES.replace('"45.50"', '"40"'), "hubs")


@pytest.mark.requirement("CHG-12")
@pytest.mark.requirement("CHG-22")
@pytest.mark.requirement("CHG-25")
@pytest.mark.requirement("CHG-26")
def test_one_price_for_every_sm_wan_variant_the_float_the_uniform_charge_and_the_first_tranche(tmp_path: Path) -> None:
    found = amounts(said(tmp_path, PRICES, "hubs"))
    assert found["price of every SM WAN variant"] == "40.25"
    assert found["float"] == "60.60"
    assert found["uniform domestic charge"] == "35.00"
    assert found["hubs of the first tranche"] == "16"
    with pytest.raises(ChargingError, match=r"\[327\]"):
        said(tmp_path, PRICES.replace('radio" = "40.25"', 'radio" = "41"'), "hubs")


@pytest.mark.requirement("CHG-06")
def test_the_asset_charge_runs_ten_years_or_what_is_left_of_the_contract(tmp_path: Path) -> None:
    row = said(tmp_path, HUBS, "schedule")[0]
    assert (row["first"], row["last"], row["months"], row["sum GBP"]) == ("2026-01", "2035-12", "120", "120.00")
    assert row["value left at the end of the first year GBP"] == "108.00"
    assert said(tmp_path, HUBS.replace("2040-12", "2035-11"), "schedule")[0]["months"] == "119"


@pytest.mark.requirement("CHG-07")
@pytest.mark.requirement("CHG-08")
@pytest.mark.requirement("CHG-09")
@pytest.mark.requirement("CHG-13")
def test_a_hub_is_its_receivers_until_it_is_installed_then_everybodys_until_it_is_removed(tmp_path: Path) -> None:
    assert said(tmp_path, HUBS, "month", "2025-12") == []
    assert [(row["supplier"], row["total GBP"]) for row in said(tmp_path, HUBS, "month", "2026-03")] == [("A", "1.00")]
    installed = f"{HUBS}installed = 2026-04-02\ncommissioned = 2026-04-02\n"
    assert [(row["supplier"], row["asset GBP"], row["maintenance GBP"]) for row in said(tmp_path, installed, "month", "2026-05")] == [
        ("A", "0.25", "0.10"),
        ("B", "0.75", "0.30"),
    ]
    assert said(tmp_path, f"{installed}removed = 2026-06-10\n", "month", "2026-06") == []


@pytest.mark.requirement("CHG-01")
@pytest.mark.requirement("CHG-02")
@pytest.mark.requirement("CHG-03")
@pytest.mark.requirement("CHG-04")
def test_damages_are_due_above_the_thresholds_and_go_to_suppliers_by_their_fault_rates(tmp_path: Path) -> None:
    several = "".join(fault(f"hub {number}", "AABBB"[number], "hub failed in use") for number in range(5))
    found = amounts(said(tmp_path, FAULTS + several, "damages"))
    assert found["type faults: 5"] == "150"  # 0.5 % of 400 hubs are 2
    assert (found["share of A"], found["share of B"]) == ("100.00", "50.00")
    assert found["batch faults of spring: 5"] == "150"  # 10 % of 20 hubs are 2
    late = "".join(fault(f"hub {number}", "A", "hub failed in use", failed="2027-03-01") for number in range(5))
    assert amounts(said(tmp_path, FAULTS + late, "damages"))["batch faults of spring: 0"] == "0"


@pytest.mark.requirement("CHG-14")
@pytest.mark.requirement("CHG-20")
def test_the_dcc_replaces_free_of_charge_what_its_own_causes_broke_and_a_user_pays_for_its_own(tmp_path: Path) -> None:
    own = ("hub failed in use", "SM WAN coverage to be improved", "single mode hub without mesh reach")
    users = (
        "physically damaged after delivery by supplier or customer",
        "support materials not complied with",
        "no fault found",
        "lost or stolen",
    )
    each = "".join(fault(cause, "A", cause) for cause in (*own, *users))
    found = amounts(said(tmp_path, FAULTS + each, "damages"))
    assert {cause: found[f"replacement of {cause}"] for cause in (*own, *users)} == dict.fromkeys(own, "0") | dict.fromkeys(users, "40.00")
    with pytest.raises(ChargingError, match="read the cause 'age'"):
        said(tmp_path, FAULTS + fault("mine", "A", "age"), "damages")


@pytest.mark.requirement("CHG-27")
@pytest.mark.parametrize(
    ("purpose", "payer"), [("installation", "A"), ("removal", "A"), ("type fault", "DCC"), ("batch fault", "DCC"), ("early refresh", "CSP")]
)
def test_a_visit_is_the_suppliers_save_for_the_dccs_faults_and_refreshes(purpose: str, payer: str) -> None:
    result = CliRunner().invoke(charges, ["visit", purpose, "A", "--json"], catch_exceptions=False)
    assert json.loads(result.output)[0]["pays"] == payer


@pytest.mark.parametrize(
    ("command", "text", "says"),
    [
        (["year"], YEAR.replace("[costs]", "[cost]"), "'costs' is missing"),
        (["year"], YEAR.replace("own_gbp", "owned_gbp"), "owned_gbp"),
        (["bill", "2026-03"], BILL.replace("MANIFEST", "false").replace('account = "services"', 'account = "gifts"'), "gifts"),
        (["bill", "2026-03"], BILL.replace("MANIFEST", "false").replace('party = "A"', 'party = "Z"'), "a dispute of Z"),
        (["hubs"], "hubs = ", "read no TOML"),
        (["damages"], FAULTS, "'fault' is missing"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_what_was_expected(tmp_path: Path, command: list[str], text: str, says: str) -> None:
    with pytest.raises(ChargingError, match=says):
        said(tmp_path, text, *command)
