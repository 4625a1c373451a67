"""Rules of a meter's auxiliary switches by themselves: overrides, caps, boosts and the calendar, each to its second."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest

from firmware_emu.clock import EPOCH
from firmware_emu.device.event_log import LogName
from firmware_emu.device.store import MemoryStore
from firmware_emu.gbcs import cosem_time
from firmware_emu.gbcs.axdr import Array, Boolean, Data, LongUnsigned, Null, OctetString, Unsigned
from firmware_emu.gbcs.dlms import AccessResult, obis_text
from firmware_emu.ids import Eui64
from hil.devices.esme.controls import Controls, _entry, _moment
from tests.devices.switch_entries import switch

NOW = 1_000_000


class Meter:
    """The objects around a meter's switches, and what it told."""

    def __init__(self) -> None:
        self.at = NOW
        self.values: dict[str, Data] = {}
        self.alerts: list[tuple[int, tuple[Data, ...], int]] = []
        self.told: list[int] = []
        self.logged: list[tuple[int, int, bytes]] = []
        self.moved: list[tuple[int, int]] = []
        self.store, self.name = MemoryStore(), "esme"
        self.maker = SimpleNamespace(offset_auxiliary=False)
        self.trace = SimpleNamespace(emit=lambda *words, **detail: None)
        log = SimpleNamespace(add=lambda entry: self.logged.append((entry.time, entry.code, entry.other)))
        self.gbcs = SimpleNamespace(prefix="x/", logs={LogName.ALCS: log}, raise_alert=self._alert)
        self.model = SimpleNamespace(read=self._model_read, write=self._model_write)
        self.controls = Controls(self, lambda number, level: self.moved.append((number, level)))  # type: ignore[arg-type]

    def now(self) -> float:
        return self.at + 0.5

    def read(self, class_id: int, obis: str, attribute: int) -> Data:
        obis = obis.removesuffix(".255")
        expected = {"0-0:12.0.2": 10, "0-0:11.0.3": 11}.get(obis, 1)
        assert (class_id, attribute) == (expected, 2), obis
        return self.values.get(obis, Null())

    def _model_read(self, key: tuple[int, bytes, int]) -> Data:
        return self.read(key[0], obis_text(key[1]), key[2])

    def _model_write(self, key: tuple[int, bytes, int], value: Data) -> None:
        self.values[obis_text(key[1]).removesuffix(".255")] = value

    def _alert(self, code: int, payload: tuple[Data, ...], *, message_code: int) -> None:
        self.alerts.append((code, payload, message_code))

    def tell(self, code: int, **_: object) -> None:
        self.told.append(code)

    def period(self, number: int, first: int, start: int, end: int) -> None:
        for place, moment in ((first, start), (first + 1, end)):
            octets = cosem_time.encode_date_time(EPOCH + timedelta(seconds=moment))
            self.values[f"0-0:94.44.{116 + number}.{place}"] = OctetString(octets)

    def level(self, number: int, at: int) -> int:
        self.at = at
        return self.controls.level(number)


@pytest.fixture
def meter() -> Meter:
    return Meter()


def run(meter: Meter, selector: int) -> AccessResult | Data:
    return meter.controls.execute(LongUnsigned(selector))


@pytest.mark.parametrize(("action", "place", "level"), [(0x11, 1, 100), (0x12, 2, 0)])
def test_a_switch_is_overridden_for_the_minutes_that_are_set(meter: Meter, action: int, place: int, level: int) -> None:
    """RTDS ECS47: the upper octet is the switch, 11 closes and 12 opens for a time, 20 follows the calendar again."""
    meter.values[f"0-0:94.44.118.{place}"] = LongUnsigned(5)
    assert run(meter, 0x0200 | action) == Null()
    assert meter.controls.switches[2].forced == level
    assert [meter.level(2, at) for at in (NOW, NOW + 299, NOW + 300)] == [level, level, 0]
    meter.at = NOW
    run(meter, 0x0200 | action)
    assert run(meter, 0x0220) == Null()
    assert meter.level(2, NOW + 1) == 0


@pytest.mark.parametrize(
    ("selector", "refused"),
    [
        (0x0011, AccessResult.OBJECT_UNAVAILABLE),
        (0x0611, AccessResult.OBJECT_UNAVAILABLE),
        (0x0111, AccessResult.OTHER_REASON),
        (0x0101, AccessResult.OTHER_REASON),
        (0x1164, AccessResult.OTHER_REASON),
    ],
)
def test_a_switch_that_there_is_not_or_without_its_time_is_refused(meter: Meter, selector: int, refused: AccessResult) -> None:
    assert run(meter, selector) == refused
    assert meter.controls.execute(Unsigned(1)) is AccessResult.TYPE_UNMATCHED
    assert meter.controls.limit(Unsigned(1)) is AccessResult.TYPE_UNMATCHED


def test_a_controller_has_its_level_from_the_first_second_of_its_period_to_the_last(meter: Meter) -> None:
    meter.period(5, 1, NOW + 10, NOW + 20)
    assert run(meter, 0x1500 | 40) == Null()
    assert [meter.level(5, NOW + at) for at in (0, 9, 10, 19, 20)] == [0, 0, 40, 40, 0]
    assert meter.moved == [(5, 40), (5, 0)]
    assert meter.logged == [(NOW + 10, 0x0511, b"\x01\0\0\0\0"), (NOW + 20, 0x0512, b"\x01\0\0\0\0")], "RTDS ECS35f"


def test_a_cap_holds_a_level_down_for_its_period_and_its_end_is_told(meter: Meter) -> None:
    """RTDS ECS47e; ECS101 (0121) and ECS102 (0122): direction and number, end, start, level."""
    meter.period(3, 1, NOW, NOW + 100)
    run(meter, 0x1300 | 80)
    meter.period(3, 3, NOW + 10, NOW + 20)
    assert meter.controls.limit(LongUnsigned(0x2300 | 30)) == Null()
    code, (what, end, start, level), message = meter.alerts.pop()
    assert (code, message, what, level) == (0x8F86, 0x0121, Unsigned(0x23), Unsigned(30))
    assert (start, end) == (meter.values["0-0:94.44.119.3"], meter.values["0-0:94.44.119.4"])
    assert [meter.level(3, NOW + at) for at in (9, 10, 19)] == [80, 30, 30]
    assert meter.alerts == []
    assert meter.level(3, NOW + 20) == 80
    assert meter.alerts == [(0x8F87, (Unsigned(0x23), Unsigned(80)), 0x0122)]
    meter.at = NOW + 21
    meter.period(3, 3, NOW + 10, NOW + 90)
    meter.controls.limit(LongUnsigned(0x1300 | 90))
    assert meter.level(3, NOW + 22) == 80, "a cap over the level changes nothing"
    meter.controls.limit(LongUnsigned(0x1300 | 10))
    assert [alert[0] for alert in meter.alerts[1:]] == [0x8F86, 0x8F87, 0x8F86], "the one before is cancelled"


def test_a_cap_without_a_switch_or_a_period_is_refused(meter: Meter) -> None:
    assert meter.controls.limit(LongUnsigned(0x1600)) is AccessResult.OBJECT_UNAVAILABLE
    assert meter.controls.limit(LongUnsigned(0x1100)) is AccessResult.OTHER_REASON


@pytest.mark.parametrize(("end", "taken"), [(0, False), (1, True), (86_400, True), (86_401, False), (-1, False)])
def test_a_period_ends_after_it_begins_and_at_most_a_day_later(meter: Meter, end: int, taken: bool) -> None:
    """SMETS 5.29.1.1."""
    meter.period(1, 1, NOW, NOW)
    write = meter.controls.check_period(1, 1)
    octets = OctetString(cosem_time.encode_date_time(EPOCH + timedelta(seconds=NOW + end)))
    assert write(octets) is (AccessResult.SUCCESS if taken else AccessResult.OTHER_REASON)
    assert (meter.values["0-0:94.44.117.2"] == octets) is (taken or end == 0)
    assert _moment(octets) == NOW + end
    assert _moment(OctetString(b"short")) is None


@pytest.mark.parametrize(("minutes", "taken"), [(0, False), (1, True), (60, True), (61, False)])
def test_a_boost_closes_what_it_may_for_up_to_an_hour(meter: Meter, minutes: int, taken: bool) -> None:
    """Reference smets 7, E470."""
    meter.values |= {"0-0:94.44.7": Boolean(True), "0-0:94.44.6.2": Boolean(True), "0-0:94.44.6.4": Boolean(False)}
    assert meter.controls.boost(minutes) is taken
    if taken:
        assert [meter.level(2, NOW + at) for at in (0, 60 * minutes - 1, 60 * minutes)] == [100, 100, 0]
        assert list(meter.controls.boosts) == [(NOW, NOW + 60 * minutes)]
        assert meter.level(4, NOW) == 0
        meter.at = NOW
        meter.controls.update(NOW)
        assert not meter.controls.boost(minutes), "all are closed already"
    meter.values["0-0:94.44.7"] = Boolean(False)
    assert not meter.controls.boost(5)
    meter.values |= {"0-0:94.44.7": Boolean(True), "0-0:94.44.6.2": Boolean(False)}
    assert not meter.controls.boost(5)


def test_switches_follow_the_calendar_by_their_number_and_are_kept(meter: Meter) -> None:
    midnight = NOW // 86400 * 86400
    meter.values["0-0:12.0.2"] = Array((switch(0x0101, "06000000"), switch(0x0102, "07000000"), switch(0x1232, "06000000")))
    meter.controls.settings_changed()
    moments = [midnight + 86400 + seconds for seconds in (6 * 3600 - 1, 6 * 3600, 7 * 3600 - 1, 7 * 3600)]
    assert [meter.level(1, at) for at in moments] == [0, 100, 100, 0]
    assert meter.level(2, moments[1]) == 0x32
    assert meter.level(3, moments[1]) == 0
    assert meter.controls.next_moment(moments[0]) == moments[1]
    assert meter.controls.next_moment(moments[1]) == moments[3]
    again = Controls(meter, lambda number, level: None)  # type: ignore[arg-type]
    assert again.switches == meter.controls.switches


def test_who_joins_takes_the_lowest_switch_that_is_nobodys_and_who_left_is_named_no_more(meter: Meter) -> None:
    one, two = (Eui64(bytes([number]) * 8) for number in (1, 2))
    own, none = OctetString(bytes(8)), OctetString(b"")
    meter.values |= {"0-0:94.44.0.21": none, "0-0:94.44.0.22": own, "0-0:94.44.0.23": own}
    meter.controls.followed_by([one])
    assert (meter.controls.number_of(one), meter.controls.number_of(two)) == (2, None)
    meter.controls.followed_by([one, two])
    assert (meter.controls.number_of(one), meter.controls.number_of(two)) == (2, 3)
    meter.controls.followed_by([two])
    assert (meter.controls.number_of(one), meter.controls.number_of(two)) == (None, 3)
    meter.controls.not_followed(2, 100, 7, "away")
    assert meter.told == [0x811A]
    assert _entry(5, 2, 0, 2, 7).other == b"\x02\0\0\0\x07"
