from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.device.event_log import AlertKind, EventLog, LogEntry, LogName, route
from firmware_emu.device.profile import PipelineProfile, permissions, standard_profile
from firmware_emu.device.store import MemoryStore
from firmware_emu.errors import BoardError


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
