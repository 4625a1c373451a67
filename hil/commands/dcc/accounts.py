"""``chub dcc charges bill | year | hubs | schedule | damages | visit | third-party``: the calculators that take a file of facts."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from firmware_emu.errors import in_toml
from hil.commands.dcc.options import json_option, show
from hil.dcc.base.months import Month
from hil.sec.charging.commercial import (
    AnnualCosts,
    SetUpCost,
    annual_charges,
    bonus_gbp,
    bonus_pool_gbp,
    collaborative_fund_cap_gbp,
    credit_recovered_gbp,
    credit_within_margin_gbp,
    emergency_funding_gbp,
    gain_shares_gbp,
    k_factor_gbp,
    milestone_credit_gbp,
    persistent_failure_relief,
    set_up_costs_gbp,
)
from hil.sec.charging.faults import (
    ChargedFault,
    allocate_damages,
    batch_fault_damages,
    batch_faults,
    replacement_charge_gbp,
    type_fault_damages,
    type_faults,
)
from hil.sec.charging.hubs import (
    HubAsset,
    RegionCost,
    VariantReceipt,
    asset_charge_months,
    asset_charge_schedule,
    first_tranche_hubs,
    float_gbp,
    han_variant_charge,
    remaining_asset_value_gbp,
    smwan_variant_price_gbp,
    uniform_domestic_charge_gbp,
)
from hil.sec.charging.invoices import (
    ChargeAccount,
    Line,
    accelerated_liability,
    bad_debt,
    billing_dates,
    explicit_charges,
    invoices,
    payable_gbp,
    third_party_rights_missing,
)
from hil.sec.charging.money import ChargingError, gbp, pence
from hil.sec.charging.removals import site_visit_payer

FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@contextmanager
def facts(file: Path) -> Iterator[dict[str, Any]]:
    """The content of a TOML file. Raises ChargingError with the file's name for what is missing, unknown or of another kind."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ChargingError(f"{file}: read no TOML ({error}), expected the tables that --help of the command lists") from None
    try:
        yield content
    except KeyError as error:
        raise ChargingError(f"{file}: {error} is missing: --help of the command lists what belongs there") from None
    except (TypeError, AttributeError, ArithmeticError) as error:
        raise ChargingError(f"{file}: {error}: --help of the command lists what belongs there") from None


def hub_of(row: Mapping[str, Any]) -> HubAsset:
    """A hub of a table [[hub]]. Raises ChargingError, KeyError, TypeError."""
    row = dict(row)
    cost, ends = gbp(row.pop("cost_gbp")), Month.parse(row.pop("contract_ends"))
    dates = {name: row.pop(name) for name in ("delivered", "installed", "commissioned", "removed") if name in row}
    for name, day in dates.items():
        if not isinstance(day, date):
            raise ChargingError(f"hub {row.get('name')}: {name} is {in_toml(day)}, expected a date such as 2026-03-01")
    return HubAsset(cost_gbp=cost, contract_ends=ends, **dates, **row)


def _amounts(table: Mapping[str, object]) -> dict[str, Decimal]:
    return {name: gbp(amount) for name, amount in table.items()}  # type: ignore[arg-type]


@click.command("bill")
@click.argument("month")
@FILE
@json_option
def bill(month: str, file: Path, as_json: bool) -> None:
    """Invoice a MONTH (2026-03) from a TOML FILE: services and Alerts used, hub charges, socialised sums; what is due while in dispute.

    Tables: prices_gbp ("SVC.4.8" = "0.12"), used.PARTY ("SVC.4.8" = 3), hub_charges_gbp (PARTY = "5.00"); where they apply liability_gbp,
    bad_debt (debtor, unpaid_gbp), shares (PARTY = number) and [[dispute]] with party, account (services or hubs), gbp, manifest_error.
    Hub charges have an invoice and an account of their own [298-300, 364, 369, 400].
    """
    when = Month.parse(month)
    with facts(file) as content:
        prices, shares = _amounts(content.get("prices_gbp", {})), content.get("shares", {})
        lines = [line for party, used in content.get("used", {}).items() for line in explicit_charges(party, used, prices)]
        for party, amount in _amounts(content.get("hub_charges_gbp", {})).items():
            lines.append(Line(party, ChargeAccount.HUBS, "Communications Hub charges", amount, "[314-330]"))
        if "liability_gbp" in content:
            lines += accelerated_liability(gbp(content["liability_gbp"]), shares)
        if "bad_debt" in content:
            lines += bad_debt(content["bad_debt"]["debtor"], gbp(content["bad_debt"]["unpaid_gbp"]), shares)
        made = invoices(lines, when)
        accounts = {"services": ChargeAccount.SERVICES, "hubs": ChargeAccount.HUBS}
        disputed = {(row["party"], accounts[row["account"]]): row for row in content.get("dispute", [])}
        rows = []
        for invoice in made:
            dispute = disputed.pop((invoice.party, invoice.account), None)
            due = invoice.total_gbp
            if dispute is not None:
                due = payable_gbp(invoice, gbp(dispute["gbp"]), manifest_error=dispute["manifest_error"])
            rows.append(
                {
                    "party": invoice.party,
                    "account": invoice.account.value,
                    "issued": str(invoice.issued),
                    "total GBP": str(invoice.total_gbp),
                    "due GBP": str(due),
                    "lines": "; ".join(f"{line.what} {line.amount_gbp} {line.paragraph}" for line in invoice.lines),
                }
            )
        if disputed:
            party, account = next(iter(disputed))
            raise ChargingError(f"{file}: read a dispute of {party} on {account.value}, expected one about an invoice of this month")
    show(rows, f"Invoices for {when}; providers are paid on {billing_dates(when)[1]} [364]", as_json)


@click.command("year")
@FILE
@json_option
def year(file: Path, as_json: bool) -> None:
    """Work out the DCC's year from a TOML FILE: charges by part, K factor, bonus pool, credits, gain share, fund.

    Tables: costs (pass_through_gbp, own_gbp, ofgem_gbp, secco_gbp, secas_gbp, margin); where they apply last_year (charged_gbp,
    allowed_gbp, credits_gbp), bonus (implementation_costs_gbp, milestones_met), contracts (annual_gbp), [[milestone]] (name,
    at_risk_gbp, days_late, full_after_days, recoverable, recovered: the DCC's own), implementation_margin_gbp, gain (allowed_gbp,
    actual_gbp, and retained: DCC, DSP and each CSP = proportion), period (begins, ends) with [[set_up]] (provider, amount_gbp, accepted,
    milestone_achieved), emergency (shortfall_gbp, and charges_gbp: USER = amount), persistent_failure (at_risk_gbp, carried_out: a list)
    [363, 366, 370, 375, 378-380, 384-386, 388].
    """
    with facts(file) as content:
        costs = dict(content["costs"])
        margin = gbp(costs.pop("margin"))
        correction = Decimal(0)
        rows: list[dict[str, str]] = []
        if "last_year" in content:
            last = content["last_year"]
            credits = [gbp(one) for one in last.get("credits_gbp", [])]
            correction = k_factor_gbp(gbp(last["charged_gbp"]), gbp(last["allowed_gbp"]), credits)
        for part, amount in annual_charges(AnnualCosts(**_amounts(costs)), margin, correction).items():
            rows.append({"what": part, "GBP": str(amount), "source": "[363, 375, 384]"})
        rows += [{"what": what, "GBP": str(amount), "source": source} for what, amount, source in _incentives(content)]
    show(rows, "Charges and incentives of the year", as_json)


def _incentives(content: Mapping[str, Any]) -> Iterator[tuple[str, Decimal, str]]:
    if "bonus" in content:
        pool = bonus_pool_gbp([gbp(one) for one in content["bonus"]["implementation_costs_gbp"]])
        yield "bonus pool", pool, "[380]"
        yield "bonus earned", bonus_gbp(pool, content["bonus"]["milestones_met"]), "[380]"
    if "contracts" in content:
        yield "collaborative fund at most", collaborative_fund_cap_gbp(gbp(content["contracts"]["annual_gbp"])), "[388]"
    credits = []
    for row in content.get("milestone", []):
        credit = milestone_credit_gbp(gbp(row["at_risk_gbp"]), row["days_late"], row["full_after_days"])
        yield f"credit on the DCC's charges for {row['name']}", credit, "[378]"
        back = credit_recovered_gbp(credit, gbp(row.get("recoverable", "0")), row.get("recovered", False))
        yield f"recovered of {row['name']}", back, "[379]"
        credits.append(credit - back)
    if credits and "implementation_margin_gbp" in content:
        yield "credits together", credit_within_margin_gbp(credits, gbp(content["implementation_margin_gbp"])), "[379]"
    if "gain" in content:
        gain = content["gain"]
        shares = gain_shares_gbp(gbp(gain["allowed_gbp"]), gbp(gain["actual_gbp"]), _amounts(gain["retained"]))
        for party, share in shares.items():
            yield f"gain of {party}", share, "[386]"
    if "set_up" in content:
        costs = [
            SetUpCost(row["provider"], gbp(row["amount_gbp"]), row.get("accepted"), row.get("milestone_achieved"))
            for row in content["set_up"]
        ]
        for provider, (due, deferred) in set_up_costs_gbp(costs, content["period"]["begins"], content["period"]["ends"]).items():
            yield f"set-up costs of {provider}", due, "[366]"
            yield f"set-up costs of {provider} still deferred", deferred, "[366]"
    if "emergency" in content:
        emergency = content["emergency"]
        for user, amount in emergency_funding_gbp(gbp(emergency["shortfall_gbp"]), _amounts(emergency["charges_gbp"])).items():
            yield f"emergency funding by {user}", amount, "[370]"
    if "persistent_failure" in content:
        owed = persistent_failure_relief(content["persistent_failure"]["carried_out"])
        at_risk = gbp(content["persistent_failure"]["at_risk_gbp"])
        why = f"not yet: {', '.join(owed)}" if owed else "relief"
        yield f"credit for persistent service failure ({why})", at_risk if owed else Decimal("0.00"), "[385]"


@click.command("hubs")
@FILE
@json_option
def hubs(file: Path, as_json: bool) -> None:
    """Work out the prices of hubs from a TOML FILE: HAN variants, one SM WAN price, the uniform charge, float, first tranche.

    Tables: [[receipt]] (supplier, hubs, variant_cost_gbp, standard_cost_gbp, split_fuel), smwan_prices_gbp (VARIANT = "40.25"),
    [[region]] (hubs, hub_cost_gbp), finance_charges_gbp (list, next month first), hubs (number ordered) [293, 302, 303, 310, 320-327].
    """
    with facts(file) as content:
        rows = []
        for row in content.get("receipt", []):
            costs = {name: gbp(row[name]) for name in ("variant_cost_gbp", "standard_cost_gbp")}
            charge = han_variant_charge(VariantReceipt(**{**row, **costs}))
            what = f"HAN variant, {charge.supplier} (rebate {charge.rebate_gbp})"
            rows.append({"what": what, "amount": str(charge.amount_gbp), "source": charge.paragraph})
        if "smwan_prices_gbp" in content:
            price = smwan_variant_price_gbp(_amounts(content["smwan_prices_gbp"]))
            rows.append({"what": "price of every SM WAN variant", "amount": str(price), "source": "[327]"})
        if "region" in content:
            regions = [RegionCost(row["hubs"], gbp(row["hub_cost_gbp"])) for row in content["region"]]
            uniform = uniform_domestic_charge_gbp(regions)
            rows.append({"what": "uniform domestic charge", "amount": str(uniform), "source": "[310]"})
        if "finance_charges_gbp" in content:
            held = float_gbp([gbp(one) for one in content["finance_charges_gbp"]])
            rows.append({"what": "float", "amount": str(held), "source": "[302, 303]"})
        if "hubs" in content:
            rows.append({"what": "hubs of the first tranche", "amount": str(first_tranche_hubs(content["hubs"])), "source": "[293]"})
    show(rows, "Prices of Communications Hubs", as_json)


@click.command("schedule")
@FILE
@json_option
def schedule(file: Path, as_json: bool) -> None:
    """Print the asset charge of each hub of a TOML FILE over its months, and its remaining asset value [314, 319].

    The file has tables [[hub]] as that of chub dcc charges month.
    """
    with facts(file) as content:
        rows = []
        for one in map(hub_of, content["hub"]):
            by_month = asset_charge_schedule(one)
            first, last = min(by_month), max(by_month)
            rows.append(
                {
                    "hub": one.name,
                    "first": str(first),
                    "last": str(last),
                    "months": str(asset_charge_months(first, one.contract_ends)),
                    "first GBP": str(by_month[first]),
                    "last GBP": str(by_month[last]),
                    "sum GBP": str(pence(sum(by_month.values(), Decimal(0)))),
                    "value left at the end of the first year GBP": str(remaining_asset_value_gbp(one, first + 11)),
                }
            )
    show(rows, "Asset charges [314]", as_json)


@click.command("damages")
@FILE
@json_option
def damages(file: Path, as_json: bool) -> None:
    """Work out the damages for the faults of a TOML FILE: by type, by batch, each supplier's share, and what a replacement costs.

    Tables: period (begins, ends: dates, at most a year), installed (SUPPLIER = hubs), ordered (ORDER = hubs), hub_price_gbp, and
    [[fault]] (hub, supplier, order, installed, failed, cause) [331-337, 349-356].
    """
    with facts(file) as content:
        faults = [ChargedFault(**row) for row in content["fault"]]
        installed, begins, ends = content["installed"], content["period"]["begins"], content["period"]["ends"]
        months = max(1, min(12, (ends.year - begins.year) * 12 + ends.month - begins.month))
        of_type = type_faults(faults, begins, ends)
        due = type_fault_damages(len(of_type), sum(installed.values()), months=months).amount_gbp
        rows = [{"what": f"type faults: {len(of_type)}", "GBP": str(due), "source": "[349-354]"}]
        by_supplier = {name: sum(one.supplier == name for one in of_type) for name in installed}
        by_supplier |= {one.supplier: 0 for one in of_type if one.supplier not in installed}
        for supplier, share in allocate_damages(due, by_supplier, installed).items():
            rows.append({"what": f"share of {supplier}", "GBP": str(share), "source": "[350]"})
        for order, count in content.get("ordered", {}).items():
            failed = len(batch_faults(faults, order))
            amount = batch_fault_damages(failed, count).amount_gbp
            rows.append({"what": f"batch faults of {order}: {failed}", "GBP": str(amount), "source": "[355, 356]"})
        if "hub_price_gbp" in content:
            price = gbp(content["hub_price_gbp"])
            for one in faults:
                rows.append({"what": f"replacement of {one.hub}", "GBP": str(replacement_charge_gbp(one.cause, price)), "source": "[334]"})
    show(rows, "Damages and replacements", as_json)


@click.command("visit")
@click.argument("purpose")
@click.argument("supplier")
@json_option
def visit(purpose: str, supplier: str, as_json: bool) -> None:
    """Name the party that pays a site visit for PURPOSE to a hub of SUPPLIER [311, 347]."""
    show([{"purpose": purpose, "pays": site_visit_payer(purpose, supplier)}], "Site visit", as_json)


@click.command("third-party")
@click.option("--acceleration-called", is_flag=True, help="A default has caused the accelerated repayment [300].")
@click.option("--left-unpaid", is_flag=True, help="The DCC neither recovered the debt nor socialised it.")
@click.option("--dcc-unable", is_flag=True, help="The DCC was determined to be unable or unwilling to pursue it.")
@json_option
def third_party(acceleration_called: bool, left_unpaid: bool, dcc_unable: bool, as_json: bool) -> None:
    """Say if a hub financier may pursue a supplier itself: all three parts must be there [304]; exit code 1 while it may not."""
    missing = third_party_rights_missing(acceleration_called=acceleration_called, left_unpaid=left_unpaid, dcc_unable=dcc_unable)
    show([{"may be exercised": not missing, "missing": list(missing), "source": "[304]"}], "Third party rights", as_json)
    if missing:
        raise SystemExit(1)


COMMANDS: tuple[click.Command, ...] = (bill, year, hubs, schedule, damages, visit, third_party)
