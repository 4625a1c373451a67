"""A client of the DUIS web service for tests: posts what a user signed, and takes what is pushed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import httpx
from lxml import etree
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hil.bench.standing_dcc import seeded
from hil.dcc.base.tables import create_tables
from hil.dcc.duis import ServiceRequest, read_request, write_request
from hil.dcc.duis.request import CommandVariant
from hil.dcc.parties.users import User
from hil.dcc.service.app import make_app
from hil.dcc.service.exchange import SERVED, Exchange
from hil.dcc.service.faults import BoundaryFaults
from hil.dcc.service.outbox import PushOutbox, ReceivingAddresses
from hil.dcc.service.push import Pusher
from hil.dcc.service.response import Documents, Signer
from hil.dcc.service.settings import service_settings
from tests.dcc.far_end import FarEnd

SR = "{http://www.dccinterface.co.uk/ServiceUserGateway}"
ADDRESS = "http://client.example/smartdcc/duis"


@dataclass
class Client:
    """Posts to the service of ``far_end`` without a network; ``status`` is what its own receiving service answers."""

    far_end: FarEnd
    taken: list[bytes] = field(default_factory=list)
    tried: int = 0
    status: int = 204
    network: bool = False
    """True if pushes go over the network, not to this object."""

    def __post_init__(self) -> None:
        self.faults = BoundaryFaults(self.far_end.clock, self.far_end.trace, seeded(1))
        self.exchange, self.addresses = self.new_service()

    def new_service(self) -> tuple[Exchange, ReceivingAddresses]:
        dcc, settings = self.far_end.dcc, replace(service_settings(), gap_s=1.0)
        create_tables(dcc.store, "hil.dcc.service")
        addresses = ReceivingAddresses(dcc.store)
        addresses.set(None, ADDRESS)
        outbox = PushOutbox(dcc.store, dcc.clock.now)
        pusher = Pusher(dcc.bus, outbox, addresses, settings, dcc.clock, dcc.trace, self.faults)
        receiving = Starlette(routes=[Route("/{path:path}", self._take, methods=["POST"])])
        inside = httpx.ASGITransport(receiving)
        pusher.client = httpx.AsyncClient(timeout=None) if self.network else httpx.AsyncClient(transport=inside)
        pusher.start()
        documents = Documents(Signer.of(self.far_end.keystore, dcc.eui), settings, dcc.clock.now, self.faults.schema)
        exchange = Exchange(dcc, documents, outbox, pusher, settings, self.faults)
        exchange.receive_for_all()
        return exchange, addresses

    async def _take(self, request: Request) -> Response:
        self.tried += 1
        if self.status < 300:
            self.taken.append(await request.body())
        return Response(status_code=self.status)

    async def post(self, octets: bytes, address: str, kind: str = "application/xml") -> httpx.Response:
        app = make_app(self.exchange, lambda request: None)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://dcc") as client:
            return await client.post(f"/api/v1/{address}", content=octets, headers={"Content-Type": kind})

    async def say(self, request: ServiceRequest, user: User | None = None) -> etree._Element:
        """Sign, post where the command variant belongs, and read the answer."""
        signed = (user or self.far_end.supplier).sign(request)
        place = next(one for one, variants in SERVED.items() if request.command_variant in variants)
        answer = await self.post(write_request(signed), place)
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "application/xml"), answer.text
        return etree.fromstring(answer.content)

    def request(self, variant: str, *args: object, **more: object) -> ServiceRequest:
        return self.far_end.dcc.request(self.far_end.supplier, variant, *args, **more)  # type: ignore[arg-type]

    def signed(self, request: ServiceRequest, pre_command: bytes, way: CommandVariant = CommandVariant.SIGNED_SEND) -> ServiceRequest:
        return read_request(write_request(self.far_end.supplier.answer(request, pre_command, way)))


def texts(document: etree._Element) -> dict[str, str]:
    """Text of every leaf by its local name."""
    leaves = (one for one in document.iter() if isinstance(one.tag, str) and not len(one))
    return {etree.QName(one).localname: one.text or "" for one in leaves}
