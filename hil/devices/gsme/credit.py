"""The Commands of a gas meter that move money: debts (GCS04), top-ups (CS01b), emergency credit (GCS06), adjustments (GCS40)."""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol

from firmware_emu.device import top_up
from firmware_emu.device.gbz_server import Command, ZclAnswer
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.gbz import Component
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from firmware_emu.zse.declare import number
from firmware_emu.zse.zcl import Value, ZclStatus
from hil.devices.gsme import terms as gsme_terms
from hil.devices.gsme.logs import GasLogs, Logged, Result
from hil.devices.metering.billing import CREDIT_ADDED_LOCALLY, over_limit

_TOP_UP_BY_SUPPLIER = 0x0097
_DEBTS = {1: 1, 3: 2, 5: 3}
"""Debt amount type to the number of the debt's registers (reference gbcs-messages 7A: time debts 1 and 2, payment debt)."""
_PAYMENT_DEBT = 3
_ADJUST_PREPAYMENT, _RESET_PREPAYMENT, _RESET_CREDIT, _ADJUST_CREDIT = range(4)
"""Credit adjustment types (RTDS GCS40a, GCS40b, GCS40d, GCS40c)."""


class CreditAttributes(Protocol):
    """The attributes of a gas meter."""

    def number(self, cluster: int, attribute: int) -> int:
        """A numeric attribute as it stands."""
        ...

    def set(self, cluster: int, attribute: int, value: Value) -> None:
        """Store an attribute. Raises ValueError for a value its type cannot hold."""
        ...


class Charged(Logged, Protocol):
    """A gas meter whose account Commands change."""

    message: Message | None

    def activate_emergency_credit(self) -> bool:
        """Activate emergency credit; True if it is active afterwards."""
        ...


class Credit:
    """Executes them on the meter's account. Each is counted up to now first, and acted upon at once."""

    def __init__(self, gsme: Charged, model: CreditAttributes, logs: GasLogs) -> None:
        self._gsme = gsme
        self._model = model
        self._logs = logs

    def commands(self) -> dict[tuple[int, int, bool], Command]:
        """Command by (cluster, id, sent by the server side)."""
        return {
            (PREPAYMENT.id, 0x00, False): self._emergency,
            (PREPAYMENT.id, 0x02, False): self._change_debt,
            (PREPAYMENT.id, 0x04, False): self._top_up,
            (PREPAYMENT.id, 0x05, False): self._adjust,
        }

    def _emergency(self, part: Component) -> Result:
        """GCS06, PCS02: success if emergency credit is active afterwards (reference smets 3)."""
        return ZclStatus.SUCCESS if self._gsme.activate_emergency_credit() else ZclStatus.FAILURE

    def _change_debt(self, part: Component) -> Result:
        """GCS04: the amount is added to one of the three debts, which never fall below nothing; how it is collected is set."""
        fields = PREPAYMENT.to_server[0x02].decode(part.payload)
        debt = _DEBTS.get(number(fields, "amount_type"))
        if debt is None:
            return ZclStatus.INVALID_FIELD
        if debt != _PAYMENT_DEBT and number(fields, "recovery_frequency") not in gsme_terms.DEBT_PERIODS:
            return ZclStatus.INVALID_VALUE
        self._gsme.update()
        model, metering, first = self._model, self._gsme.metering, 0x0200 + 0x10 * debt
        if debt == _PAYMENT_DEBT:
            model.set(PREPAYMENT.id, first + 0x09, number(fields, "balance_percentage"))
            metering.account.payment_debt = max(0, metering.account.payment_debt + number(fields, "amount"))
        else:
            model.set(PREPAYMENT.id, first + 0x06, number(fields, "recovery_frequency"))
            model.set(PREPAYMENT.id, first + 0x07, max(0, number(fields, "recovery_amount")))
            debts = metering.account.time_debts
            debts[debt - 1] = max(Fraction(0), debts[debt - 1] + number(fields, "amount"))
        metering.settings_changed()
        metering.look()
        return ZclStatus.SUCCESS

    def _top_up(self, part: Component) -> Result:
        """CS01b, PCS01: the token's value pays debts and emergency credit back, the rest is credit; the answer tells both."""
        fields = PREPAYMENT.to_server[0x04].decode(part.payload)
        code = fields["code"]
        text = code.decode("ascii", "replace") if isinstance(code, bytes) else str(code)
        gsme = self._gsme
        gsme.update()
        message = gsme.message
        if message is not None and message.message_code == _TOP_UP_BY_SUPPLIER:
            result, value = self._use(text, *top_up.check(gsme.gbcs, text, message.header.counter))
        else:
            result, value = self._entered(text)
        credit = self._model.number(PREPAYMENT.id, 0x0001)
        answer = {"result": result, "value": value, "source": number(fields, "originating_device"), "credit_remaining": credit}
        return [ZclAnswer(0x03, PREPAYMENT.to_client[0x03].encode(answer))]

    def enter(self, utrn: str) -> bool:
        """A token typed in at the meter; whether it was taken."""
        return self._entered(utrn)[0] == top_up.TopUpResult.ACCEPTED

    def _entered(self, utrn: str) -> tuple[int, int]:
        """One that comes without the supplier's Command, of which the supplier is told (810E)."""
        result, value = self._use(utrn, *top_up.check_entered(self._gsme.gbcs, utrn))
        if result == top_up.TopUpResult.ACCEPTED:
            self._gsme.tell(CREDIT_ADDED_LOCALLY)
        return result, value

    def _use(self, utrn: str, checked: top_up.TopUpResult, value: int) -> tuple[int, int]:
        """Worth of an authentic token, unless a limit of the meter forbids it: the result, and the value in millipence."""
        gsme = self._gsme
        account, terms = gsme.metering.account, gsme.metering.settings.terms
        if checked is not top_up.TopUpResult.ACCEPTED:
            return int(checked), value
        refusal = account.refusal(value, terms)
        if refusal is not None:
            gsme.tell(refusal)
            gsme.gbcs.note_failure("the token is over a limit of the meter")
            return int(over_limit(refusal)), value
        payment = account.top_up(value, int(gsme.now()), terms)
        self._logs.topped_up(utrn, payment, account.payment_debt)
        gsme.metering.look()
        return int(checked), value

    def _adjust(self, part: Component) -> Result:
        """GCS40: adjust or reset the balance of one mode; an adjustment of the bill is subtracted, for it counts up (reference smets 3)."""
        fields = PREPAYMENT.to_server[0x05].decode(part.payload)
        kind, value = number(fields, "adjustment_type"), number(fields, "value")
        self._gsme.update()
        metering = self._gsme.metering
        if kind == _ADJUST_PREPAYMENT:
            metering.account.balance += value
        elif kind == _RESET_PREPAYMENT:
            metering.account.reset()
        elif kind == _ADJUST_CREDIT:
            metering.bill -= value
        elif kind == _RESET_CREDIT:
            metering.bill = Fraction(0)
        else:
            return ZclStatus.INVALID_FIELD
        metering.look()
        return ZclStatus.SUCCESS
