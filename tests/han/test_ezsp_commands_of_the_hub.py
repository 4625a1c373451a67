"""Commands that the hub gives a dongle of EmberZNet, by the fields that bellows has for them, and what it makes of each answer.

Layouts and numbers: Silicon Labs UG100 as bellows declares it (reference ezsp-ncp 2 to 5).
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import bellows.types as t
import pytest
import zigpy.exceptions
import zigpy.zdo.types

from firmware_emu.clock import Clock
from firmware_emu.crypto.entropy import SYSTEM
from firmware_emu.errors import RadioError
from firmware_emu.han.base import ApsFrame, NetworkSettings, SimpleDescriptor
from firmware_emu.han.ezsp import check_version
from firmware_emu.han.ezsp_agreement import DongleAgreement
from firmware_emu.han.ezsp_dongle import EzspDongle
from firmware_emu.han.inter_pan import InterPanFrame, InterPanSender
from firmware_emu.ids import Eui64

HUB, METER = Eui64.parse("00db1234567890a0"), Eui64.parse("00db1234567890a1")
KEY = bytes(range(16))
CERTIFICATE = bytes(range(74))
OK, FAILED = t.sl_Status.OK, t.sl_Status.FAIL
BUSY = t.sl_Status.ZIGBEE_MAX_MESSAGE_LIMIT_REACHED


def plain(value: Any) -> Any:
    """Octets of an address, a key or a structure as hexadecimal digits, numbers and octets as they are."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, int):
        return int(value)
    return value.serialize().hex()


class Ezsp:
    """bellows' object: keeps each command with its fields, and gives the answers that it was given by name."""

    def __init__(self) -> None:
        self.ezsp_version = 13
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, list[Any]] = {}
        self._protocol = SimpleNamespace(COMMANDS={"sendRawMessage": ()})
        self.asking: Callable[[str], None] = lambda name: None

    async def _command(self, name: str, *values: Any, **fields: Any) -> Any:
        named = {**{f"#{at}": plain(one) for at, one in enumerate(values)}, **{one: plain(value) for one, value in fields.items()}}
        self.asked.append((name, named))
        self.asking(name)
        given = self.answers.get(name)
        return given.pop(0) if given else (OK, 0)

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        return lambda *values, **fields: self._command(name, *values, **fields)


class User:
    """Owner of the dongle that keeps what it is told."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.endpoints = [SimpleDescriptor(2, 0x0501, profile=0xC105, clients=(0x0702,))]
        self.inter_pan: list[tuple[InterPanSender, InterPanFrame]] = []

    def packet_received(self, packet: object) -> None:
        raise AssertionError("no packet comes")

    def trust_centre_join(self, short: int, device: Eui64, update: int, decision: int) -> None:
        raise AssertionError("nobody joins")

    def inter_pan_received(self, sender: InterPanSender, frame: InterPanFrame) -> None:
        self.inter_pan.append((sender, frame))

    def connection_lost(self, problem: BaseException | None) -> None:
        raise AssertionError("it is there")


class Bench:
    def __init__(self, clock: Clock) -> None:
        self.ezsp, self.user = Ezsp(), User(clock)
        self.dongle = EzspDongle(self.user, {"path": "/dev/ttyACM7"})
        app: Any = self.dongle._app
        app._ezsp = self.ezsp
        self.app = app

    def told_sent(self, status: Any = OK) -> None:
        """Each message is confirmed as soon as it is given out."""

        def confirm(name: str) -> None:
            if name == "send_unicast":
                fields = self.ezsp.asked[-1][1]
                told = [0, fields["nwk"], None, fields["message_tag"], status, b""]
                asyncio.get_running_loop().call_soon(self.dongle.callback, 13, "messageSentHandler", told)

        self.ezsp.asking = confirm


@pytest.fixture
def bench(clock: Clock) -> Bench:
    return Bench(clock)


def _aps(options: int, group: int = 0, sequence: int = 0, *, ends: tuple[int, int] = (1, 2)) -> str:
    """EmberApsFrame: profile, cluster, source and destination endpoint, options, group, sequence."""
    return struct.pack("<HHBBHHB", 0x0109, 0x0702, *ends, options, group, sequence).hex()


@pytest.mark.parametrize(("secured", "most"), [(False, 82), (True, 65)])
async def test_a_message_goes_whole_up_to_what_one_frame_takes_and_in_pieces_of_61_octets_beyond(
    bench: Bench, secured: bool, most: int
) -> None:
    """APS options: 0x0020 encryption, 0x0040 retry, 0x0100 route discovery, 0x8000 fragment with its count and index as the group."""
    bench.told_sent()
    bench.ezsp.answers["send_unicast"] = [(OK, sequence) for sequence in (7, 8, 9)]
    options = 0x0160 if secured else 0x0140
    whole = bytes(most + 1)
    for payload in (whole[:most], whole):
        await bench.dongle.send(0x1234, METER, ApsFrame(0x0702, payload, 1, 2, secured=secured))
    fields = [fields for _, fields in bench.ezsp.asked]
    assert [(one["nwk"], one["aps_frame"], len(one["data"])) for one in fields] == [
        (0x1234, _aps(options), most),
        (0x1234, _aps(options | 0x8000, 0x0200), 61),
        (0x1234, _aps(options | 0x8000, 0x0201, 8), most + 1 - 61),
    ]
    assert len({one["message_tag"] for one in fields}) == 3


async def test_255_fragments_are_the_most(bench: Bench) -> None:
    bench.told_sent()
    most = bytes(61 * 255)
    await bench.dongle.send(0x1234, METER, ApsFrame(0x0702, most, 1, 2))
    assert len(bench.ezsp.asked) == 255
    with pytest.raises(RadioError, match="do not fit 255 fragments of 61") as refused:
        await bench.dongle.send(0x1234, METER, ApsFrame(0x0702, most + b"x", 1, 2))
    assert refused.value.status == "MESSAGE_TOO_LONG"


async def test_a_message_that_is_refused_or_not_acknowledged_says_so_and_one_without_room_is_tried_again(bench: Bench) -> None:
    frame = ApsFrame(0x0702, b"x", 1, 2)
    bench.told_sent(t.sl_Status.ZIGBEE_DELIVERY_FAILED)
    with pytest.raises(RadioError, match=f"{METER} did not acknowledge") as refused:
        await bench.dongle.send(0x1234, METER, frame)
    assert refused.value.status == "ZIGBEE_DELIVERY_FAILED"
    bench.told_sent()
    bench.ezsp.answers["send_unicast"] = [(FAILED, 0)]
    with pytest.raises(RadioError, match=f"does not send to {METER}") as refused:
        await bench.dongle.send(0x1234, METER, frame)
    assert refused.value.status == "FAIL"
    bench.ezsp.asked.clear()
    bench.ezsp.answers["send_unicast"] = [(BUSY, 0), (BUSY, 0)]
    await bench.dongle.send(0x1234, METER, frame)
    assert len(bench.ezsp.asked) == 3


async def test_a_dongle_that_says_nothing_of_a_message_is_given_20_seconds(bench: Bench, clock: Clock) -> None:
    began = clock.now()
    with pytest.raises(RadioError, match=f"does not say what became of a frame to {METER}") as refused:
        await bench.dongle.send(0x1234, METER, ApsFrame(0x0702, b"x", 1, 2))
    assert refused.value.status == "TIMEOUT"
    assert clock.now() - began == pytest.approx(20.0, abs=0.5)


@pytest.mark.parametrize(
    ("version", "told"),
    [
        (13, [0, 0x1234, None, 0x107, OK, b""]),
        (14, [OK, 0, 0x1234, None, 0x107, b""]),
    ],
)
async def test_the_fields_of_a_confirmation_stand_where_the_version_has_them(bench: Bench, version: int, told: list[Any]) -> None:
    """The tag is an octet: of 0x107, 7."""
    sender = bench.dongle._sender
    waits = [asyncio.get_running_loop().create_future() for _ in range(3)]
    sender._sent = {(0x1234, 7): waits[0], (0x1234, 8): waits[1], (0x1235, 7): waits[2]}
    for name in ("stackStatusHandler", "messageSentHandler", "messageSentHandler"):
        bench.dongle.callback(version, name, told)
    assert [one.done() for one in waits] == [True, False, False]
    bench.dongle.abandon("RESET")
    assert [one.result() for one in waits] == ["OK", "RESET", "RESET"]


async def test_a_broadcast_goes_to_all_that_listen_and_says_why_it_does_not(bench: Bench) -> None:
    bench.ezsp.answers["send_broadcast"] = [(OK, 0), (FAILED, 0)]
    frame = ApsFrame(0x0702, b"abc", 1, 0xFF, secured=False)
    await bench.dongle.broadcast(frame)
    ((name, fields),) = bench.ezsp.asked
    fields.pop("message_tag")
    assert (name, fields) == (
        "send_broadcast",
        {"address": 0xFFFD, "aps_frame": _aps(0, ends=(1, 0xFF)), "radius": 0, "aps_sequence": 0, "data": b"abc"},
    )
    with pytest.raises(RadioError, match="does not send a broadcast") as refused:
        await bench.dongle.broadcast(frame)
    assert refused.value.status == "FAIL"


@pytest.mark.parametrize(("short", "told"), [(0x0000, 0x0000), (0xFFF7, 0xFFF7), (0xFFF8, None), (0xFFFF, None)])
async def test_an_address_of_a_device_is_below_those_of_broadcasts(bench: Bench, short: int, told: int | None) -> None:
    bench.ezsp.answers["lookupNodeIdByEui64"] = [(OK, short)]
    assert await bench.dongle.lookup_short(METER) == told


async def test_an_eui64_is_told_where_the_dongle_knows_it(bench: Bench) -> None:
    address = t.EUI64.deserialize(METER.zigbee)[0]
    bench.ezsp.answers["lookupEui64ByNodeId"] = [(OK, address), (FAILED, address)]
    assert [await bench.dongle.lookup_device(0x1234) for _ in range(2)] == [METER, None]


@pytest.mark.parametrize(("index", "erased"), [(0, True), (0xFE, True), (0xFF, False)])
async def test_a_link_key_that_is_there_is_erased(bench: Bench, index: int, erased: bool) -> None:
    bench.ezsp.answers["findKeyTableEntry"] = [(index,)]
    bench.ezsp.answers["eraseKeyTableEntry"] = [(OK,)]
    await bench.dongle.forget_link_key(METER)
    found = ("findKeyTableEntry", {"address": METER.zigbee.hex(), "linkKey": 1})
    assert bench.ezsp.asked == [found, *[("eraseKeyTableEntry", {"index": index})] * erased]


@pytest.mark.parametrize("version", [13, 14])
@pytest.mark.parametrize(("found", "taken", "index"), [(3, (), 3), (0xFF, (True, True), 2), (0xFF, (), 0), (0xFF, (True,) * 4, None)])
async def test_a_link_key_goes_over_the_partners_own_or_into_the_first_free_place(
    bench: Bench, version: int, found: int, taken: tuple[bool, ...], index: int | None
) -> None:
    bench.ezsp.ezsp_version = version
    bench.ezsp.answers["findKeyTableEntry"] = [(found,)]
    bench.ezsp.answers["getConfigurationValue"] = [(OK, 4)]
    statuses = [OK] * len(taken) + [t.sl_Status.NOT_FOUND]
    bench.ezsp.answers["exportLinkKeyByIndex"] = [(one, "key") if version == 14 else ("device", "key", "data", one) for one in statuses]
    bench.ezsp.answers["importLinkKey"] = [(OK,)]
    if index is None:
        with pytest.raises(RadioError, match="all 4 slots of the dongle's key table are taken") as refused:
            await bench.dongle.import_link_key(METER, KEY)
        assert refused.value.status == "TABLE_FULL"
        return
    await bench.dongle.import_link_key(METER, KEY)
    assert bench.ezsp.asked[0] == ("findKeyTableEntry", {"address": METER.zigbee.hex(), "linkKey": 1})
    assert bench.ezsp.asked[-1] == ("importLinkKey", {"index": index, "address": METER.zigbee.hex(), "key": KEY.hex()})


async def test_who_may_join_is_given_a_key_the_policy_and_open_routers(bench: Bench) -> None:
    for name in ("setPolicy", "permitJoining"):
        bench.ezsp.answers[name] = [(OK,), (OK,)]
    bench.ezsp.answers["add_transient_link_key"] = [BUSY, OK, FAILED]
    await bench.dongle.permit_device(METER, KEY, 254)
    asked = bench.ezsp.asked
    assert [name for name, _ in asked] == ["add_transient_link_key"] * 2 + ["setPolicy", "send_broadcast", "permitJoining"]
    assert asked[1][1] == {"#0": METER.zigbee.hex(), "#1": KEY.hex()}
    assert asked[2][1] == {"policyId": 0, "decisionId": 0x0013}, "joins, unsecured rejoins, keys of install codes"
    sent = asked[3][1]
    assert (sent["address"], sent["data"][1:], sent["aps_frame"][:12]) == (0xFFFC, b"\xfe\x00", "00003600" + "0000")
    assert asked[4][1] == {"duration": 254}
    asked.clear()
    with pytest.raises(RadioError, match=f"does not take the key of {METER}"):
        await bench.dongle.permit_device(METER, KEY, 254)
    asked.clear()
    await bench.dongle.close_joining()
    assert asked == [("permitJoining", {"duration": 0}), ("clearTransientLinkKeys", {})]


@pytest.mark.parametrize(
    ("version", "certificate", "status", "held", "agrees"),
    [
        (13, CERTIFICATE, OK, CERTIFICATE, True),
        (14, CERTIFICATE, OK, CERTIFICATE, True),
        (12, CERTIFICATE, OK, CERTIFICATE, False),
        (13, b"", OK, b"", False),
        (13, CERTIFICATE, FAILED, CERTIFICATE, False),
        (13, CERTIFICATE, OK, bytes(74), False),
    ],
)
async def test_a_dongle_agrees_on_keys_if_it_can_give_them_out_and_holds_the_hubs_certificate(
    bench: Bench, version: int, certificate: bytes, status: Any, held: bytes, agrees: bool
) -> None:
    bench.ezsp.ezsp_version = version
    bench.ezsp.answers["getCertificate283k1"] = [(status, SimpleNamespace(serialize=lambda: held))]
    assert isinstance(await bench.dongle.key_agreement(certificate), DongleAgreement) == agrees


async def test_the_interface_below_1_ghz_is_started_once_and_changes_its_channel_after_that(bench: Bench) -> None:
    bench.ezsp.answers["multiPhyStart"] = [(FAILED,), (OK,)]
    with pytest.raises(RadioError, match="does not go to channel 5 of page 28") as refused:
        await bench.dongle.start_sub_ghz(28, 5)
    assert refused.value.status == "FAIL"
    await bench.dongle.start_sub_ghz(28, 5)
    await bench.dongle.start_sub_ghz(31, 26)
    started = ("multiPhyStart", {"phyIndex": 1, "page": 28, "channel": 5, "power": 0, "bitmask": 0})
    assert bench.ezsp.asked == [started, started, ("multiPhySetRadioChannel", {"phyIndex": 1, "page": 31, "channel": 26})]


async def test_energy_is_told_by_page_and_channel_of_one_octet(bench: Bench) -> None:
    """Bits 0 to 4 are the channel, 5 and 6 the page above 28."""
    bench.ezsp.answers["startScan"] = [[(0x00, -90), (0x1A, -80), (0x25, -70), (0x48, -60), (0x7F, -50, "more")]]
    told = await bench.dongle.sub_ghz_energy(0x07FFFFFF)
    assert told == {(28, 0): -90, (28, 26): -80, (29, 5): -70, (30, 8): -60, (31, 31): -50}
    assert bench.ezsp.asked == [("startScan", {"scanType": 0, "channelMask": 0x07FFFFFF, "duration": 3})]


async def test_the_duty_cycle_is_read_from_33_places_without_free_ones(bench: Bench) -> None:
    octets = struct.pack("<HHHHHH", 0, 100, 0xFFFF, 7, 0x1234, 9) + struct.pack("<HH", 0xFFFF, 0) * 29 + struct.pack("<HH", 0x4321, 3)
    bench.ezsp.answers["getCurrentDutyCycle"] = [(OK, octets + b"\x01\x02\x03\x04\x05\x06"), (FAILED, b"")]
    assert await bench.dongle.sub_ghz_duty_cycle() == {0: 100, 0x1234: 9, 0x4321: 3}
    assert bench.ezsp.asked == [("getCurrentDutyCycle", {"maxDevices": 33})]
    with pytest.raises(RadioError, match="does not tell its duty cycle"):
        await bench.dongle.sub_ghz_duty_cycle()


async def test_children_on_the_second_interface_are_told_up_to_the_first_free_place(bench: Bench) -> None:
    def child(device: Eui64, phy: int) -> SimpleNamespace:
        return SimpleNamespace(eui64=t.EUI64.deserialize(device.zigbee)[0], phy=phy)

    bench.ezsp.answers["getChildData"] = [(OK, child(HUB, 0)), (OK, child(METER, 1)), (FAILED, None), (OK, child(HUB, 1))]
    assert await bench.dongle.on_sub_ghz() == {METER}
    assert [fields["index"] for _, fields in bench.ezsp.asked] == [0, 1, 2]
    bench.ezsp.answers["getChildData"] = [(OK, child(Eui64(bytes([one]) * 8), 1)) for one in range(70)]
    assert len(await bench.dongle.on_sub_ghz()) == 64, "as many as an EmberZNet parent may have"


async def test_a_frame_of_no_network_goes_out_as_a_raw_one_and_waits_5_seconds_for_what_became_of_it(bench: Bench, clock: Clock) -> None:
    bench.dongle._own = HUB
    bench.app.state.network_info.pan_id = t.uint16_t(0x1A62)
    frame = InterPanFrame(0x0800, b"hello")
    octets = bytes.fromhex("21cc00ffff" + METER.zigbee.hex() + "621a" + HUB.zigbee.hex() + "0b00" + "03" + "0008" + "0901") + b"hello"
    statuses = [OK, t.sl_Status.TRANSMIT_UNDERFLOW]

    def completes(name: str) -> None:
        asyncio.get_running_loop().call_soon(bench.dongle.callback, 13, "rawTransmitCompleteHandler", ["message", statuses.pop(0)])

    bench.ezsp.answers["sendRawMessage"] = [(OK,)] * 3
    bench.ezsp.answers["sendRawMessageExtended"] = [(OK,)] * 3
    bench.ezsp.asking = completes
    await bench.dongle.send_inter_pan(METER, 0xFFFF, frame)
    bench.ezsp._protocol.COMMANDS.clear()
    with pytest.raises(RadioError, match="did not acknowledge an inter-PAN frame") as refused:
        await bench.dongle.send_inter_pan(METER, 0xFFFF, frame)
    assert refused.value.status == "TRANSMIT_UNDERFLOW"
    assert bench.ezsp.asked == [
        ("sendRawMessage", {"messageContents": octets}),
        ("sendRawMessageExtended", {"message": octets, "priority": 0, "useCca": 1}),
    ]
    bench.ezsp.asking = lambda name: None
    began = clock.now()
    with pytest.raises(RadioError, match="does not say what became of an inter-PAN frame") as refused:
        await bench.dongle.send_inter_pan(METER, 0xFFFF, frame)
    assert refused.value.status == "TIMEOUT"
    assert clock.now() - began == pytest.approx(5.0, abs=0.5)
    bench.dongle.callback(13, "rawTransmitCompleteHandler", ["message", OK])  # too late, for nobody


async def test_frames_of_no_network_are_passed_on_and_what_is_none_is_dropped(bench: Bench) -> None:
    octets = bytes.fromhex("21cc00ffff" + HUB.zigbee.hex() + "621a" + METER.zigbee.hex() + "0b00" + "03" + "0008" + "0901") + b"hello"
    for name, kind, message in (
        ("macPassthroughMessageHandler", 1, octets),
        ("macPassthroughMessageHandler", 2, octets + b"!"),
        ("macPassthroughMessageHandler", 1, octets[:20]),
        ("incomingMessageHandler", 1, octets),
    ):
        bench.dongle.callback(13, name, [kind, 255, -40, message])
    assert bench.user.inter_pan == [(InterPanSender(METER, 0x1A62), InterPanFrame(0x0800, b"hello"))]


async def test_inter_pan_frames_are_asked_for_when_the_network_is_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    there = [NetworkSettings(METER, 20), None]

    async def resume() -> NetworkSettings | None:
        return there.pop(0)

    monkeypatch.setattr(bench.app, "resume", resume)
    bench.ezsp.answers["setValue"] = [(OK,)]
    assert await bench.dongle.resume() == NetworkSettings(METER, 20)
    asked = list(bench.ezsp.asked)
    assert await bench.dongle.resume() is None
    assert bench.ezsp.asked == asked == [("setValue", {"#0": 0x01, "#1": b"\x01\x00\x00\x00"})]


@pytest.mark.parametrize(("kind", "coordinates"), [(1, True), (2, False), (4, False)])
async def test_a_dongle_that_joined_somebody_else_s_network_says_so(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, kind: int, coordinates: bool
) -> None:
    """EmberNodeType: 1 coordinator, 2 router, 4 sleepy end device."""
    loaded: list[dict[str, Any]] = []

    async def running() -> bool:
        return True

    async def load(**facts: Any) -> None:
        loaded.append(facts)

    monkeypatch.setattr(bench.app, "_ensure_network_running", running)
    monkeypatch.setattr(bench.app, "load_network_info", load)
    parameters = SimpleNamespace(extendedPanId=t.EUI64.deserialize(METER.zigbee)[0], radioChannel=20, panId=0x1A62)
    bench.ezsp.answers["getEui64"] = [(t.EUI64.deserialize(HUB.zigbee)[0],)]
    bench.ezsp.answers["getNetworkParameters"] = [(OK, kind, parameters)]
    held = await bench.dongle.held()
    assert (held.dongle, held.coordinator) == (HUB, coordinates)
    if not coordinates:
        assert held.network == NetworkSettings(METER, 20, 0x1A62)
    assert loaded == [{"load_devices": False}] * coordinates
    await bench.dongle.backup()
    bench.ezsp.answers["broadcastNetworkKeySwitch"] = [(OK,)]
    await bench.dongle.switch_network_key()
    assert loaded[-2:] == [{"load_devices": True}, {"load_devices": False}]


async def test_a_network_is_written_with_what_is_asked_and_the_rest_is_drawn(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[Any, Any]] = []

    async def write(*, network_info: Any, node_info: Any) -> None:
        written.append((network_info, node_info))

    async def start() -> None:
        if len(written) == 3:
            raise zigpy.exceptions.NetworkNotFormed("no")

    class Edge:
        """Entropy that draws the least, or the most."""

        def __init__(self, least: bool) -> None:
            self.below: Callable[[int], int] = lambda bound: 0 if least else bound - 1
            self.octets = bytes

    monkeypatch.setattr(bench.app, "write_network_info", write)
    monkeypatch.setattr(bench.app, "start_network", start)
    await bench.app.form(NetworkSettings(METER, 20, 0x1A62, KEY), SYSTEM)
    await bench.app.form(NetworkSettings(METER, 11), Edge(least=True))
    with pytest.raises(RadioError, match="did not form a network on channel 12"):
        await bench.app.form(NetworkSettings(METER, 12), Edge(least=False))
    (info, node), (least, _), (most, _) = written
    assert (info.extended_pan_id.serialize(), info.pan_id, info.channel, info.network_key.key.serialize()) == (
        METER.zigbee,
        0x1A62,
        20,
        KEY,
    )
    assert (list(info.channel_mask), info.nwk_update_id, info.nwk_manager_id, info.security_level) == ([20], 0, 0, 5)
    assert len(bytes.fromhex(info.stack_specific["ezsp"]["hashed_tclk"])) == 16
    assert (node.nwk, node.logical_type) == (0, zigpy.zdo.types.LogicalType.Coordinator)
    assert (least.pan_id, most.pan_id, least.network_key.key.serialize()) == (1, 0xFFFE, bytes(16))


@pytest.mark.parametrize(("endpoint", "stands_in"), [(1, False), (2, True)])
async def test_bellows_is_shown_an_endpoint_1_where_the_hub_has_none(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, endpoint: int, stands_in: bool
) -> None:
    added: list[str] = []

    async def add(descriptor: Any) -> None:
        added.append(descriptor.serialize().hex())

    monkeypatch.setattr(bench.app, "add_endpoint", add)
    bench.user.endpoints = [SimpleDescriptor(endpoint, 0x0501, profile=0xC105, clients=(0x0702,))]
    await bench.app.register_endpoints()
    assert added == [f"{endpoint:02x}05c101050000010207"]
    assert [one.serialize().hex() for one in bench.app._created_device_endpoints] == ["0109010000000000"] * stands_in


@pytest.mark.parametrize(("version", "opens", "warned"), [(11, False, False), (12, True, False), (13, True, False), (14, True, True)])
async def test_ezsp_12_is_the_oldest_that_serves_and_13_the_newest_without_a_warning(
    bench: Bench, version: int, opens: bool, warned: bool
) -> None:
    bench.ezsp.ezsp_version = version
    assert bench.dongle.firmware == f"EZSP {version}"
    assert (bench.dongle.warning is not None) == warned
    if opens:
        check_version(version, "/dev/ttyACM7")
        return
    with pytest.raises(RadioError, match="speaks EZSP 11, expected 12 or newer"):
        check_version(version, "/dev/ttyACM7")
