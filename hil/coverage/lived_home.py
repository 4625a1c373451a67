"""One home of emulated Devices that have lived, behind a stored SM WAN channel, and a DCC with users of every role.

The Devices check, execute and protect as in a home, without a radio. Requests are DUIS templates of the reference set, adapted to the home:
its EUI-64s, MPxNs and certificates, fresh counters, a sender whose role fits, periods that lie in the Devices' life.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from firmware_emu.board import Board
from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.pki import DEFAULT_ORGANISATIONS
from firmware_emu.crypto.roles import DeviceType, KeyUsage, RemotePartyRole
from firmware_emu.device import joins
from firmware_emu.device.firmware import OtaImage
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.device.store import MemoryStore
from firmware_emu.gbcs.alert_contents import WhitelistBackup
from firmware_emu.gbcs.envelope import Message
from firmware_emu.hub.from_board import parties_of
from firmware_emu.ids import Eui64
from firmware_emu.supervised import supervised
from firmware_emu.trace import Record, Trace
from firmware_emu.wan.base import WanFrame, WanKind
from firmware_emu.wan.channel import Hello, WanChannel, WanSide
from firmware_emu.wan.virtual import MemoryWan
from hil.bench import dcc_board as from_board
from hil.bench.keys import organisations
from hil.coverage import bench, check, firmware_image
from hil.coverage import history as lived_in
from hil.coverage.identities import Rewriter, make_identities
from hil.dcc.base.results import Outcome
from hil.dcc.base.services import UserRole, schedule
from hil.dcc.dcc import Dcc
from hil.dcc.duis import RequestId, ServiceRequest, read_request
from hil.dcc.duis.request import SERVICE_NAMESPACE, SIGNATURE_NAMESPACE, Node
from hil.dcc.inventory.inventory import COMMISSIONED
from hil.dcc.own_services.wan_matrix import WanCoverage
from hil.dcc.parties.cos_party import CosParty
from hil.dcc.parties.users import User
from hil.dcc.transform.check import REQUEST_SUFFIX, reference_devices
from hil.devices.esme.variant import TWIN_ELEMENT, EsmeVariant
from hil.devices.kinds import device_type

HOME = (DeviceType.CHF, DeviceType.GPF, DeviceType.ESME, DeviceType.GSME, DeviceType.PPMID, DeviceType.HCALCS)
"""Types of Devices that a home may have."""
GAS = frozenset({DeviceType.GSME, DeviceType.GPF})
REFERENCE_HOME = {one.device_type: eui for eui, one in reversed(list(reference_devices().items()))}
"""Devices of the reference set's home: the first of each type."""
_NETWORK = DEFAULT_ORGANISATIONS["network-operator"][1]
_OLD_CHF, _OLD_GPF, _TYPE_2 = Eui64.parse("00db123456789095"), Eui64.parse("00db1234567890b3"), Eui64.parse("00db1234567890b0")
"""Hub and Gas Proxy that a template restores, and a Type 2 Device that one joins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePlan:
    """Identities of a home. ``gaining`` is the supplier to which the home may change; ``users`` by role, of which some may be one."""

    devices: Mapping[DeviceType, Eui64]
    parties: Mapping[RemotePartyRole, Eui64]
    organisations: Mapping[str, tuple[RemotePartyRole, Eui64]]
    users: Mapping[UserRole, Eui64]
    gaining: Eui64
    mpan: str = "1312345678111"
    second_mpan: str = "1312345678222"
    export_mpan: str = "1312345678333"
    mprn: str = "1000999888"

    @property
    def names(self) -> Mapping[Eui64, Eui64]:
        """Identities of the reference set to those of this home."""
        devices = {eui: self.devices[kind] for kind, eui in REFERENCE_HOME.items() if kind in self.devices}
        by_name = {name: eui for name, (_, eui) in self.organisations.items()}
        return devices | {eui: by_name[name] for name, (_, eui) in DEFAULT_ORGANISATIONS.items() if name in by_name}

    @classmethod
    def of(cls, board: Board) -> HomePlan:
        """The home and the parties of a board; roles that it gives to nobody have parties of their own."""
        found = {DeviceType.CHF: board.hub.chf, DeviceType.GPF: board.hub.gpf}
        for row in reversed(board.device):
            if device_type(row.type) in HOME:
                found[device_type(row.type)] = row.eui
        rows = {device_type(row.type): row for row in reversed(board.device)}
        users: dict[UserRole, Eui64] = {}
        for eui, roles in from_board.user_roles(board).items():
            for role in roles:
                users.setdefault(role, eui)
        named = organisations(board)
        for role, (name, party) in _OWN_PARTIES.items():
            if role not in users:
                users[role] = party
                named[name] = (role.party, party)
        numbers: dict[str, str] = {}
        if (meter := rows.get(DeviceType.ESME)) is not None:
            told = {"mpan": meter.mpxn, "second_mpan": meter.secondary_mpan, "export_mpan": meter.export_mpan}
            numbers |= {name: str(number) for name, number in told.items() if number is not None}
        if (gas := rows.get(DeviceType.GSME)) is not None and gas.mpxn is not None:
            numbers["mprn"] = str(gas.mpxn)
        return cls(
            devices=found,
            parties=parties_of(board, DeviceType.ESME) | {RemotePartyRole.LOAD_CONTROLLER: users[UserRole.LC]},
            organisations=named,
            users=users,
            gaining=board.parties.other_supplier,
            **numbers,
        )


_OWN_PARTIES: Mapping[UserRole, tuple[str, Eui64]] = {
    UserRole.ES: ("export-supplier", Eui64.parse("90b3d51f30070000")),
    UserRole.GT: ("gas-transporter", Eui64.parse("90b3d51f30060000")),
    UserRole.RSA: ("registered-supplier-agent", Eui64.parse("90b3d51f30080000")),
    UserRole.LC: ("load-controller", Eui64.parse("90b3d51f30010008")),
}
"""Parties of the bench's own for roles that a board leaves out."""


CREATED = datetime(2026, 1, 20, 12, 10, tzinfo=UTC)
_BUILT_UPON = frozenset({0x000F, 0x0010, 0x0012})
"""Commands that need a join to undo, or an image to activate."""
_LAST = (
    {"5.2"},
    {"5.3"},
    {"8.13"},
    {"3.2"},
    {"8.1", "8.7", "8.8"},
    {"11.3"},
    {"8.9"},
    {"6.24", "6.17"},
    {"6.15"},
    {"6.23"},
    {"6.21"},
    {"8.5"},
    {"8.11", "8.12"},
    {"8.14", "8.3", "8.4"},
)
_RENEWS = frozenset({"6.15", "6.17", "6.23", "6.21", "8.5"})
"""Services after which the Device does not know who it knew."""
_LOGS_OF_MONTHS = frozenset({"4.4", "4.6", "4.14", "4.17"})
LIVED = timedelta(days=45)
"""The longest life of history.toml."""
_SPARE = Eui64.parse("00db1234567890d0")
"""A meter that is not at home: what 12.2 lists and 8.4 deletes. The bench's own identity."""
_EUI = re.compile(rb"\b(?:[0-9A-Fa-f]{2}-){7}[0-9A-Fa-f]{2}\b")
_MPXN = re.compile(rb"<(?:\w+:)?(ImportMPxN|SecondaryImportMPAN|ExportMPAN|MPxN)>\s*(\d+)\s*<")
_MPRN_LONGEST = 10
_PERIODS = {"StartDateTime": timedelta(days=2), "EndDateTime": timedelta(0), "StartDate": timedelta(days=2), "EndDate": timedelta(0)}


def sender_role(request: ServiceRequest, sent_by: Eui64, device: DeviceType | None) -> UserRole:
    """Role of our user in which a template's sender (``sent_by``, of the reference set) acts: a network operator's or a supplier's, or
    whoever may send it."""
    if sent_by == _NETWORK:
        wanted = (UserRole.GT if device in GAS else UserRole.ED,)
    else:
        wanted = (UserRole.GS if device in GAS else UserRole.IS,)
    roles = schedule()[request.service_reference_variant].roles or schedule()[request.service_reference_variant].roles_2013
    order = (*wanted, UserRole.ES, UserRole.ED, UserRole.GT, UserRole.OU, UserRole.GS, UserRole.LC)
    return next(role for role in order if role in roles)


@dataclass
class LivedHome:
    """See the module. Start it before use, within ``clock.run``. ``variant`` is that of its electricity meter."""

    plan: HomePlan
    keystore: Keystore
    clock: Clock
    variant: EsmeVariant = TWIN_ELEMENT
    trace: Trace = field(init=False)
    devices: dict[Eui64, GbcsDevice] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    sent: dict[RequestId, Message] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.trace = Trace(self.clock.now)
        self.types = _types(self.plan)
        self.euis = {self.plan.devices[kind]: kind for kind in HOME if kind in self.plan.devices}
        self.rewriter = Rewriter(self.keystore, firmware_image.image_hash(), self.plan.names)
        self._returned: tuple[str, bytes] | None = None
        self._schedule: str | None = None
        self.wan = MemoryWan(self.clock)
        self.home_store = MemoryStore()
        self.channel = WanChannel(
            self.wan.hub,
            self.home_store,
            self.clock,
            side=WanSide.HUB,
            name="dcc",
            trace=self.trace,
            hello=lambda: Hello(self.plan.devices[DeviceType.CHF], self.plan.devices[DeviceType.GPF], 1),
            on_frame=self._take,
        )

    # The home

    async def start(self) -> None:
        """Let the Devices live until CREATED, then bring the DCC and the hub together."""
        await asyncio.gather(*map(self.grow, self.euis))
        self.clock.horizon = None
        self.trace.subscribe(self.records.append)
        parties = self.plan.parties
        cos = CosParty(parties[RemotePartyRole.TRANSITIONAL_COS], self.keystore, self.clock)
        self.dcc = Dcc(self.keystore, parties, self.clock, self.trace, cos=cos)
        by_eui: dict[Eui64, User] = {}
        self.users = {role: by_eui.setdefault(eui, User(eui, role, self.keystore)) for role, eui in self.plan.users.items()}
        self.gaining = by_eui.setdefault(self.plan.gaining, User(self.plan.gaining, UserRole.IS, self.keystore))
        for eui, user in by_eui.items():
            self.dcc.gateway.enter_user(eui, *(role for role, one in self.plan.users.items() if one == eui), user.role)
            self.dcc.add_receiver(user)
        self._list()
        await self.dcc.start()
        self.dcc.attach_hub(self.wan.dcc, self.plan.devices[DeviceType.CHF])
        self._task = supervised(self.channel.run(), "the SM WAN of the home", self.trace)
        await self.clock.sleep(1)

    async def grow(self, eui: Eui64, *, held_by_dcc: bool = False, new: bool = False) -> GbcsDevice:
        """A Device that has lived (or is ``new``), in the place of the one that was there."""
        kind = self.types[eui]
        parties, users = dict(self.plan.parties), self.plan.users
        if kind in GAS:
            parties |= {RemotePartyRole.SUPPLIER: users[UserRole.GS], RemotePartyRole.NETWORK_OPERATOR: users[UserRole.GT]}
        home = {other: one for other, one in self.euis.items() if other != eui}
        identity = bench.Identity(eui, kind, parties, home, held_by_dcc, self.variant.name)
        life = lived_in.NONE if new else lived_in.life_of(kind)
        if not new:  # all lives end together
            await self.clock.sleep((LIVED - timedelta(days=life.days)).total_seconds())
        device, _ = await bench.grown(identity, self.keystore, self.clock, self.trace, life)
        device.outgoing = lambda octets: None
        self.devices[eui] = device
        firmware_image.give(device, self.keystore)
        device.outgoing = self.say
        return device

    def _list(self) -> None:
        """List the Devices as enrolment leaves them in the inventory and the registration data."""
        plan, euis = self.plan, self.plan.devices
        for eui, kind in {**self.types, _OLD_CHF: DeviceType.CHF, _OLD_GPF: DeviceType.GPF}.items():
            self.dcc.pre_notify(eui, kind, esme_variant=self.variant.letter if kind is DeviceType.ESME else "")
        for mpxn in (plan.mpan, plan.second_mpan):
            self.dcc.register_supply(mpxn, UserRole.IS, plan.users[UserRole.IS])
            self.dcc.register_supply(mpxn, UserRole.ED, plan.users[UserRole.ED])
            self.dcc.register_supply(mpxn, UserRole.RSA, plan.users[UserRole.RSA])
        self.dcc.register_supply(plan.export_mpan, UserRole.ES, plan.users[UserRole.ES])
        self.dcc.register_supply(plan.export_mpan, UserRole.ED, plan.users[UserRole.ED])
        self.dcc.register_supply(plan.mprn, UserRole.GS, plan.users[UserRole.GS])
        self.dcc.register_supply(plan.mprn, UserRole.GT, plan.users[UserRole.GT])
        self.dcc.register_supply(plan.mprn, UserRole.RSA, plan.users[UserRole.RSA])
        logged = tuple(euis[kind] for kind in (DeviceType.ESME, DeviceType.GSME, DeviceType.PPMID) if kind in euis)
        self.dcc.device_log_copy.keep(_OLD_CHF, WhitelistBackup(bytes(12), bytes(8), tuple((eui, bytes(16)) for eui in logged)), "CS14")
        if DeviceType.GSME in euis:
            self.dcc.device_log_copy.keep_gpf(_OLD_GPF, {euis[DeviceType.GSME]: DeviceType.GSME})
        self.reset()

    def reset(self) -> None:
        """Every Device Commissioned again, on the hub and tied to its meter; and who is held is held."""
        plan, euis, inventory = self.plan, self.plan.devices, self.dcc.inventory
        inventory.put_back(COMMISSIONED, but=(_SPARE,))
        for eui in self.types:
            if eui != euis[DeviceType.CHF]:
                inventory.associate(eui, "chf", euis[DeviceType.CHF])
        if DeviceType.ESME in euis:
            twin = self.variant.elements > 1
            inventory.describe(
                euis[DeviceType.ESME],
                import_mpxn=plan.mpan,
                secondary_mpan=plan.second_mpan if twin else None,
                export_mpan=plan.export_mpan,
            )
        if DeviceType.GSME in euis:
            inventory.describe(euis[DeviceType.GSME], import_mpxn=plan.mprn)
        for kind in (DeviceType.ESME, DeviceType.GSME, DeviceType.GPF):
            if kind in euis:
                self.dcc.hold(euis[kind], RemotePartyRole.SUPPLIER, plan.users[UserRole.GS if kind in GAS else UserRole.IS])
                self.dcc.hold(euis[kind], RemotePartyRole.NETWORK_OPERATOR, plan.users[UserRole.GT if kind in GAS else UserRole.ED])
        meters = {DeviceType.GPF: DeviceType.GSME, DeviceType.PPMID: DeviceType.ESME, DeviceType.HCALCS: DeviceType.ESME}
        for kind, meter in meters.items():
            if kind in euis and meter in euis:
                inventory.associate(euis[kind], "meter", euis[meter])

    def _take(self, frame: WanFrame) -> None:
        message = Message.decode(frame.body)
        device = self.devices.get(message.header.recipient)
        if device is not None and message.message_code in _BUILT_UPON:
            check.prepare(device, self.keystore, message, None)
        for answer in () if device is None else device.receive(frame.body):
            self.say(answer)

    def say(self, octets: bytes) -> None:
        self.channel.post(WanKind.MESSAGE, octets)

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.dcc.close()

    async def perform(self, template: bytes, *, at: datetime | None = None, now: bool = False) -> Outcome:
        """Send a template's request to the home as it stands after enrolment, with an execution time or (``now``) without one."""
        original = read_request(self._renamed(template))
        service, target = original.service_reference, original.request_id.target
        users, mpan = self.plan.users, self.plan.mpan
        self.reset()
        if service in _RENEWS:
            await self.grow(target, held_by_dcc=service == "6.21", new=True)
            self.clock.horizon = None
        if service == "8.1":
            self.dcc.inventory.put_back("InstalledNotCommissioned", (target,))
        user, request = self.request(template, execute=at, now=now)
        if service == "6.23":
            self.dcc.register_supply(mpan, UserRole.IS, self.plan.gaining, self.clock.now() - 1)
        outcome = await self.dcc.send(user, request)
        if service == "6.23":
            self.dcc.register_supply(mpan, UserRole.IS, users[UserRole.IS], self.clock.now())
        if service in _RENEWS:
            await self.grow(target, new=True)
            self.clock.horizon = None
            for usage in (KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT):
                self.dcc.repository.publish(self.keystore.certificate(target, usage))
        self._remember(outcome)
        return outcome

    def _remember(self, outcome: Outcome) -> None:
        """Keep what later templates build upon: a Command that was returned, a schedule."""
        command = next((one.octets for one in outcome.messages if one.kind == "d"), None)
        if command is not None:
            answers = self.devices[Message.decode(command).header.recipient].receive(command)
            self._returned = (outcome.request, answers[0]) if answers else self._returned
        if (number := outcome.result.get("DSPScheduleID")) is not None:
            self._schedule = str(number)

    # Requests

    def _renamed(self, template: bytes) -> bytes:
        """The template with the identities and the MPxNs of this home."""
        names, plan = self.plan.names, self.plan

        def eui(found: re.Match[bytes]) -> bytes:
            named = Eui64.parse(found[0].decode())
            return names.get(named, named).duis.encode()

        def mpxn(found: re.Match[bytes]) -> bytes:
            name, number = found[1], found[2]
            own = {b"SecondaryImportMPAN": plan.second_mpan, b"ExportMPAN": plan.export_mpan}.get(name, plan.mpan)
            return found[0].replace(number, (own if len(number) > _MPRN_LONGEST else plan.mprn).encode())

        return _MPXN.sub(mpxn, _EUI.sub(eui, template))

    def request(
        self, template: bytes, role: UserRole | None = None, *, execute: datetime | None = None, now: bool = False
    ) -> tuple[User, ServiceRequest]:
        """The template's request as our user of that role sends it (default: the role in which the template's own sender acts)."""
        sent_by, template = read_request(template).request_id.originator, self._renamed(template)
        original = read_request(template)
        service, target = original.service_reference, original.request_id.target
        user = self.users[role or sender_role(original, sent_by, self.types.get(target))]
        if service == "6.23" and role is None:
            user = self.gaining
        counter = self.dcc.counters.next(user.eui64)
        identifier = RequestId(user.eui64, target, counter << 32 if service == "2.2" else counter)
        root = etree.fromstring(template)
        for signature in root.findall(f"{{{SIGNATURE_NAMESPACE}}}Signature"):
            root.remove(signature)
        name = root.find(f"{{{SERVICE_NAMESPACE}}}Header/{{{SERVICE_NAMESPACE}}}RequestID")
        assert name is not None
        name.text = str(identifier)
        for element in root.iter():
            local = etree.QName(element).localname if isinstance(element.tag, str) else ""
            if local in _PERIODS and etree.QName(element.getparent()).localname.endswith("Period"):
                days = 20 if service in _LOGS_OF_MONTHS else 1
                moment = self.clock.datetime() - days * _PERIODS[local]
                element.text = f"{moment:%Y-%m-%dT%H:%M:%S}.00Z" if "Time" in local else f"{moment:%Y-%m-%d}Z"
            if local == "ExecutionDateTime" and not (element.text or "").startswith("3000"):
                element.text = f"{self.clock.datetime() + timedelta(days=1):%Y-%m-%dT%H:%M:%S}.00Z"
            if local == "CurrentDateTime":
                element.text = f"{self.clock.datetime():%Y-%m-%dT%H:%M:%S}.00Z"
        _set_time(root, execute, now)
        request = read_request(etree.tostring(root))
        if role is not None:
            return user, request  # refused for its role before anything in it is looked at
        self._build_upon(request)
        pending = self.rewriter.rewrite(request)
        for element in request.body.iter(f"{{{SERVICE_NAMESPACE}}}KAPublicSecurityCredentials"):
            certificate = self.keystore.certificate(user.eui64, KeyUsage.KEY_AGREEMENT)
            element.text = base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()
        if pending is not None:
            self.devices[target].credentials.set_pending_key(pending.usage, pending.key)
        return user, request

    def _build_upon(self, request: ServiceRequest) -> None:
        """Change what a request to the DCC itself builds on: the schedule that there is, the Command that was returned, the version of its
        image, a Device that is not listed yet."""
        body = Node(request.body)

        def put(name: str, text: str) -> None:
            for element in request.body.iter(f"{{{SERVICE_NAMESPACE}}}{name}"):
                element.text = text

        match request.service_reference:
            case "5.1":
                put("ScheduleStartDate", f"{self.clock.datetime() + timedelta(days=1):%Y-%m-%d}Z")
            case "5.2" | "5.3" if self._schedule is not None:
                put("DSPScheduleID", self._schedule)
            case "8.13" if self._returned is not None:
                put("OriginalRequestID", self._returned[0])
                put("DeviceGBCSResponse", base64.b64encode(self._returned[1]).decode())
            case "8.4":
                put("DeviceID", _SPARE.duis)
            case "12.1":
                self.dcc.wan_matrix.cover(WanCoverage("North", True, "Cellular", "High"), postcode=body.text("PartialAddress/PostCode"))
            case "12.2":
                put("DeviceID", _SPARE.duis)
                kind, model = DeviceType[body.text("DeviceType")], (body.text("DeviceManufacturer"), body.text("DeviceModel"))
                self.dcc.inventory.certify(kind, *model, body.text("FirmwareVersion"))
            case "11.1" | "11.4":
                image = OtaImage.with_room_to_sign(body.base64("FirmwareImage"))
                version = f"{OtaImage.decode(image).version:08X}"
                put("FirmwareVersion", version)
                for word in body.text("DeviceIDList").split(","):
                    device = self.dcc.inventory.listed(Eui64.parse(word))
                    self.dcc.inventory.certify(device.type, device.manufacturer, device.model, version)

    def join(self, eui: Eui64, other: Eui64, method: int) -> None:
        """The Device is joined with another by that method, if it is not yet."""
        if joins.method_of(self.devices[eui], other) is None:
            joins.add(self.devices[eui], other, self.types[other].value, method)


def _set_time(root: etree._Element, execute: datetime | None, now: bool) -> None:
    """Take the execution time out, or put one in, as the first element of the service's."""
    body = root.find(f"{{{SERVICE_NAMESPACE}}}Body")
    assert body is not None
    service, name = body[0], f"{{{SERVICE_NAMESPACE}}}ExecutionDateTime"
    if now or execute is not None:
        for element in service.findall(name):
            service.remove(element)
    if execute is not None:
        element = etree.Element(name)
        element.text = f"{execute:%Y-%m-%dT%H:%M:%S}.00Z"
        service.insert(0, element)


def _types(plan: HomePlan) -> dict[Eui64, DeviceType]:
    """Types of the home's Devices, and of those that the templates name beside them."""
    names = plan.names
    others = {names.get(eui, eui): one.device_type for eui, one in reference_devices().items() if eui not in REFERENCE_HOME.values()}
    return {eui: kind for kind, eui in plan.devices.items()} | others | {_TYPE_2: DeviceType.TYPE_2}


def make_home(plan: HomePlan, variant: EsmeVariant, folder: Path, templates: Path) -> LivedHome:
    """A home whose PKI, made in ``folder``, holds every party that the templates name."""
    read = (read_request(path.read_bytes()) for path in sorted(templates.glob("*.XML")))
    requests = [request for request in read if request.request_id.target in reference_devices()]
    devices = _types(plan) | {_OLD_CHF: DeviceType.CHF, _OLD_GPF: DeviceType.GPF}
    keystore = make_identities(folder / "pki", requests, devices, plan.organisations, plan.names)
    return LivedHome(plan, keystore, Clock(start=CREATED - LIVED, warp=True), variant)


def templates_in_order(templates: Path) -> dict[str, bytes]:
    """The templates by name, those last that change joins, keys, parties or the enrolment of a Device."""
    found = {path.name.removesuffix(REQUEST_SUFFIX): path.read_bytes() for path in sorted(templates.glob("*.XML"))}

    def stage(name: str) -> tuple[int, str]:
        service = read_request(found[name]).service_reference
        return next((at for at, services in enumerate(_LAST, 1) if service in services), 0), name + REQUEST_SUFFIX

    return {name: found[name] for name in sorted(found, key=stage)}  # as the files are in order
