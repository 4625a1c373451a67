"""Pounds and pence without floats: reading an amount, rounding to the penny, sharing an amount out so that nothing is lost."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import TypeVar

from firmware_emu.errors import CommsHubError

PENNY = Decimal("0.01")
Key = TypeVar("Key")


class ChargingError(CommsHubError):
    """A figure that cannot be charged with: says what was read and what was expected."""


def gbp(amount: Decimal | int | str) -> Decimal:
    """An amount in pounds, exactly. Raises ChargingError for floats, for what is no number and for what is not finite."""
    if isinstance(amount, bool) or not isinstance(amount, Decimal | int | str):
        raise ChargingError(f"read {amount!r} as an amount of money, expected a decimal or text such as '12.34', never a float")
    try:
        value = Decimal(amount)
    except InvalidOperation:
        raise ChargingError(f"read {amount!r} as an amount of money, expected pounds such as 12.34") from None
    if not value.is_finite():
        raise ChargingError(f"read {amount!r} as an amount of money, expected a finite number of pounds")
    return value


def pence(amount_gbp: Decimal) -> Decimal:
    """To the penny, half to even (choice: the consultation names no rounding)."""
    return amount_gbp.quantize(PENNY, ROUND_HALF_EVEN)


def share_out(total_gbp: Decimal, weights: Mapping[Key, Decimal | int]) -> dict[Key, Decimal]:
    """``total_gbp`` in whole pence over ``weights``; the shares add up to it exactly.

    Pence that do not divide go to the largest remainders, the first named first (choice). Raises ChargingError for a total that
    is not in whole pence, a negative weight, or weights that are all zero.
    """
    if total_gbp != pence(total_gbp):
        raise ChargingError(f"read {total_gbp} GBP to share out, expected whole pence: round it first")
    whole = sum((Decimal(weight) for weight in weights.values()), Decimal(0))
    if any(weight < 0 for weight in weights.values()) or not whole:
        raise ChargingError(f"read shares {list(map(str, weights.values()))}, expected none below zero and one above")
    exact = {key: total_gbp * Decimal(weight) / whole for key, weight in weights.items()}
    shares = {key: amount.quantize(PENNY, ROUND_DOWN) for key, amount in exact.items()}
    left = int((total_gbp - sum(shares.values(), Decimal(0))) / PENNY)
    step = PENNY if left > 0 else -PENNY
    for key in sorted(exact, key=lambda one: abs(exact[one] - shares[one]), reverse=True)[: abs(left)]:
        shares[key] += step
    return shares
