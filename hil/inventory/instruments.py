"""Instruments asked what they are: ``*IDN?``, and the dialect that knows the answer."""

from __future__ import annotations

import contextlib

from firmware_emu.clock import Clock
from firmware_emu.errors import NotAvailable
from ichis.instrument.lease import Lease
from ichis.instrument.link import InstrumentLink
from ichis.measuring.dialect import recognise

_ANSWER_S = 2.0


def asked(address: str) -> dict[str, str]:
    """Identity, kind, model and dialect of the instrument at a VISA name or pyserial URL; why it is of no use where no dialect knows it.

    Raises CommsHubError where the name is none, or what it names cannot be opened or does not answer.
    """
    clock = Clock()

    async def ask() -> str | None:
        with contextlib.closing(Lease(address)):
            link = InstrumentLink(address, clock)
            try:
                await link.send("*IDN?")
                return await link.receive(_ANSWER_S)
            finally:
                link.close()

    idn = clock.run(ask())
    if not idn:
        raise NotAvailable(f"the instrument {address}", f"no answer to *IDN? within {_ANSWER_S:g} s: is it on, and is its baud 9600?")
    dialect = recognise(idn)
    if dialect is None:
        why = "no dialect knows it: `chub ichis instruments` lists those there are; a package of your own adds one (commshub.instrument)"
        return {"address": address, "identity": idn, "serves": "no", "why": why}
    model = dialect.model_of(idn).name
    return {"address": address, "identity": idn, "serves": "yes", "kind": dialect.kind, "model": model, "dialect": dialect.family}
