"""A registration feed on a store of its own, and rows for it."""

from __future__ import annotations

from datetime import UTC, datetime

from firmware_emu.clock import EPOCH
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.ids import Eui64
from hil.dcc.base.services import UserRole
from hil.dcc.base.store import DccStore
from hil.dcc.registration import Registration
from hil.dcc.registration.feed import Receipt, RegistrationFeed
from hil.dcc.registration.files import Fuel, RegistrationFile, Row
from hil.dcc.registration.settings import FeedSettings
from tests.dcc.far_end import ACB, MPAN, NETWORK, OTHER, SECOND, SUPPLIER

RDP = OTHER


"""The registration data provider: an organisation with a certificate."""


MPAN_2, MPRN = "1312345678222", "7400012345"


NEW_YEAR = (datetime(2026, 1, 1, tzinfo=UTC) - EPOCH).total_seconds()


class Bench:
    """A feed on a store of its own, with a clock that a test turns."""

    def __init__(self, keystore: Keystore, settings: FeedSettings | None = None) -> None:
        self.keystore = keystore
        self.now = NEW_YEAR + 4 * 86400 + 12 * 3600
        self.store = DccStore(None)
        for eui, role in ((SUPPLIER, "IS"), (SECOND, "IS"), (NETWORK, "ED"), (ACB, "RSA")):
            self.store.execute("INSERT INTO users (eui, role) VALUES (?, ?)", (str(eui), role))
        self.registration = Registration(self.store)
        self.feed = RegistrationFeed(self.store, self.registration, keystore, ACB, lambda: self.now, settings)
        self.feed.nominate(NETWORK, Fuel.ELECTRICITY, RDP)

    def file(
        self, sequence: int, *rows: Row, refresh: bool = False, fuel: Fuel = Fuel.ELECTRICITY, provider: Eui64 = RDP
    ) -> RegistrationFile:
        return RegistrationFile(provider, fuel, refresh, sequence, rows)

    def send(self, file: RegistrationFile, signer: Eui64 = RDP) -> Receipt:
        return self.feed.receive(*file.sign(self.keystore.private_key(signer, KeyUsage.DIGITAL_SIGNATURE)))

    def supplier(self, mpxn: str = MPAN) -> Eui64 | None:
        return self.registration.party(mpxn, UserRole.IS, self.now)


def row(user: Eui64 = SUPPLIER, *, mpxn: str = MPAN, role: UserRole = UserRole.IS, begins: float = 0.0) -> Row:
    return Row(mpxn, role, user, begins)
