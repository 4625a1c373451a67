"""The Access Control Broker: the DCC's own pair of keys, its counters, and the MAC that turns a signed pre-command into a Command.

It changes nothing inside the general-signing block (reference gbcs-messages 3, sec2-rules PR-03).
"""

from __future__ import annotations

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.protect import with_mac, with_signature
from firmware_emu.ids import Eui64
from hil.dcc.base.store import DccStore


class OriginatorCounters:
    """One rising counter per originator, kept over restarts (reference gbcs-messages 1.5)."""

    def __init__(self, store: DccStore, first: int) -> None:
        self._store = store
        self._first = first

    def next(self, originator: Eui64) -> int:
        """The next value; durable at return or with the transaction it is called in."""
        with self._store.transaction():
            value = max(self.last(originator) + 1, self._first)
            self.saw(originator, value)
        return value

    def last(self, originator: Eui64) -> int:
        """The highest value used so far, 0 for none."""
        row = self._store.row("SELECT value FROM counters WHERE originator = ?", (str(originator),))
        return 0 if row is None else int(row["value"])

    def saw(self, originator: Eui64, value: int) -> None:
        """``value`` was used: the next one will be higher. Values of prepayment top-ups count apart and are left out."""
        if value & 0xFFFFFFFF or value < 1 << 32:
            self._store.execute(
                "INSERT INTO counters VALUES (?, ?) ON CONFLICT (originator) DO UPDATE SET value = max(value, excluded.value)",
                (str(originator), value),
            )


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
