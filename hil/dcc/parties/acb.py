"""The Access Control Broker: the DCC's own pair of keys, its counters, and the MAC that turns a signed pre-command into a Command.

It changes nothing inside the general-signing block (reference gbcs-messages 3, sec2-rules PR-03).
"""

from __future__ import annotations

from typing import Final

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.errors import CommsHubError
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.protect import with_mac, with_signature
from firmware_emu.ids import Eui64
from hil.dcc.base.store import DccStore

LARGEST_COUNTER: Final = (1 << 64) - 1
"""A RequestID's counter has 64 bits without a sign (reference duis-gateway 1.5)."""


_SAW: Final = "INSERT INTO counters VALUES (?, ?) ON CONFLICT (originator) DO UPDATE SET value = excluded.value"


class OriginatorCounters:
    """One rising counter per originator, kept over restarts (reference gbcs-messages 1.5); that of prepayment top-ups counts apart, in
    steps of 2^32, because tokens carry its upper half alone. Which of the two a value belongs to, its message says, not its bits."""

    def __init__(self, store: DccStore, first: int) -> None:
        self._store = store
        self._first = first

    def next(self, originator: Eui64, *, top_up: bool = False) -> int:
        """The next value; durable at return or with the transaction it is called in. Raises CommsHubError at the end of the range."""
        step = 1 << 32 if top_up else 1
        with self._store.transaction():
            last = self.last(originator, top_up=top_up)
            value = max((last // step + 1) * step, self._first * step)
            if value > LARGEST_COUNTER:
                raise CommsHubError(
                    f"{originator} has used its counters up to {last}, the end of their 64 bits: give it another identifier"
                )
            self.saw(originator, value, top_up=top_up)
        return value

    def last(self, originator: Eui64, *, top_up: bool = False) -> int:
        """The highest value used so far, 0 for none."""
        return self._store.once("counters", _row(originator, top_up), self._last)

    def _last(self, name: str) -> int:
        row = self._store.row("SELECT value FROM counters WHERE originator = ?", (name,))
        return 0 if row is None else int.from_bytes(row["value"], "big")

    def saw(self, originator: Eui64, value: int, *, top_up: bool = False) -> None:
        """``value`` was used: the next one will be higher."""
        with self._store.transaction():
            if value <= self.last(originator, top_up=top_up):
                return
            name = _row(originator, top_up)
            self._store.rewrite("counters", name, value, _SAW, (name, value.to_bytes(8, "big")))


def _row(originator: Eui64, top_up: bool) -> str:
    return f"{originator} top-up" if top_up else str(originator)


class AccessControlBroker:
    """Protects messages to Devices with the ACB's keys. ``keystore`` holds its private keys and the Devices' certificates."""

    def __init__(self, eui: Eui64, keystore: Keystore, counters: OriginatorCounters) -> None:
        self.eui = eui
        self._keystore = keystore
        self._counters = counters

    def next_counter(self) -> int:
        """The ACB's next originator counter, for a command it originates (unknown remote parties)."""
        return self._counters.next(self.eui)

    def protect(self, message: Message, *, sign: bool = False) -> Message:
        """Add the MAC for the message's recipient; ``sign`` adds the ACB's signature first (a critical use case that the ACB
        originates for an unknown remote party, reference gbcs-messages 13). Raises KeystoreError."""
        if sign:
            message = with_signature(message, self._keystore.private_key(self.eui, KeyUsage.DIGITAL_SIGNATURE))
        return with_mac(message, self._keystore.shared_secret(self.eui, message.header.recipient))
