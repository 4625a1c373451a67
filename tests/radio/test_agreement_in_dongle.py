"""Key establishment in the dongle: its commands under bellows, against this project's own side of the exchange; and a hub that uses it."""

from __future__ import annotations

from pathlib import Path

import bellows.types as t
import pytest

from firmware_emu.clock import Clock
from firmware_emu.crypto.ecqv import CbkeCredentials, ImplicitAuthority, issue
from firmware_emu.crypto.keystore_files import cbke_text
from firmware_emu.han.ezsp_agreement import DongleAgreement
from firmware_emu.ids import Eui64
from firmware_emu.zse.key_establishment import Await, EstablishmentEvent, EstablishmentSession, Role, Send
from hil.radio.air.air import Air
from hil.radio.ncp.handlers import agreement
from hil.radio.ncp.server import NcpServer
from hil.radio.personality import of_version, with_key_establishment
from tests.radio.bellows_host import Host
from tests.radio.dongle_process import SCRIPT, drive
from tests.radio.dongle_process import dongle as process_of
from tests.radio.radio_bench import HUB, METER

AUTHORITY = ImplicitAuthority.generate(Eui64.parse("00db000000000001"))


def dongle(clock: Clock, credentials: CbkeCredentials | None, library: bool = True) -> NcpServer:
    firmware = of_version(13)
    made = NcpServer(Air(clock, 1), HUB, clock=clock, personality=with_key_establishment(firmware) if library else firmware)
    if credentials is not None:
        agreement.write(made.ncp, credentials)
    return made


@pytest.mark.requirement("CH-33")
async def test_a_dongle_agrees_a_key_with_an_initiator_and_keeps_it(clock: Clock) -> None:
    own, theirs = issue(AUTHORITY, HUB), issue(AUTHORITY, METER)
    made = dongle(clock, own)
    host = Host(str(await made.serve_pty()))
    await host.form()
    meter = EstablishmentSession(Role.INITIATOR, METER, HUB, theirs)
    meter.handle(EstablishmentEvent.START)
    (ephemeral, _) = meter.handle(EstablishmentEvent.INITIATE, (2).to_bytes(2, "little") + bytes([10, 10]) + own.certificate)
    assert isinstance(ephemeral, Send)

    in_dongle = DongleAgreement(host._ezsp)
    computed = await in_dongle.agree(theirs.certificate, ephemeral.payload)
    confirm, waiting = meter.handle(EstablishmentEvent.EPHEMERAL, computed.ephemeral)
    assert isinstance(confirm, Send)
    assert isinstance(waiting, Await)
    assert confirm.payload == computed.mac_initiator
    key = await in_dongle.keep(METER)
    (established,) = meter.handle(EstablishmentEvent.CONFIRM, computed.mac_responder)

    assert getattr(established, "key", b"") == key
    assert dict(made.ncp.stack.tokens.link_keys.values())[METER] == key
    (again,) = await host._ezsp.clearTemporaryDataMaybeStoreLinkKey283k1(storeLinkKey=t.Bool.false)
    assert again == t.EmberStatus.ERR_FATAL
    await host.disconnect()
    await made.close()


async def test_one_operation_at_a_time_and_none_without_library_or_certificate(clock: Clock) -> None:
    for made, wanted in (
        (dongle(clock, None, library=False), t.EmberStatus.LIBRARY_NOT_PRESENT),
        (dongle(clock, None), t.EmberStatus.ERR_FATAL),
        (dongle(clock, issue(AUTHORITY, HUB)), t.EmberStatus.OPERATION_IN_PROGRESS),
    ):
        host = Host(str(await made.serve_pty()))
        await host.connect()
        (status,) = await host._ezsp.generateCbkeKeys283k1()
        assert status == wanted
        if wanted == t.EmberStatus.OPERATION_IN_PROGRESS:
            (status,) = await host._ezsp.generateCbkeKeys283k1()
            assert status == t.EmberStatus.INVALID_CALL
        await host.disconnect()
        await made.close()


async def test_a_host_writes_certificate_and_keys_once_and_the_dongle_takes_their_eui64(clock: Clock) -> None:
    credentials = issue(AUTHORITY, METER)
    made = dongle(clock, None)
    host = Host(str(await made.serve_pty()))
    await host.connect()
    for value, octets in (
        (0x1A, credentials.certificate),
        (0x1B, credentials.ca_public_key),
        (0x1C, credentials.private_key.to_bytes(36, "big")),
    ):
        await host._ezsp._command("setValue", valueId=t.EzspValueId(value), value=octets)
    (first,) = await host._ezsp.savePreinstalledCbkeData283k1()
    (second,) = await host._ezsp.savePreinstalledCbkeData283k1()
    assert (first, second) == (t.EmberStatus.SUCCESS, t.EmberStatus.ERR_FLASH_WRITE_INHIBITED)
    _, held = await host._ezsp.getCertificate283k1()
    assert held.serialize() == credentials.certificate
    await host.disconnect()
    made.power(False)
    made.power(True)
    assert made.eui64 == METER
    await made.close()


def test_chub_ncp_takes_the_credentials_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / f"{METER}-cbke.json"
    file.write_text(cbke_text(issue(AUTHORITY, METER)))
    with process_of("--cbke", str(file)) as process:
        assert process.stdout is not None
        seen = drive(process.stdout.readline().strip(), SCRIPT)
    assert seen["ieee"] == str(t.EUI64(METER.zigbee))
