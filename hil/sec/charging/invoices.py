"""From charges to invoices: two accounts, explicit charges, billing dates, payment before dispute, socialised sums."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from hil.dcc.base.months import Month
from hil.sec.charging.figures import figure
from hil.sec.charging.money import ChargingError, pence, share_out


class ChargeAccount(StrEnum):
    """Account of a payment: hub charges have an invoice and an account of their own [298, 299]."""

    SERVICES = "DCC charges"
    HUBS = "Communications Hub charges"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a bill; ``paragraph`` is the rule it stands on."""

    party: str
    account: ChargeAccount
    what: str
    amount_gbp: Decimal
    paragraph: str


@dataclass(frozen=True, slots=True)
class Invoice:
    """Debt of one party on one account for one month."""

    party: str
    account: ChargeAccount
    month: Month
    issued: date
    lines: tuple[Line, ...]

    @property
    def total_gbp(self) -> Decimal:
        return sum((line.amount_gbp for line in self.lines), Decimal(0))


def billing_dates(month: Month) -> tuple[date, date]:
    """When the month is invoiced (early in the next month, in arrears) and when providers are paid (that month's end) [364]."""
    following = month + 1
    return following.day(int(figure("invoice_day"))), following.last_day


def invoices(lines: Iterable[Line], month: Month) -> tuple[Invoice, ...]:
    """One invoice a party and account: hub charges never share one with other charges [298, 299]."""
    sorted_lines: dict[tuple[str, ChargeAccount], list[Line]] = {}
    for line in lines:
        if line.amount_gbp != pence(line.amount_gbp):
            raise ChargingError(f"read {line.amount_gbp} GBP for {line.what}, expected whole pence on an invoice")
        sorted_lines.setdefault((line.party, line.account), []).append(line)
    issued = billing_dates(month)[0]
    return tuple(
        Invoice(party, account, month, issued, tuple(found))
        for (party, account), found in sorted(sorted_lines.items(), key=lambda item: (item[0][0], item[0][1].value))
    )


def explicit_charges(party: str, used: Mapping[str, int], prices_gbp: Mapping[str, Decimal]) -> tuple[Line, ...]:
    """A line for every service and Alert that ``party`` used, at its explicit charge [400, K7.5(b)].

    ``used`` counts uses by schedule name (``SVC.4.8``, ``ALERT.A1``: two name spaces, X-13). What has no price has no explicit charge.
    """
    return tuple(
        Line(party, ChargeAccount.SERVICES, f"{count} x {name}", pence(prices_gbp[name] * count), "[400] K7.5(b)")
        for name, count in sorted(used.items())
        if name in prices_gbp and count
    )


def accelerated_liability(liability_gbp: Decimal, shares: Mapping[str, int]) -> tuple[Line, ...]:
    """An acceleration event: the liability sum, socialised over the users [300, K9.7]."""
    spread = share_out(pence(liability_gbp), shares)
    return tuple(Line(party, ChargeAccount.HUBS, "acceleration event", amount, "[300] K9.7") for party, amount in spread.items())


def payable_gbp(invoice: Invoice, disputed_gbp: Decimal, *, manifest_error: bool) -> Decimal:
    """Amount due now of an invoice in dispute: all of it, pay first and dispute later, save where the error is manifest [369]."""
    if not 0 <= disputed_gbp <= invoice.total_gbp:
        raise ChargingError(f"read {disputed_gbp} GBP in dispute, expected 0 to the invoice's {invoice.total_gbp}")
    return invoice.total_gbp - disputed_gbp if manifest_error else invoice.total_gbp


def bad_debt(debtor: str, unpaid_gbp: Decimal, shares: Mapping[str, int]) -> tuple[Line, ...]:
    """A debt that is not paid, socialised over the others [369]."""
    others = {party: share for party, share in shares.items() if party != debtor}
    spread = share_out(pence(unpaid_gbp), others)
    return tuple(Line(party, ChargeAccount.SERVICES, f"bad debt of {debtor}", amount, "[369]") for party, amount in spread.items())


def third_party_rights_missing(*, acceleration_called: bool, left_unpaid: bool, dcc_unable: bool) -> tuple[str, ...]:
    """Parts still missing before a hub financier may pursue a supplier itself; none: it may [304].

    ``acceleration_called``: a default has caused the accelerated repayment [300]; ``left_unpaid``: the DCC neither recovered the debt nor
    socialised it; ``dcc_unable``: the DCC is unable or unwilling to pursue it, as somebody determined (Ofgem, [304] proposes).
    """
    parts = {
        "an accelerated repayment called after a default [300]": acceleration_called,
        "a debt that the DCC neither recovered nor socialised": left_unpaid,
        "a determination that the DCC is unable or unwilling to pursue it": dcc_unable,
    }
    return tuple(part for part, there in parts.items() if not there)
