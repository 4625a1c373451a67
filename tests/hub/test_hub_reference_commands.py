"""Commands of the Reference Test Data Set to the CHF: the answers are the reference's to the last octet before the MAC.

The CHF's private key is not published, so each command carries a MAC under the test PKI's key instead.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.device.credentials import Credentials
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.device.standard import STANDARD
from firmware_emu.device.store import MemoryStore
from firmware_emu.gbcs import protect
from firmware_emu.gbcs.dlms import AccessResponse
from firmware_emu.gbcs.envelope import Message
from firmware_emu.hub.chf import ChfExecutor
from firmware_emu.hub.device_log import DeviceLog, ListedDevice, RegisteredType
from firmware_emu.hub.profile import HubConfig, standard_profile
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace
from tests.hub.hub_bench import CONFIG

ESME = Eui64.parse("00db1234567890a0")


def reference(folder: Path, name: str) -> Message:
    (path,) = folder.glob(f"4.5.0/*/{name}_GBCS.HEX")
    return Message.decode(bytes.fromhex(path.read_text().strip()))


@pytest.fixture
def command(rtds: Path, hub_keystore: Keystore) -> Callable[[str], bytes]:
    """A command of the reference set, its MAC made anew."""

    def read(name: str) -> bytes:
        message = reference(rtds, f"{name}_COMMAND")
        return protect.with_mac(message, hub_keystore.shared_secret(message.header.recipient, CONFIG.access_control_broker)).encode()

    return read


def same(answer: bytes, expected: Message) -> bool:
    """Equal up to the MAC."""
    ours = Message.decode(answer)
    return (ours.header, ours.payload, ours.signature) == (expected.header, expected.payload, expected.signature)


@pytest.fixture
def chf(hub_keystore: Keystore) -> GbcsDevice:
    """A CHF with the identity that the reference set reads."""
    store = MemoryStore()
    keystore = hub_keystore
    config = HubConfig(CONFIG.chf, CONFIG.gpf, CONFIG.access_control_broker, manufacturer=b"CSW", model=b"ATGTypeY")
    credentials = Credentials.from_keystore(
        store, keystore, config.chf, DeviceType.CHF, {RemotePartyRole.ACCESS_CONTROL_BROKER: config.access_control_broker}
    )
    device = GbcsDevice(config.chf, DeviceType.CHF, credentials, store, lambda: 473385600.0, Trace(lambda: 0.0), STANDARD)
    profile = standard_profile()
    log = DeviceLog(
        store, capacity=profile.device_log_capacity, historic_capacity=profile.historic_log_capacity, now=lambda: int(device.now())
    )
    device.executor = ChfExecutor(device, log, config, lambda: None)
    return device


@pytest.mark.clause("RTDS CCS01")
@pytest.mark.requirement("SVC-8.11")
def test_ccs01_answers_as_the_reference(chf: GbcsDevice, command: Callable[[str], bytes], rtds: Path) -> None:
    answer, backup = chf.receive(command("CCS01_8.11_SUCCESS"))
    assert same(answer, reference(rtds, "CCS01_8.11_SUCCESS_RESPONSE"))
    assert Message.decode(backup).message_code == 0x0018


@pytest.mark.clause("RTDS CCS02")
def test_ccs02_answers_as_the_reference(chf: GbcsDevice, command: Callable[[str], bytes], rtds: Path) -> None:
    assert isinstance(chf.executor, ChfExecutor)
    chf.executor._log.add(ListedDevice(ESME, RegisteredType.ESME))
    assert same(chf.receive(command("CCS02_8.11_SUCCESS"))[0], reference(rtds, "CCS02_8.11_SUCCESS_RESPONSE"))


@pytest.mark.clause("RTDS CCS03")
@pytest.mark.requirement("SVC-8.12")
def test_ccs03_is_taken_and_backed_up_with_its_extended_pan_id(chf: GbcsDevice, command: Callable[[str], bytes]) -> None:
    sent = command("CCS03_8.12.1_SUCCESS")
    answer, backup = chf.receive(sent)
    response = Message.decode(answer)
    assert [result.code for result in AccessResponse.decode(response.payload).results] == [0]
    assert isinstance(chf.executor, ChfExecutor)
    assert chf.executor.extended_pan_id.octets in Message.decode(sent).payload
    assert chf.executor.extended_pan_id.octets in Message.decode(backup).payload
    assert len(chf.executor._log.entries()) == 2


@pytest.mark.clause("RTDS ECS26i")
@pytest.mark.requirement("CH-04")
def test_ecs26i_answers_as_the_reference(chf: GbcsDevice, command: Callable[[str], bytes], rtds: Path) -> None:
    (answer,) = chf.receive(command("ECS26i_6.2.4_SUCCESS"))
    assert same(answer, reference(rtds, "ECS26i_6.2.4_SUCCESS_RESPONSE"))


@pytest.mark.clause("RTDS CCS07, ECS35d, CCS06")
@pytest.mark.requirement("SVC-8.9")
@pytest.mark.parametrize("name", ["CCS06_8.9_SUCCESS", "ECS35d_6.13_SUCCESS"])
def test_reads_of_the_reference_are_answered_in_the_reference_s_form(
    chf: GbcsDevice,
    command: Callable[[str], bytes],
    rtds: Path,
    name: str,
) -> None:
    assert isinstance(chf.executor, ChfExecutor)
    chf.executor._log.add(ListedDevice(ESME, RegisteredType.ESME))
    (answer,) = chf.receive(command(name))
    expected = reference(rtds, f"{name}_RESPONSE")
    ours, theirs = AccessResponse.decode(Message.decode(answer).payload), AccessResponse.decode(expected.payload)
    assert Message.decode(answer).header == expected.header
    assert ours.results == theirs.results
    assert [type(item) for item in ours.data] == [type(item) for item in theirs.data]


def test_a_replayed_command_is_discarded_without_an_answer(chf: GbcsDevice, command: Callable[[str], bytes]) -> None:
    sent = command("CCS01_8.11_SUCCESS")
    assert len(chf.receive(sent)) == 2
    assert chf.receive(sent) == []
