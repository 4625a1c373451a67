"""Answers of an attribute server command by command (ZCL 2.4), and what is said to and heard of radios of no network."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from firmware_emu.crypto import primitives
from firmware_emu.errors import DecodeError
from firmware_emu.han.attributes import Attributes, Refusing, answer_general
from firmware_emu.han.base import ApsFrame
from firmware_emu.han.inter_pan import InterPanFrame, InterPanSender
from firmware_emu.han.inter_pan_port import InterPanPort
from firmware_emu.han.introduction import Admission, Introduction
from firmware_emu.ids import Eui64
from firmware_emu.zse.declare import Cluster, attributes
from firmware_emu.zse.zcl import BY_NAME, ZclFrame, ZclStatus
from tests.radio.radio_bench import DISPLAY, HUB, METER

CLUSTER = Cluster(0x0702, "metering", True, attributes("0x0000 summation uint48", "0x0200 status bitmap8", "0x0300 unit enum8"))
READ, READ_RSP, WRITE, WRITE_RSP, QUIET, DISCOVER, DISCOVER_RSP = 0x00, 0x01, 0x02, 0x04, 0x05, 0x0C, 0x0D
"""Ids of general commands, ZCL table 2.9."""


@pytest.fixture
def written() -> list[object]:
    return []


@pytest.fixture
def server(written: list[object]) -> Attributes:
    def take(value: object) -> ZclStatus:
        written.append(value)
        return ZclStatus.SUCCESS if value == 1 else ZclStatus.INVALID_VALUE

    return Attributes(CLUSTER, {"unit": 3, 0x0000: lambda: 0x010203, "status": 0}, writable={0x0200: take})


def answer(server: Attributes | Refusing | None, command: int, payload: str, **more: int) -> ZclFrame | ZclStatus | None:
    return answer_general(ZclFrame.general(command, bytes.fromhex(payload), sequence=9, **more), server)  # type: ignore[arg-type]


def test_values_are_read_with_their_types_and_what_is_not_there_is_refused(server: Attributes) -> None:
    told = answer(server, READ, "000000030100")
    assert isinstance(told, ZclFrame)
    assert told.encode().hex(" ") == "18 09 01 00 00 00 25 03 02 01 00 00 00 00 03 00 30 03 01 00 86"
    assert answer(Refusing(), READ, "0000") == ZclFrame(0x18, 9, READ_RSP, bytes.fromhex("00007e"))


@pytest.mark.parametrize(
    ("payload", "failures", "taken"),
    [
        ("00021801", "00", [1]),
        ("00021802", "870002", [2]),
        ("00022001", "8d0002", []),
        ("00033001", "880003", []),
        ("01003001", "860100", []),
        ("0002180100033001", "880003", [1]),
    ],
    ids=["written", "wrong value", "wrong type", "read only", "unknown", "one of two"],
)
def test_a_write_answers_success_alone_or_each_failure(
    server: Attributes, written: list[object], payload: str, failures: str, taken: list[int]
) -> None:
    assert answer(server, WRITE, payload) == ZclFrame(0x18, 9, WRITE_RSP, bytes.fromhex(failures))
    assert written == taken
    assert answer(server, QUIET, payload) is None
    assert written == taken * 2


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("000003", "01 000025 000218 000330"),
        ("000002", "00 000025 000218"),
        ("010003", "01 000218 000330"),
        ("000301", "01 000330"),
        ("010303", "01"),
        ("000000", "00"),
    ],
    ids=["all", "more than asked for", "after the first", "from the last on", "after the last", "none asked for"],
)
def test_discovery_is_complete_where_no_more_follow(server: Attributes, asked: str, told: str) -> None:
    assert answer(server, DISCOVER, asked) == ZclFrame(0x18, 9, DISCOVER_RSP, bytes.fromhex(told))


@pytest.mark.parametrize("command", [READ, WRITE, DISCOVER, 0x06])
def test_a_cluster_without_attributes_has_no_general_command(command: int) -> None:
    assert answer(None, command, "0000") is ZclStatus.UNSUP_GENERAL_COMMAND
    assert answer(None, command, "0000", manufacturer=0x10D7) is ZclStatus.UNSUP_MANUFACTURER_GENERAL_COMMAND


def test_reporting_is_no_command_of_an_attribute_server(server: Attributes) -> None:
    assert answer(server, 0x06, "0000") is ZclStatus.UNSUP_GENERAL_COMMAND


@pytest.mark.parametrize("name", [0x0001, "none"])
def test_an_attribute_that_no_cluster_declares_is_refused(name: int | str) -> None:
    with pytest.raises(KeyError, match=r"metering (declares no attribute 1|has no attribute none)"):
        Attributes(CLUSTER, {name: 0})


def test_what_a_partner_may_not_have_is_not_authorized_either_way() -> None:
    assert Refusing().ids() == ()
    assert Refusing().write(0, BY_NAME["uint8"], 1) is ZclStatus.NOT_AUTHORIZED


# -- radios of no network


@dataclass
class Sent:
    """Frames that a port sends: to whom, on which PAN."""

    frames: list[tuple[Eui64, int, InterPanFrame]] = field(default_factory=list)

    async def __call__(self, destination: Eui64, pan: int, frame: InterPanFrame) -> None:
        self.frames.append((destination, pan, frame))


TERMINATE = ZclFrame.of_cluster(0x03, bytes((1, 2, 3, 0)), sequence=1)
"""Terminate Key Establishment: status, wait time, suites (ZSE annex C.3.1.2.3.4): 4 octets."""


@pytest.mark.parametrize(
    ("cluster", "payload", "broadcast", "heard"),
    [
        (0x0800, TERMINATE.encode(), False, True),
        (0x0800, TERMINATE.encode(), True, False),
        (0x0702, TERMINATE.encode(), False, False),
        (0x0800, TERMINATE.encode()[:-1], False, False),
        (0x0800, TERMINATE.encode() + b"\x00", False, False),
        (0x0800, b"\x01", False, False),
        (0x0800, ZclFrame.of_cluster(0x09, bytes(4)).encode(), False, False),
        (0x0800, ZclFrame.general(READ, bytes(2)).encode(), False, True),
    ],
    ids=["its message", "to all", "another cluster", "cut off", "too long", "no ZCL", "no command of it", "general command"],
)
def test_of_a_radio_of_no_network_key_establishment_alone_is_heard(cluster: int, payload: bytes, broadcast: bool, heard: bool) -> None:
    port, seen = InterPanPort(HUB, Sent()), []
    sender = InterPanSender(METER, 0x1A62, broadcast=broadcast)
    frame = InterPanFrame(cluster, payload, 0x0109)
    assert not port.received(sender, frame)  # nobody listens yet
    port.receiver = lambda device, aps: seen.append((device, aps))
    assert port.received(sender, frame) == heard
    assert seen == ([(METER, ApsFrame(cluster, payload, 1, 1, secured=False, profile=0x0109))] if heard else [])


async def test_an_answer_goes_to_the_pan_of_its_partner_and_a_default_response_nowhere() -> None:
    sent = Sent()
    port = InterPanPort(HUB, sent)
    port.learn(METER, 0x1A62)
    frame = ApsFrame(0x0800, TERMINATE.encode(), 1, 1)
    await port.send(METER, frame)
    await port.send(DISPLAY, frame)
    await port.send(METER, ApsFrame(0x0800, ZclFrame.general(0x0B, bytes(2)).encode(), 1, 1))
    await port.send(METER, ApsFrame(0x0800, ZclFrame.of_cluster(0x0B, bytes(2)).encode(), 1, 1))
    assert [(device, pan) for device, pan, _ in sent.frames] == [(METER, 0x1A62), (DISPLAY, 0xFFFF), (METER, 0x1A62)]
    assert [ZclFrame.decode(frame.payload).command for _, _, frame in sent.frames] == [0x03, 0x03, 0x0B]
    assert await port.match_descriptors(METER, 0x0800, server=True) != ()
    assert await port.match_descriptors(METER, 0x0702, server=True) == ()


# -- what stands under the key of an introduction


def sealed(kind: int, plain: bytes, key: bytes = bytes(16)) -> bytes:
    return bytes((kind,)) + primitives.encrypt(key, bytes(11) + bytes((kind,)), METER.octets, plain)


@pytest.mark.parametrize("plain", [METER.octets + bytes(15), METER.octets + bytes(17), DISPLAY.octets + bytes(16)])
def test_an_introduction_has_the_senders_own_address_and_a_code_of_16_octets(plain: bytes) -> None:
    with pytest.raises(DecodeError, match=f"at offset 1, identity: {len(plain)} octets, expected the sender's own EUI-64"):
        Introduction.unseal(bytes(16), METER, sealed(1, plain))
    assert Introduction.unseal(bytes(16), METER, sealed(1, METER.octets + bytes(16))).terminal == METER


@pytest.mark.parametrize("octets", [1, 3])
def test_an_admission_has_two_octets(octets: int) -> None:
    with pytest.raises(DecodeError, match=f"at offset 1, time on the HAN: {octets} octets, expected 2"):
        Admission.unseal(bytes(16), METER, sealed(2, bytes(octets)))
