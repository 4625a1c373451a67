"""One home of emulated Devices that have lived, behind a stored SM WAN channel, and a DCC with a user in every role.

The Devices are those of ``hil.coverage``: they check, execute and protect as in a home, without a radio. Requests are the
published DUIS templates, rewritten onto this PKI: fresh counters, the sender's role, periods that lie in the Devices' life.
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

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.pki import DEFAULT_ORGANISATIONS
from firmware_emu.crypto.roles import DeviceType, KeyUsage, RemotePartyRole
from firmware_emu.device import joins
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.device.store import MemoryStore
from firmware_emu.gbcs.alert_contents import WhitelistBackup
from firmware_emu.gbcs.envelope import Message
from firmware_emu.ids import Eui64
from firmware_emu.trace import Record, Trace
from firmware_emu.wan.base import WanFrame, WanKind
from firmware_emu.wan.channel import Hello, WanChannel, WanSide
from firmware_emu.wan.virtual import MemoryWan
from hil.coverage import bench, check, firmware_image
from hil.coverage import history as lived_in
from hil.coverage.identities import Rewriter, make_identities
from hil.dcc.base.results import Outcome
from hil.dcc.base.services import UserRole, schedule
from hil.dcc.dcc import Dcc
from hil.dcc.duis import RequestId, ServiceRequest, read_request
from hil.dcc.duis.request import SERVICE_NAMESPACE, SIGNATURE_NAMESPACE
from hil.dcc.parties.cos_party import CosParty
from hil.dcc.parties.users import User
from hil.dcc.transform.check import reference_devices
from hil.devices.esme.variant import POLYPHASE, TWIN_ELEMENT, EsmeVariant

ESME, GSME, CHF, GPF, PPMID, HCALCS = (Eui64.parse(f"00db1234567890a{digit}") for digit in "012345")
OLD_CHF, OLD_GPF, TYPE_2 = Eui64.parse("00db123456789095"), Eui64.parse("00db1234567890b3"), Eui64.parse("00db1234567890b0")
MPAN, SECOND_MPAN, EXPORT_MPAN, MPRN = "1312345678111", "1312345678222", "1312345678333", "1000999888"
GAS = frozenset({DeviceType.GSME, DeviceType.GPF})
ORGANISATIONS = {
    "gas-supplier": (RemotePartyRole.SUPPLIER, Eui64.parse("90b3d51f30050000")),
    "gas-transporter": (RemotePartyRole.NETWORK_OPERATOR, Eui64.parse("90b3d51f30060000")),
    "export-supplier": (RemotePartyRole.SUPPLIER, Eui64.parse("90b3d51f30070000")),
    "agent": (RemotePartyRole.OTHER, Eui64.parse("90b3d51f30080000")),
}
USERS: Mapping[UserRole, Eui64] = {
    UserRole.IS: DEFAULT_ORGANISATIONS["supplier"][1],
    UserRole.GS: ORGANISATIONS["gas-supplier"][1],
    UserRole.ES: ORGANISATIONS["export-supplier"][1],
    UserRole.ED: DEFAULT_ORGANISATIONS["network-operator"][1],
    UserRole.GT: ORGANISATIONS["gas-transporter"][1],
    UserRole.OU: DEFAULT_ORGANISATIONS["other-user"][1],
    UserRole.RSA: ORGANISATIONS["agent"][1],
    UserRole.LC: DEFAULT_ORGANISATIONS["load-controller"][1],
}
GAINING = DEFAULT_ORGANISATIONS["second-supplier"][1]
PARTIES = {role: eui for role, eui in DEFAULT_ORGANISATIONS.values() if role is not RemotePartyRole.OTHER} | {
    RemotePartyRole.SUPPLIER: USERS[UserRole.IS]
}
CREATED = datetime(2026, 1, 20, 12, 10, tzinfo=UTC)
_BUILT_UPON = frozenset({0x000F, 0x0010, 0x0012})
"""Commands that need a join to undo, or an image to activate."""
_LAST = ({"3.2"}, {"8.1", "8.7", "8.8"}, {"11.3"}, {"8.9"}, {"6.24", "6.17"}, {"6.15"}, {"6.23"}, {"6.21"}, {"8.5"}, {"8.11", "8.12"})
_OF_THREE_PHASES = frozenset({"6.5"})
"""Services whose templates set what a polyphase meter alone has; every other one is served by a twin element meter."""
_RENEWS = frozenset({"6.15", "6.17", "6.23", "6.21", "8.5"})
"""Services after which the Device does not know who it knew."""
_LOGS_OF_MONTHS = frozenset({"4.4", "4.6", "4.14", "4.17"})
LIVED = timedelta(days=45)
"""The longest life of history.toml."""
_PERIODS = {"StartDateTime": timedelta(days=2), "EndDateTime": timedelta(0), "StartDate": timedelta(days=2), "EndDate": timedelta(0)}


def sender_role(request: ServiceRequest, device: DeviceType | None) -> UserRole:
    """In which of our users' roles a template's sender acts: a network operator's or a supplier's, or whoever may send it."""
    network = DEFAULT_ORGANISATIONS["network-operator"][1]
    if request.request_id.originator == network:
        wanted = (UserRole.GT if device in GAS else UserRole.ED,)
    else:
        wanted = (UserRole.GS if device in GAS else UserRole.IS,)
    roles = schedule()[request.service_reference_variant].roles or schedule()[request.service_reference_variant].roles_2013
    order = (*wanted, UserRole.ES, UserRole.ED, UserRole.GT, UserRole.OU, UserRole.GS, UserRole.LC)
    return next(role for role in order if role in roles)


@dataclass
class World:
    """See the module. ``started`` before use, within ``clock.run``."""

    keystore: Keystore
    clock: Clock
    trace: Trace = field(init=False)
    devices: dict[Eui64, GbcsDevice] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    sent: dict[RequestId, Message] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.trace = Trace(self.clock.now)
        self.types = {eui: one.device_type for eui, one in reference_devices().items()} | {TYPE_2: DeviceType.TYPE_2}
        self.rewriter = Rewriter(self.keystore, firmware_image.image_hash())
        self.wan = MemoryWan(self.clock)
        self.home_store = MemoryStore()
        self.channel = WanChannel(
            self.wan.hub,
            self.home_store,
            self.clock,
            side=WanSide.HUB,
            name="dcc",
            trace=self.trace,
            hello=lambda: Hello(CHF, GPF, 1),
            on_frame=self._take,
        )

    # The home

    async def start(self) -> None:
        """Let the Devices live until CREATED, then bring the DCC and the hub together."""
        await asyncio.gather(*(self.grow(eui) for eui in (CHF, GPF, ESME, GSME, PPMID, HCALCS)))
        self.clock.horizon = None
        self.trace.subscribe(self.records.append)
        cos = CosParty(PARTIES[RemotePartyRole.TRANSITIONAL_COS], self.keystore, self.clock)
        self.dcc = Dcc(self.keystore, PARTIES, self.clock, self.trace, cos=cos)
        self.users = {role: User(eui, role, self.keystore) for role, eui in USERS.items()}
        self.gaining = User(GAINING, UserRole.IS, self.keystore)
        for user in (*self.users.values(), self.gaining):
            self.dcc.add_user(user)
        self._list()
        await self.dcc.start()
        self.dcc.attach_hub(self.wan.dcc, CHF)
        self._task = asyncio.create_task(self.channel.run())
        await self.clock.sleep(1)

    async def grow(self, eui: Eui64, *, held_by_dcc: bool = False, new: bool = False, variant: EsmeVariant = TWIN_ELEMENT) -> GbcsDevice:
        """A Device that has lived (or is ``new``), in the place of the one that was there."""
        kind = self.types[eui]
        parties = dict(PARTIES)
        if kind in GAS:
            parties |= {RemotePartyRole.SUPPLIER: USERS[UserRole.GS], RemotePartyRole.NETWORK_OPERATOR: USERS[UserRole.GT]}
        home = {other: one for other, one in self.types.items() if other != eui and other in (CHF, GPF, ESME, GSME, PPMID, HCALCS)}
        identity = bench.Identity(eui, kind, parties, home, held_by_dcc, variant.name)
        life = lived_in.NONE if new else lived_in.life_of(kind)
        if not new:  # all lives end together
            await self.clock.sleep((LIVED - timedelta(days=life.days)).total_seconds())
        device, _ = await bench._grown(identity, self.keystore, self.clock, self.trace, life)
        device.outgoing = lambda octets: None
        self.devices[eui] = device
        firmware_image.give(device, self.keystore)
        device.outgoing = self.say
        return device

    def _list(self) -> None:
        """List the Devices as enrolment leaves them in the inventory and the registration data."""
        for eui, kind in {**self.types, OLD_CHF: DeviceType.CHF, OLD_GPF: DeviceType.GPF}.items():
            self.dcc.pre_notify(eui, kind, esme_variant="A" if kind is DeviceType.ESME else "")
        for mpxn in (MPAN, SECOND_MPAN):
            self.dcc.register_supply(mpxn, UserRole.IS, USERS[UserRole.IS])
            self.dcc.register_supply(mpxn, UserRole.ED, USERS[UserRole.ED])
        self.dcc.register_supply(EXPORT_MPAN, UserRole.ES, USERS[UserRole.ES])
        self.dcc.register_supply(EXPORT_MPAN, UserRole.ED, USERS[UserRole.ED])
        self.dcc.register_supply(MPRN, UserRole.GS, USERS[UserRole.GS])
        self.dcc.register_supply(MPRN, UserRole.GT, USERS[UserRole.GT])
        log = WhitelistBackup(bytes(12), bytes(8), tuple((eui, bytes(16)) for eui in (ESME, GSME, PPMID)))
        self.dcc.device_log_copy.keep(OLD_CHF, log, "CS14")
        self.dcc.device_log_copy.keep_gpf(OLD_GPF, {GSME: DeviceType.GSME})
        self.reset()

    def reset(self) -> None:
        """Every Device Commissioned again, on the hub and tied to its meter; and who is held is held."""
        self.dcc.store.execute("UPDATE devices SET status = 'Commissioned', domestic = 0")
        for eui in self.types:
            if eui != CHF:
                self.dcc.inventory.associate(eui, "chf", CHF)
        self.dcc.inventory.describe(ESME, import_mpxn=MPAN, secondary_mpan=SECOND_MPAN, export_mpan=EXPORT_MPAN)
        self.dcc.inventory.describe(GSME, import_mpxn=MPRN)
        for eui in (ESME, GSME, GPF):
            gas = self.types[eui] in GAS
            self.dcc.hold(eui, RemotePartyRole.SUPPLIER, USERS[UserRole.GS if gas else UserRole.IS])
            self.dcc.hold(eui, RemotePartyRole.NETWORK_OPERATOR, USERS[UserRole.GT if gas else UserRole.ED])
        for eui, meter in ((GPF, GSME), (PPMID, ESME), (HCALCS, ESME)):
            self.dcc.inventory.associate(eui, "meter", meter)

    def _take(self, frame: WanFrame) -> None:
        message = Message.decode(frame.body)
        device = self.devices.get(message.header.recipient)
        if device is not None and message.message_code in _BUILT_UPON:
            check._prepare(device, self.keystore, message, None)
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
        original = read_request(template)
        service, target = original.service_reference, original.request_id.target
        self.reset()
        if service in _RENEWS:
            await self.grow(target, held_by_dcc=service == "6.21", new=True)
            self.clock.horizon = None
        if service in _OF_THREE_PHASES:
            await self.grow(target, new=True, variant=POLYPHASE)
            self.clock.horizon = None
        if service == "8.1":
            self.dcc.store.execute("UPDATE devices SET status = 'InstalledNotCommissioned' WHERE eui = ?", (str(target),))
        user, request = self.request(template, execute=at, now=now)
        if service == "6.23":
            self.dcc.register_supply(MPAN, UserRole.IS, GAINING, self.clock.now() - 1)
        outcome = await self.dcc.send(user, request)
        if service == "6.23":
            self.dcc.register_supply(MPAN, UserRole.IS, USERS[UserRole.IS], self.clock.now())
        if service in _RENEWS | _OF_THREE_PHASES:
            await self.grow(target, new=True)
            self.clock.horizon = None
            for usage in (KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT):
                self.dcc.repository.publish(self.keystore.certificate(target, usage))
        return outcome

    # Requests

    def request(
        self, template: bytes, role: UserRole | None = None, *, execute: datetime | None = None, now: bool = False
    ) -> tuple[User, ServiceRequest]:
        """The template's request as our user of that role sends it (default: the role in which the template's own sender acts)."""
        original = read_request(template)
        target = original.request_id.target
        user = self.users[role or sender_role(original, self.types.get(target))]
        if original.service_reference == "6.23" and role is None:
            user = self.gaining
        counter = self.dcc.counters.next(user.eui64)
        identifier = RequestId(user.eui64, target, counter << 32 if original.service_reference == "2.2" else counter)
        root = etree.fromstring(template)
        for signature in root.findall(f"{{{SIGNATURE_NAMESPACE}}}Signature"):
            root.remove(signature)
        name = root.find(f"{{{SERVICE_NAMESPACE}}}Header/{{{SERVICE_NAMESPACE}}}RequestID")
        assert name is not None
        name.text = str(identifier)
        for element in root.iter():
            local = etree.QName(element).localname if isinstance(element.tag, str) else ""
            if local in _PERIODS and etree.QName(element.getparent()).localname.endswith("Period"):
                days = 20 if original.service_reference in _LOGS_OF_MONTHS else 1
                moment = self.clock.datetime() - days * _PERIODS[local]
                element.text = f"{moment:%Y-%m-%dT%H:%M:%S}.00Z" if "Time" in local else f"{moment:%Y-%m-%d}Z"
            if local == "ExecutionDateTime" and not (element.text or "").startswith("3000"):
                element.text = f"{self.clock.datetime() + timedelta(days=1):%Y-%m-%dT%H:%M:%S}.00Z"
            if local == "ImportMPxN" and original.service_reference == "6.23":
                element.text = MPAN
            if local == "CurrentDateTime":
                element.text = f"{self.clock.datetime():%Y-%m-%dT%H:%M:%S}.00Z"
        _set_time(root, execute, now)
        request = read_request(etree.tostring(root))
        if role is not None:
            return user, request  # refused for its role before anything in it is looked at
        pending = self.rewriter.rewrite(request)
        for element in request.body.iter(f"{{{SERVICE_NAMESPACE}}}KAPublicSecurityCredentials"):
            certificate = self.keystore.certificate(user.eui64, KeyUsage.KEY_AGREEMENT)
            element.text = base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()
        if pending is not None:
            self.devices[target].credentials.set_pending_key(pending.usage, pending.key)
        return user, request

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


def make_world(folder: Path, templates: Path) -> World:
    """A world whose PKI holds every party that the templates name."""
    read = (read_request(path.read_bytes()) for path in sorted(templates.glob("*.XML")))
    requests = [request for request in read if request.request_id.target in reference_devices()]
    devices = {eui: one.device_type for eui, one in reference_devices().items()} | {
        TYPE_2: DeviceType.TYPE_2,
        OLD_CHF: DeviceType.CHF,
        OLD_GPF: DeviceType.GPF,
    }
    keystore = make_identities(folder / "pki", requests, devices, ORGANISATIONS)
    return World(keystore, Clock(start=CREATED - LIVED, warp=True))


def stem(path: Path) -> str:
    return re.sub(r"_REQUEST_DUIS\.XML$", "", path.name)


def templates_in_order(templates: Path) -> list[Path]:
    """The templates that address a Device, those last that change joins, keys, parties or the enrolment of a Device."""

    def stage(path: Path) -> tuple[int, str]:
        service = read_request(path.read_bytes()).service_reference
        return next((at for at, services in enumerate(_LAST, 1) if service in services), 0), path.name

    def ours(path: Path) -> bool:
        request = read_request(path.read_bytes())
        service = schedule()[request.service_reference_variant]
        home = {CHF, GPF, ESME, GSME, PPMID, HCALCS}
        return request.request_id.target in home and bool((service.roles | service.roles_2013) - {UserRole.LC})

    return sorted(filter(ours, templates.glob("*.XML")), key=stage)
