"""Octets that the hub gives a dongle of Z-Stack 3, those that it takes from one, and what it tells of a dongle that does not do as asked.

Layouts by TI's Monitor and Test API, as zigpy-znp declares them (reference ncp-real 10 to 12).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import zigpy.exceptions
import zigpy.state
import zigpy.types
import zigpy.zdo.types
import zigpy_znp.commands as c
import zigpy_znp.types as t
from zigpy_znp.exceptions import CommandNotRecognized, InvalidCommandResponse, SecurityError

from firmware_emu.clock import Clock
from firmware_emu.crypto.entropy import SYSTEM
from firmware_emu.errors import NotAvailable, RadioError
from firmware_emu.han import zigpy_backup
from firmware_emu.han.base import ApsFrame, NetworkSettings, SimpleDescriptor
from firmware_emu.han.inter_pan import InterPanFrame
from firmware_emu.han.znp_dongle import ZnpDongle
from firmware_emu.ids import Eui64

METER = Eui64.parse("00db1234567890a1")
SENT = METER.zigbee.hex()
KEY = bytes(range(16))
ONE, OTHER = SimpleDescriptor(1, 0x0508, servers=(0x000A,)), SimpleDescriptor(2, 0x0501, profile=0xC105)

zt: Any = zigpy.types  # its classes carry no types
Answer = dict[str, Any] | BaseException


class Znp:
    """The line to a dongle: keeps subsystem, command and data of each request, and gives the answers that it was given by name."""

    version = 3.30

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, list[Answer]] = {}

    async def request(self, request: Any, timeout: int | None = None, **wanted: Any) -> Any:
        frame = request.to_frame()
        self.asked.append(f"{frame.header.serialize().hex()} {frame.data.hex()}".strip())
        name = type(request).__qualname__.removesuffix(".Req")
        given = self.answers.get(name)
        answer = given.pop(0) if given else {}
        if isinstance(answer, BaseException):
            raise answer
        fields = {"Status": t.Status.SUCCESS} if any(one.name == "Status" for one in request.Rsp.schema) else {}
        told = request.Rsp(partial=True, **(fields | answer))
        if "RspStatus" in wanted and told.Status != wanted["RspStatus"]:
            raise InvalidCommandResponse("refused", told)
        return told


class User:
    """Owner of the dongle that keeps what it is told."""

    endpoints = (ONE, OTHER)

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.packets: list[Any] = []
        self.joins: list[tuple[int, Eui64, int, int]] = []
        self.lost: list[BaseException | None] = []

    def packet_received(self, packet: Any) -> None:
        self.packets.append(packet)

    def trust_centre_join(self, short: int, device: Eui64, update: int, decision: int) -> None:
        self.joins.append((short, device, update, decision))

    def inter_pan_received(self, sender: object, frame: object) -> None:
        raise AssertionError("Z-Stack passes none")

    def connection_lost(self, problem: BaseException | None) -> None:
        self.lost.append(problem)


class Bench:
    def __init__(self, clock: Clock) -> None:
        self.user, self.znp = User(clock), Znp()
        self.dongle = ZnpDongle(self.user, {"path": "/dev/ttyACM7"})
        app: Any = self.dongle._app
        app._znp = self.znp
        self.app = app

    def confirm(self, tsn: int, status: Any = t.Status.SUCCESS) -> None:
        self.dongle._confirmed(c.AF.DataConfirm.Callback(Status=status, Endpoint=1, TSN=tsn))

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any]]:
        """The networks and nodes that are written from now on; each starts at once."""
        written: list[tuple[Any, Any]] = []

        async def write(*, network_info: Any, node_info: Any) -> None:
            written.append((network_info, node_info))

        async def nothing(**_: object) -> None:
            assert not self.app.started

        monkeypatch.setattr(self.app, "write_network_info", write)
        monkeypatch.setattr(self.app, "start_network", nothing)
        monkeypatch.setattr(self.app, "load_network_info", nothing)
        return written

    async def send(self, payload: bytes = b"abc", status: Any = t.Status.SUCCESS, **facts: Any) -> None:
        """A message to the meter at 0x1234 that ends in ``status``."""
        sending = asyncio.ensure_future(self.dongle.send(0x1234, METER, ApsFrame(0x0702, payload, 1, 2, **{"secured": False} | facts)))
        for _ in range(20):
            await asyncio.sleep(0)
        self.confirm(self.dongle._tsn, status)
        await sending


@pytest.fixture
def bench(clock: Clock) -> Bench:
    return Bench(clock)


def _request(tsn: str, options: str, length: str, data: str = "") -> str:
    """AF_DATA_REQUEST_EXT: address mode 2 and address, endpoint, PAN 0, endpoint, cluster, number, options, radius 30, length, data."""
    return "2402 02" + "3412" + "00" * 6 + "02" + "0000" + "01" + "0207" + tsn + options + "1e" + length + data


async def test_a_message_goes_out_in_one_frame_with_its_endpoints_cluster_and_options(bench: Bench) -> None:
    await bench.send()
    await bench.send(secured=True)
    assert bench.znp.asked == [_request("01", "10", "0300", "616263"), _request("02", "50", "0300", "616263")]


async def test_up_to_220_octets_go_at_once_and_more_in_pieces_that_end_in_an_empty_one(bench: Bench) -> None:
    whole = bytes(one & 0xFF for one in range(500))
    await bench.send(whole[:220])
    assert bench.znp.asked == [_request("01", "10", "dc00", whole[:220].hex())]
    bench.znp.asked.clear()
    await bench.send(whole[:221])
    assert bench.znp.asked == [
        _request("02", "10", "dd00"),
        "2411 0000" + "dc" + whole[:220].hex(),
        "2411 dc00" + "01" + whole[220:221].hex(),
        "2411 dd00" + "00",
    ]
    bench.znp.asked.clear()
    await bench.send(whole)
    assert [one[:11] for one in bench.znp.asked[1:]] == ["2411 0000dc", "2411 dc00dc", "2411 b8013c", "2411 f40100"]


async def test_the_number_of_a_message_is_an_octet_and_the_confirmation_of_another_is_not_its_own(bench: Bench) -> None:
    bench.dongle._tsn = 254
    await bench.send()
    await bench.send()
    bench.dongle._tsn = 255
    await bench.dongle.broadcast(ApsFrame(0x0702, b"abc", 1, 0xFF, secured=False))
    assert [one[35:37] for one in bench.znp.asked] == ["ff", "00", "00"]
    bench.confirm(9)
    with pytest.raises(RadioError, match=f"{METER} did not acknowledge") as refused:
        await bench.send(status=t.Status.MAC_NO_ACK)
    assert refused.value.status == "MAC_NO_ACK"
    assert not bench.dongle._sent


async def test_a_message_of_zdo_waits_for_no_confirmation(bench: Bench) -> None:
    await bench.dongle.send(0x1234, METER, ApsFrame(0x0005, b"x", 0, 0, secured=False, profile=0))
    assert len(bench.znp.asked) == 1


async def test_a_message_of_which_nothing_is_told_is_given_up_after_20_seconds(bench: Bench, clock: Clock) -> None:
    began = clock.now()
    with pytest.raises(RadioError, match=f"does not say what became of a frame to {METER}") as refused:
        await bench.dongle.send(0x1234, METER, ApsFrame(0x0702, b"x", 1, 2, secured=False))
    assert refused.value.status == "TIMEOUT"
    assert clock.now() - began == pytest.approx(20.0, abs=0.5)


async def test_a_dongle_that_goes_away_ends_what_waits_and_leaves_what_has_ended(bench: Bench) -> None:
    loop = asyncio.get_running_loop()
    waits, done = loop.create_future(), loop.create_future()
    done.set_result("SUCCESS")
    bench.dongle._sent = {1: waits, 2: done}
    bench.dongle.abandon("RESET")
    bench.confirm(2, t.Status.FAILURE)
    assert (waits.result(), done.result()) == ("RESET", "SUCCESS")


@pytest.mark.parametrize("status", ["MEM_ERROR", "BUFFER_FULL", "MAC_NO_RESOURCES", "NWK_TABLE_FULL", "MAC_TRANSACTION_OVERFLOW"])
async def test_a_message_without_room_is_tried_again(bench: Bench, status: str) -> None:
    bench.znp.answers["AF.DataRequestExt"] = [{"Status": t.Status[status]}]
    await bench.dongle.broadcast(ApsFrame(0x0702, b"abc", 1, 0xFF, secured=False))
    again = "2402 0f" + "fdff" + "00" * 6 + "ff" + "0000" + "01" + "0207" + "01" + "00" + "1e" + "0300" + "616263"
    assert bench.znp.asked == [again, again], "a broadcast to all that listen (0xFFFD), mode 15"


_DO: dict[str, tuple[Callable[[ZnpDongle], Coroutine[Any, Any, Any]], str, list[str]]] = {
    "a link key": (
        lambda dongle: dongle.import_link_key(METER, KEY),
        f"the dongle did not take a link key with {METER}",
        ["2523 feff" + SENT + KEY.hex()],
    ),
    "a Device that may join": (
        lambda dongle: dongle.permit_device(METER, KEY, 60),
        f"the dongle did not take the key of {METER}",
        ["2f04 02" + SENT + KEY.hex(), "2536 0f" + "fcff" + "3c" + "00"],
    ),
    "closed joining": (lambda dongle: dongle.close_joining(), "the dongle did not open or close joining", ["2536 0ffcff0000"]),
    "a removed Device": (
        lambda dongle: dongle.remove_device(METER, 0x1234),
        f"the dongle did not remove {METER}",
        ["2534 3412" + SENT + "00"],
    ),
    "a network key": (
        lambda dongle: dongle.give_network_key(KEY),
        "the dongle did not give out a network key",
        ["254e ffff" + "08" + KEY.hex()],
    ),
}


@pytest.mark.parametrize("name", _DO)
async def test_what_is_asked_of_the_dongle_is_laid_out_by_its_command(bench: Bench, name: str) -> None:
    do, said, octets = _DO[name]
    bench.app.state.network_info.network_key.seq = 7
    await do(bench.dongle)
    assert bench.znp.asked == octets
    bench.znp.request = _refuses  # type: ignore[method-assign]
    with pytest.raises(RadioError) as refused:
        await do(bench.dongle)
    assert (str(refused.value).partition(":")[0].partition(" (")[0], refused.value.status) == (said, "INVALID_PARAMETER")


async def _refuses(request: Any, *_: object, **__: object) -> Any:
    raise InvalidCommandResponse("refused", request.Rsp(partial=True, Status=t.Status.INVALID_PARAMETER))


@pytest.mark.parametrize(("now", "then"), [(0, "01"), (254, "ff"), (255, "00")])
async def test_the_next_network_key_has_the_next_number_of_an_octet(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, now: int, then: str
) -> None:
    async def load(**_: object) -> None:
        bench.app.state.network_info.network_key.seq = int(then, 16)

    monkeypatch.setattr(bench.app, "load_network_info", load)
    bench.app.state.network_info.network_key.seq = now
    settings = await bench.dongle.switch_network_key()
    assert (bench.znp.asked, settings.key_sequence) == (["254f ffff" + then], int(then, 16))


async def test_a_link_key_that_is_not_there_is_forgotten_without_a_word(bench: Bench) -> None:
    bench.znp.answers["ZDO.RemoveLinkKey"] = [{"Status": t.Status.SEC_NO_KEY}]
    await bench.dongle.forget_link_key(METER)
    assert bench.znp.asked == ["2524 " + SENT]


async def test_z_stack_does_not_tell_addresses_agree_on_keys_or_pass_frames_of_no_network(bench: Bench) -> None:
    assert await bench.dongle.lookup_short(METER) is None
    assert await bench.dongle.lookup_device(0x1234) is None
    assert await bench.dongle.key_agreement(b"certificate") is None
    assert bench.dongle.warning is None
    with pytest.raises(NotAvailable, match="inter-PAN frames through Z-Stack 3"):
        await bench.dongle.send_inter_pan(METER, 1, InterPanFrame(0x0702, b"x"))
    assert not bench.znp.asked


@pytest.mark.parametrize("started", [True, False])
@pytest.mark.parametrize(
    ("broken", "said", "status", "lost"),
    [
        (TimeoutError(), "the dongle does not answer a command", "TIMEOUT", True),
        (asyncio.CancelledError(), "the dongle went away while it was asked", "RESET", False),
        (CommandNotRecognized("no such"), "the dongle refused a command: no such", None, False),
        (zigpy.exceptions.ZigbeeException("no"), "the dongle refused a command: no", None, False),
        (RuntimeError("closed"), "the dongle refused a command: closed", None, False),
        (OSError("gone"), "the dongle refused a command: gone", None, False),
    ],
)
async def test_whatever_ends_a_command_is_an_error_of_the_radio_and_silence_a_lost_dongle(
    bench: Bench, broken: BaseException, said: str, status: str | None, lost: bool, started: bool
) -> None:
    bench.app.started = started
    bench.znp.answers["SYS.Ping"] = [broken]
    with pytest.raises(RadioError) as refused:
        await bench.dongle.ping()
    assert str(refused.value).startswith(said)
    assert refused.value.status == status
    assert (len(bench.user.lost), bench.app.started) == (1 if lost and started else 0, started and not lost)


@pytest.mark.parametrize("broken", [AssertionError("no"), KeyError("no"), ValueError("no"), SecurityError("no")])
async def test_a_mistake_of_our_own_stays_one(bench: Bench, broken: Exception) -> None:
    bench.znp.answers["SYS.Ping"] = [broken]
    with pytest.raises(type(broken)) as told:
        await bench.dongle.ping()
    assert told.value is broken


async def test_what_zigpy_trips_over_is_the_dongle_s(bench: Bench) -> None:
    async def answers_nonsense(*_: object, **__: object) -> None:
        zt.uint16_t.deserialize(b"")

    bench.znp.request = answers_nonsense  # type: ignore[method-assign]
    with pytest.raises(RadioError, match="the dongle answers otherwise than Z-Stack"):
        await bench.dongle.ping()


async def test_who_is_cancelled_while_the_dongle_is_asked_is_cancelled(bench: Bench) -> None:
    async def never(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    bench.znp.request = never  # type: ignore[method-assign]
    asking = asyncio.ensure_future(bench.dongle.ping())
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_a_network_is_written_with_what_is_asked_and_the_rest_is_drawn(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    written = bench.watch(monkeypatch)
    bench.app.started = True
    await bench.dongle.form(NetworkSettings(METER, 20, 0x1A62, KEY), SYSTEM)
    await bench.dongle.form(NetworkSettings(METER, 11), SYSTEM)
    assert bench.app.started
    assert bench.znp.asked == ["2f06 01"] * 2, "Devices join by their install codes"
    (info, node), (drawn, _) = written
    assert (info.extended_pan_id.serialize(), info.pan_id, info.channel, info.network_key.key.serialize()) == (
        METER.zigbee,
        0x1A62,
        20,
        KEY,
    )
    assert list(info.channel_mask) == [20]
    assert (info.nwk_update_id, info.nwk_manager_id, info.security_level) == (0, 0, 5)
    assert info.tc_link_key.key.serialize() == b"ZigBeeAlliance09"
    assert len(bytes.fromhex(info.stack_specific["zstack"]["tclk_seed"])) == 16
    assert (node.nwk, node.ieee, node.logical_type.name) == (0, zt.EUI64.UNKNOWN, "Coordinator")
    assert 1 <= drawn.pan_id <= 0xFFFE
    assert len(drawn.network_key.key.serialize()) == 16
    assert drawn.network_key.key.serialize() != KEY


async def test_a_dongle_that_is_closed_or_written_is_not_lost_when_it_falls_silent(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, bool, dict[str, Any]]] = []

    def watched(name: str) -> Callable[..., Coroutine[Any, Any, None]]:
        async def call(*_: object, **facts: Any) -> None:
            asked.append((name, bench.app.started, facts))

        return call

    for name in ("shutdown", "start_network", "load_network_info"):
        monkeypatch.setattr(bench.app, name, watched(name))
    monkeypatch.setattr(zigpy_backup, "write", watched("write"))
    bench.app.state.node_info.logical_type = zigpy.zdo.types.LogicalType.Coordinator
    assert not bench.app.started
    bench.app.started = True
    await bench.dongle.restore({}, own_eui64=True)
    assert asked == [("write", False, {"own_eui64": True}), ("start_network", False, {}), ("load_network_info", False, {})]
    assert bench.app.started
    asked.clear()
    await bench.dongle.backup()
    await bench.dongle.close()
    assert asked == [("load_network_info", True, {"load_devices": True}), ("shutdown", False, {"db": False})]


@pytest.mark.parametrize(("kind", "coordinates"), [("Coordinator", True), ("Router", False)])
async def test_what_a_dongle_holds_says_whether_it_coordinates(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, kind: str, coordinates: bool
) -> None:
    bench.watch(monkeypatch)
    bench.znp.answers["SYS.GetExtAddr"] = [{"ExtAddr": t.EUI64(METER.zigbee)}]
    bench.app.state.node_info.logical_type = zigpy.zdo.types.LogicalType[kind]
    held = await bench.dongle.held()
    assert (held.dongle, held.coordinator) == (METER, coordinates)


async def test_the_endpoints_of_the_hub_are_registered_as_they_are(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    added: list[Any] = []

    async def add(descriptor: Any) -> None:
        added.append(descriptor)

    monkeypatch.setattr(bench.app, "add_endpoint", add)
    await bench.app.register_endpoints()
    assert [one.serialize().hex() for one in added] == ["010901080500010a0000", "0205c10105000000"]


async def test_each_pan_id_but_0_and_65535_may_be_drawn(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    class Edge:
        """Entropy that draws the least, or the most."""

        def __init__(self, least: bool) -> None:
            self.least = least

        def below(self, bound: int) -> int:
            return 0 if self.least else bound - 1

        def octets(self, count: int) -> bytes:
            return bytes(count)

    written = bench.watch(monkeypatch)
    for least in (True, False):
        await bench.dongle.form(NetworkSettings(METER, 20), Edge(least))  # type: ignore[arg-type]
    assert [info.pan_id for info, _ in written] == [1, 0xFFFE]


@pytest.mark.parametrize(
    ("version", "broken", "said"),
    [
        (2.99, None, "runs Z-Stack 2.99, expected 3.0 or newer"),
        (3.30, TimeoutError(), "does not answer as a ZNP"),
        (3.30, CommandNotRecognized("no"), "refused a command while it was opened"),
        (3.30, FileNotFoundError(), "the dongle at /dev/ttyACM7"),
    ],
)
async def test_a_dongle_that_cannot_be_opened_says_why(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, version: float, broken: BaseException | None, said: str
) -> None:
    async def connect() -> None:
        if broken is not None:
            raise broken

    monkeypatch.setattr(bench.app, "connect", connect)
    bench.znp.version = version
    bench.znp.answers["SYS.GetExtAddr"] = [{"ExtAddr": t.EUI64(METER.zigbee)}]
    with pytest.raises((RadioError, NotAvailable), match=said):
        await bench.dongle.open()


async def test_z_stack_3_is_new_enough_and_tells_its_address_and_release(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def connect() -> None:
        return None

    listening: list[tuple[Any, Callable[[Any], None]]] = []
    monkeypatch.setattr(bench.app, "connect", connect)
    bench.znp.version = 3.0
    monkeypatch.setattr(bench.znp, "callback_for_response", lambda kind, told: listening.append((kind, told)), raising=False)
    bench.znp.answers["SYS.GetExtAddr"] = [{"ExtAddr": t.EUI64(METER.zigbee)}] * 2
    assert await bench.dongle.open() == METER
    assert await bench.dongle.address() == METER
    assert bench.dongle.firmware == "Z-Stack 3.00"
    ((kind, _),) = listening
    assert kind.matches(c.AF.DataConfirm.Callback(Status=t.Status.SUCCESS, Endpoint=1, TSN=1)), "of each endpoint"


def _facts(packet: Any) -> tuple[Any, ...]:
    return (
        int(packet.src.address),
        packet.src_ep,
        packet.dst.addr_mode.name,
        int(packet.dst.address),
        packet.dst_ep,
        packet.tsn,
        packet.profile_id,
        packet.cluster_id,
        packet.data.serialize(),
        packet.lqi,
        packet.rssi,
        packet.tx_options.name,
    )


@pytest.mark.parametrize("secured", [True, False])
@pytest.mark.parametrize(("broadcast", "to"), [(False, ("NWK", 0)), (True, ("Broadcast", 0xFFFD))])
@pytest.mark.parametrize(("endpoint", "profile"), [(1, 0x0109), (2, 0xC105), (3, 0x0109)])
async def test_a_message_is_read_from_its_octets_and_has_the_profile_of_its_endpoint(
    bench: Bench, endpoint: int, profile: int, broadcast: bool, to: tuple[str, int], secured: bool
) -> None:
    bench.app.state.node_info.nwk = zt.NWK(0)
    head = f"0000020702341256ffffffffff090000{endpoint:02x}{broadcast:02x}63{secured:02x}070000004d"
    await bench.app.on_af_message(
        c.AF.IncomingMsg.Callback(
            GroupId=0,
            ClusterId=0x0702,
            SrcAddr=t.NWK(0x1234),
            SrcEndpoint=9,
            DstEndpoint=endpoint,
            WasBroadcast=t.Bool(broadcast),
            LQI=99,
            SecurityUse=t.Bool(secured),
            TimeStamp=7,
            TSN=0x4D,
            Data=t.ShortBytes(b"abc"),
            MacSrcAddr=t.NWK(0x1234),
            MsgResultRadius=30,
        )
    )
    bench.app._long_message(bytes.fromhex(head + "0300" + "616263" + "34121e"))
    await bench.app._fetching
    options = "APS_Encryption" if secured else "NONE"
    facts = (0x1234, 9, *to, endpoint, 0x4D, profile, 0x0702, b"abc", 99, None, options)
    assert [_facts(one) for one in bench.user.packets] == [facts, facts]
    assert not bench.znp.asked


LONG = "0000020702341256ffffffffff090000010063000d0c0b0a4d"


async def test_a_long_message_is_fetched_in_pieces_of_220_octets_and_freed_and_others_wait_for_it(bench: Bench) -> None:
    whole = bytes(one & 0xFF for one in range(0x1F4))
    bench.znp.answers["AF.DataRetrieve"] = [{"Data": t.ShortBytes(whole[at : at + 220])} for at in (0, 220, 440)]
    bench.app._long_message(bytes.fromhex(LONG + "f401" + "34121e"))
    bench.app._long_message(bytes.fromhex(LONG + "0100" + "61" + "34121e"))
    await bench.app._fetching
    stamp = "2412 0d0c0b0a"
    assert bench.znp.asked == [stamp + "0000dc", stamp + "dc00dc", stamp + "b8013c", stamp + "000000"]
    assert [one.data.serialize() for one in bench.user.packets] == [whole, b"a"]


@pytest.mark.parametrize("answer", [{"Data": t.ShortBytes(b"")}, {"Status": t.Status.FAILURE, "Data": t.ShortBytes(b"")}, TimeoutError()])
async def test_a_long_message_that_the_dongle_does_not_give_is_lost_alone(bench: Bench, answer: Answer) -> None:
    bench.znp.answers["AF.DataRetrieve"] = [answer]
    bench.app._long_message(bytes.fromhex(LONG + "f401" + "34121e"))
    bench.app._long_message(bytes.fromhex(LONG + "0100" + "61" + "34121e"))
    await bench.app._fetching
    assert [one.data.serialize() for one in bench.user.packets] == [b"a"]


async def test_a_message_that_is_cut_off_before_its_length_is_dropped(bench: Bench) -> None:
    head = bytes.fromhex(LONG + "0000")
    bench.app._long_message(head[:26])
    assert not bench.app._waiting
    bench.app._long_message(head + bytes.fromhex("34121e"))
    await bench.app._fetching
    assert [one.data.serialize() for one in bench.user.packets] == [b""]
    bench.app._long_message(head)
    await bench.app._fetching
    assert [one.data.serialize() for one in bench.user.packets] == [b"", b""]


async def test_who_joins_and_leaves_is_told_as_let_in_once_each(bench: Bench) -> None:
    bench.app.on_zdo_tc_device_join(c.ZDO.TCDevInd.Callback(SrcNwk=t.NWK(0x1234), SrcIEEE=t.EUI64(METER.zigbee), ParentNwk=t.NWK(0)))
    bench.app.on_zdo_device_leave(
        c.ZDO.LeaveInd.Callback(
            NWK=t.NWK(0x1234), IEEE=t.EUI64(METER.zigbee), Request=t.Bool(False), Remove=t.Bool(False), Rejoin=t.Bool(False)
        )
    )
    assert bench.user.joins == [(0x1234, METER, 1, 0), (0x1234, METER, 2, 0)], "EmberDeviceUpdate: 1 join, 2 left"


@pytest.mark.parametrize("started", [True, False])
async def test_a_dongle_that_resets_by_itself_is_lost_once_and_one_that_was_asked_to_is_not(bench: Bench, started: bool) -> None:
    told = c.SYS.ResetInd.Callback(Reason=t.ResetReason.Watchdog, TransportRev=2, ProductId=1, MajorRel=2, MinorRel=7, MaintRel=1)
    bench.app.started = started
    bench.app._was_reset(told)
    bench.app._was_reset(told)
    assert [str(one).partition(" (")[0] for one in bench.user.lost] == ["the dongle reset by itself"] * started
    assert not bench.app.started


async def test_a_dongle_that_is_not_open_says_so_and_one_that_goes_away_is_told(bench: Bench) -> None:
    bench.app.started = True
    gone = OSError("gone")
    bench.app.connection_lost(gone)
    assert (bench.app.started, bench.user.lost) == (False, [gone])
    bench.app._znp = None
    with pytest.raises(RadioError, match="the dongle is not open") as refused:
        _ = bench.app.znp
    assert refused.value.status == "RESET"
