"""Talk between a hand-held terminal and a hub, and the way of a local Command's Response."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_emu.device.store import MemoryStore
from firmware_emu.errors import DecodeError, ProtectionError
from firmware_emu.gbcs.envelope import GroupingHeader, OtherInformation
from firmware_emu.han.inter_pan import InterPanFrame, InterPanSender
from firmware_emu.han.introduction import Admission, Introduction
from firmware_emu.hub.device_log import DeviceLog, ListedDevice, RegisteredType
from firmware_emu.hub.routing import LocalCommands, Way
from firmware_emu.ids import CraFlag, Eui64, InstallCode
from tests.hub.hub_bench import CHF, ESME, GPF, Bench, add_device

TERMINAL, OTHER = Eui64.parse("024847000000f001"), Eui64.parse("024847000000f002")
USER, METER = Eui64.parse("02d0000000000010"), Eui64.parse("02e53e0000000001")
KEY, WRONG = bytes(range(16)), bytes(16)
octets16 = st.binary(min_size=16, max_size=16)


@given(octets16, octets16, st.integers(0, 0xFFFF))
def test_introduction_and_admission_are_read_under_their_key_and_for_their_terminal_alone(key: bytes, code: bytes, seconds: int) -> None:
    said = Introduction(TERMINAL, InstallCode(code))
    sealed, told = said.seal(key), Admission(seconds).seal(key, TERMINAL)
    assert Introduction.unseal(key, TERMINAL, sealed) == said
    assert Admission.unseal(key, TERMINAL, told) == Admission(seconds)
    assert code not in sealed
    assert code.hex() not in repr(said)
    other = bytes((key[0] ^ 1,)) + key[1:]
    for wrong_key, sender in ((other, TERMINAL), (key, OTHER)):
        with pytest.raises(ProtectionError):
            Introduction.unseal(wrong_key, sender, sealed)
        with pytest.raises(ProtectionError):
            Admission.unseal(wrong_key, sender, told)


@given(st.binary(max_size=60))
def test_octets_that_are_no_introduction_are_refused(octets: bytes) -> None:
    with pytest.raises((DecodeError, ProtectionError)):
        Introduction.unseal(KEY, TERMINAL, octets)
    with pytest.raises((DecodeError, ProtectionError)):
        Admission.unseal(KEY, TERMINAL, octets)


def header(cra: CraFlag, counter: int = 7) -> GroupingHeader:
    parties = (USER, METER) if cra is CraFlag.COMMAND else (METER, USER)
    return GroupingHeader(cra, counter, *parties, OtherInformation(0x0008))


COMMAND, RESPONSE = header(CraFlag.COMMAND).identifier, header(CraFlag.RESPONSE)


@pytest.fixture
def log() -> DeviceLog:
    made = DeviceLog(MemoryStore(), capacity=16, historic_capacity=15, now=lambda: 0)
    made.add(ListedDevice(TERMINAL, RegisteredType.HAND_HELD))
    return made


def test_a_response_goes_the_ways_that_its_command_has_come(log: DeviceLog) -> None:
    local = LocalCommands(MemoryStore(), log)
    assert local.way_of(RESPONSE) == Way(None, True)
    assert local.came_from(TERMINAL, COMMAND)
    assert local.way_of(header(CraFlag.ALERT)) == Way(None, True)
    assert local.way_of(header(CraFlag.RESPONSE, counter=8)) == Way(None, True)
    assert local.way_of(RESPONSE) == Way(TERMINAL, False)
    assert local.way_of(RESPONSE) == Way(None, True), "a note serves once"
    local.came_over_wan(COMMAND)
    assert local.came_from(TERMINAL, COMMAND)
    assert local.way_of(RESPONSE) == Way(TERMINAL, True)


def test_a_response_goes_over_the_sm_wan_when_its_terminal_is_gone(log: DeviceLog) -> None:
    store = MemoryStore()
    local = LocalCommands(store, log)
    assert local.came_from(TERMINAL, COMMAND)
    log.remove(TERMINAL, remember=False)
    assert log.historic() == ()
    assert local.way_of(RESPONSE) == Way(None, True)
    assert local.came_from(TERMINAL, COMMAND)
    local.forget(TERMINAL)
    assert store.keys("") == []


def test_a_terminal_cannot_fill_the_hub_with_commands(log: DeviceLog) -> None:
    local = LocalCommands(MemoryStore(), log)
    taken = [local.came_from(TERMINAL, header(CraFlag.COMMAND, counter).identifier) for counter in range(200)]
    assert taken == [True] * 100 + [False] * 100


@pytest.mark.requirement("CH-21")
@pytest.mark.parametrize(
    ("sender", "changed", "after_s", "reason"),
    [
        (TERMINAL, {}, 0, "it introduces itself before key establishment"),
        (TERMINAL, {}, 3599, "it introduces itself before key establishment"),
        (TERMINAL, {}, 3601, "a hand-held terminal may come in the first 60 minutes from power-on"),
        (TERMINAL, {"cluster": 0xFC01}, 0, "it is no message of key establishment"),
        (TERMINAL, {"profile": 0x0104}, 0, "an inter-PAN frame to all, or of another profile"),
        (TERMINAL, {"broadcast": True}, 0, "an inter-PAN frame to all, or of another profile"),
        (CHF, {}, 0, "a Device of this HAN is no hand-held terminal"),
        (GPF, {}, 0, "a Device of this HAN is no hand-held terminal"),
        (ESME, {}, 0, "a Device of this HAN is no hand-held terminal"),
        (OTHER, {"terminal": TERMINAL}, 0, "another hand-held terminal is on the HAN"),
        (TERMINAL, {"terminal": TERMINAL}, 0, "it introduces itself before key establishment"),
    ],
)
async def test_an_inter_pan_frame_is_refused_by_what_is_wrong_with_it(
    bench: Bench, sender: Eui64, changed: dict[str, object], after_s: int, reason: str
) -> None:
    """Sixty minutes from power-on: reference chts 3. One terminal at a time, and the cluster FC00, are the profile's."""
    await bench.ask(add_device(bench, ESME, 0))
    running = bench.hub._running
    assert running is not None
    if (there := changed.get("terminal")) is not None:
        assert isinstance(there, Eui64)
        running.log.add(ListedDevice(there, RegisteredType.HAND_HELD))
    await bench.clock.sleep(max(0, after_s - 10))  # power was switched on some seconds ago
    if after_s > 3600:
        await bench.clock.sleep(20)
    frame = InterPanFrame(int(str(changed.get("cluster", 0xFC00))), b"x", profile=int(str(changed.get("profile", 0x0109))))
    running.hand_held._received(InterPanSender(sender, 0x1234, broadcast="broadcast" in changed), frame)
    assert bench.refusals()[-1:] == [reason]
