"""Addresses, permits, mailbox and introduction of a HAN radio, each over a port that keeps what it is given, in time of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import zigpy.types as t
import zigpy.zdo.types as zdo_t

from firmware_emu.clock import Clock
from firmware_emu.errors import DecodeError, ProtectionError, RadioError
from firmware_emu.han import zdo
from firmware_emu.han.address_book import SEEK_AGAIN_S, AddressBook
from firmware_emu.han.introduction import Admission, Introduction
from firmware_emu.han.mailbox import MailboxClient
from firmware_emu.han.permits import Permits
from firmware_emu.ids import Eui64, InstallCode
from firmware_emu.zse.tunneling import Get, GetResponse, Put, decode_mailbox, encode_mailbox
from tests.radio.radio_bench import DISPLAY, HUB, METER

SHORT, OTHER = 0x1234, 0x5678
KEY = bytes(range(16))


def as_zigpy(cluster: zdo_t.ZDOCmd, octets: bytes) -> list[Any]:
    """Fields of a ZDO frame without its sequence number; nothing may remain."""
    (_, types), rest, found = zdo_t.CLUSTERS[cluster], octets[1:], []
    for kind in types:
        value, rest = kind.deserialize(rest)
        found.append(value)
    assert rest == b""
    return found


def told(status: int, device: Eui64, short: int, sequence: int = 1) -> bytes:
    """An address response, in zigpy's types."""
    return bytes((sequence, status)) + t.EUI64(device.zigbee).serialize() + t.NWK(short).serialize()


# -- octets of ZDO


@pytest.mark.parametrize("server", [True, False])
def test_zigpy_reads_a_match_request_for_one_cluster_of_either_side(server: bool) -> None:
    octets = zdo.encode_match(9, SHORT, 0x0704, server=server)
    nwk, profile, inputs, outputs = as_zigpy(zdo_t.ZDOCmd.Match_Desc_req, octets)
    assert (octets[0], nwk, profile) == (9, SHORT, 0x0109)
    assert (list(inputs), list(outputs)) == (([0x0704], []) if server else ([], [0x0704]))


def test_zigpy_reads_the_requests_for_addresses_and_joining() -> None:
    assert as_zigpy(zdo_t.ZDOCmd.IEEE_addr_req, zdo.encode_ieee_request(7, SHORT))[:3] == [SHORT, 0, 0]
    named, kind, start = as_zigpy(zdo_t.ZDOCmd.NWK_addr_req, zdo.encode_nwk_request(8, METER))
    assert (named.serialize(), kind, start) == (METER.zigbee, 0, 0)
    assert as_zigpy(zdo_t.ZDOCmd.Mgmt_Permit_Joining_req, zdo.encode_permit(5, 254)) == [254, 0]
    assert [octets[0] for octets in (zdo.encode_ieee_request(7, 0), zdo.encode_nwk_request(8, METER), zdo.encode_permit(5, 1))] == [7, 8, 5]


@pytest.mark.parametrize("cluster", ["IEEE_addr_req", "NWK_addr_req", "Match_Desc_req", "Device_annce", "Mgmt_Permit_Joining_req"])
def test_cluster_ids_are_those_that_zigpy_has(cluster: str) -> None:
    own = {
        "IEEE_addr_req": zdo.IEEE_ADDRESS_REQUEST,
        "NWK_addr_req": zdo.NWK_ADDRESS_REQUEST,
        "Match_Desc_req": zdo.MATCH_DESCRIPTOR_REQUEST,
        "Device_annce": zdo.DEVICE_ANNOUNCE,
        "Mgmt_Permit_Joining_req": zdo.PERMIT_JOINING_REQUEST,
    }
    assert own[cluster] == zdo_t.ZDOCmd[cluster]
    if cluster.endswith("_req"):
        assert own[cluster] | zdo.RESPONSE == zdo_t.ZDOCmd[cluster.replace("_req", "_rsp")]


@pytest.mark.parametrize("status", [one for one in zdo_t.Status if one and one <= zdo_t.Status.NO_MATCH], ids=lambda one: str(one.name))
def test_a_refused_address_response_is_named_by_its_status(status: zdo_t.Status) -> None:
    with pytest.raises(DecodeError, match=r"at offset 1, address response status: read \w+, expected SUCCESS") as refused:
        zdo.decode_address_response(told(status, METER, SHORT))
    assert f"read {status.name}," in str(refused.value)
    assert zdo.decode_match_response(bytes((1, status, 0x34, 0x12, 1, 5))) == ()


def test_a_status_that_has_no_name_is_told_by_its_number() -> None:
    with pytest.raises(DecodeError, match="read 0xa0, expected SUCCESS"):
        zdo.decode_address_response(told(0xA0, METER, SHORT))


def test_responses_and_announcements_are_read_field_by_field() -> None:
    assert zdo.decode_address_response(told(0, METER, SHORT)) == (METER, SHORT)
    assert zdo.decode_match_response(bytes((1, 0, 0x34, 0x12, 2, 5, 7))) == (5, 7)
    assert zdo.decode_announce(bytes((1, 0x34, 0x12)) + METER.zigbee + b"\x80") == (METER, SHORT)


@pytest.mark.parametrize(
    ("read", "octets", "cut", "offset"),
    [
        (zdo.decode_address_response, told(0, METER, SHORT), 1, 1),
        (zdo.decode_address_response, told(0, METER, SHORT), 9, 2),
        (zdo.decode_address_response, told(0, METER, SHORT), 11, 10),
        (zdo.decode_announce, bytes((1, 0x34, 0x12)) + METER.zigbee, 2, 1),
        (zdo.decode_announce, bytes((1, 0x34, 0x12)) + METER.zigbee, 10, 3),
        (zdo.decode_match_response, bytes((1, 0, 0x34, 0x12, 2, 5, 7)), 3, 2),
        (zdo.decode_match_response, bytes((1, 0, 0x34, 0x12, 2, 5, 7)), 6, 5),
    ],
    ids=["status", "device", "short address", "announced short", "announced device", "matching short", "endpoints"],
)
def test_a_response_that_is_cut_off_tells_where(read: Callable[[bytes], object], octets: bytes, cut: int, offset: int) -> None:
    with pytest.raises(DecodeError) as refused:
        read(octets[:cut])
    assert refused.value.offset == offset


# -- the book


@dataclass
class Port:
    """A radio that knows some addresses, keeps each ZDO request, and answers with what ``answer`` makes of it."""

    shorts: dict[Eui64, int] = field(default_factory=dict)
    devices: dict[int, Eui64] = field(default_factory=dict)
    sent: list[tuple[int | None, int, bytes]] = field(default_factory=list)
    answer: Callable[[int | None, int, bytes], None] | None = None

    async def send_zdo(self, short: int | None, cluster: int, payload: bytes) -> None:
        self.sent.append((short, cluster, payload))
        if self.answer is not None:
            self.answer(short, cluster, payload)

    async def lookup_short(self, device: Eui64) -> int | None:
        return self.shorts.get(device)

    async def lookup_device(self, short: int) -> Eui64 | None:
        return self.devices.get(short)


def answering(device: Eui64, short: int, status: int = 0) -> tuple[AddressBook, Port]:
    port = Port()
    book = AddressBook(port)
    port.answer = lambda origin, cluster, payload: book.answered(
        SHORT if origin is None else origin, cluster | 0x8000, told(status, device, short, payload[0])
    )
    return book, port


async def test_a_known_address_is_told_without_a_question_and_a_doubted_one_is_looked_up(clock: Clock) -> None:
    port = Port()
    book = AddressBook(port)
    book.learn(METER, SHORT)
    port.shorts[METER] = OTHER
    assert await book.short_of(METER) == SHORT
    book.doubt(METER)
    assert await book.short_of(METER) == OTHER
    port.shorts[METER] = SHORT  # no longer in doubt
    assert await book.short_of(METER) == OTHER
    assert port.sent == []


async def test_an_address_that_the_dongle_does_not_know_is_asked_of_all(clock: Clock) -> None:
    book, port = answering(METER, SHORT)
    assert await book.short_of(METER) == SHORT
    assert port.sent == [(None, 0x0000, zdo.encode_nwk_request(1, METER))]
    assert await book.short_of(METER) == SHORT
    assert len(port.sent) == 1


@pytest.mark.parametrize("known_again", [True, False])
async def test_a_doubted_device_is_sought_on_the_air_once_in_five_minutes_and_its_old_address_tried(
    known_again: bool, clock: Clock
) -> None:
    book, port = answering(METER if known_again else DISPLAY, OTHER)
    book.learn(METER, SHORT)
    found = []
    for wait in (0.0, SEEK_AGAIN_S - 1, 1.0):
        await asyncio.sleep(wait)
        book.doubt(METER)
        port.shorts.clear()
        found.append((await book.short_of(METER), len(port.sent)))
    new = OTHER if known_again else SHORT
    assert found == [(new, 1), (new, 1), (new, 2)]


async def test_an_answer_of_another_device_or_none_at_all_is_no_address(clock: Clock) -> None:
    book, _ = answering(DISPLAY, SHORT)
    with pytest.raises(RadioError, match=f"the question for {METER} was answered with {DISPLAY}: it is not on the HAN") as wrong:
        await book.short_of(METER)
    assert wrong.value.status == "UNKNOWN_DEVICE"
    book, _ = answering(METER, SHORT, 0x81)
    with pytest.raises(RadioError, match=f"{METER} is not on the HAN, or does not answer") as refused:
        await book.short_of(METER)
    assert refused.value.status == "UNKNOWN_DEVICE"
    began = asyncio.get_running_loop().time()
    with pytest.raises(RadioError, match=r"no answer to ZDO request 0x0006 \(status TIMEOUT\)"):
        await AddressBook(Port()).ask(SHORT, 0x0006, lambda sequence: bytes((sequence,)))
    waited = asyncio.get_running_loop().time() - began
    assert 7.68 < waited == pytest.approx(10.0)  # a parent may hold a frame for 7.68 s (ZigBee PRO, macTransactionPersistenceTime)


async def test_a_device_has_one_address_and_an_address_one_device(clock: Clock) -> None:
    book, seen = AddressBook(Port()), []
    book.learn(METER, SHORT)
    book.learn(DISPLAY, SHORT)  # takes the address over
    with pytest.raises(RadioError, match="does not answer"):
        await book.short_of(METER)
    book.learn(DISPLAY, OTHER)
    book.with_device(OTHER, seen.append)
    book.with_device(SHORT, seen.append)  # nobody's now
    await asyncio.sleep(11)
    assert seen == [DISPLAY]
    book.forget(DISPLAY)
    book.with_device(OTHER, seen.append)
    await asyncio.sleep(11)
    book.learn(METER, SHORT)
    book.clear()
    book.with_device(SHORT, seen.append)
    await asyncio.sleep(11)
    assert seen == [DISPLAY]


async def test_frames_of_an_unknown_address_wait_in_order_for_one_question(clock: Clock) -> None:
    book, port = answering(METER, SHORT)
    seen: list[tuple[int, Eui64]] = []
    for number in range(3):
        book.with_device(SHORT, lambda device, number=number: seen.append((number, device)))  # type: ignore[misc]
    assert seen == []
    await asyncio.sleep(1)
    assert seen == [(0, METER), (1, METER), (2, METER)]
    assert port.sent == [(SHORT, 0x0001, zdo.encode_ieee_request(1, SHORT))]
    book.with_device(SHORT, lambda device: seen.append((3, device)))
    assert seen[-1] == (3, METER)


async def test_a_device_that_names_another_address_than_was_asked_is_not_believed(caplog: pytest.LogCaptureFixture, clock: Clock) -> None:
    caplog.set_level("INFO")
    book, _ = answering(METER, OTHER)
    seen: list[Eui64] = []
    book.with_device(SHORT, seen.append)
    await asyncio.sleep(1)
    assert seen == []
    assert "frames of the unknown short address 0x1234 are dropped: 0x1234 answers that it is 0x5678" in caplog.text


async def test_sequence_numbers_go_round_after_255_and_each_answer_reaches_its_own_question(clock: Clock) -> None:
    port = Port()
    book = AddressBook(port)
    first, second = (asyncio.ensure_future(book.ask(SHORT, 1, lambda sequence: bytes((sequence,)))) for _ in range(2))
    await asyncio.sleep(0)
    book.answered(SHORT, 0x8001, b"")
    book.answered(OTHER, 0x8001, b"\x02wrong origin")
    book.answered(SHORT, 0x8000, b"\x02wrong cluster")
    book.answered(SHORT, 0x8001, b"\x02two")
    book.answered(SHORT, 0x8001, b"\x01one")
    assert (await first, await second) == (b"\x01one", b"\x02two")
    port.answer = lambda short, cluster, payload: book.answered(SHORT, cluster | 0x8000, payload)
    asked = [await book.ask(SHORT, 1, lambda sequence: bytes((sequence,))) for _ in range(255)]
    assert [one[0] for one in asked] == [*range(3, 256), 0, 1]


# -- permits


@dataclass
class Door:
    """A dongle that keeps what it is told of joining."""

    now: Callable[[], float]
    told: list[tuple[float, str, int]] = field(default_factory=list)
    away: bool = False

    async def permit_device(self, device: Eui64, link_key: bytes, seconds: int) -> None:
        if self.away:
            raise RadioError("away")
        self.told.append((self.now(), "permit", seconds))

    async def forget_permits(self) -> None:
        self.told.append((self.now(), "forget", 0))

    async def close_joining(self) -> None:
        self.told.append((self.now(), "close", 0))


async def permitted(clock: Clock, seconds: float, until: float, *, away_at: float | None = None) -> list[tuple[float, str, int]]:
    began = clock.now()
    door = Door(lambda: round(clock.now() - began, 3))
    permits = Permits(clock)
    permits.dongle = door  # type: ignore[assignment]
    assert not permits.open
    permits.add(METER, KEY, seconds)
    assert permits.open
    await permits.renew()
    if away_at is not None:
        await clock.sleep(away_at)
        permits.dongle = None
    await clock.sleep(until)
    permits.stop()
    return door.told


async def test_a_long_permit_is_renewed_before_the_dongle_forgets_it_and_ends_with_its_time(clock: Clock) -> None:
    """254 s fit the octet of ZDO, a transient key lives 300 s (reference ezsp-ncp 3)."""
    assert await permitted(clock, 500, 1000) == [
        (0.0, "permit", 240),
        (230.0, "forget", 0),
        (230.0, "permit", 240),
        (460.0, "forget", 0),
        (460.0, "permit", 40),
        (500.0, "forget", 0),
        (500.0, "close", 0),
    ]


@pytest.mark.parametrize(("seconds", "octet"), [(0.5, 1), (1.0, 1), (239.0, 239), (240.0, 240), (241.0, 240)])
async def test_a_permit_lasts_a_second_at_least_and_four_minutes_at_most(clock: Clock, seconds: float, octet: int) -> None:
    assert (await permitted(clock, seconds, 0.1))[0] == (0.0, "permit", octet)


async def test_nothing_is_permitted_where_no_time_is_left_or_the_dongle_is_away(clock: Clock) -> None:
    assert await permitted(clock, 0.0, 10) == []
    assert await permitted(clock, 500, 1000, away_at=10) == [(0.0, "permit", 240)]


async def test_closing_ends_each_window_and_a_dropped_device_is_not_renewed(clock: Clock) -> None:
    door = Door(clock.now)
    permits = Permits(clock)
    await permits.close()  # no dongle: nothing to tell
    permits.dongle = door  # type: ignore[assignment]
    permits.add(METER, KEY, 100)
    permits.add(DISPLAY, KEY, 50)
    permits.drop(METER)
    permits.drop(METER)
    await permits.renew()
    assert [one[1:] for one in door.told] == [("permit", 50)]
    await permits.close()
    assert not permits.open
    await clock.sleep(500)
    assert [one[1:] for one in door.told] == [("permit", 50), ("close", 0)]


# -- introduction


CODE = InstallCode(bytes(range(16, 32)))


def test_an_introduction_is_read_under_its_key_from_its_sender_alone() -> None:
    sealed = Introduction(METER, CODE).seal(KEY)
    assert sealed[0] == 1
    assert len(sealed) == 1 + 8 + 16 + 12  # GBCS MAC of 12 octets
    assert Introduction.unseal(KEY, METER, sealed) == Introduction(METER, CODE)
    for key, sender in ((bytes(16), METER), (KEY, DISPLAY)):
        with pytest.raises(ProtectionError):
            Introduction.unseal(key, sender, sealed)


@pytest.mark.parametrize("seconds", [0, 1, 65535])
def test_an_admission_tells_its_seconds_in_two_octets(seconds: int) -> None:
    sealed = Admission(seconds).seal(KEY, METER)
    assert (sealed[0], len(sealed)) == (2, 1 + 2 + 12)
    assert Admission.unseal(KEY, METER, sealed) == Admission(seconds)


def test_neither_message_is_taken_for_the_other_one() -> None:
    with pytest.raises(DecodeError, match="at offset 0, kind of message: 02, expected 01"):
        Introduction.unseal(KEY, METER, Admission(5).seal(KEY, METER))
    with pytest.raises(DecodeError, match="at offset 0, kind of message: 01, expected 02"):
        Admission.unseal(KEY, METER, Introduction(METER, CODE).seal(KEY))
    with pytest.raises(DecodeError, match="at offset 0, kind of message: nothing, expected 01"):
        Introduction.unseal(KEY, METER, b"")


# -- the mailbox


@dataclass
class Tunnel:
    """A tunnel that keeps what goes in and answers each GET with the next of ``answers``."""

    answers: list[GetResponse] = field(default_factory=list)
    partner: Eui64 = HUB
    sent: list[object] = field(default_factory=list)
    on_data: Callable[[bytes], None] | None = None

    async def transfer(self, data: bytes) -> None:
        self.sent.append(decode_mailbox(data))
        if self.answers and isinstance(self.sent[-1], Get):
            self.deliver(encode_mailbox(self.answers.pop(0)))

    def deliver(self, octets: bytes) -> None:
        assert self.on_data is not None
        self.on_data(octets)


@pytest.mark.parametrize(
    ("answers", "messages", "asked"),
    [
        ([(0, b"")], [], 1),
        ([(0, b"one")], [b"one"], 1),
        ([(1, b"one"), (0, b"two")], [b"one", b"two"], 2),
        ([(1, b"one"), (0, b"")], [b"one"], 2),
        ([(1, b""), (0, b"two")], [], 1),
    ],
    ids=["nothing", "one", "two", "second one gone", "some remain but none is given"],
)
async def test_messages_are_fetched_until_none_remains(
    answers: list[tuple[int, bytes]], messages: list[bytes], asked: int, clock: Clock
) -> None:
    tunnel = Tunnel([GetResponse(remaining, message) for remaining, message in answers])
    assert await MailboxClient(tunnel).fetch() == messages  # type: ignore[arg-type]
    assert tunnel.sent == [Get()] * asked


async def test_a_late_answer_goes_to_who_takes_late_ones_and_octets_that_are_none_are_told(clock: Clock) -> None:
    tunnel, late, unreadable = Tunnel(), [], []
    client = MailboxClient(
        tunnel,  # type: ignore[arg-type]
        on_late=late.append,
        on_unreadable=lambda error, octets: unreadable.append(octets),
        timeout_s=3.5,
    )
    first = asyncio.ensure_future(client.fetch_one())
    await asyncio.sleep(0)
    with pytest.raises(RadioError, match=r"a GET is under way already: expected one at a time \(status BUSY\)"):
        await client.fetch_one()
    began = asyncio.get_running_loop().time()
    with pytest.raises(RadioError, match=rf"no GET-RESPONSE from {HUB} within 3.5 s \(status TIMEOUT\)"):
        await first
    assert asyncio.get_running_loop().time() - began == pytest.approx(3.5)
    tunnel.deliver(encode_mailbox(GetResponse(0, b"late")))
    tunnel.deliver(encode_mailbox(GetResponse(0, b"")))
    tunnel.deliver(encode_mailbox(Put(b"no answer")))
    tunnel.deliver(b"\xff")
    assert (late, unreadable) == ([b"late"], [b"\xff"])
    MailboxClient(tunnel)  # type: ignore[arg-type]
    tunnel.deliver(encode_mailbox(GetResponse(0, b"late")))  # nobody takes it
    tunnel.deliver(b"\xff")
    await client.put(b"out")
    assert tunnel.sent[-1] == Put(b"out")
