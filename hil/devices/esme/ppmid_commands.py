"""Requests of a PPMID to an electricity meter over the HAN: enter a token, activate emergency credit, enable an armed supply.

The requests are ZigBee commands without GBCS protection (PECS01 to PECS03, reference smets 9 and gbcs-spec-notes 14); the meter takes them
from PPMIDs of its log alone and writes them to its event log.
"""

from __future__ import annotations

from firmware_emu.crypto.roles import DeviceType
from firmware_emu.device import joins
from firmware_emu.device.top_up import TopUpResult
from firmware_emu.errors import DecodeError
from firmware_emu.han.zcl_port import Answer, Incoming, Reply
from firmware_emu.ids import Eui64
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from firmware_emu.zse.zcl import ZclStatus
from hil.devices.esme.part import EsmePart
from hil.devices.metering.billing import balances

_EMERGENCY_CREDIT, _TOP_UP, _TOP_UP_RESPONSE = 0x00, 0x04, 0x03
_LOCAL_CHANGE_SUPPLY, _SUPPLY_ON = 0x0C, 0x02
"""A PPMID only ever asks for supply ON (reference gbcs-spec-notes 14)."""
_DONE, _NOT_DONE = 0x8154, 0x8155
_TOKEN_CODE, _EMERGENCY_CODE, _SUPPLY_CODE = 0x0116, 0x0117, 0x0118
"""Message codes of PECS01 to PECS03, written to the event log (reference use-cases.csv)."""
_FROM_PPMID = 2
"""Originating device of a PPMID (RTDS PCS01)."""


class PpmidDesk:
    """The requests of PPMIDs to one meter."""

    def __init__(self, esme: EsmePart) -> None:
        self._esme = esme

    def _may_ask(self, partner: Eui64) -> bool:
        entries = joins.entries(self._esme.gbcs)
        return any(entry.device_id == partner and entry.device_type == DeviceType.PPMID for entry in entries)

    def _note(self, code: int, done: bool) -> bool:
        self._esme.gbcs.log(_DONE if done else _NOT_DONE, b"\x02" + code.to_bytes(2, "big"))
        return done

    def prepayment(self, incoming: Incoming) -> Answer:
        """Select emergency credit, consumer top up."""
        if not self._may_ask(incoming.partner):
            return ZclStatus.NOT_AUTHORIZED
        if incoming.frame.command == _EMERGENCY_CREDIT:
            done = self._note(_EMERGENCY_CODE, self._esme.activate_emergency_credit())
            return ZclStatus.SUCCESS if done else ZclStatus.FAILURE
        if incoming.frame.command != _TOP_UP:
            return ZclStatus.UNSUP_CLUSTER_COMMAND
        try:
            code = PREPAYMENT.to_server[_TOP_UP].decode(incoming.frame.payload)["code"]
        except DecodeError:
            return ZclStatus.MALFORMED_COMMAND
        result, value = self._esme.take_token(code.decode("ascii", "replace") if isinstance(code, bytes) else "")
        self._note(_TOKEN_CODE, result is TopUpResult.ACCEPTED)
        balance = balances(self._esme.metering.account)[2]
        return Reply(
            _TOP_UP_RESPONSE,
            PREPAYMENT.to_client[_TOP_UP_RESPONSE].encode(
                {
                    "result": int(result),
                    "value": value,
                    "source": _FROM_PPMID,
                    "credit_remaining": balance,
                }
            ),
        )

    def metering(self, incoming: Incoming) -> Answer:
        """Local change of supply: on alone, and only from armed."""
        if incoming.frame.command != _LOCAL_CHANGE_SUPPLY:
            return ZclStatus.UNSUP_CLUSTER_COMMAND
        if not self._may_ask(incoming.partner):
            return ZclStatus.NOT_AUTHORIZED
        if incoming.frame.payload != bytes((_SUPPLY_ON,)):
            return ZclStatus.INVALID_VALUE
        return ZclStatus.SUCCESS if self._note(_SUPPLY_CODE, self._esme.enable_supply()) else ZclStatus.FAILURE
