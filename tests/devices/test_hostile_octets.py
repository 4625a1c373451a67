"""Whatever arrives, a Device answers or stays silent; it never breaks."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.device.profile import permissions
from firmware_emu.gbcs import protect
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.ids import CraFlag, Eui64, InstallCode
from firmware_emu.trace import Trace
from hil.devices import Esme, Gsme
from tests.devices.device_home import ACB, PARTIES, SUPPLIER
from tests.devices.hub_in_memory import MemoryHan

TARGETS = {Esme: Eui64.parse("00db1234567890a0"), Gsme: Eui64.parse("00db1234567890a1")}
STARTS = tuple(bytes.fromhex(text) for text in ("", "d92000000100", "d9200000010001 03001e00002b0208ff0101", "0109010107", "30"))
DEVICES: dict[type[Esme] | type[Gsme], Esme | Gsme] = {}
COUNTERS = count(1)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200), kind=st.sampled_from([Esme, Gsme]))
def test_octets_from_anywhere_never_break_a_device(device_pki: Keystore, data: bytes, kind: type[Esme] | type[Gsme]) -> None:
    device = make(device_pki, kind)
    for answer in device.gbcs.receive(data):
        assert Message.decode(answer).header.cra is CraFlag.ALERT


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tail=st.binary(max_size=120), start=st.sampled_from(STARTS), kind=st.sampled_from([Esme, Gsme]), pick=st.integers(min_value=0))
def test_a_lawful_sender_of_nonsense_gets_at_most_one_response(
    device_pki: Keystore,
    tail: bytes,
    start: bytes,
    kind: type[Esme] | type[Gsme],
    pick: int,
) -> None:
    device = make(device_pki, kind)
    codes = sorted(permissions(kind.device_type))
    header = GroupingHeader(CraFlag.COMMAND, next(COUNTERS), SUPPLIER, device.eui64, OtherInformation(codes[pick % len(codes)]))
    message = protect.with_signature(Message(header, start + tail), device_pki.private_key(SUPPLIER, KeyUsage.DIGITAL_SIGNATURE))
    message = protect.with_mac(message, device_pki.shared_secret(ACB, device.eui64))
    answers = [Message.decode(answer) for answer in device.gbcs.receive(message.encode())]
    assert sum(answer.header.cra is CraFlag.RESPONSE for answer in answers) <= 1


def make(pki: Keystore, kind: type[Esme] | type[Gsme]) -> Esme | Gsme:
    if kind in DEVICES:
        return DEVICES[kind]
    clock = Clock(start=datetime(2026, 1, 1, tzinfo=UTC), warp=True)
    eui64 = TARGETS[kind]
    DEVICES[kind] = kind(eui64, InstallCode(bytes(16)), pki, MemoryHan(eui64).node(eui64), clock, Trace(clock.now), PARTIES)
    return DEVICES[kind]
