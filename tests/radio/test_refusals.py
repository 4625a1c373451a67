"""Refusals and room of a firmware: the virtual dongle says no where a real one does (rows of public reports in names)."""

from __future__ import annotations

import struct
from collections.abc import Mapping

import pytest

from firmware_emu.clock import Clock
from firmware_emu.ids import Eui64
from hil.radio.air.air import Air
from hil.radio.ncp.ezsp import ApsHead, Ncp, NetworkParameters, Schema, decode_frame, encode_frame, schemas
from hil.radio.ncp.handlers import HANDLERS
from hil.radio.ncp.refusals import REFUSALS
from hil.radio.personality import names, of_version, personality
from hil.radio.port.faults import Crowd, NcpFaults
from hil.radio.stack.status import EzspStatus, Status
from hil.radio.stack.tokens import Tokens
from tests.radio.radio_bench import HUB, METER

PARAMETERS = NetworkParameters(HUB, 0x1A62, 8, 15, 0, 0, 0, 0x07FFF800)
NODE_DESCRIPTOR = ApsHead(0, 2, 0, 0, 0x0040, 0, 0)


class Host:
    """Asks an NCP without a line between."""

    def __init__(self, version: int = 13, name: str | None = None, clock: Clock | None = None) -> None:
        self.clock = clock or Clock(warp=True)
        self.heard: list[bytes] = []
        firmware = of_version(version) if name is None else personality(name)
        self.ncp = Ncp(Air(self.clock, 1), Tokens(HUB), firmware, self.heard.append, HANDLERS, Crowd(NcpFaults()))
        self.ncp.negotiated = True

    def ask(self, name: str, parameters: bytes = b"") -> bytes:
        """Octets after the header of the reply."""
        schema: Schema = schemas(self.ncp.version)[name]
        self.ncp.receive(encode_frame(1, schema.frame_id, parameters, self.ncp.version, control=0))
        reply = self.heard.pop()
        assert decode_frame(reply, self.ncp.version).frame_id in (schema.frame_id, 0x58)
        return decode_frame(reply, self.ncp.version).parameters

    def secure(self, mask: int = 0x0B84) -> int:
        return self.ask("setInitialSecurityState", struct.pack("<H", mask) + b"k" * 16 + b"n" * 16 + b"\x00" + bytes(8))[0]

    def form(self, parameters: NetworkParameters = PARAMETERS) -> int:
        return self.ask("formNetwork", parameters.encode())[0]

    def unicast(self, short: int, head: ApsHead, message: bytes, tag: int = 1) -> int:
        octets = struct.pack("<BH", 0, short) + head.encode() + bytes([tag, len(message)]) + message
        return self.ask("sendUnicast", octets)[0]

    def broadcast(self) -> int:
        return self.ask("sendBroadcast", struct.pack("<H", 0xFFFC) + NODE_DESCRIPTOR.encode() + b"\x00\x01\x01\x00")[0]

    def told(self, name: str) -> list[bytes]:
        wanted = schemas(self.ncp.version)[name].frame_id
        read = [decode_frame(one, self.ncp.version) for one in self.heard]
        return [one.parameters for one in read if one.frame_id == wanted]


async def settle(host: Host, seconds: float = 0.2) -> None:
    await host.clock.sleep(seconds)


async def test_forming_and_joining_need_a_security_state_since_the_start_and_since_the_last_leave(clock: Clock) -> None:
    host = Host(clock=clock)

    said = [host.form(), host.secure(), host.form()]
    await settle(host)
    said += [host.ask("leaveNetwork")[0]]
    await settle(host)
    assert [*said, host.form()] == [0xA8, 0, 0, 0, 0xA8]


async def test_a_bad_channel_power_or_key_and_contradicting_bits_are_refused_by_their_status(clock: Clock) -> None:
    host = Host(clock=clock)

    zero = host.ask("setInitialSecurityState", struct.pack("<H", 0x0300) + bytes(32) + b"\x00" + bytes(8))[0]
    contradicting = host.secure(0x0B86)
    assert host.secure() == 0
    loud = NetworkParameters(HUB, 0x1A62, 60, 15, 0, 0, 0, 0)
    far = NetworkParameters(HUB, 0x1A62, 8, 40, 0, 0, 0, 0)
    assert [zero, contradicting, host.form(loud), host.form(far)] == [0xB2, 0xB7, 0x8B, 0x8A]


@pytest.mark.parametrize(
    ("identifier", "value", "status"),
    [(0x06, 16, 0x00), (0x06, 17, 0x35), (0x1E, 5000, 0x36), (0x0C, 99, 0x36), (0x0D, 77, 0x36), (0xEE, 1, 0x37), (0x29, 1, 0x35)],
)
def test_rows_9_and_11_a_table_only_shrinks_and_a_value_keeps_its_range(identifier: int, value: int, status: int) -> None:
    host = Host()
    assert host.ask("setConfigurationValue", struct.pack("<BH", identifier, value))[0] == status


def test_row_9_a_7_1_1_build_of_8_multicasts_refuses_16_as_the_log_shows() -> None:
    host = Host(9)
    assert host.ask("setConfigurationValue", struct.pack("<BH", 0x06, 16)) == b"\x35"


def test_on_6x_a_table_may_grow_before_the_network_is_up() -> None:
    assert Host(7).ask("setConfigurationValue", struct.pack("<BH", 0x1E, 20)) == b"\x00"


async def test_row_11_configuration_is_closed_once_the_network_is_up_and_unknown_policies_and_values_are_told(clock: Clock) -> None:
    host = Host(clock=clock)

    said = [host.ask("setPolicy", b"\xee\x00\x00")[0], host.ask("setPolicy", b"\x03\x77\x00")[0], host.ask("getPolicy", b"\xee")[0]]
    said += [host.ask("setValue", b"\xee\x01\x00")[0], host.ask("getValue", b"\xee")[0]]
    assert (host.secure(), host.form()) == (0, 0)
    assert [*said, host.ask("setConfigurationValue", struct.pack("<BH", 0x0D, 5))[0]] == [0x37, 0x36, 0x37, 0x37, 0x37, 0x38]


def test_from_version_14_on_the_details_of_an_ezsp_refusal_are_lost() -> None:
    host = Host(14)
    assert host.ask("setConfigurationValue", struct.pack("<BH", 0xEE, 1)) == (0x0C1E).to_bytes(4, "little")


async def test_an_endpoint_is_added_once_and_before_the_network_is_up(clock: Clock) -> None:
    host = Host(clock=clock)
    endpoint = b"\x01" + struct.pack("<HHBBB", 0x0109, 0x0500, 0, 0, 0)

    said = [host.ask("addEndpoint", endpoint)[0], host.ask("addEndpoint", endpoint)[0]]
    assert (host.secure(), host.form()) == (0, 0)
    assert [*said, host.ask("addEndpoint", b"\x02" + endpoint[1:])[0]] == [0x00, 0x36, 0x38]


async def test_row_8_a_burst_of_unicasts_and_broadcasts_meets_the_limits_and_finds_room_again(clock: Clock) -> None:
    host = Host(clock=clock)

    assert (host.secure(), host.form()) == (0, 0)
    unicasts = [host.unicast(0x1234, NODE_DESCRIPTOR, b"\x01\x34\x12", tag) for tag in range(40)]
    broadcasts = [host.broadcast() for _ in range(70)]
    free = host.ask("getValue", b"\x03")[2]
    await settle(host, 30)
    unicasts, broadcasts, free, later_unicast, later_broadcast = (
        unicasts,
        broadcasts,
        free,
        host.unicast(0x1234, NODE_DESCRIPTOR, b"\x01\x34\x12"),
        host.broadcast(),
    )
    assert unicasts == [0] * 32 + [0x72] * 8
    assert broadcasts == [0] * 58 + [0xA1] * 12
    assert free == 254 - 32 - 58
    assert (later_unicast, later_broadcast) == (0, 0)


async def test_row_12_what_a_node_asks_itself_comes_as_reply_answer_then_sent(clock: Clock) -> None:
    host = Host(clock=clock)

    assert (host.secure(), host.form()) == (0, 0)
    await settle(host)
    host.heard.clear()
    assert host.unicast(0, NODE_DESCRIPTOR, b"\x01\x00\x00") == 0
    await settle(host)
    order, answer = [decode_frame(one, 13).frame_id for one in host.heard], host.told("incomingMessageHandler")[0]
    assert order == [0x45, 0x3F], "incomingMessageHandler, then messageSentHandler"
    head = ApsHead.decode(answer[1:12])
    assert (head.cluster, head.options) == (0x8002, 0x0140)
    assert answer[12:14] == b"\xff\x00", "LQI 255, RSSI 0"


@pytest.mark.parametrize(("mask", "state"), [(0x0B84, 0x00F4), (0x0B04, 0x007C)])
async def test_row_13_the_security_state_of_a_coordinator_reads_as_on_real_ones(clock: Clock, mask: int, state: int) -> None:
    host = Host(clock=clock)

    assert (host.secure(mask), host.form()) == (0, 0)
    assert int.from_bytes(host.ask("getCurrentSecurityState")[1:3], "little") == state


async def test_row_14_the_link_key_of_the_trust_centre_is_told_with_partner_authorised_and_counter(clock: Clock) -> None:
    host = Host(12, clock=clock)

    assert (host.secure(), host.form()) == (0, 0)
    assert int.from_bytes(host.ask("getKey", b"\x01")[1:3], "little") == 0x001A


def test_row_18_defaults_are_those_of_real_dongles() -> None:
    host = Host(9)

    def value(identifier: int) -> int:
        return int.from_bytes(host.ask("getConfigurationValue", bytes([identifier]))[1:3], "little")

    assert {one: value(one) for one in (0x01, 0x0C, 0x0D, 0x10, 0x12, 0x1C, 0x1E, 0x2C)} == {
        0x01: 255,
        0x0C: 0,
        0x0D: 5,
        0x10: 30,
        0x12: 3000,
        0x1C: 1,
        0x1E: 12,
        0x2C: 2,
    }
    assert host.ask("getValue", b"\x03") == b"\x00\x01\xfe"


async def test_a_reply_needs_its_policy_or_a_fragment(clock: Clock) -> None:
    host = Host(clock=clock)

    assert (host.secure(), host.form()) == (0, 0)
    plain = struct.pack("<H", 0x1234) + ApsHead(0x0109, 0x0702, 1, 1, 0, 0, 5).encode() + b"\x01x"
    piece = struct.pack("<H", 0x1234) + ApsHead(0x0109, 0x0702, 1, 1, 0x8000, 0xFF00, 5).encode() + b"\x00"
    first = [host.ask("sendReply", plain)[0], host.ask("sendReply", piece)[0]]
    host.ask("setPolicy", b"\x02\x21\x00")
    assert [*first, host.ask("sendReply", plain)[0]] == [0x70, 0x00, 0x00]


def test_a_frame_of_the_wrong_direction_or_too_long_is_answered_with_its_reason() -> None:
    host = Host()

    def invalid(frame: bytes) -> int:
        host.ncp.receive(frame)
        reply = decode_frame(host.heard.pop(), 13)
        assert reply.frame_id == 0x58
        return reply.parameters[0]

    assert invalid(encode_frame(1, 0x05, b"", 13)) == EzspStatus.ERROR_WRONG_DIRECTION.ember
    assert invalid(encode_frame(1, 0x81, bytes([200]) + bytes(200), 13, control=0)) == EzspStatus.ERROR_COMMAND_TOO_LONG.ember


def test_firmware_without_the_token_interface_does_not_know_its_commands() -> None:
    asked = struct.pack("<II", 0x1E12A, 0)
    assert Host(name="zbdongle-e-7.4").ask("getTokenData", asked) == bytes([EzspStatus.ERROR_INVALID_FRAME_ID.ember])
    assert Host(name="zbt-1-7.4").ask("getTokenData", asked) == b"\x00" + (8).to_bytes(4, "little") + b"\xff" * 8


def test_every_refusal_is_of_a_command_that_there_is_and_says_where_it_is_from() -> None:
    assert set(REFUSALS) <= set(HANDLERS)
    assert all(one.source for rows in REFUSALS.values() for one in rows)


@pytest.mark.parametrize("name", names())
def test_every_value_of_a_personality_has_a_source_and_lies_in_its_range(name: str) -> None:
    firmware = personality(name)
    settings: Mapping[int, object] = firmware.settings
    assert settings or firmware.family == "znp"
    assert all(one.source for one in firmware.settings.values())
    assert all(one.least <= one.value <= one.most for one in firmware.settings.values())
    assert all(one.length == len(bytes.fromhex(one.value)) for one in firmware.items.values() if one.value not in ("absent", "random"))


def test_a_binding_has_its_own_table() -> None:
    host = Host()
    assert host.ask("setBinding", b"\x1f" + bytes(14)) == bytes([Status.SUCCESS.ember])
    assert host.ask("setBinding", b"\x20" + bytes(14)) == bytes([Status.INVALID_BINDING_INDEX.ember])


def test_another_eui64_can_be_burnt_once_and_holds_after_a_reset() -> None:
    host = Host(8)
    written = b"\x0c\x08" + METER.zigbee
    assert (host.ask("setMfgToken", written), host.ask("setMfgToken", written)) == (b"\x00", b"\x70")
    assert host.ask("getEui64") == HUB.zigbee
    host.ncp.reset()
    host.ncp.negotiated = True
    assert Eui64.from_zigbee(host.ask("getEui64")) == METER


async def test_a_dual_band_build_starts_its_second_radio_on_the_network_and_a_build_for_one_band_has_none(clock: Clock) -> None:
    def start(host: Host, phy: int = 1, page: int = 28, channel: int = 3) -> int:
        return host.ask("multiPhyStart", bytes([phy, page, channel, 0, 0]))[0]

    dual = Host(clock=clock)
    assert start(dual) == Status.INVALID_CALL.ember
    dual.secure()
    assert dual.form() == 0
    await settle(dual)
    assert start(dual, phy=0) == Status.BAD_ARGUMENT.ember
    assert start(dual, channel=27) == Status.PHY_INVALID_CHANNEL.ember
    assert start(dual) == 0
    assert dual.ask("getPhyInterfaceCount") == b"\x02"
    status, array = (answer := dual.ask("getCurrentDutyCycle", b"\x21"))[0], answer[1:]
    assert (status, array[:8]) == (0, b"\x00\x00\x00\x00\xff\xff\x00\x00")
    assert start(Host(name="zbdongle-e-7.4", clock=clock)) == Status.LIBRARY_NOT_PRESENT.ember
