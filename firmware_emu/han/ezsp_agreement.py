"""Key establishment in a dongle whose EZSP firmware has the library (283k1): see :class:`~firmware_emu.han.key_establishment.KeyAgreement`.

Certificate and private key are in the dongle, which works out ephemeral key, agreement and confirmations (reference ncp-real 8).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import bellows.types as t

from firmware_emu.errors import RadioError
from firmware_emu.han.ezsp import command, ezsp_eui64, radio_call, status_text
from firmware_emu.ids import Eui64
from firmware_emu.zse.key_establishment import GENERATE_TIME_S, Computed

FIRST_EXPORT = 13
"""EZSP version from which a key can be read out of the table, which the hub's own records need."""
_BEGUN = ("IN_PROGRESS", "OK")


class DongleAgreement:
    """On one EZSP object."""

    def __init__(self, ezsp: Any) -> None:
        self._ezsp = ezsp

    async def agree(self, partner_certificate: bytes, partner_ephemeral: bytes) -> Computed:
        """See KeyAgreement."""
        (own,) = await self._worked_out("make an ephemeral key", "generateCbkeKeysHandler283k1", self._ezsp.generateCbkeKeys283k1())
        asked = self._ezsp.calculateSmacs283k1(
            amInitiator=t.Bool.false,
            partnerCertificate=t.EmberCertificate283k1Data.deserialize(partner_certificate)[0],
            partnerEphemeralPublicKey=t.EmberPublicKey283k1Data.deserialize(partner_ephemeral)[0],
        )
        initiator, responder = await self._worked_out("agree a key", "calculateSmacsHandler283k1", asked)
        return Computed(own.serialize(), initiator.serialize(), responder.serialize())

    async def keep(self, partner: Eui64) -> bytes:
        """See KeyAgreement."""
        await command(self._ezsp.clearTemporaryDataMaybeStoreLinkKey283k1(storeLinkKey=t.Bool.true), "keep the key that was agreed")
        answer = await radio_call(self._ezsp.exportLinkKeyByEui(eui64=ezsp_eui64(partner)))
        found = next((one for one in answer if isinstance(one, t.KeyData)), None)
        if found is None or "OK" not in {status_text(one) for one in answer if isinstance(one, (t.sl_Status, t.EmberStatus))}:
            raise RadioError(f"the dongle does not show the key that was agreed with {partner}")
        return bytes(found.serialize())

    async def _worked_out(self, what: str, handler: str, call: Awaitable[Any]) -> tuple[Any, ...]:
        """Begin an operation on the curve and wait for its callback. Raises RadioError."""
        ended: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()

        def told(name: str, args: list[Any]) -> None:
            if name == handler and not ended.done():
                ended.set_result(args)

        callback = self._ezsp.add_callback(told)
        try:
            (status,) = await radio_call(call)
            if status_text(status) not in _BEGUN:
                raise RadioError(f"the dongle did not {what}", status_text(status))
            async with asyncio.timeout(GENERATE_TIME_S):
                status, *found = await ended
        except TimeoutError:
            raise RadioError(f"the dongle does not say what became of it: {what}", "TIMEOUT") from None
        finally:
            self._ezsp.remove_callback(callback)
        if status_text(status) != "OK":
            raise RadioError(f"the dongle did not {what}", status_text(status))
        return tuple(found)
