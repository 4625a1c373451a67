"""Homes whose DCC is somewhere else: each hub by TCP with mutual TLS, their users by the DCC's web services.

:func:`make_keys` makes the keys of a fleet in a folder, which both sides have, and fills the store of a DCC of ours with what no service
request carries (hubs, products, registrations, users and where their receiving services are). Real time, on both sides.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random

import httpx
from lxml import etree
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from firmware_emu.board import Board, load_board
from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.pki import make_pki
from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.errors import CommsHubError, NotAvailable
from firmware_emu.gbcs.envelope import Message
from firmware_emu.hub.from_board import parties_of
from firmware_emu.ids import Eui64
from firmware_emu.supervised import supervised
from firmware_emu.trace import Trace
from firmware_emu.wan.base import WanFrame
from firmware_emu.wan.tcp import TcpWanLink
from firmware_emu.wan.tls import files_of
from firmware_emu.wan.virtual import MemoryWan
from hil.bench.dcc_board import addition, certify, dcc_of, hold_and_register, list_hub, notification, supplier_of
from hil.bench.keys import devices, organisations
from hil.dcc.base.results import judge
from hil.dcc.base.services import UserRole, schedule
from hil.dcc.base.tables import create_tables
from hil.dcc.duis import ServiceRequest, new_request, write_request
from hil.dcc.duis.document import Content
from hil.dcc.duis.request import CommandVariant
from hil.dcc.inventory.inventory import METERS
from hil.dcc.parties.users import User
from hil.dcc.service.exchange import SERVED
from hil.dcc.service.outbox import ReceivingAddresses
from hil.devices.kinds import device_type
from hil.journeys.steps import expect
from hil.journeys.strategy import CLOCK_SLACK, JOIN_TIME_S, TOLERANCE_S
from hil.scenarios.estate import Dwelling, board_of_home, numbered
from hil.ssi.server import PageServer

_PLAN = "fleet.json"
_ANSWER_S = 120.0
"""For an answer at the receiving service, before the request counts as lost. Own figure."""
_AGAIN_S = 0.5
_REACHED_S = 5.0
_PATH = "/smartdcc/duis"


@dataclass(frozen=True, slots=True)
class FarFleet:
    """A fleet whose keys are in a folder: its homes are shared out among ``suppliers`` in blocks, one a partition; the receiving service of
    each is at ``inbox_port`` and those after it, on this machine."""

    board: str
    homes: int
    suppliers: int
    inbox_port: int

    @classmethod
    def of(cls, folder: Path) -> FarFleet:
        """Raises NotAvailable."""
        try:
            return cls(**json.loads((folder / _PLAN).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as wrong:
            raise NotAvailable(f"the keys of a fleet in {folder}", "make them with `chub fleet keys FOLDER --homes N`") from wrong

    def block(self, supplier: int) -> range:
        """The numbers of the homes of one supplier, which counts from 0."""
        return range(1 + supplier * self.homes // self.suppliers, 1 + (supplier + 1) * self.homes // self.suppliers)

    def user(self, board: Board, supplier: int) -> Eui64:
        """The identity of a supplier."""
        return numbered(board.parties.supplier, supplier + 1)

    def boards(self, supplier: int) -> dict[int, Board]:
        """The boards of its homes, by their numbers."""
        board = load_board(self.board)
        return {number: board_of_home(board, number, self.user(board, supplier), ("ESME",)) for number in self.block(supplier)}


def make_keys(folder: Path, fleet: FarFleet, store: Path | None) -> None:
    """Make the keys of every organisation, hub and meter, and fill the DCC's ``store``. Raises KeystoreError, NotAvailable."""
    board = load_board(fleet.board)
    suppliers = [fleet.user(board, index) for index in range(fleet.suppliers)]
    boards = [one for index in range(fleet.suppliers) for one in fleet.boards(index).values()]
    parties = organisations(board) | {f"supplier-{index}": (RemotePartyRole.SUPPLIER, eui) for index, eui in enumerate(suppliers, 1)}
    everyone = devices(board) | {eui: kind for one in boards for eui, kind in devices(one).items()}
    keystore = make_pki(folder, organisations=parties, devices=everyone)
    (folder / _PLAN).write_text(json.dumps(asdict(fleet)), encoding="utf-8")
    if store is None:
        return
    clock = Clock()
    dcc = dcc_of(board, keystore, clock, Trace(clock.now), store)
    with dcc.store.transaction():
        create_tables(dcc.store, "hil.dcc.service")
        for index, eui in enumerate(suppliers):
            dcc.gateway.enter_user(eui, UserRole.IS)
            ReceivingAddresses(dcc.store).set(eui, f"http://127.0.0.1:{fleet.inbox_port + index}{_PATH}")
        for one in boards:
            hold_and_register(dcc, one)
            list_hub(dcc, one)
            for row in one.device:
                certify(dcc, row)
                if device_type(row.type) in METERS:
                    dcc.hold(row.eui, RemotePartyRole.SUPPLIER, supplier_of(one, row.eui))
    dcc.store.close()


@dataclass(frozen=True, slots=True)
class FarSide:
    """A DCC elsewhere, and the way in which a fleet meets it.

    ``hubs``: host and port of its processes for hubs, ``web``: the address of each one's web services.
    ``ramp`` new connections a second, at most ``most`` at once, a connection cut every ``churn_s`` seconds (0: no limit, none). With
    ``most`` a home has power only while it plays: one after the other has its turn."""

    keys: Path
    hubs: tuple[tuple[str, int], ...]
    web: tuple[str, ...]
    ramp: float = 0.0
    most: int = 0
    churn_s: float = 0.0
    reads: int = 1

    def words(self) -> str:
        """The options of `chub fleet run` that say the same."""
        hubs = ",".join(f"{host}:{port}" for host, port in self.hubs)
        limits = [("--ramp", self.ramp), ("--most", self.most), ("--churn", self.churn_s)]
        said = "".join(f" {name} {value:g}" for name, value in limits if value)
        web = f" --web {','.join(self.web)}" if self.web else ""
        return f"--dcc {hubs}{web} --keys {self.keys}{said} --reads {self.reads}"


def reached(hubs: Sequence[tuple[str, int]]) -> None:
    """Raises NotAvailable where none of a DCC's processes can be reached."""
    said = ""
    for host, port in hubs:
        try:
            socket.create_connection((host, port), _REACHED_S).close()
        except OSError as wrong:
            said = f"{host}:{port}: {wrong.strerror or wrong}"
        else:
            return
    raise NotAvailable("the DCC at which hubs are to connect", f"{said}: start it with `chub dcc up --hubs {hubs[0][0]}:{hubs[0][1]}`")


class _Door:
    """New connections of one process, as the limits allow."""

    def __init__(self, far: FarSide, clock: Clock) -> None:
        self._pause = 1 / far.ramp if far.ramp else 0.0
        self._turn = asyncio.Lock()
        self._clock = clock
        self._room = asyncio.Semaphore(far.most) if far.most else None

    async def pass_(self) -> None:
        """Wait for a turn, and for room."""
        if self._room is not None:
            await self._room.acquire()
        if self._pause:
            async with self._turn:
                await self._clock.sleep(self._pause)

    def leave(self) -> None:
        """A connection is over."""
        if self._room is not None:
            self._room.release()


class _HubLink:
    """A hub's link to the first of the DCC's processes that answers."""

    def __init__(self, links: list[TcpWanLink], door: _Door) -> None:
        self._links, self._door = links, door
        self._inside = False

    @property
    def connected(self) -> bool:
        return self._links[0].connected

    async def connect(self) -> None:
        """Raises WanError; the next attempt goes to the next process."""
        await self.close()
        await self._door.pass_()
        self._inside = True
        try:
            await self._links[0].connect()
        except BaseException:
            await self.close()
            self._links.append(self._links.pop(0))
            raise

    async def send(self, frame: WanFrame) -> None:
        await self._links[0].send(frame)

    async def receive(self) -> WanFrame:
        return await self._links[0].receive()

    async def close(self) -> None:
        await self._links[0].close()
        if self._inside:
            self._inside = False
            self._door.leave()


@dataclass(frozen=True, slots=True)
class FarOutcome:
    """End of a request at a DCC elsewhere."""

    ok: bool
    why: str


class NotAnswered(CommsHubError):
    """A request has no answer that its user could use."""


@dataclass
class FarUser:
    """A supplier: posts to the DCC's web services, and takes what its receiving service gets."""

    user: User
    dcc: Eui64
    urls: tuple[str, ...]
    clock: Clock
    counter: int
    client: httpx.AsyncClient
    taken: dict[str, Counter[bytes]] = field(default_factory=dict)
    """Responses to each request, by their digests: how often each came. A DCC that dies between a push and its record of it pushes the
    same document again, which is no second answer."""
    asked: int = 0
    _answers: dict[str, asyncio.Future[bytes]] = field(default_factory=dict)

    async def receive(self, request: Request) -> Response:
        """The receiving service."""
        octets = await request.body()
        document = etree.fromstring(octets)
        name = document.findtext(".//{*}RequestID")
        if name is not None and document.find(".//{*}ResponseMessage") is not None:
            self.taken.setdefault(name, Counter())[hashlib.sha256(octets).digest()] += 1
            waits = self._answers.get(name)
            if waits is not None and not waits.done():
                waits.set_result(etree.tostring(document))
        return Response(status_code=204)

    def doubled(self) -> list[str]:
        """Requests to which different Responses came."""
        return [name for name, documents in self.taken.items() if len(documents) > 1]

    def repeated(self) -> int:
        """Number of times that a Response came which had come before."""
        return sum(documents.total() - len(documents) for documents in self.taken.values())

    async def ask(self, variant: str, target: Eui64 | None, body: Mapping[str, Content] | None = None) -> FarOutcome:
        """A request and its end."""
        self.counter += 1000
        self.asked += 1
        service = schedule()[variant]
        critical = service.critical and service.device_service
        way = CommandVariant.TRANSFORM if critical else CommandVariant.SEND if service.device_service else CommandVariant.NON_DEVICE
        request = new_request(variant, self.user.eui64, target or self.dcc, self.counter, body, int(way))
        name = str(request.request_id)
        answer = self._answers[name] = asyncio.get_running_loop().create_future()
        try:
            code, said = await self._post(self.user.sign(request))
            if critical and code == "I0":
                pre_command = base64.b64decode(said.findtext(".//{*}GBCSPayload") or "")[:-1]
                code, said = await self._post(self.user.answer(request, pre_command, now=self.clock.datetime()))
            if not service.device_service:
                return FarOutcome(code.startswith(("I", "W")), f"{variant} was answered with {code}")
            if code != "I99" and name not in self.taken:
                return FarOutcome(False, f"{variant} was answered with {code}")
            async with asyncio.timeout(_ANSWER_S):
                document = etree.fromstring(await answer)
        except TimeoutError:
            return FarOutcome(False, f"{variant}: no answer within {_ANSWER_S:g} s")
        finally:
            self._answers.pop(name, None)
        payload = document.findtext(".//{*}GBCSPayload")
        if payload is None:
            return FarOutcome(False, f"{variant}: answered with {document.findtext('.//{*}ResponseCode')}, without a message of the Device")
        verdict = judge(Message.decode(base64.b64decode(payload)))
        return FarOutcome(verdict.done, f"{variant}: {verdict.text}")

    async def _post(self, request: ServiceRequest) -> tuple[str, etree._Element]:
        """Answer of the first of the DCC's processes that gives one. A request that one of them may have taken before it died comes again
        to the next, which then knows it."""
        octets = write_request(request)
        place = next(one for one, variants in SERVED.items() if request.command_variant in variants)
        died = False
        for url in (*self.urls, *self.urls):
            try:
                answer = await self.client.post(f"{url}/{place}", content=octets, headers={"Content-Type": "application/xml"})
            except httpx.HTTPError:
                died = True
                continue
            if answer.status_code != 200:
                raise NotAnswered(f"{url} answered {answer.status_code}: {answer.text.strip()[:200]}")
            document = etree.fromstring(answer.content)
            code = document.findtext(".//{*}ResponseCode") or ""
            return "I99" if died and code.startswith("E") and place == "serviceS" else code, document
        raise NotAnswered(f"no process of the DCC answers at {', '.join(self.urls)}")


class FarEstate:
    """Some homes of a fleet, of one supplier, before a DCC elsewhere. Made by :func:`open_far_estate`."""

    def __init__(self, far: FarSide, supplier: int, numbers: range, clock: Clock, trace: Trace, seed: int) -> None:
        fleet = FarFleet.of(far.keys)
        board = load_board(fleet.board)
        self.far, self.clock, self.fleet = far, clock, fleet
        keystore = Keystore.load(far.keys)
        self.door = _Door(far, clock)
        boards = {number: one for number, one in fleet.boards(supplier).items() if number in numbers}
        self.dwellings = tuple(
            Dwelling(one, clock, trace, keystore, MemoryWan(clock), link=self._link(one, number)) for number, one in boards.items()
        )
        dcc = parties_of(board, DeviceType.ESME)[RemotePartyRole.ACCESS_CONTROL_BROKER]
        start = int(time.time() * 1000) * 1000 + supplier
        order = supplier % max(1, len(far.web))
        web = (*far.web[order:], *far.web[:order])
        user = User(fleet.user(board, supplier), UserRole.IS, keystore)
        self.user = FarUser(user, dcc, web, clock, start, httpx.AsyncClient(timeout=60.0, trust_env=False))
        self._random = Random(f"churn/{seed}/{supplier}")
        app = Starlette(routes=[Route(_PATH, self.user.receive, methods=["POST"])])
        self._inbox = PageServer(app, "127.0.0.1", fleet.inbox_port + supplier)
        self._churning: asyncio.Task[None] | None = None

    def _link(self, board: Board, number: int) -> _HubLink:
        files = files_of(self.far.keys / "tls", str(board.hub.chf))
        links = [TcpWanLink.client(host, port, files) for host, port in self.far.hubs]
        first = number % len(links)
        return _HubLink([*links[first:], *links[:first]], self.door)

    async def open(self) -> None:
        """Every home powered, each hub on its way to the DCC."""
        await self._inbox.start()
        for dwelling in self.dwellings:
            await dwelling.start()
            dwelling.supply(not self.far.most)
        if self.far.churn_s:
            self._churning = supervised(self._churn(), "the churn of a fleet")

    async def _churn(self) -> None:
        while True:
            await self.clock.sleep(self.far.churn_s)
            await self._random.choice(self.dwellings).wan.cut("churn")

    @contextlib.contextmanager
    def turn(self, home: Dwelling) -> Iterator[None]:
        """While a home plays of which only some may be connected at once."""
        home.supply(True)
        try:
            yield
        finally:
            home.supply(False)

    async def connected(self, home: Dwelling) -> None:
        """Wait for the hub on the SM WAN and on its HAN. Raises NotAvailable."""
        deadline = self.clock.now() + 5 * _ANSWER_S
        while not (home.on_han and home.wan.connected):
            if self.clock.now() >= deadline:
                raise NotAvailable(f"hub {home.board.hub.chf}", f"it did not reach the DCC and its HAN within {5 * _ANSWER_S:g} s")
            await self.clock.sleep(_AGAIN_S)

    async def install_home(self, home: Dwelling) -> None:
        """Its meter pre-notified, listed, joined and commissioned. Raises StepFailed, NotAvailable."""
        await self.connected(home)
        for row in home.board.device:
            await self._need("12.2", None, notification(row))
            await self._until("8.11", home.board.hub.chf, addition(row, JOIN_TIME_S))  # the DCC has taken the hub's greeting
            await home.devices[row.type].join()
            body: dict[str, Content] = {"CurrentDateTime": self.clock.datetime() - CLOCK_SLACK, "TolerancePeriod": TOLERANCE_S}
            await self._until("8.1.1", row.eui, body)  # the hub's log is at the DCC

    async def _until(self, variant: str, target: Eui64, body: Mapping[str, Content]) -> None:
        """Ask again and again until it is done. Raises StepFailed where it is not in time."""
        deadline = self.clock.now() + _ANSWER_S
        while not (outcome := await self.user.ask(variant, target, body)).ok:
            expect(self.clock.now() < deadline, outcome.why)
            await self.clock.sleep(_AGAIN_S)

    async def _need(self, variant: str, target: Eui64 | None, body: Mapping[str, Content]) -> None:
        outcome = await self.user.ask(variant, target, body)
        expect(outcome.ok, outcome.why)

    async def ask(self, home: Dwelling, variant: str, target: Eui64 | None = None, body: Mapping[str, Content] | None = None) -> FarOutcome:
        """A request of the homes' supplier."""
        return await self.user.ask(variant, target, body)

    async def close(self) -> None:
        if self._churning is not None:
            self._churning.cancel()
        for dwelling in self.dwellings:
            await dwelling.close()
        await self._inbox.close()
        await self.user.client.aclose()


@contextlib.asynccontextmanager
async def open_far_estate(far: FarSide, supplier: int, numbers: range, clock: Clock, trace: Trace, seed: int) -> AsyncIterator[FarEstate]:
    """Those homes of a supplier before a DCC elsewhere. Raises NotAvailable, KeystoreError."""
    estate = FarEstate(far, supplier, numbers, clock, trace, seed)
    try:
        await estate.open()
        yield estate
    finally:
        await estate.close()
