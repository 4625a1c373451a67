"""Which credit pays which charge: attribute 11 of an account, class 111 (RTDS ECS02, ECS03).

The rows depend on the payment mode, on SuspendDebtDisabled, on SuspendDebtEmergency and on the elements of the meter.
"""

from __future__ import annotations

from ..message.dlms import Value, obis_text
from ..request import Node
from . import said_dlms as said
from .comparison import Comparison, Known

_CREDITS = ("meter balance", "emergency credit", "accumulated debt")
_CHARGES = ("tariff", "time debt 1", "time debt 2", "payment debt", "standing charge", "second element tariff")
_NAMES = {
    **{f"0-0:19.10.{number}.255": name for number, name in enumerate(_CREDITS)},
    **{f"0-0:19.20.{number}.255": name for number, name in enumerate(_CHARGES)},
}
_ALWAYS, _NOT_WHILE_DISABLED = "111", "110"


def compare_charges(place: str, data: Value, body: Node, comparison: Comparison, known: Known) -> None:
    """Compare the rows in order. Without ``known.elements`` the number of elements is taken from the rows and noted as not checked."""
    stated: list[str] = []
    for entry in said.array(data):
        credit, charge, bits = said.structure(entry, 3)
        credit_name, charge_name = (_NAMES.get(text, text) for text in (obis_text(said.octets(part, 6)) for part in (credit, charge)))
        stated.append(f"{credit_name} pays {charge_name} {said.bits(bits, 3)}")
    twin = any("second element" in row for row in stated)
    if known.elements is None:
        comparison.open(f"elements of the meter ({place})", "2" if twin else "1", "the request does not say how many there are")
    else:
        twin = known.elements == 2
    comparison.equal(f"charges ({place})", _rows(body, twin), stated)


def _rows(body: Node, twin: bool) -> list[str]:
    if body.has("Credit"):
        return [f"meter balance pays {charge} {_ALWAYS}" for charge in ("tariff", "standing charge", *(["second element tariff"] * twin))]
    debt = _NOT_WHILE_DISABLED if body.boolean("Prepayment/SuspendDebtDisabled") else _ALWAYS
    rows = [f"meter balance pays {charge} {_ALWAYS}" for charge in ("tariff", "standing charge")]
    rows += [f"meter balance pays {charge} {debt}" for charge in ("time debt 1", "time debt 2")]
    rows += [f"{credit} pays payment debt {_ALWAYS}" for credit in ("meter balance", "emergency credit")]
    rows += [f"emergency credit pays {charge} {_ALWAYS}" for charge in ("tariff", "standing charge")]
    rows += [f"emergency credit pays {charge} {debt}" for charge in ("time debt 1", "time debt 2")]
    if body.boolean("Prepayment/SuspendDebtEmergency"):
        rows += [f"accumulated debt pays {charge} {_ALWAYS}" for charge in ("standing charge", "time debt 1", "time debt 2")]
    if twin:
        rows += [f"{credit} pays second element tariff {_ALWAYS}" for credit in ("meter balance", "emergency credit")]
    return rows
