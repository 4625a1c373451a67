"""Two homes and three parties in a DCC's store, as the page sees them: what is whose is known here line by line.

Home 1: one hub, an electricity meter of SUPPLIER, a gas meter of GAS, a PPMID tied to the electricity meter, network operator NETWORK.
Home 2: a hub and an electricity meter of RIVAL.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx

from firmware_emu.clock import EPOCH, Clock
from firmware_emu.crypto.roles import DeviceType
from firmware_emu.gbcs.alert_contents import WhitelistBackup
from firmware_emu.ids import Eui64
from hil.dcc.base.services import UserRole
from hil.dcc.base.store import DccStore
from hil.dcc.own_services.wan_matrix import WanCoverage
from hil.sec.incidents import IncidentLog
from hil.ssi.accounts import Accounts
from hil.ssi.app import make_app
from hil.ssi.page import Page
from hil.ssi.settings import PageSettings, page_settings
from hil.ssi.views import Views
from tests.dcc.far_end import CHF, ESME, GPF, GSME, MPAN, NETWORK, OTHER, PPMID, SECOND, SUPPLIER

GAS, RIVAL = SECOND, Eui64.parse("90b3d51f30070000")


CHF_2, ESME_2 = Eui64.parse("00db1234567890c1"), Eui64.parse("00db1234567890c0")


MPRN, MPAN_2 = "7400012345", "1312345678222"


ROLES = {SUPPLIER: UserRole.IS, GAS: UserRole.GS, NETWORK: UserRole.ED, OTHER: UserRole.OU, RIVAL: UserRole.IS}


NOW = (datetime(2026, 3, 10, 12, tzinfo=UTC) - EPOCH).total_seconds()


class World:
    """The store with everything in it, and the page on it. ``now`` is turned by a test."""

    def __init__(
        self, path: Path | None = None, settings: PageSettings | None = None, *, mutual_tls: bool = False, now: float = NOW
    ) -> None:
        self.now = now
        self.store = DccStore(path)
        for eui, role in ROLES.items():
            self.store.execute("INSERT INTO users (eui, role) VALUES (?, ?)", (str(eui), role.value))
        self.settings = settings or page_settings()
        self.views = Views(self.store, lambda: self.now, self.settings)
        self.accounts = Accounts(self.store, lambda: self.now, self.settings)
        self.page = Page(self.views, self.accounts, Clock(), self.settings, mutual_tls)
        self.app = make_app(self.page, ("test",))
        self._homes()
        self.requests = {user: self._request(user, target) for user, target in ((SUPPLIER, ESME), (GAS, GSME), (RIVAL, ESME_2))}
        for user, device in ((SUPPLIER, ESME), (GAS, GSME), (RIVAL, ESME_2)):
            self._alert(user, device)
        self.incidents = {user: self._incident(user, device) for user, device in ((SUPPLIER, ESME), (RIVAL, ESME_2))}
        self.tokens = {user: self.accounts.open(f"admin of {role} {user}", user, administrator=True) for user, role in ROLES.items()}

    @property
    def log(self) -> IncidentLog:
        return self.views.incidents

    def _homes(self) -> None:
        inventory = self.views.inventory
        kinds = {
            CHF: DeviceType.CHF,
            GPF: DeviceType.GPF,
            ESME: DeviceType.ESME,
            GSME: DeviceType.GSME,
            PPMID: DeviceType.PPMID,
            CHF_2: DeviceType.CHF,
            ESME_2: DeviceType.ESME,
        }
        for kind in set(kinds.values()):
            inventory.certify(kind, "BENCH", "MODEL", "00000001")
        for eui, kind in kinds.items():
            inventory.pre_notify(eui, kind, manufacturer="BENCH", model="MODEL", firmware="00000001", gpf=GPF if eui == CHF else None)
        for hub, devices in ((CHF, (GPF, ESME, GSME, PPMID)), (CHF_2, (ESME_2,))):
            inventory.move(hub, "first SM WAN contact", reason="it connected")
            for eui in devices:
                inventory.associate(eui, "chf", hub)
        inventory.associate(PPMID, "meter", ESME)
        inventory.associate(GPF, "meter", GSME)
        for eui, mpxn, parties in (
            (ESME, MPAN, {UserRole.IS: SUPPLIER, UserRole.ED: NETWORK}),
            (GSME, MPRN, {UserRole.GS: GAS}),
            (ESME_2, MPAN_2, {UserRole.IS: RIVAL}),
        ):
            inventory.describe(eui, import_mpxn=mpxn)
            for role, user in parties.items():
                self.views.registration.register(mpxn, role, user)
        for hub, devices in ((CHF, (ESME, GSME)), (CHF_2, (ESME_2,))):
            backup = WhitelistBackup(bytes(12), bytes(8), tuple((eui, bytes([7]) * 32) for eui in devices))
            self.views.logs.keep(hub, backup, "CS14")
        for eui in (ESME, ESME_2):
            inventory.move(eui, "commissioned", reason="8.1.1 succeeded")
        self.views.coverage.cover(WanCoverage("North", True, "Long range radio", "High"), postcode="AB1 2CD")

    def _request(self, user: Eui64, target: Eui64) -> str:
        return self.request(user, target, 1, self.now - 3600)

    def request(self, user: Eui64, target: Eui64, counter: int, at: float) -> str:
        """One answered request of a user."""
        name = f"{user.duis}:{target.duis}:{counter}"
        self.store.insert(
            "requests",
            request=name,
            user=str(user),
            target=str(target),
            variant="4.1.1",
            received=at,
            state="responded",
            xml=b"<x/>",
            sent=at + 0.2,
            responded=at + 2,
            delivered=at + 2.1,
            chf=str(CHF),
            command_id=f"{user}:{target}:command:{counter}",
        )
        return name

    def _alert(self, user: Eui64, device: Eui64) -> None:
        self.store.insert(
            "alerts",
            time=self.now - 60,
            kind="i",
            code="8F35",
            device=str(device),
            party=str(user),
            identifier=str(device),
            state="delivered",
            reason=f"to {user}, whom it names",
            clock_start=self.now - 65,
            delivered=self.now - 60,
        )

    def _incident(self, user: Eui64, device: Eui64) -> int:
        diagnosis = self.log.diagnose(user, device)
        raised = self.log.raise_incident(
            user, f"no readings from {device}", area="smart meter", category=3, device=device, diagnostic=diagnosis.number
        )
        return raised.number

    @asynccontextmanager
    async def browser(self, user: Eui64 | None) -> AsyncIterator[httpx.AsyncClient]:
        """A client that is signed in as the administrator of ``user`` (None: as nobody)."""
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            if user is not None:
                answer = await client.post("/sign-in", data={"token": self.tokens[user]})
                assert answer.status_code == 303, answer.text
            yield client


def form_key(html: str) -> str:
    """The key that a form of the page carries."""
    return html.split('name="form" value="')[1].split('"')[0]
