"""A DCC that stays up: the hubs' connections, the clock, what is due, the users' web service, the self-service page, in one process."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from starlette.requests import Request

from firmware_emu.crypto.roles import DeviceType
from firmware_emu.ids import Eui64
from firmware_emu.supervised import supervised
from firmware_emu.wan.tls import files_of
from hil.bench.duties import standing_duties
from hil.bench.far_end import FarEnd
from hil.dcc.base.requests import OPEN
from hil.dcc.base.tables import create_tables
from hil.dcc.own_services.schedules import schedules_in
from hil.dcc.service.app import Caller, Durable, make_app
from hil.dcc.service.companions import Company
from hil.dcc.service.exchange import Exchange, WebService
from hil.dcc.service.faults import BoundaryFaults
from hil.dcc.service.outbox import MessageState, PushOutbox, ReceivingAddresses
from hil.dcc.service.push import Pusher
from hil.dcc.service.response import Documents, Signer
from hil.dcc.service.settings import ServiceSettings, service_settings
from hil.dcc.service.smki import SmkiRepository
from hil.ssi.accounts import Accounts
from hil.ssi.app import make_app as make_page
from hil.ssi.page import Page
from hil.ssi.peer import peer_of
from hil.ssi.server import PageServer
from hil.ssi.settings import page_settings
from hil.ssi.views import Views


def seeded(seed: int) -> Callable[[str], Callable[[], float]]:
    """Draws of the faults at the boundary: for each name a stream of numbers from 0 to 1 of its own, the same for the same seed."""
    return lambda name: Random(f"{seed}:{name}").random


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Addresses at which a DCC listens: hubs (host and port), users' web service, SMKI repository, page. ``tls``: users show
    a certificate."""

    host: str = "127.0.0.1"
    hubs: tuple[str, int] = ("127.0.0.1", 0)
    service: int = 0
    smki: int = 0
    page: int = 0
    tls: bool = False


@dataclass
class StandingDcc:
    """An open DCC with everything that it does while it runs; made by :func:`stand`."""

    end: FarEnd
    exchange: Exchange
    addresses: ReceivingAddresses
    page: Page
    began: float
    urls: dict[str, str] = field(default_factory=dict)

    def health(self) -> dict[str, object]:
        """State of the DCC as ``chub dcc status`` tells it; ``problems`` is empty where nothing is wrong."""
        dcc = self.end.dcc
        hubs = {str(hub.eui): dcc.head_end.connected(hub.eui) for hub in dcc.inventory.devices(DeviceType.CHF)}
        firsts = (self.exchange.outbox.first(user) for user in self.exchange.outbox.waited_for())
        problems = [f"user {one.user} does not take what waits for it: {one.problem}" for one in firsts if one and one.attempts]
        if not any(hubs.values()):
            problems.append("no hub is connected")
        return {
            **self.urls,
            "up for, s": round(dcc.clock.now() - self.began, 1),
            "request signatures": "checked" if dcc.settings.request_signatures else "not checked",
            "hubs": hubs,
            "receiving addresses": dict(self.addresses.all()),
            "requests under way": len(dcc.requests.in_state(*OPEN)),
            "schedules": sum(one.removed is None for one in schedules_in(dcc.store)),
            "documents waiting": self.exchange.outbox.count(MessageState.WAITING),
            "faults in force": [f"{one.sentence} ({one.effects} times)" for one in self.exchange.faults.all()],
            "problems": problems,
        }


@contextlib.asynccontextmanager
async def stand(
    end: FarEnd,
    places: Places,
    *,
    receive: Mapping[Eui64 | None, str] | None = None,
    settings: ServiceSettings | None = None,
    faults: BoundaryFaults | None = None,
) -> AsyncIterator[StandingDcc]:
    """Let hubs, users and people in, and do what is due, until the block ends. ``receive``: address by user, None for all others.

    Raises NotAvailable where a port is taken, KeystoreError."""
    dcc, settings = end.dcc, settings or service_settings()
    create_tables(dcc.store, "hil.dcc.service")
    dcc.store.batch()
    addresses, outbox = ReceivingAddresses(dcc.store), PushOutbox(dcc.store, dcc.clock.now)
    for user, url in (receive or {}).items():
        addresses.set(user, url)
    tls = files_of(end.bench.folder / "tls", "dcc").server_context() if places.tls else None
    faults = faults or BoundaryFaults(dcc.clock, dcc.trace, seeded(1))
    pusher = Pusher(dcc.bus, outbox, addresses, settings, dcc.clock, dcc.trace, faults)
    documents = Documents(Signer.of(end.bench.keystore, dcc.eui), settings, dcc.clock.now, faults.schema)
    exchange = Exchange(dcc, documents, outbox, pusher, settings, faults)
    own = page_settings()
    page = Page(Views(dcc.store, dcc.clock.now, own, dcc.trace), Accounts(dcc.store, dcc.clock.now, own), dcc.clock, own, places.tls)
    standing = StandingDcc(end, exchange, addresses, page, dcc.clock.now())
    async with contextlib.AsyncExitStack() as stack:
        pusher.start()
        stack.push_async_callback(pusher.close)
        exchange.receive_for_all()
        await stack.enter_async_context(standing_duties(dcc))
        host, port = places.hubs
        standing.urls["SM WAN"] = f"{host}:{await end.listen(host, port)}"
        service = PageServer(Durable(make_app(exchange, _caller(tls)), dcc.store), places.host, places.service, tls)
        standing.urls["DUIS"] = f"{await service.start()}/api/v1/{{{','.join(WebService)}}}"
        stack.push_async_callback(service.close)
        repository = PageServer(Durable(SmkiRepository(dcc.keystore).app(), dcc.store), places.host, places.smki, tls)
        standing.urls["SMKI"] = await repository.start()
        stack.push_async_callback(repository.close)
        names = ("127.0.0.1", "localhost", "[::1]", places.host)
        self_service = PageServer(Durable(make_page(page, names), dcc.store), places.host, places.page, tls)
        standing.urls["page"] = await self_service.start()
        stack.push_async_callback(self_service.close)
        if dcc.store.companions is not None:
            company = Company(dcc, pusher, dcc.store.companions)
            keeping = supervised(company.keep(), "the companions", dcc.trace, area="dcc")
            stack.callback(keeping.cancel)
        yield standing


def _caller(tls: ssl.SSLContext | None) -> Caller:
    def caller(request: Request) -> Eui64 | None:
        return None if tls is None else peer_of(request.scope)

    return caller
