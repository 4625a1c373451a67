from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.device import zcl_event_log
from firmware_emu.device.event_log import AlertKind, EventLog, LogEntry, LogName, route
from firmware_emu.device.profile import PipelineProfile, permissions, standard_profile
from firmware_emu.device.store import MemoryStore
from firmware_emu.errors import BoardError
from firmware_emu.zse.clusters.events import EVENTS
from firmware_emu.zse.zcl import ZclStatus


def test_a_transaction_that_fails_leaves_nothing_behind() -> None:
    store = MemoryStore()
    store.put("a", b"1")

    def fails() -> None:
        with store.transaction():
            store.put("a", b"2")
            store.put("b", b"3")
            assert store.get("a") == b"2"
            assert store.keys("") == ["a", "b"]
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert (store.get("a"), store.get("b"), store.keys("")) == (b"1", None, ["a"])


def test_a_transaction_inside_another_is_undone_with_it() -> None:
    store = MemoryStore()

    def fails() -> None:
        with store.transaction():
            with store.transaction():
                store.put("a", b"1")
            store.delete("b")
            raise RuntimeError

    store.put("b", b"2")
    with pytest.raises(RuntimeError):
        fails()
    assert store.keys("") == ["b"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.binary(max_size=3) | st.none())), st.booleans())
def test_a_store_is_a_dictionary_whether_written_in_a_transaction_or_not(writes: list[tuple[str, bytes | None]], together: bool) -> None:
    store = MemoryStore()
    expected: dict[str, bytes] = {}

    def write() -> None:
        for key, value in writes:
            if value is None:
                store.delete(key)
                expected.pop(key, None)
            else:
                store.put(key, value)
                expected[key] = value

    if together:
        with store.transaction():
            write()
    else:
        write()
    assert {key: store.get(key) for key in store.keys("")} == expected


def test_a_log_overwrites_its_oldest_entries_and_keeps_time_order() -> None:
    log = EventLog(MemoryStore(), "device/", LogName.EVENT, depth=5)
    for number in range(12):
        log.add(LogEntry(number, 0x8145, bytes((number,))))
    assert [entry.time for entry in log.entries()] == [7, 8, 9, 10, 11]
    assert [entry.time for entry in log.entries(8, 9)] == [8, 9]
    log.clear()
    assert log.entries() == []


def test_entries_are_numbered_through_and_told_after_a_number() -> None:
    log = EventLog(MemoryStore(), "device/", LogName.EVENT, depth=3)
    assert log.after(0) == ([], 0)
    for number in range(1, 6):
        log.add(LogEntry(100 * number, 0x8145 + number, bytes((number,))))
    kept = [(number, LogEntry(100 * number, 0x8145 + number, bytes((number,)))) for number in (3, 4, 5)]
    assert {number: log.after(number) for number in (0, 2, 3, 4, 5, 9)} == {
        0: (kept, 5),
        2: (kept, 5),
        3: (kept[1:], 5),
        4: (kept[2:], 5),
        5: ([], 5),
        9: ([], 5),
    }
    assert [[entry.time for entry in log.entries(*limits)] for limits in ((300, 500), (301, 499), (0, 299), (501, 900))] == [
        *([300, 400, 500], [400], [], []),
    ]
    log.clear()
    log.add(LogEntry(600, 1, b""))
    assert log.after(0) == ([(6, LogEntry(600, 1, b""))], 6), "a cleared log goes on counting"


@pytest.mark.parametrize(
    ("fields", "shown", "total"),
    [
        ({}, [1, 2, 3, 4], 4),
        ({"from": 20}, [2, 3, 4], 3),
        ({"from": 21}, [3, 4], 2),
        ({"to": 20}, [1, 2], 2),
        ({"to": 19}, [1], 1),
        ({"event": 0x8002}, [2, 4], 2),
        ({"count": 1}, [4], 4),
        ({"count": 2, "offset": 1}, [2, 3], 4),
        ({"count": 9, "offset": 3}, [1], 4),
        ({"offset": 3}, [1], 4),
        ({"offset": 4}, None, 0),
        ({"offset": 5, "count": 2}, None, 0),
        ({"from": 41}, None, 0),
        ({"event": 0x8003}, None, 0),
    ],
)
def test_a_log_over_zcl_shows_the_newest_of_what_was_asked_for(fields: dict[str, int], shown: list[int] | None, total: int) -> None:
    """A count takes the newest, an offset leaves out so many of the newest; the order is oldest first."""
    entries = [LogEntry(10 * number, 0x8001 + (number + 1) % 2, bytes((1, number))) for number in range(1, 5)]
    asked = {"control_and_log": 0x13, "event": 0, "from": 0, "to": 0xFFFFFFFF, "count": 0, "offset": 0} | fields
    payload = EVENTS.to_server[0x00].encode(asked)
    assert zcl_event_log.asked_log(payload) == 3
    since = fields.get("from", 0)
    later = EVENTS.to_server[0x00].encode(asked | {"from": 0})
    answers = zcl_event_log.answer(payload, entries)
    assert answers == zcl_event_log.answer(later, entries, since), "a change of tenancy hides what a start leaves out"
    if shown is None:
        assert answers is ZclStatus.NOT_FOUND
        return
    assert isinstance(answers, list)
    (answer,) = answers
    assert answer.command == 0x01
    told = EVENTS.to_client[0x01].decode(answer.payload)
    assert [told[name] for name in ("total", "command_index", "command_count", "control")] == [total, 0, 1, 0]
    assert told["events"] == tuple(
        {"log": 3, "event": 0x8001 + (number + 1) % 2, "time": 10 * number, "data": bytes((number,))} for number in shown
    )


@pytest.mark.parametrize(("other", "told"), [("", ""), ("00", ""), ("0105", "05"), ("020506", "0506"), ("0205", "0205"), ("05", "05")])
def test_information_of_an_entry_loses_the_length_that_a_dlms_log_writes_before_it(other: str, told: str) -> None:
    assert zcl_event_log.without_length(bytes.fromhex(other)).hex() == told


def test_events_go_where_the_table_says() -> None:
    outage = route(0x8F36, DeviceType.ESME)
    assert (outage.logs, outage.alert, outage.parties) == ((LogName.POWER,), AlertKind.SIGNED, (RemotePartyRole.NETWORK_OPERATOR,))
    assert route(0x8F3D, DeviceType.ESME).logs == ()
    assert route(0x8145, DeviceType.GSME).logs == (LogName.EVENT,)


def test_a_profile_without_a_step_is_refused_with_its_file_and_key() -> None:
    assert standard_profile().order[0].value == "well-formed"
    with pytest.raises(BoardError, match=r"mine\.toml"):
        PipelineProfile.read('[order]\nsteps = ["well-formed", "mac"]\n', "mine.toml")


def test_every_device_type_knows_who_may_send_what() -> None:
    assert {permission.role for permission in permissions(DeviceType.ESME)[0x0050]} == {RemotePartyRole.SUPPLIER}
    assert 0x0081 not in permissions(DeviceType.ESME)
    assert 0x0105 in permissions(DeviceType.CHF)
