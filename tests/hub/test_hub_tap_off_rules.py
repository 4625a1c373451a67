"""Tapped messages by themselves: whose and which they are, what a Response must say, when a part takes effect, and which one is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import pytest

from firmware_emu.device.event_log import LogEntry, LogName
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.device.store import MemoryStore
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.gbz import Component, Gbz
from firmware_emu.han.zcl_port import Incoming, Reply
from firmware_emu.hub.gas_store import GasStore
from firmware_emu.hub.profile import standard_profile
from firmware_emu.hub.tap_off import TapOff
from firmware_emu.ids import CraFlag, Eui64
from firmware_emu.trace import Trace
from firmware_emu.zse.clusters.calendar import CALENDAR
from firmware_emu.zse.clusters.messaging import MESSAGING
from firmware_emu.zse.clusters.price import PRICE
from firmware_emu.zse.declare import Cluster, FieldValue
from firmware_emu.zse.zcl import ZclFrame, ZclStatus
from tests.hub.gas_home import part
from tests.hub.hub_bench import ESME, GPF, GSME, SUPPLIER
from tests.hub.publications import SINCE, TARIFFS, calendar, day, tariff

NOW = 1000
SET_PRICE, MESSAGE, CLEAR_LOG, FAILED = 0x00A3, 0x0071, 0x0015, 0x819E
DONE, REFUSED = bytes((0x04, 0x00)), bytes((0x04, 0x01))


@dataclass
class Proxy:
    """A proxy's Device as far as tapping needs it."""

    store: MemoryStore = field(default_factory=MemoryStore)
    logged: list[int] = field(default_factory=list)
    time: float = NOW
    trace: Trace = field(default_factory=lambda: Trace(lambda: NOW))
    name: str = "gpf"

    def now(self) -> float:
        return self.time

    def log(self, code: int) -> None:
        self.logged.append(code)


class Tapped:
    """One gas proxy, and the messages that pass it."""

    def __init__(self, version: str = "4.x", meter: Eui64 | None = GSME) -> None:
        self.proxy = Proxy()
        self.gas = GasStore(self.proxy.store, standard_profile())
        self.tap = TapOff(cast("GbcsDevice", self.proxy), lambda: meter, self.gas, version)

    def passes(self, kind: CraFlag, code: int, payload: bytes, *, counter: int = 7, meter: Eui64 = GSME) -> None:
        parties = (SUPPLIER, meter) if kind is CraFlag.COMMAND else (meter, SUPPLIER)
        self.tap.passes(Message(GroupingHeader(kind, counter, *parties, OtherInformation(code)), payload))

    def command(self, *parts: Component, code: int = SET_PRICE, counter: int = 7, meter: Eui64 = GSME) -> None:
        self.passes(CraFlag.COMMAND, code, Gbz(parts).encode(), counter=counter, meter=meter)

    def answered(self, *answers: bytes, code: int = SET_PRICE, counter: int = 7, command: int = 0x0B, meter: Eui64 = GSME) -> None:
        parts = tuple(Component(PRICE.id, 0x18, 0, command, answer) for answer in answers)
        self.passes(CraFlag.RESPONSE, code, Gbz(parts).encode(), counter=counter, meter=meter)

    def came_true(self, octets: bytes, *, event: int = 0x8F66, code: int = 0x00CD) -> None:
        payload = b"\x01\x09\x01" + event.to_bytes(2, "big") + bytes(4) + bytes((len(octets),)) + octets
        self.passes(CraFlag.ALERT, code, payload, counter=99)

    def read(self, cluster: Cluster, name: str, fields: dict[str, FieldValue]) -> dict[str, FieldValue] | ZclStatus:
        asked = cluster.command_named(name)
        frame = ZclFrame.of_cluster(asked.id, asked.encode(fields))
        answer = self.tap.read(Incoming(ESME, 1, 1, cluster.id, frame, True))
        if isinstance(answer, Reply):
            return cluster.to_client[answer.command].decode(answer.payload)
        assert isinstance(answer, ZclStatus)
        return answer

    @property
    def tariff(self) -> object:
        found = self.read(PRICE, "GetTariffInformation", TARIFFS)
        return found["standing_charge"] if isinstance(found, dict) else found


def price(standing: int, start: int = 0) -> Component:
    return part(PRICE, "PublishTariffInformation", **tariff(standing, start))


def test_a_publication_is_taken_over_once_the_meter_says_that_all_of_it_was_done() -> None:
    tapped = Tapped()
    tapped.command(price(5))
    assert tapped.tariff is ZclStatus.NOT_FOUND
    tapped.answered(DONE)
    assert tapped.tariff == 5
    tapped.answered(REFUSED)
    assert (tapped.tariff, tapped.proxy.logged) == (5, []), "a Response serves once"


@pytest.mark.parametrize("answers", [[REFUSED], [DONE, DONE], [b""]], ids=["refused", "more", "without a status"])
def test_what_was_not_wholly_done_is_logged_and_not_taken_over(answers: list[bytes]) -> None:
    tapped = Tapped()
    tapped.command(price(5))
    tapped.answered(*answers)
    assert (tapped.tariff, tapped.proxy.logged) == (ZclStatus.NOT_FOUND, [FAILED])


def test_an_answer_of_its_own_says_that_a_part_was_done() -> None:
    tapped = Tapped()
    tapped.command(price(5))
    tapped.answered(b"\x01\x01", command=0x04)
    assert tapped.tariff == 5


@pytest.mark.parametrize(
    ("code", "counter", "meter"), [(0x006B, 7, GSME), (SET_PRICE, 8, GSME), (SET_PRICE, 7, ESME)], ids=["code", "counter", "Device"]
)
def test_a_response_belongs_to_the_command_of_its_code_counter_and_meter(code: int, counter: int, meter: Eui64) -> None:
    tapped = Tapped()
    tapped.command(price(5))
    tapped.answered(DONE, code=code, counter=counter, meter=meter)
    assert (tapped.tariff, tapped.proxy.logged) == (ZclStatus.NOT_FOUND, [])


@pytest.mark.parametrize(
    ("version", "code", "tapped_then"),
    [("2.0", 0x00D8, False), ("4.x", 0x00D8, True), ("2.0", SET_PRICE, True), ("4.x", SET_PRICE, True), ("4.x", 0x006D, False)],
)
def test_a_message_is_tapped_by_its_code_in_its_version(version: str, code: int, tapped_then: bool) -> None:
    """GCS25a (00D8) in late versions alone, GCS01b in all, GCS02 (006D) in none."""
    tapped = Tapped(version)
    tapped.command(price(5), code=code)
    tapped.answered(DONE, code=code)
    assert tapped.tariff == (5 if tapped_then else ZclStatus.NOT_FOUND)


def test_what_the_meter_itself_sends_is_no_command_to_it() -> None:
    tapped = Tapped()
    header = GroupingHeader(CraFlag.COMMAND, 7, GSME, SUPPLIER, OtherInformation(SET_PRICE))
    tapped.tap.passes(Message(header, Gbz((price(5),)).encode()))
    tapped.answered(DONE)
    assert (tapped.tariff, tapped.proxy.store.keys("")) == (ZclStatus.NOT_FOUND, [])


def test_nothing_is_tapped_without_a_meter_or_of_another() -> None:
    for tapped in (Tapped(meter=None), Tapped(meter=GPF)):
        tapped.command(price(5))
        tapped.answered(DONE)
        assert (tapped.tariff, tapped.proxy.store.keys("")) == (ZclStatus.NOT_FOUND, [])


@pytest.mark.parametrize(("version", "kept"), [("2.0", 0), ("4.x", 1)])
def test_early_versions_clear_the_copy_of_the_meters_event_log_with_it(version: str, kept: int) -> None:
    tapped = Tapped(version)
    tapped.gas.meter_logs[LogName.EVENT].add(LogEntry(1, 0x8145))
    tapped.passes(CraFlag.COMMAND, CLEAR_LOG, Gbz((Component(0x0709, 1, 0, 1, b"\x03"),)).encode())
    tapped.answered(b"\x08", code=CLEAR_LOG, command=0x02)
    assert len(tapped.gas.meter_logs[LogName.EVENT].entries()) == kept


@pytest.mark.parametrize(("start", "now"), [(0, True), (NOW - 1, True), (NOW, True), (NOW + 1, False)])
def test_a_part_that_starts_later_waits_for_the_alert_that_it_acts(start: int, now: bool) -> None:
    """Alert 00CD: code, counter, cluster, frame control and command of the part (reference gbcs-messages 7.2)."""
    tapped = Tapped()
    tapped.command(price(1))
    tapped.answered(DONE)
    tapped.command(price(2, start), counter=8)
    tapped.answered(DONE, counter=8)
    assert tapped.tariff == (2 if now else 1)
    if now:
        return
    head, counter = SET_PRICE.to_bytes(2, "big"), (8).to_bytes(8, "big")
    right = head + counter + PRICE.id.to_bytes(2, "big") + b"\x09\x04"
    for wrong in (
        right[:-1] + b"\x05",
        right[:-1],
        head + (9).to_bytes(8, "big") + right[10:],
        b"\x00\x6b" + right[2:],
        right[:10] + CALENDAR.id.to_bytes(2, "big") + right[12:],
    ):
        tapped.came_true(wrong)
    tapped.came_true(right, event=0x8F67)
    tapped.came_true(right, code=0x00CF)
    assert tapped.tariff == 1
    tapped.came_true(right)
    assert tapped.tariff == 2
    tapped.command(price(3), counter=10)
    tapped.answered(DONE, counter=10)
    tapped.came_true(right)
    assert tapped.tariff == 3, "it acts once"


def test_a_message_for_later_is_shown_at_once_with_its_own_start() -> None:
    tapped = Tapped()
    fields: dict[str, FieldValue] = {
        "message": 5,
        "control": 0,
        "start": NOW + 500,
        "duration_minutes": 60,
        "text": "Later",
        "extended_control": 0,
    }
    tapped.command(part(MESSAGING, "DisplayMessage", **fields), code=MESSAGE)
    tapped.answered(DONE, code=MESSAGE)
    assert tapped.read(MESSAGING, "GetLastMessage", {}) == fields


def test_a_calendar_is_read_by_its_number_by_a_wildcard_or_by_its_type() -> None:
    tapped = Tapped()
    parts = [part(CALENDAR, "PublishCalendar", **calendar(9)), part(CALENDAR, "PublishCalendar", **calendar(4, 3))]
    parts += [part(CALENDAR, "PublishDayProfile", **day(number, of, kind)) for number, of, kind in ((1, 9, 0), (3, 9, 0), (2, 4, 3))]
    tapped.command(*parts)
    tapped.answered(*[DONE] * len(parts))

    def day_from(of: int, first: int) -> object:
        found = tapped.read(CALENDAR, "GetDayProfiles", {"provider": 7, "calendar": of, "first_day": first, "count": 1})
        return found["day"] if isinstance(found, dict) else found

    missing = ZclStatus.NOT_FOUND
    asked = {(9, 0): 1, (9, 1): 1, (9, 2): 3, (9, 3): 3, (9, 4): missing, (4, 0): 2, (5, 0): missing}
    wild = {(0xFFFFFFFF, 2): 3, (0xFFFFFFFE, 0): 2, (0xFFFFFFFE, 3): missing, (0xFFFFFFFD, 0): missing}
    assert {key: day_from(*key) for key in asked | wild} == asked | wild
    for kind, number in ((0, 9), (3, 4)):
        fields: dict[str, FieldValue] = {"earliest": 0, "minimum_event": 0, "count": 1, "calendar_type": kind, "provider": 0}
        whole = tapped.read(CALENDAR, "GetCalendar", fields)
        assert isinstance(whole, dict)
        assert whole["calendar"] == number
    assert tapped.read(CALENDAR, "GetCalendar", fields | {"calendar_type": 1}) is missing


def test_a_command_that_publishes_nothing_is_none_of_the_proxys() -> None:
    tapped = Tapped()
    assert tapped.read(PRICE, "GetTierLabels", {"tariff": 1}) is ZclStatus.UNSUP_CLUSTER_COMMAND
    assert tapped.read(PRICE, "GetConversionFactor", SINCE) is ZclStatus.NOT_FOUND
