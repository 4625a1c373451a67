"""MT commands of the virtual Z-Stack one by one, statuses by the names that zigpy-znp gives them (reference ncp-real 10 to 12)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import zigpy.zdo.types as zigpy_zdo
import zigpy_znp.types as theirs
from zigpy_znp.commands.af import TransmitOptions
from zigpy_znp.commands.app_config import BDBCommissioningMode, BDBCommissioningStatus, InstallCodeFormat

from firmware_emu.clock import Clock
from firmware_emu.crypto.aes_mmo import aes_mmo
from firmware_emu.errors import DecodeError
from firmware_emu.ids import Eui64
from hil.radio.air.air import Air, Link
from hil.radio.air.frames import ApsKind, ApsPdu, DeliveryMode, FragmentHeader
from hil.radio.personality import personality
from hil.radio.port.dongle_server import Fields
from hil.radio.port.faults import Crowd, NcpFaults
from hil.radio.stack import zdo
from hil.radio.stack.aps import IncomingApdu
from hil.radio.stack.status import Status
from hil.radio.stack.tokens import Child, Tokens
from hil.radio.stack.trust import Policy
from hil.radio.znp import nvram
from hil.radio.znp.commands import commands, decode, encode
from hil.radio.znp.firmware import Znp
from hil.radio.znp.handlers import HANDLERS
from hil.radio.znp.mt import MtFrame, MtKind, Parser
from tests.radio.radio_bench import HUB, LINK_KEY, METER

OK, FAILURE, INVALID = theirs.Status.SUCCESS, theirs.Status.FAILURE, theirs.Status.INVALID_PARAMETER


class Host:
    """A host that speaks MT frames to the firmware, without a line between."""

    def __init__(self, clock: Clock, firmware: str = "znp") -> None:
        self.said: list[MtFrame] = []
        self.resets = 0
        self.crowd = Crowd(NcpFaults())
        self.znp = Znp(Air(clock, 1), Tokens(HUB), self.said.append, self._reset, personality(firmware), HANDLERS, self.crowd)
        self.sent: list[tuple[int, ApsPdu]] = []
        self.asked: list[tuple[int, int, bytes]] = []

    def _reset(self) -> None:
        self.resets += 1

    def say(self, name: str, /, **values: Any) -> list[MtFrame]:
        """The frames that come at once."""
        self.said.clear()
        command = commands()[name]
        for field, form in command.fields:
            if form == "LL":  # hosts alone send such a one
                values[field] = len(values[field]).to_bytes(2, "little") + values[field]
        kind = MtKind.SREQ if command.kind == "S" else MtKind.AREQ
        self.znp.receive(MtFrame(kind, command.subsystem, command.number, encode(command.fields, values)))
        return list(self.said)

    def ask(self, name: str, /, **values: Any) -> Fields:
        """The fields of the response."""
        (answer,) = self.say(name, **values)
        command = commands()[name]
        assert (answer.kind, answer.subsystem, answer.command) == (MtKind.SRSP, command.subsystem, command.number)
        return decode(command.response, answer.data)

    def status(self, name: str, /, **values: Any) -> int:
        return self.ask(name, **values).u("status")

    def told(self, name: str) -> list[Fields]:
        """The indications of that name since the last request."""
        command = commands()[name]
        found = [one for one in self.said if (one.subsystem, one.command) == (command.subsystem, command.number)]
        assert all(one.kind is MtKind.AREQ for one in found)
        fields = tuple(one for one in command.fields if one != ("data", "rest") or one == command.fields[-1])  # none within a frame
        return [decode(fields, one.data) for one in found]

    def form(self, channel: int = 20) -> None:
        assert self.znp.stack.form(Eui64.parse("00db1234567890a1"), 0x1A62, channel, 8, 0) is Status.SUCCESS

    def watch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Keep what the stack is given to send."""

        async def send_whole(short: int, pdu: ApsPdu) -> Status:
            self.sent.append((short, pdu))
            return Status.SUCCESS

        def send_zdo(destination: int, cluster: int, payload: bytes) -> None:
            self.asked.append((destination, cluster, payload))

        monkeypatch.setattr(type(self.znp.stack.aps), "send_whole", staticmethod(send_whole))
        monkeypatch.setattr(type(self.znp.stack), "send_zdo", staticmethod(send_zdo))


@pytest.fixture
def host(clock: Clock) -> Host:
    return Host(clock)


ITEM = 0x0F01


async def test_an_item_of_a_host_is_made_once_read_from_anywhere_written_within_itself_and_deleted_by_its_length(host: Host) -> None:
    statuses = theirs.Status
    assert host.status("SYS_OSAL_NV_DELETE", id=ITEM, length=5) == statuses.NV_ITEM_UNINIT
    assert host.status("SYS_OSAL_NV_WRITE", id=ITEM, offset=0, value=b"x") == statuses.NV_OPER_FAILED
    assert host.status("SYS_OSAL_NV_READ", id=ITEM, offset=0) == INVALID
    assert host.ask("SYS_OSAL_NV_LENGTH", id=ITEM).u("length") == 0
    assert host.status("SYS_OSAL_NV_ITEM_INIT", id=ITEM, length=5, value=b"abc") == statuses.NV_ITEM_UNINIT, "it was not there"
    assert host.status("SYS_OSAL_NV_ITEM_INIT", id=ITEM, length=5, value=b"xyz") == OK, "it is there and stays"
    assert host.ask("SYS_OSAL_NV_LENGTH", id=ITEM).u("length") == 5
    for name in ("SYS_OSAL_NV_READ", "SYS_OSAL_NV_READ_EXT"):
        assert host.ask(name, id=ITEM, offset=0).octets("value") == b"abc\xff\xff"
        assert host.ask(name, id=ITEM, offset=2).octets("value") == b"c\xff\xff"
        assert (host.status(name, id=ITEM, offset=5), host.ask(name, id=ITEM, offset=5).octets("value")) == (OK, b"")
        assert host.status(name, id=ITEM, offset=6) == INVALID
    for name, piece in (("SYS_OSAL_NV_WRITE", b"DE"), ("SYS_OSAL_NV_WRITE_EXT", b"de")):
        assert host.status(name, id=ITEM, offset=3, value=piece) == OK
        assert host.ask("SYS_OSAL_NV_READ", id=ITEM, offset=0).octets("value") == b"abc" + piece
        assert host.status(name, id=ITEM, offset=4, value=piece) == INVALID
        assert host.status(name, id=ITEM, offset=1, value=b"B") == OK
        assert host.ask("SYS_OSAL_NV_READ", id=ITEM, offset=0).octets("value") == b"aBc" + piece
        assert host.status(name, id=ITEM, offset=1, value=b"b") == OK
    assert host.status("SYS_OSAL_NV_DELETE", id=ITEM, length=4) == statuses.NV_BAD_ITEM_LEN
    assert host.status("SYS_OSAL_NV_DELETE", id=ITEM, length=5) == OK
    assert host.ask("SYS_OSAL_NV_LENGTH", id=ITEM).u("length") == 0


async def test_an_extended_item_has_the_statuses_of_its_own_driver(host: Host) -> None:
    """NVINTF of Z-Stack (reference ncp-real 10): 4 bad parameter, 5 bad length, 6 bad offset, 10 not found, 13 it is there."""
    place = {"system": 1, "item": 0x0009, "sub": 0x0102}
    assert host.status("SYS_NV_DELETE", **place) == 10
    assert host.status("SYS_NV_READ", **place, offset=0, length=1) == 10
    assert host.status("SYS_NV_WRITE", **place, offset=0, value=b"x") == 10
    assert host.status("SYS_NV_CREATE", **place, length=0) == 5
    assert host.status("SYS_NV_CREATE", **place, length=4) == 0
    assert host.status("SYS_NV_CREATE", **place, length=4) == 13
    assert host.ask("SYS_NV_LENGTH", **place).u("length") == 4
    assert host.ask("SYS_NV_READ", **place, offset=0, length=255).octets("value") == b"\xff" * 4
    assert host.status("SYS_NV_WRITE", **place, offset=0, value=b"abc") == 0
    assert host.status("SYS_NV_WRITE", **place, offset=0, value=b"abcde") == 5
    assert host.status("SYS_NV_WRITE", **place, offset=1, value=b"b") == 4
    assert host.ask("SYS_NV_READ", **place, offset=1, length=2).octets("value") == b"bc"
    assert host.status("SYS_NV_READ", **place, offset=4, length=2) == 0
    assert host.status("SYS_NV_READ", **place, offset=5, length=2) == 6
    assert host.status("SYS_NV_DELETE", **place) == 0
    assert host.ask("SYS_NV_LENGTH", **place).u("length") == 0


async def test_at_most_248_octets_of_an_item_are_read_at_once(host: Host) -> None:
    value = bytes(one & 0xFF for one in range(300))
    assert host.status("SYS_NV_CREATE", system=1, item=9, sub=1, length=300) == 0
    host.znp.nvram.put(9, 1, value)
    assert host.ask("SYS_NV_READ", system=1, item=9, sub=1, offset=0, length=255).octets("value") == value[:248]
    assert host.ask("SYS_NV_READ", system=1, item=9, sub=1, offset=248, length=255).octets("value") == value[248:]


@pytest.mark.parametrize("item", [0x69, 0x6A, 0x6B])
async def test_what_key_establishment_keeps_is_neither_shown_nor_written(host: Host, item: int) -> None:
    host.znp.nvram.put(nvram.OSAL, item, b"secret")
    assert host.status("SYS_OSAL_NV_READ", id=item, offset=0) == INVALID
    assert host.status("SYS_OSAL_NV_WRITE", id=item, offset=0, value=b"x") == theirs.Status.NV_OPER_FAILED
    host.znp.nvram.put(9, item, b"open")
    assert host.ask("SYS_NV_READ", system=1, item=9, sub=item, offset=0, length=9).octets("value") == b"open", (
        "a table's row may be so called"
    )


@pytest.mark.parametrize("item", [0x68, 0x6C])
async def test_the_items_beside_those_of_key_establishment_are_the_hosts(host: Host, item: int) -> None:
    host.znp.nvram.put(nvram.OSAL, item, b"open")
    assert host.ask("SYS_OSAL_NV_READ", id=item, offset=0).octets("value") == b"open"


@pytest.mark.parametrize(("option", "cleared"), [(0, False), (1, True), (2, True), (3, True), (4, False)])
async def test_a_reset_clears_what_the_start_up_option_says(host: Host, option: int, cleared: bool) -> None:
    """zigpy-znp: StartupOptions.ClearConfig 1 and ClearState 2."""
    assert (theirs.StartupOptions.ClearConfig, theirs.StartupOptions.ClearState) == (1, 2)
    host.form()
    host.znp.nvram.put(nvram.OSAL, nvram.STARTUP_OPTION, bytes([option]))
    assert not host.say("SYS_RESET_REQ", type=1)
    assert host.resets == 0, "the reset comes after the command"
    await asyncio.sleep(0)
    assert host.resets == 1
    assert (host.znp.stack.tokens.network_key is None) == cleared
    assert host.znp.stack.running != cleared


async def test_the_system_tells_its_capabilities_release_address_and_power(host: Host) -> None:
    known = theirs.MTCapabilities
    told = known(host.ask("SYS_PING").u("capabilities"))
    assert all(one in told for one in (known.SYS, known.AF, known.ZDO, known.UTIL))
    release = host.ask("SYS_VERSION")
    assert [release.u(one) for one in ("transport", "product", "major", "minor", "maintenance", "revision")] == [2, 1, 2, 7, 1, 20221226]
    assert host.ask("SYS_GET_EXTADDR").eui("eui64") == HUB
    assert host.ask("SYS_STACK_TUNE", operation=0, value=5).u("value") == 5
    assert host.znp.stack.tokens.power == 5
    assert host.ask("SYS_STACK_TUNE", operation=1, value=9).u("value") == 9
    assert host.znp.stack.tokens.power == 5, "other operations are not the power"
    assert host.status("SYS_SET_TX_POWER", power=7) == OK
    assert host.znp.stack.tokens.power == 7
    drawn = [host.ask("SYS_RANDOM").u("value") for _ in range(20)]
    assert len(set(drawn)) > 15


@pytest.mark.parametrize(
    ("endpoint", "status"), [(0, INVALID), (1, OK), (240, OK), (241, INVALID), (242, OK), (243, INVALID), (255, INVALID)]
)
async def test_an_endpoint_is_1_to_240_or_that_of_green_power_and_is_registered_once(host: Host, endpoint: int, status: int) -> None:
    facts = {"endpoint": endpoint, "profile": 0x0109, "device": 0x0508, "servers": (0x000A,), "clients": (0x0702, 0x0703)}
    assert host.status("AF_REGISTER", **facts) == status
    assert (endpoint in host.znp.stack.endpoints) == (status == OK)
    if status == OK:
        one = host.znp.stack.endpoints[endpoint]
        assert (one.endpoint, one.profile, one.device_id, one.servers, one.clients) == (endpoint, 0x0109, 0x0508, (10,), (0x0702, 0x0703))
        assert host.status("AF_REGISTER", **facts) == INVALID
        assert host.status("AF_DELETE", endpoint=endpoint) == OK
    assert host.status("AF_DELETE", endpoint=endpoint) == INVALID


DATA = {"to": 2, "from": 3, "cluster": 0x0702, "tsn": 0x4D, "radius": 30}


@pytest.mark.parametrize(
    ("destination", "delivery"),
    [(0x1234, "UNICAST"), (0xFFF7, "UNICAST"), (0xFFF8, "BROADCAST"), (0xFFFC, "BROADCAST"), (0xFFFF, "BROADCAST")],
)
@pytest.mark.parametrize("options", [0x00, 0x10, 0x40, 0x50, 0xAF])
async def test_a_message_goes_out_with_its_fields_and_its_options(
    host: Host, monkeypatch: pytest.MonkeyPatch, destination: int, delivery: str, options: int
) -> None:
    assert (TransmitOptions.ACK_REQUEST, TransmitOptions.ENABLE_SECURITY) == (0x10, 0x40)
    assert (
        host.status("AF_DATA_REQUEST", destination=destination, options=options, data=b"hello", **DATA) == theirs.Status.NWK_INVALID_REQUEST
    )
    host.form()
    assert host.status("AF_REGISTER", endpoint=3, profile=0x0109, device=0x0508) == OK
    host.watch(monkeypatch)
    requests: list[tuple[str, dict[str, Any]]] = [("AF_DATA_REQUEST", {"destination": destination})]
    if destination == 0x1234:
        requests.append(("AF_DATA_REQUEST_SRCRTG", {"destination": destination, "relays": (1, 2)}))
    for name, facts in requests:
        assert host.status(name, options=options, data=b"hello", **facts, **DATA) == OK
        await asyncio.sleep(0)
        short, pdu = host.sent[-1]
        assert (short, pdu.kind, pdu.delivery, pdu.group) == (destination, ApsKind.DATA, DeliveryMode[delivery], 0)
        assert (pdu.destination_endpoint, pdu.source_endpoint, pdu.cluster, pdu.profile, pdu.payload) == (2, 3, 0x0702, 0x0109, b"hello")
        unicast = delivery == "UNICAST"
        assert (pdu.ack_request, pdu.secured) == (bool(options & 0x10) and unicast, bool(options & 0x40) and unicast)
        await asyncio.sleep(0)
        (confirmed,) = host.told("AF_DATA_CONFIRM")
        assert (confirmed.u("status"), confirmed.u("endpoint"), confirmed.u("tsn")) == (OK, 3, 0x4D)


@pytest.mark.parametrize(
    ("mode", "address", "sent"),
    [
        (theirs.AddrMode.NWK, b"\x34\x12" + bytes(6), (0x1234, DeliveryMode.UNICAST, 0)),
        (theirs.AddrMode.NWK, b"\xf8\xff" + bytes(6), (0xFFF8, DeliveryMode.BROADCAST, 0)),
        (theirs.AddrMode.NWK, b"\xf7\xff" + bytes(6), (0xFFF7, DeliveryMode.UNICAST, 0)),
        (theirs.AddrMode.Broadcast, b"\xfd\xff" + bytes(6), (0xFFFD, DeliveryMode.BROADCAST, 0)),
        (theirs.AddrMode.Group, b"\x34\x12" + bytes(6), (0xFFFD, DeliveryMode.GROUP, 0x1234)),
        (theirs.AddrMode.IEEE, METER.zigbee, (0x4321, DeliveryMode.UNICAST, 0)),
    ],
)
async def test_a_long_message_is_addressed_in_each_way_and_may_come_in_pieces(
    host: Host, monkeypatch: pytest.MonkeyPatch, mode: int, address: bytes, sent: tuple[int, DeliveryMode, int]
) -> None:
    whole = {"address": bytes([mode]) + address, "options": 0x10, **DATA}
    assert host.status("AF_DATA_REQUEST_EXT", **whole, length=5, data=b"hello") == theirs.Status.NWK_INVALID_REQUEST
    host.form()
    host.znp.stack.nwk.learn(0x4321, METER)
    host.watch(monkeypatch)
    assert host.status("AF_DATA_REQUEST_EXT", **whole, pan=1, length=5, data=b"hello") == INVALID
    assert host.status("AF_DATA_REQUEST_EXT", **whole, length=6, data=b"hello") == INVALID
    assert host.status("AF_DATA_STORE", index=0, data=b"x") == FAILURE, "no message is begun"
    assert host.status("AF_DATA_REQUEST_EXT", **whole, length=5, data=b"hello") == OK
    await asyncio.sleep(0)
    assert host.status("AF_DATA_REQUEST_EXT", **whole, length=5, data=b"") == OK
    assert host.status("AF_DATA_STORE", index=3, data=b"lo") == OK
    assert host.status("AF_DATA_STORE", index=4, data=b"lo") == INVALID
    assert host.status("AF_DATA_STORE", index=0, data=b"hel") == OK
    assert host.status("AF_DATA_STORE", index=0, data=b"") == OK
    assert host.status("AF_DATA_STORE", index=0, data=b"") == FAILURE, "it is gone"
    await asyncio.sleep(0)
    assert len(host.sent) == 2
    for short, pdu in host.sent:
        assert (short, pdu.delivery, pdu.group) == sent
        assert pdu.payload == b"hello"


async def test_a_device_of_no_known_address_is_told_as_unknown(host: Host) -> None:
    host.form()
    address = bytes([theirs.AddrMode.IEEE]) + METER.zigbee
    assert host.status("AF_DATA_REQUEST_EXT", address=address, length=2, data=b"ab", **DATA) == theirs.Status.NWK_UNKNOWN_DEVICE


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (Status.SUCCESS, theirs.Status.SUCCESS),
        (Status.DELIVERY_FAILED, theirs.Status.MAC_NO_ACK),
        (Status.APS_ENCRYPTION_ERROR, theirs.Status.SEC_NO_KEY),
        (Status.MESSAGE_TOO_LONG, theirs.Status.INVALID_PARAMETER),
        (Status.NETWORK_DOWN, theirs.Status.NWK_INVALID_REQUEST),
        (Status.TABLE_FULL, theirs.Status.FAILURE),
    ],
)
async def test_what_became_of_a_message_is_told_in_z_stacks_words(
    host: Host, monkeypatch: pytest.MonkeyPatch, status: Status, told: int
) -> None:
    async def send_whole(short: int, pdu: ApsPdu) -> Status:
        return status

    host.form()
    monkeypatch.setattr(type(host.znp.stack.aps), "send_whole", staticmethod(send_whole))
    assert host.status("AF_DATA_REQUEST", destination=0x1234, data=b"x", **DATA) == OK
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [one.u("status") for one in host.told("AF_DATA_CONFIRM")] == [told]


async def test_a_dongle_without_room_says_so_in_reply_and_confirmation_by_z_stacks_statuses(host: Host) -> None:
    host.form()
    host.crowd.lay(NcpFaults(busy=1.0))
    facts = {"destination": 0x1234, "data": b"x", **DATA}
    whole = {"address": b"\x02\x34\x12" + bytes(6), "length": 1, "data": b"x", **DATA}
    refused = {host.status("AF_DATA_REQUEST", **facts) for _ in range(6)} | {host.status("AF_DATA_REQUEST_EXT", **whole) for _ in range(6)}
    assert refused == {theirs.Status.MEM_ERROR, theirs.Status.BUFFER_FULL, theirs.Status.MAC_NO_RESOURCES}


def incoming(payload: bytes, link: Link | None = None, broadcast: bool = False, **facts: Any) -> IncomingApdu:
    pdu = ApsPdu(ApsKind.DATA, 0x4D, payload=payload, **{"cluster": 0x0702, "profile": 0x0109, "destination_endpoint": 2} | facts)
    return IncomingApdu(0x1234, METER, pdu, broadcast, link or Link(rssi=-50, lqi=99))


@pytest.mark.parametrize("length", [0, 1, 219, 220])
async def test_a_message_is_told_with_its_fields_up_to_220_octets(host: Host, length: int) -> None:
    payload = bytes(one & 0xFF for one in range(length))
    host.znp.incoming(incoming(payload, source_endpoint=3, secured=True))
    (told,) = host.told("AF_INCOMING_MSG")
    names = ("group", "cluster", "source", "from", "to", "broadcast", "lqi", "security", "stamp", "tsn", "relay", "radius")
    assert [told.u(one) for one in names] == [0, 0x0702, 0x1234, 3, 2, 0, 99, 1, 1, 0x4D, 0x1234, 30]
    assert told.octets("data") == payload
    assert not host.told("AF_INCOMING_MSG_EXT")
    host.znp.incoming(incoming(payload, broadcast=True, delivery=DeliveryMode.GROUP, group=0x4567))
    told = host.told("AF_INCOMING_MSG")[1]
    assert [told.u(one) for one in ("group", "broadcast", "security", "stamp")] == [0x4567, 1, 0, 2]


async def test_a_longer_message_is_fetched_in_pieces_and_eight_of_them_are_kept(host: Host) -> None:
    messages = [bytes([number]) * (221 + number) for number in range(9)]
    for one in messages:
        host.znp.incoming(incoming(one))
    told = host.told("AF_INCOMING_MSG_EXT")
    assert not host.told("AF_INCOMING_MSG")
    assert [one.u("stamp") for one in told] == list(range(1, 10))
    assert [one.u("length") for one in told] == [221 + number for number in range(9)]
    assert told[0].octets("address") == b"\x02\x34\x12" + bytes(6)
    assert host.status("AF_DATA_RETRIEVE", stamp=1, index=0, length=5) == FAILURE, "the oldest is gone"
    assert host.status("AF_DATA_RETRIEVE", stamp=10, index=0, length=5) == FAILURE
    host.znp.kept[2] = bytes(range(230))
    assert host.ask("AF_DATA_RETRIEVE", stamp=2, index=3, length=4).octets("data") == b"\x03\x04\x05\x06"
    assert host.ask("AF_DATA_RETRIEVE", stamp=2, index=228, length=4).octets("data") == b"\xe4\xe5"
    assert host.status("AF_DATA_RETRIEVE", stamp=2, index=0, length=0) == OK
    assert host.status("AF_DATA_RETRIEVE", stamp=2, index=0, length=4) == FAILURE, "it was freed"


async def test_fragments_are_told_once_they_are_whole(host: Host) -> None:
    host.form()
    first = incoming(b"a" * 50, block=FragmentHeader(True, 2), ack_request=True)
    second = incoming(b"b" * 30, block=FragmentHeader(False, 1), ack_request=True)
    host.znp.incoming(first)
    assert not host.told("AF_INCOMING_MSG")
    host.znp.incoming(second)
    (told,) = host.told("AF_INCOMING_MSG")
    assert told.octets("data") == b"a" * 50 + b"b" * 30


REQUESTS = {
    "ZDO_NODE_DESC_REQ": "Node_Desc_req",
    "ZDO_POWER_DESC_REQ": "Power_Desc_req",
    "ZDO_SIMPLE_DESC_REQ": "Simple_Desc_req",
    "ZDO_ACTIVE_EP_REQ": "Active_EP_req",
    "ZDO_MATCH_DESC_REQ": "Match_Desc_req",
    "ZDO_MGMT_LQI_REQ": "Mgmt_Lqi_req",
    "ZDO_MGMT_RTG_REQ": "Mgmt_Rtg_req",
    "ZDO_MGMT_BIND_REQ": "Mgmt_Bind_req",
}


@pytest.mark.parametrize("name", REQUESTS)
async def test_a_zdo_request_goes_out_as_it_is_under_its_cluster(host: Host, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert host.status(name, destination=0x1234, request=b"octets") == theirs.Status.NWK_INVALID_REQUEST
    host.form()
    host.watch(monkeypatch)
    assert host.status(name, destination=0x1234, request=b"octets") == OK
    ((destination, cluster, payload),) = host.asked
    assert (destination, cluster, payload[1:]) == (0x1234, zigpy_zdo.ZDOCmd[REQUESTS[name]], b"octets")


async def test_zdo_requests_with_fields_are_laid_out_as_over_the_air(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.form()
    host.watch(monkeypatch)
    bind: dict[str, Any] = {"destination": 0x1234, "source": METER, "from": 1, "cluster": 0x0702, "target": HUB, "to": 2}
    wanted: list[tuple[str, dict[str, Any], int, int, bytes]] = [
        ("ZDO_NWK_ADDR_REQ", {"eui64": METER, "kind": 1, "start": 2}, 0xFFFD, 0x0000, METER.zigbee + b"\x01\x02"),
        ("ZDO_IEEE_ADDR_REQ", {"id": 0x1234, "kind": 1, "start": 2}, 0x1234, 0x0001, b"\x34\x12\x01\x02"),
        ("ZDO_BIND_REQ", bind | {"mode": 3}, 0x1234, 0x0021, METER.zigbee + b"\x01\x02\x07\x03" + HUB.zigbee + b"\x02"),
        ("ZDO_UNBIND_REQ", bind | {"mode": 1}, 0x1234, 0x0022, METER.zigbee + b"\x01\x02\x07\x01" + HUB.zigbee[:2]),
    ]
    for name, facts, *_ in wanted:
        assert host.status(name, **facts) == OK
    assert [(destination, cluster, payload[1:]) for destination, cluster, payload in host.asked] == [tuple(one[2:]) for one in wanted]


@pytest.mark.parametrize(
    ("destination", "here", "away"), [(0, True, False), (0xFFFF, True, True), (0xFFFC, True, True), (0xFFFD, True, True)]
)
async def test_joining_is_permitted_here_elsewhere_or_both(
    host: Host, monkeypatch: pytest.MonkeyPatch, destination: int, here: bool, away: bool
) -> None:
    facts = {"mode": 2, "destination": destination, "duration": 60, "significance": 1}
    assert host.status("ZDO_MGMT_PERMIT_JOIN_REQ", **facts) == theirs.Status.NWK_INVALID_REQUEST
    host.form()
    host.watch(monkeypatch)
    assert host.status("ZDO_MGMT_PERMIT_JOIN_REQ", **facts) == OK
    await asyncio.sleep(0)
    assert host.znp.stack.nwk.children.permitting == here
    assert [(one.u("source"), one.u("status")) for one in host.told("ZDO_MGMT_PERMIT_JOIN_RSP")] == [(0, 0)] * here
    assert [(at, cluster, payload[1:]) for at, cluster, payload in host.asked] == [(destination, 0x0036, b"\x3c\x01")] * away


async def test_joining_may_be_permitted_at_another_router_alone(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.form()
    host.watch(monkeypatch)
    assert host.status("ZDO_MGMT_PERMIT_JOIN_REQ", destination=0x1234, duration=60) == OK
    await asyncio.sleep(0)
    assert not host.znp.stack.nwk.children.permitting
    assert not host.told("ZDO_MGMT_PERMIT_JOIN_RSP")
    assert host.asked[0][:2] == (0x1234, 0x0036)


@pytest.mark.parametrize(
    ("channels", "duration", "status", "to", "tail"),
    [
        (0x07FFF800, 0, OK, 0x1234, 3),
        (0x07FFF800, 5, OK, 0x1234, 3),
        (0x07FFF800, 6, INVALID, 0, 0),
        (0x07FFF800, 0xFD, INVALID, 0, 0),
        (0x02000000, 0xFE, OK, 0xFFFF, 0),
        (0x07FFF800, 0xFF, OK, 0x1234, 3),
        (0x000007FF, 2, INVALID, 0, 0),
    ],
)
async def test_a_scan_or_another_channel_is_asked_for_within_its_limits(
    host: Host, monkeypatch: pytest.MonkeyPatch, channels: int, duration: int, status: int, to: int, tail: int
) -> None:
    """ZigBee PRO r21 2.4.3.3.9: duration 0 to 5 scans, 0xFE changes the channel, 0xFF the channels and the manager."""
    facts = {"destination": 0x1234, "channels": channels, "duration": duration, "count": 3}
    assert host.status("ZDO_MGMT_NWK_UPDATE_REQ", **facts) == theirs.Status.NWK_INVALID_REQUEST
    host.form()
    host.znp.stack.tokens.update_id = 0xFF
    host.watch(monkeypatch)
    assert host.status("ZDO_MGMT_NWK_UPDATE_REQ", **facts) == status
    told = [(at, cluster, payload[1:]) for at, cluster, payload in host.asked]
    assert told == ([(to, 0x0038, channels.to_bytes(4, "little") + bytes([duration, tail]))] if status == OK else [])
    host.znp.stack.tokens.update_id = 7
    if duration == 0xFE:
        host.status("ZDO_MGMT_NWK_UPDATE_REQ", **facts)
        assert host.asked[-1][2][-1] == 8, "a change of channel has the next id"


async def test_link_keys_are_set_at_the_first_free_place_told_and_removed(host: Host) -> None:
    host.form()
    devices = [Eui64(bytes(7) + bytes([one])) for one in range(1, 4)]
    for number, device in enumerate(devices):
        assert host.status("ZDO_SET_LINK_KEY", id=0x1000 + number, eui64=device, key=bytes([number]) * 16) == OK
    table = host.znp.stack.tokens.link_keys
    assert {index: device for index, (device, _) in table.items()} == dict(enumerate(devices))
    assert host.znp.stack.nwk.shorts[devices[1]] == 0x1001
    told = host.ask("ZDO_GET_LINK_KEY", eui64=devices[1])
    assert (told.u("status"), told.eui("eui64"), told.octets("key")) == (OK, devices[1], b"\x01" * 16)
    assert host.status("ZDO_REMOVE_LINK_KEY", eui64=devices[1]) == OK
    assert host.status("ZDO_REMOVE_LINK_KEY", eui64=devices[1]) == theirs.Status.SEC_NO_KEY
    told = host.ask("ZDO_GET_LINK_KEY", eui64=devices[1])
    assert (told.u("status"), told.eui("eui64")) == (theirs.Status.SEC_NO_KEY, devices[1])
    assert host.status("ZDO_SET_LINK_KEY", id=0xFFFE, eui64=METER, key=LINK_KEY) == OK
    assert table[1] == (METER, LINK_KEY), "the first place that is free"
    assert METER not in host.znp.stack.nwk.shorts, "0xFFFE is no address"
    assert host.status("ZDO_SET_LINK_KEY", id=0x1000, eui64=devices[0], key=LINK_KEY) == OK
    assert table[0] == (devices[0], LINK_KEY), "its own place again"
    assert len(table) == 3


async def test_network_keys_are_given_out_by_a_running_network_alone(host: Host) -> None:
    assert host.status("ZDO_EXT_UPDATE_NWK_KEY", destination=0xFFFF, sequence=1, key=b"k" * 16) == FAILURE
    assert host.status("ZDO_EXT_SWITCH_NWK_KEY", destination=0xFFFF, sequence=1) == FAILURE
    host.form()
    assert host.status("ZDO_EXT_SWITCH_NWK_KEY", destination=0xFFFF, sequence=1) == FAILURE, "there is none to switch to"
    assert host.status("ZDO_EXT_UPDATE_NWK_KEY", destination=0xFFFF, sequence=1, key=b"k" * 16) == OK
    assert host.status("ZDO_EXT_SWITCH_NWK_KEY", destination=0xFFFF, sequence=1) == OK


async def test_the_network_is_told_while_it_is_idle_and_while_it_runs(host: Host) -> None:
    idle, running = theirs.DeviceState.InitializedNotStarted, theirs.DeviceState.StartedAsCoordinator
    assert host.ask("ZDO_EXT_NWK_INFO").u("state") == host.ask("UTIL_GET_DEVICE_INFO").u("state") == idle
    host.form()
    host.znp.stack.tokens.children[METER] = Child(0x4321, 0x80, authenticated=True)
    host.znp.stack.tokens.children[HUB] = Child(0x4322, 0x80)
    told = host.ask("ZDO_EXT_NWK_INFO")
    assert [told.u(one) for one in ("id", "state", "pan", "parent", "channel")] == [0, running, 0x1A62, 0xFFFF, 20]
    assert told.eui("extended_pan") == Eui64.parse("00db1234567890a1")
    told = host.ask("UTIL_GET_DEVICE_INFO")
    assert (told.u("status"), told.eui("eui64"), told.u("id"), told.u("state")) == (OK, HUB, 0, running)
    capabilities = theirs.DeviceTypeCapabilities
    assert told.u("type") == capabilities.Coordinator | capabilities.Router | capabilities.EndDevice
    assert told.numbers("associated") == (0x4321,), "who has proven the network key"


async def test_groups_and_associations_are_kept_found_and_taken_out(host: Host) -> None:
    assert host.ask("ZDO_EXT_FIND_GROUP", endpoint=1, group=0x1234).u("status") == FAILURE
    assert host.status("ZDO_EXT_ADD_GROUP", endpoint=1, group=0x1234, name=b"") == OK
    told = host.ask("ZDO_EXT_FIND_GROUP", endpoint=1, group=0x1234)
    assert (told.u("status"), told.u("group")) == (OK, 0x1234)
    assert host.ask("ZDO_EXT_FIND_GROUP", endpoint=2, group=0x1234).u("status") == FAILURE
    assert host.status("UTIL_ASSOC_REMOVE", eui64=METER) == FAILURE
    assert host.status("UTIL_ASSOC_ADD", id=0x4321, eui64=METER, relation=1) == OK
    child = host.znp.stack.tokens.children[METER]
    assert (child.short, child.capability, child.authenticated) == (0x4321, 0x80, True)
    assert host.znp.stack.nwk.shorts[METER] == 0x4321
    assert host.status("UTIL_ASSOC_REMOVE", eui64=METER) == OK
    assert METER not in host.znp.stack.tokens.children
    for name, facts in (("UTIL_ASSOC_FIND_DEVICE", {"index": 0}), ("UTIL_ASSOC_GET_WITH_ADDRESS", {"eui64": METER, "id": 1})):
        device = host.ask(name, **facts).octets("device")
        assert len(device) == 36, "the size by which zigpy-znp knows an aligned build"
        assert device[:5] == b"\xff" * 5
        assert not any(device[5:])
    for name, facts in (
        ("ZDO_EXT_ROUTE_CHK", {"destination": 1}),
        ("ZDO_EXT_ROUTE_DISC", {"destination": 1}),
        ("UTIL_LED_CONTROL", {"led": 1}),
    ):
        assert host.status(name, **facts) == OK


@pytest.mark.parametrize(
    ("form", "code", "key"),
    [
        (1, bytes(range(18)), aes_mmo(bytes(range(18)))),
        (2, LINK_KEY, LINK_KEY),
        (1, bytes(16), None),
        (1, bytes(17), None),
        (1, bytes(19), None),
        (2, bytes(15), None),
        (2, bytes(17), None),
        (2, bytes(18), None),
        (0, bytes(16), None),
        (3, bytes(18), None),
    ],
)
async def test_a_device_is_permitted_by_install_code_with_its_check_or_by_the_key_made_of_it(
    host: Host, monkeypatch: pytest.MonkeyPatch, form: int, code: bytes, key: bytes | None
) -> None:
    assert (InstallCodeFormat.InstallCodeAndCRC, InstallCodeFormat.KeyDerivedFromInstallCode) == (1, 2)
    permitted: list[tuple[Eui64, bytes]] = []
    monkeypatch.setattr(type(host.znp.stack.trust), "permit_key", lambda _, device, given: permitted.append((device, given)))
    assert host.status("APP_CNF_BDB_ADD_INSTALLCODE", format=form, eui64=METER, code=code) == (INVALID if key is None else OK)
    assert permitted == ([] if key is None else [(METER, key)])


async def test_install_codes_may_be_asked_for_and_not_and_other_rules_stay(host: Host) -> None:
    trust = host.znp.stack.trust
    trust.policy = Policy.ALLOW_JOINS
    assert host.status("APP_CNF_BDB_SET_JOINUSESINSTALLCODEKEY", on=1) == OK
    assert trust.policy == Policy.ALLOW_JOINS | Policy.JOINS_USE_INSTALL_CODE_KEY
    assert host.status("APP_CNF_BDB_SET_JOINUSESINSTALLCODEKEY", on=0) == OK
    assert trust.policy == Policy.ALLOW_JOINS


@pytest.mark.parametrize(
    ("primary", "memory", "mask", "channel"),
    [(1, 0x00000800, 0x04000000, 26), (0, 0x00000800, 0x04000000, 11), (1, 0, 0x00100800, 11), (1, 0, 0x00100000, 20), (1, 0, 0, 11)],
)
async def test_a_network_is_formed_on_the_first_of_the_primary_channels(
    host: Host, primary: int, memory: int, mask: int, channel: int
) -> None:
    host.znp.nvram.put(nvram.OSAL, nvram.CHANNELS, memory.to_bytes(4, "little"))
    host.znp.nvram.put(nvram.OSAL, nvram.PAN_ID, b"\x62\x1a")
    assert host.status("APP_CNF_BDB_SET_CHANNEL", primary=primary, channels=mask) == OK
    modes = BDBCommissioningMode
    assert host.status("APP_CNF_BDB_START_COMMISSIONING", mode=modes.NwkSteering) == FAILURE
    assert host.status("APP_CNF_BDB_START_COMMISSIONING", mode=modes.NwkFormation) == OK
    await asyncio.sleep(0)
    tokens = host.znp.stack.tokens
    assert (tokens.channel, tokens.pan, tokens.short, tokens.key_sequence, tokens.extended_pan) == (channel, 0x1A62, 0, 0, HUB)
    states = theirs.DeviceState
    assert [one.u("state") for one in host.told("ZDO_STATE_CHANGE_IND")] == [states.StartingAsCoordinator, states.StartedAsCoordinator]
    told = [(one.u("status"), one.u("mode"), one.u("remaining")) for one in host.told("APP_CNF_BDB_COMMISSIONING_NOTIFICATION")]
    assert told == [(0, 2, 0)]
    assert host.status("APP_CNF_BDB_START_COMMISSIONING", mode=modes.NwkFormation) == FAILURE, "it runs already"
    policy = host.znp.stack.trust.policy
    assert policy == Policy.ALLOW_JOINS | Policy.ALLOW_UNSECURED_REJOINS
    host.znp.reset()
    assert host.status("ZDO_STARTUP_FROM_APP", delay=0) == OK
    await asyncio.sleep(0)
    told = [(one.u("status"), one.u("mode"), one.u("remaining")) for one in host.told("APP_CNF_BDB_COMMISSIONING_NOTIFICATION")]
    statuses = BDBCommissioningStatus
    assert told == [(statuses.NetworkRestored, 0, modes.NwkFormation), (statuses.FormationFailure, 2, 0)]
    assert host.status("ZDO_STARTUP_FROM_APP", delay=0) == OK
    await asyncio.sleep(0)
    assert not host.told("ZDO_STATE_CHANGE_IND"), "it runs already"


@pytest.mark.parametrize(
    ("kind", "subsystem", "command", "data", "why"),
    [
        (MtKind.SREQ, 1, 0x7F, b"", 2),
        (MtKind.SREQ, 9, 0x00, b"", 2),
        (MtKind.SREQ, 1, 0x08, b"\x01", 4),
        (MtKind.SREQ, 1, 0x08, b"\x01\x00\x00\x00", 4),
    ],
)
async def test_a_request_that_is_unknown_or_of_another_length_is_answered_with_an_error(
    host: Host, kind: MtKind, subsystem: int, command: int, data: bytes, why: int
) -> None:
    """zigpy-znp: RPCError.CommandNotRecognized, its codes 2 and 4 are an invalid command and an invalid length."""
    assert (theirs.ErrorCode.INVALID_COMMAND_ID, theirs.ErrorCode.INVALID_LENGTH) == (2, 4)
    host.znp.receive(MtFrame(kind, subsystem, command, data))
    assert host.said == [MtFrame(MtKind.SRSP, 0, 0, bytes([why, kind << 5 | subsystem, command]))]
    host.said.clear()
    host.znp.receive(MtFrame(MtKind.AREQ, 1, 0x7F, b""))
    assert not host.said, "nobody waits for an answer"


async def test_commands_of_a_subsystem_that_is_not_announced_are_not_recognised(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    bits = theirs.MTCapabilities
    for name, values, bit in (
        ("SYS_GET_EXTADDR", {}, bits.SYS),
        ("AF_DELETE", {"endpoint": 1}, bits.AF),
        ("ZDO_EXT_NWK_INFO", {}, bits.ZDO),
        ("UTIL_GET_DEVICE_INFO", {}, bits.UTIL),
    ):
        for capabilities, known in ((0xFFFF, True), (0xFFFF ^ bit, False), (int(bit), True)):
            monkeypatch.setitem(host.znp.personality.traits, "capabilities", capabilities)
            (answer,) = host.say(name, **values)
            assert ((answer.subsystem, answer.command) != (0, 0)) == known, (name, capabilities)


@pytest.mark.parametrize("length", [0, 1, 250])
def test_an_mt_frame_has_its_length_and_its_check_and_is_read_in_any_pieces(length: int) -> None:
    data = bytes(one & 0xFF for one in range(length))
    frame = MtFrame(MtKind.AREQ, 5, 0x7F, data)
    octets = frame.encode()
    assert octets[:4] == bytes([0xFE, length, 0x45, 0x7F])
    check = length ^ 0x45 ^ 0x7F
    for one in data:
        check ^= one
    assert octets[-1] == check
    parser = Parser()
    assert [one for octet in b"noise" + octets + octets for one in parser.feed(bytes([octet]))] == [frame, frame]
    assert parser.damaged == 0


@pytest.mark.parametrize(
    "damaged",
    [
        bytes.fromhex("fe00210121"),  # a wrong check
        bytes.fromhex("fe00810180"),  # a kind that there is not
        bytes.fromhex("fefb2101db"),  # 251 octets are too many
    ],
)
def test_a_damaged_mt_frame_is_counted_and_the_next_one_is_read(damaged: bytes) -> None:
    parser = Parser()
    good = MtFrame(MtKind.SRSP, 1, 1, b"\x59\x06")
    assert list(parser.feed(damaged + good.encode())) == [good]
    assert parser.damaged == 1
    list(parser.feed(good.encode()[:4]))
    parser.clear()
    assert list(parser.feed(good.encode())) == [good]


def test_fields_that_are_left_over_or_missing_are_named() -> None:
    fields = commands()["AF_DATA_STORE"].fields
    assert decode(fields, b"\x02\x01\x03abc").octets("data") == b"abc"
    for octets, said in (
        (b"\x02\x01\x03abcd", "at offset 6, end of the command: 1 octets are left"),
        (b"\x02\x01\x03ab", "at offset 3, data: 2 octets left, expected 3"),
        (b"\x02\x01", "at offset 2, length of data: 0 octets left, expected 1"),
        (b"\x02", "at offset 0, index: 1 octets left, expected 2"),
    ):
        with pytest.raises(DecodeError) as refused:
            decode(fields, octets)
        assert str(refused.value) == said


async def test_joins_leaves_announcements_and_answers_are_told_apart(host: Host) -> None:
    host.znp.trust_centre_join(0x1234, METER, 1, 1, 0x5678)
    (joined,) = host.told("ZDO_TC_DEV_IND")
    assert (joined.u("id"), joined.eui("eui64"), joined.u("parent")) == (0x1234, METER, 0x5678)
    host.said.clear()
    host.znp.trust_centre_join(0x1234, METER, 1, 2, 0x5678)
    assert not host.said, "who was denied is not told"
    host.znp.trust_centre_join(0x1234, METER, 2, 0, 0x5678)
    (left,) = host.told("ZDO_LEAVE_IND")
    assert (left.u("id"), left.eui("eui64")) == (0x1234, METER)
    host.said.clear()
    facts: dict[str, Any] = {"profile": 0, "destination_endpoint": 0}
    host.znp.incoming(incoming(b"", cluster=zdo.DEVICE_ANNCE, **facts))
    assert not host.said
    host.znp.incoming(incoming(zdo.announce(7, 0x1234, METER, 0x8E), cluster=zdo.DEVICE_ANNCE, **facts))
    (announced,) = host.told("ZDO_END_DEVICE_ANNCE_IND")
    assert [announced.u(one) for one in ("source", "id", "capabilities")] == [0x1234, 0x1234, 0x8E]
    assert announced.eui("eui64") == METER
    assert not host.told("ZDO_MSG_CB_INCOMING"), "a host has not asked for it"
    host.said.clear()
    octets = b"\x07\x00" + METER.zigbee + b"\x34\x12"
    host.znp.incoming(incoming(octets, cluster=zdo.NWK_ADDR | zdo.ANSWER, **facts))
    assert [(one.subsystem, one.command, one.data) for one in host.said] == [(5, 0x80, octets[1:] + b"\x00\x00")]
    host.said.clear()
    host.znp.incoming(incoming(b"\x07\x00\x34\x12\x02\x01\x02", cluster=zdo.ACTIVE_EP | zdo.ANSWER, **facts))
    assert [(one.subsystem, one.command, one.data) for one in host.said] == [(5, 0x85, b"\x34\x12\x00\x34\x12\x02\x01\x02")]
    host.said.clear()
    scan = b"\x07\x00" + (0x07FFF800).to_bytes(4, "little") + b"\x01\x02\x03\x04" + b"\x02" + b"\x55\x66"
    host.znp.incoming(incoming(scan, cluster=zdo.MGMT_NWK_UPDATE | zdo.ANSWER, **facts))
    (scanned,) = host.told("ZDO_MGMT_NWK_UPDATE_NOTIFY")
    assert [scanned.u(one) for one in ("source", "status", "channels", "total", "failures")] == [0x1234, 0, 0x07FFF800, 0x0201, 0x0403]
    assert scanned.octets("energy") == b"\x55\x66"
    assert len(host.said) == 1
    assert host.status("ZDO_MSG_CB_REGISTER", cluster=0xFFFF) == OK
    host.said.clear()
    host.znp.incoming(incoming(scan, cluster=zdo.MGMT_NWK_UPDATE | zdo.ANSWER, secured=True, broadcast=True, **facts))
    (told,) = host.told("ZDO_MSG_CB_INCOMING")
    assert [told.u(one) for one in ("source", "broadcast", "cluster", "security", "tsn", "destination")] == [
        0x1234,
        1,
        0x8038,
        1,
        7,
        0xFFFE,
    ]
    assert told.octets("data") == scan[1:]
