"""Firmware campaigns: one image to many homes, progress, interruptions, wrong images, activation and what stays if it fails."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from firmware_emu.clock import EPOCH, Clock
from firmware_emu.crypto import primitives
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.pki import make_pki
from firmware_emu.crypto.roles import DeviceType, KeyUsage
from firmware_emu.device import asn1_io, firmware
from firmware_emu.device.credentials import Credentials
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.device.standard import STANDARD
from firmware_emu.device.store import MemoryStore
from firmware_emu.gbcs.asn1 import Asn1Payload
from firmware_emu.gbcs.asn1_types import FirmwareActivationAlert, FirmwareTransferAlert
from firmware_emu.gbcs.envelope import Message
from firmware_emu.hub.ota import DISCARDED, SUCCESS, TRANSFER_ALERT, TRANSFER_FAILED, TRANSFER_SUCCEEDED, ImagePiece
from firmware_emu.ids import CraFlag, Eui64
from firmware_emu.trace import Record, Trace
from firmware_emu.wan.base import WanFrame, WanKind
from firmware_emu.wan.channel import Hello, WanChannel, WanSide
from firmware_emu.wan.virtual import MemoryWan
from hil.dcc.base.profile import profile
from hil.dcc.base.results import Outcome, Verdict
from hil.dcc.base.services import UserRole
from hil.dcc.dcc import Dcc
from hil.dcc.own_services.firmware import AT_HUB, FAILED, SENDING, VERIFIED, Target
from hil.dcc.parties.users import User
from tests.dcc.far_end import NETWORK, PARTIES, SUPPLIER, ReadyAnswers

HOMES = 3
OLD, NEW = "00000001", "00000002"
IMAGE = bytes(range(256)) * 1000


def eui(kind: int, home: int) -> Eui64:
    return Eui64.parse(f"00db12345678{kind:02x}{home:02x}")


@dataclass
class Home:
    """A hub's end of the SM WAN with its meter. The hub puts pieces together; the meter checks what it gets, as a real one does."""

    number: int
    clock: Clock
    trace: Trace
    keystore: Keystore
    gives: int = SUCCESS
    """End of the transfer over the HAN."""
    on_piece: Callable[[int], None] = lambda count: None
    """Told of every piece that comes, with their number."""
    pieces: list[ImagePiece] = field(default_factory=list)
    got: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chf, self.gpf, self.esme = eui(0xA2, self.number), eui(0xA3, self.number), eui(0xA0, self.number)
        self.wan, self.store = MemoryWan(self.clock), MemoryStore()
        self.hub, self.meter = self._device(self.chf, DeviceType.CHF), self._device(self.esme, DeviceType.ESME)
        firmware.set_running_version(self.meter, bytes.fromhex(OLD))
        self.channel = WanChannel(
            self.wan.hub,
            self.store,
            self.clock,
            side=WanSide.HUB,
            name="dcc",
            trace=self.trace,
            hello=lambda: Hello(self.chf, self.gpf, 1),
            on_frame=self._take,
        )

    def _device(self, identity: Eui64, kind: DeviceType) -> GbcsDevice:
        credentials = Credentials.from_keystore(self.store, self.keystore, identity, kind, PARTIES)
        device = GbcsDevice(identity, kind, credentials, self.store, self.clock.now, self.trace, STANDARD, ReadyAnswers())
        device.outgoing = lambda message: self.channel.post(WanKind.MESSAGE, message)
        return device

    def _take(self, frame: WanFrame) -> None:
        if frame.kind is WanKind.MESSAGE:
            self.got.append(len(self.pieces))
            for answer in self.meter.receive(frame.body):
                self.channel.post(WanKind.MESSAGE, answer)
            return
        piece = ImagePiece.decode(frame.body)
        self.pieces.append(piece)
        self.on_piece(len(self.pieces))
        if piece.offset + len(piece.data) == piece.total:
            if self.gives == SUCCESS:
                firmware.receive_image(self.meter, b"".join(one.data for one in self.pieces))
            at = EPOCH + timedelta(seconds=int(self.clock.now()))
            code = TRANSFER_SUCCEEDED if self.gives == SUCCESS else TRANSFER_FAILED
            told = FirmwareTransferAlert(code, at, piece.target, bytes.fromhex(NEW), self.gives)
            self.hub.raise_alert(code, payload=asn1_io.write("FirmwareTransferAlert", told), message_code=TRANSFER_ALERT)

    def connect(self) -> None:
        self.task = asyncio.create_task(self.channel.run())


@dataclass
class Campaign:
    """A DCC and homes of one supplier, all in service."""

    keystore: Keystore
    clock: Clock
    store: Path

    def __post_init__(self) -> None:
        self.trace = Trace(self.clock.now)
        self.homes = [Home(number, self.clock, self.trace, self.keystore) for number in range(HOMES)]
        self.user = User(SUPPLIER, UserRole.IS, self.keystore)
        self.dcc = self._dcc()
        for home in self.homes:
            self.dcc.pre_notify(home.chf, DeviceType.CHF, gpf=home.gpf)
            self.dcc.pre_notify(home.esme, DeviceType.ESME, firmware=OLD)
            self.dcc.register_supply(f"13123456780{home.number:02}", UserRole.IS, SUPPLIER)
        self.dcc.inventory.certify(DeviceType.ESME, "BENCH", "BENCH", NEW)

    def _dcc(self) -> Dcc:
        dcc = Dcc(self.keystore, PARTIES, self.clock, self.trace, self.store)
        dcc.add_user(self.user)
        return dcc

    async def begin(self) -> None:
        await self.dcc.start()
        for home in self.homes:
            self.dcc.attach_hub(home.wan.dcc, home.chf)
            home.connect()
        await self.clock.sleep(1)
        for home in self.homes:
            inventory = self.dcc.inventory
            inventory.associate(home.esme, "chf", home.chf)
            inventory.describe(home.esme, import_mpxn=f"13123456780{home.number:02}")
            inventory.move(home.esme, "joined", reason="test")
            inventory.move(home.esme, "commissioned", reason="test")

    async def restart(self) -> None:
        await self.dcc.close()
        self.dcc = self._dcc()
        await self.dcc.start()
        for home in self.homes:
            self.dcc.attach_hub(home.wan.dcc, home.chf)

    async def close(self) -> None:
        for home in self.homes:
            home.task.cancel()
            await asyncio.gather(home.task, return_exceptions=True)
        await self.dcc.close()

    def image(self, *, version: str = NEW, signer: Eui64 = SUPPLIER) -> bytes:
        signature = primitives.sign(self.keystore.private_key(signer, KeyUsage.DIGITAL_SIGNATURE), IMAGE)
        size = 60 + len(IMAGE) + 66
        numbers = (0x0BEEF11E, 0x0100, 60, 0x0004, 0, 0, int(version, 16), 2, bytes(32), size, 0, 0xFFFF)
        return struct.pack("<IHHHHHIH32sIHH", *numbers) + IMAGE + b"\x00\x40" + signature

    async def send(self, image: bytes, *devices: Eui64, version: str = NEW) -> Outcome:
        listed = devices or tuple(home.esme for home in self.homes)
        body = {"FirmwareImage": image, "FirmwareVersion": version, "DeviceIDList": ",".join(one.duis for one in listed)}
        return await self.dcc.send(self.user, self.dcc.request(self.user, "11.1", None, body))

    async def activate(self, home: Home) -> Outcome:
        held = firmware.OtaImage.decode(self.image()).hash
        return await self.dcc.send(self.user, self.dcc.request(self.user, "11.3", home.esme, {"FirmwareHash": held}))

    def states(self) -> list[str]:
        return [target.state for target in self.dcc.firmware.targets()]

    def target(self, home: Home) -> Target:
        return next(target for target in self.dcc.firmware.targets() if target.device == home.esme)


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Keystore:
    kinds = {0xA0: DeviceType.ESME, 0xA2: DeviceType.CHF, 0xA3: DeviceType.GPF, 0xA4: DeviceType.PPMID}
    devices = {eui(kind, number): type for number in range(HOMES) for kind, type in kinds.items()}
    return make_pki(tmp_path_factory.mktemp("homes") / "pki", organisations=None, devices=devices)


@pytest.fixture
async def campaign(homes: Keystore, tmp_path: Path, clock: Clock) -> AsyncIterator[Campaign]:
    campaign = Campaign(homes, clock, tmp_path / "dcc.sqlite")
    await campaign.begin()
    yield campaign
    await campaign.close()


@pytest.mark.requirement("SVC-11.1")
@pytest.mark.requirement("SVC-11.3")
@pytest.mark.requirement("GW-41")
async def test_an_image_reaches_every_home_is_verified_by_its_device_and_runs_only_when_activated(campaign: Campaign) -> None:
    image = campaign.image()
    records: list[Record] = []
    campaign.trace.subscribe(lambda record: records.append(record) if record.event == "progress" else None)
    outcome = await campaign.send(image)
    assert (outcome.verdict, outcome.response_code, outcome.within_target) == (Verdict.SUCCESS, "I0", True), outcome.why
    assert outcome.result["DeviceIDList"] == [home.esme.duis for home in campaign.homes]
    await campaign.clock.sleep(60)
    assert set(campaign.states()) == {VERIFIED}
    step = int(profile().firmware_piece_octets * profile().firmware_window)
    told = [record.detail["octets"] for record in records if record.target == str(campaign.homes[1].esme)]
    assert told == [*range(0, len(image), step), len(image)], "progress is told on the way"
    assert all(target.at_hub == target.total == len(image) for target in campaign.dcc.firmware.targets())
    deadline = campaign.dcc.store.rows("SELECT deadline - received AS days FROM firmware_campaigns")[0]["days"]
    assert deadline == 5 * 86400
    assert {firmware.running_version(home.meter).hex() for home in campaign.homes} == {OLD}
    done = await campaign.activate(campaign.homes[0])
    assert done.verdict is Verdict.SUCCESS, done.why
    assert [firmware.running_version(home.meter).hex() for home in campaign.homes] == [NEW, OLD, OLD]
    assert campaign.dcc.inventory.listed(campaign.homes[0].esme).firmware == NEW


@pytest.mark.requirement("SVC-11.1")
async def test_a_device_that_cannot_have_the_image_is_named_on_its_list_and_the_others_get_it(campaign: Campaign) -> None:
    first, second, third = campaign.homes
    campaign.dcc.inventory.certify(DeviceType.ESME, "BENCH", "BENCH", OLD, "Cancelled")
    campaign.dcc.inventory.certify(DeviceType.ESME, "BENCH", "BENCH", OLD)
    campaign.dcc.inventory.move(second.esme, "suspended", reason="test")
    campaign.dcc.register_supply(f"13123456780{third.number:02}", UserRole.IS, NETWORK, 1.0)
    unknown = Eui64.parse("00db1234567800ff")
    outcome = await campaign.send(campaign.image(), first.esme, second.esme, third.esme, unknown, first.chf)
    assert outcome.result["DeviceIDList"] == [first.esme.duis]
    assert outcome.result["NotCommissionedDeviceIDList"] == [second.esme.duis]
    assert outcome.result["InvalidDeviceIDList"] == [third.esme.duis, unknown.duis, first.chf.duis]
    again = await campaign.send(campaign.image(), first.esme)
    assert "another image is under way" in again.why
    await campaign.clock.sleep(60)
    assert (first.pieces != [], second.pieces, third.pieces) == (True, [], [])


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ("hash", "the image for BENCH BENCH 00000002 has hash"),
        ("version", "the request names version 00000002, the image holds 00000003"),
        ("garbage", "OTA file identifier"),
        ("model", "firmware 00000004 is not Active for ESME BENCH BENCH"),
    ],
)
async def test_a_wrong_image_is_refused_before_it_leaves(campaign: Campaign, change: str, check: str) -> None:
    image, version = campaign.image(), NEW
    if change == "hash":
        campaign.dcc.inventory.certify_image(DeviceType.ESME, "BENCH", "BENCH", NEW, bytes(32).hex())
    elif change == "version":
        image = campaign.image(version="00000003")
    elif change == "garbage":
        image = b"\x00" + image[1:]
    else:
        image, version = campaign.image(version="00000004"), "00000004"
    outcome = await campaign.send(image, version=version)
    assert outcome.verdict is Verdict.REFUSED
    assert check in outcome.why
    await campaign.clock.sleep(60)
    assert [home.pieces for home in campaign.homes] == [[], [], []]


async def test_an_interrupted_transfer_goes_on_where_it_stopped_over_a_cut_and_a_new_dcc(campaign: Campaign) -> None:
    home = campaign.homes[0]

    def cut(count: int) -> None:
        if count == 6:
            home.wan.coverage = False
            home.wan.cut()

    home.on_piece = cut
    assert (await campaign.send(campaign.image(), home.esme)).ok
    await campaign.clock.sleep(3600)
    before = campaign.target(home)
    assert before.state == SENDING
    assert 0 < before.at_hub < before.total
    await campaign.restart()
    home.wan.coverage = True
    await campaign.clock.sleep(300)
    assert campaign.target(home).state == VERIFIED
    offsets = [piece.offset for piece in home.pieces]
    assert offsets == sorted(set(offsets)), "no piece twice, none out of order"


async def test_commands_pass_between_the_pieces_of_an_image(campaign: Campaign) -> None:
    home = campaign.homes[0]
    request = campaign.dcc.request(campaign.user, "7.3", home.esme)
    sent: list[asyncio.Task[Outcome]] = []

    def send(count: int) -> None:
        if count == 1:
            sent.append(asyncio.create_task(campaign.dcc.send(campaign.user, request)))

    home.on_piece = send
    assert (await campaign.send(campaign.image(), home.esme)).ok
    await campaign.clock.sleep(60)
    assert (await sent[0]).ok
    assert home.got == [int(profile().firmware_window)], "it waits for the pieces under way and for no more"
    assert len(home.pieces) > home.got[0]


async def test_an_image_signed_by_another_is_discarded_by_the_device_which_keeps_the_version_it_has(campaign: Campaign) -> None:
    home = campaign.homes[0]
    assert (await campaign.send(campaign.image(signer=NETWORK), home.esme)).ok
    await campaign.clock.sleep(60)
    target = campaign.target(home)
    assert (target.state, "8F1C" in (target.reason or "")) == (FAILED, True)
    outcome = await campaign.activate(home)
    assert (outcome.verdict, outcome.reason) == (Verdict.FAILED, "response code 1")
    assert firmware.running_version(home.meter).hex() == OLD
    assert campaign.dcc.inventory.listed(home.esme).firmware == OLD
    assert (await campaign.send(campaign.image(), home.esme)).ok, "the next try is not in the way of the first"


async def test_how_the_transfer_on_the_han_ended_is_told_by_the_hub(campaign: Campaign) -> None:
    home = campaign.homes[0]
    home.gives = DISCARDED
    assert (await campaign.send(campaign.image(), home.esme)).ok
    await campaign.clock.sleep(60)
    target = campaign.target(home)
    assert (target.state, target.at_hub) == (FAILED, target.total)
    assert "discarded the image" in (target.reason or "")
    (record,) = (record for record in campaign.dcc.alerts.records() if record.code == "8F89")
    assert (record.state, record.party) == ("internal", None)


@pytest.mark.requirement("GW-41")
async def test_a_hub_that_is_not_reached_in_five_days_ends_its_part_of_the_campaign(campaign: Campaign) -> None:
    home = campaign.homes[0]
    home.wan.coverage = False
    home.wan.cut()
    assert (await campaign.send(campaign.image())).ok
    await campaign.clock.sleep(5 * 86400 - 60)
    assert campaign.target(home).state == SENDING
    await campaign.clock.sleep(120)
    target = campaign.target(home)
    assert target.state == FAILED
    assert target.reason == f"hub {home.chf} had 0 of {target.total} octets after 5 days"
    assert campaign.states().count(VERIFIED) == HOMES - 1
    assert AT_HUB not in campaign.states()


async def test_a_command_to_activate_another_image_is_refused_by_the_device(campaign: Campaign) -> None:
    home = campaign.homes[0]
    assert (await campaign.send(campaign.image(), home.esme)).ok
    await campaign.clock.sleep(60)
    request = campaign.dcc.request(campaign.user, "11.3", home.esme, {"FirmwareHash": bytes(32)})
    outcome = await campaign.dcc.send(campaign.user, request)
    assert (outcome.verdict, outcome.reason) == (Verdict.FAILED, "response code 2")
    assert firmware.running_version(home.meter).hex() == OLD
    command = next(message for message in outcome.messages if message.kind == "f")
    assert Message.decode(command.octets).message_code == 0x0012


@pytest.mark.parametrize(("signer", "runs"), [(SUPPLIER, NEW), (NETWORK, OLD)], ids=["signed by its sender", "signed by another"])
async def test_a_ppmid_runs_by_itself_what_its_sender_signed_and_says_so(campaign: Campaign, signer: Eui64, runs: str) -> None:
    home, ppmid, inventory = campaign.homes[0], eui(0xA4, 0), campaign.dcc.inventory
    home.meter = home._device(ppmid, DeviceType.PPMID)
    firmware.set_running_version(home.meter, bytes.fromhex(OLD))
    campaign.dcc.pre_notify(ppmid, DeviceType.PPMID, firmware=OLD)
    inventory.certify(DeviceType.PPMID, "BENCH", "BENCH", NEW)
    inventory.associate(ppmid, "chf", home.chf)
    inventory.associate(ppmid, "meter", home.esme)
    inventory.move(ppmid, "joined", reason="test")
    inventory.move(ppmid, "commissioned", reason="test")
    body = {"FirmwareImage": campaign.image(signer=signer), "FirmwareVersion": NEW, "DeviceIDList": ppmid.duis}
    outcome = await campaign.dcc.send(campaign.user, campaign.dcc.request(campaign.user, "11.4", None, body))
    await campaign.clock.sleep(60)
    assert firmware.running_version(home.meter).hex() == runs
    assert inventory.listed(ppmid).firmware == runs
    if signer == SUPPLIER:
        assert outcome.verdict is Verdict.SUCCESS, outcome.why
        assert campaign.states() == [VERIFIED]
        assert [record.code for record in campaign.dcc.alerts.records(ppmid)] == ["8F8B"]
    else:
        assert (outcome.verdict, campaign.states()) == (Verdict.REFUSED, [])


async def test_a_ppmid_that_cannot_verify_an_image_keeps_the_version_it_has_and_says_so(campaign: Campaign) -> None:
    home = campaign.homes[0]
    ppmid = home._device(eui(0xA4, 0), DeviceType.PPMID)
    firmware.set_running_version(ppmid, bytes.fromhex(OLD))
    sent: list[bytes] = []
    ppmid.outgoing = sent.append
    assert not firmware.receive_image(ppmid, campaign.image(signer=SUPPLIER))
    alert = Asn1Payload.decode(Message.decode(sent[0]).payload, 0x012B, CraFlag.ALERT).value
    assert isinstance(alert, FirmwareActivationAlert)
    assert (alert.firmware_version.hex(), alert.outcome) == (OLD, 1)
