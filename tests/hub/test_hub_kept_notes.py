"""Notes that the hub keeps in its store: how many, which go first, and that each comes back as it went in."""

from __future__ import annotations

import pytest

from firmware_emu.device.event_log import LogEntry
from firmware_emu.device.store import MemoryStore
from firmware_emu.errors import BoardError
from firmware_emu.gbcs.envelope import GroupingHeader, OtherInformation
from firmware_emu.hub.device_log import DeviceLog, ListedDevice, RegisteredType
from firmware_emu.hub.profile import HubConfig, HubProfile, standard_profile
from firmware_emu.hub.routing import LocalCommands
from firmware_emu.hub.sub_ghz import _ChannelLog, channel_mask
from firmware_emu.ids import CraFlag, Eui64, MessageIdentifier

METER, TERMINAL, PARTY = (Eui64(bytes([number]) * 8) for number in (1, 2, 3))


def test_a_channel_log_gives_back_time_code_channel_and_trigger_and_keeps_the_last_hundred() -> None:
    """Reference chts 11: a hundred entries of the Sub GHz channel log."""
    log = _ChannelLog(MemoryStore())
    entries = [LogEntry(800_000_000 + number, 0x8F26, bytes.fromhex("e0000001") + bytes([number % 8])) for number in range(102)]
    for entry in entries[:100]:
        log.add(entry)
    assert log.entries() == entries[:100]
    log.add(entries[100])
    assert log.entries() == entries[1:101]
    log.add(entries[101])
    assert log.entries() == entries[2:]


@pytest.mark.parametrize(("page", "number", "mask"), [(28, 0, 0xE0000001), (28, 26, 0xE4000000), (31, 8, 0xF8000100)])
def test_a_channel_is_its_page_in_the_upper_five_bits_and_one_bit_of_27(page: int, number: int, mask: int) -> None:
    assert channel_mask(page, number) == mask


def _command(number: int) -> MessageIdentifier:
    return MessageIdentifier(PARTY, METER, CraFlag.COMMAND, number)


def _response(number: int, cra: CraFlag = CraFlag.RESPONSE) -> GroupingHeader:
    return GroupingHeader(cra, number, METER, PARTY, OtherInformation(0x0001))


@pytest.fixture
def log() -> DeviceLog:
    log = DeviceLog(MemoryStore(), capacity=16, historic_capacity=2, now=lambda: 0)
    log.add(ListedDevice(TERMINAL, RegisteredType.HAND_HELD))
    return log


def test_a_hundred_local_commands_are_noted_and_no_more_until_one_is_answered(log: DeviceLog) -> None:
    local = LocalCommands(MemoryStore(), log)
    assert [local.came_from(TERMINAL, _command(number)) for number in range(101)] == [True] * 100 + [False]
    way = local.way_of(_response(0))
    assert (way.terminal, way.wan) == (TERMINAL, False)
    assert local.came_from(TERMINAL, _command(101))
    again = local.way_of(_response(0))
    assert (again.terminal, again.wan) == (None, True), "a note serves once"


def test_what_came_over_both_ways_is_answered_over_both_while_the_hub_remembers_it(log: DeviceLog) -> None:
    local = LocalCommands(MemoryStore(), log)
    for number in (1, 2):
        local.came_from(TERMINAL, _command(number))
    local.came_over_wan(_command(1))
    for number in range(1000, 1099):
        local.came_over_wan(_command(number))
    assert local.way_of(_response(1)).wan, "the hundredth from the last"
    local.came_over_wan(_command(2))
    for number in range(2000, 2100):
        local.came_over_wan(_command(number))
    assert not local.way_of(_response(2)).wan, "a hundred have come since"


def test_an_alert_and_a_response_to_a_terminal_that_is_gone_go_to_the_dcc_alone(log: DeviceLog) -> None:
    local = LocalCommands(MemoryStore(), log)
    local.came_from(TERMINAL, _command(7))
    assert local.way_of(_response(7, CraFlag.ALERT)).wan
    log.remove(TERMINAL, remember=False)
    way = local.way_of(_response(7))
    assert (way.terminal, way.wan) == (None, True)
    local.came_from(TERMINAL, _command(8))
    local.forget(PARTY)
    local.forget(TERMINAL)
    assert local.way_of(_response(8)).terminal is None


def test_the_historic_log_keeps_the_last_devices_each_once_and_a_terminal_never(log: DeviceLog) -> None:
    """Reference chts 1: a Device that leaves is copied with its key; a hand-held terminal is not."""
    devices = [Eui64(bytes([16 + number]) * 8) for number in range(3)]
    for device in devices:
        log.add(ListedDevice(device, RegisteredType.IHD))
        assert log.remove(device)
    assert [entry.device for entry in log.historic()] == devices[1:]
    log.add(ListedDevice(devices[1], RegisteredType.PPMID))
    log.remove(devices[1])
    assert sorted((entry.device, entry.registered_type) for entry in log.historic()) == [
        (devices[1], RegisteredType.PPMID),
        (devices[2], RegisteredType.IHD),
    ]
    assert not log.remove(devices[0])
    assert log.remove(TERMINAL, remember=False)
    assert TERMINAL not in {entry.device for entry in log.historic()}


def test_a_restored_log_fits_or_changes_nothing() -> None:
    changes: list[int] = []
    log = DeviceLog(MemoryStore(), capacity=2, historic_capacity=2, now=lambda: 0)
    log.on_change = lambda: changes.append(1)
    three = [ListedDevice(Eui64(bytes([number]) * 8), RegisteredType.IHD) for number in (5, 6, 7)]
    assert not log.replace_all(three)
    assert (log.entries(), changes) == ((), [])
    assert log.replace_all(three[:2])
    assert [entry.device for entry in log.entries()] == [one.device for one in three[:2]]
    assert len(changes) == 1
    assert not log.add(three[2]), "it is full"
    assert log.update(three[2].device, lambda one: one) is None
    assert not log.heard(three[2].device, None, None)
    assert log.heard(three[0].device, -40, 200)


def test_a_new_entry_of_the_log_knows_nothing_yet() -> None:
    new = ListedDevice(METER, RegisteredType.ESME)
    assert (new.added, new.last_communication, new.window_opened, new.window_s, new.sleepy) == (0, 0, 0, 0, False)
    assert (new.rssi, new.lqi) == ((0, 0, 0), (0, 0, 0))
    assert ListedDevice.decode(METER, new.encode()) == new


@pytest.mark.parametrize("missing", list(HubProfile.__slots__)[:3])
def test_a_value_of_a_hubs_profile_has_a_number_and_a_source(missing: str) -> None:
    whole = "".join(f'[{name}]\nvalue = 7\nsource = "here"\n' for name in HubProfile.__slots__)
    assert getattr(HubProfile.read(whole, "p.toml"), missing) == 7
    for spoiled in (
        whole.replace(f'[{missing}]\nvalue = 7\nsource = "here"\n', ""),
        whole.replace(f'[{missing}]\nvalue = 7\nsource = "here"\n', f"[{missing}]\nvalue = 7\n"),
        whole.replace(f'[{missing}]\nvalue = 7\nsource = "here"\n', f'[{missing}]\nvalue = "7"\nsource = "here"\n'),
    ):
        with pytest.raises(BoardError, match=f"{missing}.*expected a table with an integer value and a source"):
            HubProfile.read(spoiled, "p.toml")
    with pytest.raises(BoardError):
        HubProfile.read("[", "p.toml")


def test_a_hub_of_its_own_stands_on_the_lowest_channel_with_both_bands() -> None:
    """ZigBee's 2.4 GHz channels begin at 11; requirements CH-24."""
    config = HubConfig(METER, TERMINAL, PARTY)
    assert (config.channel, config.variant.value, config.profile) == (11, "2.4 GHz and sub-GHz", standard_profile())
    assert (len(config.manufacturer), len(config.model), len(config.firmware_version)) == (4, 8, 4)
