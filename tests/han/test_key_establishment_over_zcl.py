from __future__ import annotations

import asyncio

import pytest

from firmware_emu.clock import Clock
from firmware_emu.crypto.ecqv import CbkeCredentials, ImplicitAuthority, issue
from firmware_emu.errors import RadioError
from firmware_emu.han.base import ApsFrame, SimpleDescriptor
from firmware_emu.han.key_establishment import KeyEstablishmentFailed, KeyEstablishmentServer, establish
from firmware_emu.han.zcl_port import ZclPort
from firmware_emu.ids import Eui64
from firmware_emu.zse.key_establishment import TerminateStatus
from firmware_emu.zse.zcl import ZclFrame
from tests.han.memory_wire import HUB, METER, OTHER, Wire

KE = 0x0800
ISSUER = Eui64.parse("1112131415161718")


@pytest.fixture(scope="module")
def authority() -> ImplicitAuthority:
    return ImplicitAuthority.generate(ISSUER)


class Home:
    def __init__(self, wire: Wire, clock: Clock, credentials: CbkeCredentials) -> None:
        self.established: list[tuple[Eui64, bytes]] = []
        self.failures: list[str] = []
        self.hub = self.node(wire, clock, HUB)
        self.meter = self.node(wire, clock, METER)
        self.server = KeyEstablishmentServer(
            self.hub, credentials, self.done, on_failed=lambda partner, reason: self.failures.append(reason)
        )

    @staticmethod
    def node(wire: Wire, clock: Clock, eui64: Eui64) -> ZclPort:
        zcl = ZclPort(wire.port(eui64), clock)
        zcl.add_endpoint(SimpleDescriptor(9, 0x0508, servers=(KE,), clients=(KE,)))
        return zcl

    async def done(self, partner: Eui64, key: bytes) -> None:
        self.established.append((partner, key))


async def test_both_ends_come_to_the_same_key_without_link_key_security(wire: Wire, clock: Clock, authority: ImplicitAuthority) -> None:
    home = Home(wire, clock, issue(authority, HUB))
    key = await establish(home.meter, HUB, issue(authority, METER))
    await clock.sleep(1)
    assert home.established == [(METER, key)]
    assert wire.ports[HUB].link_keys == {METER: key}
    assert len(key) == 16
    assert not any(frame.secured for _, _, frame in wire.sent)
    assert home.server.partner is None


async def test_a_certificate_of_another_authority_ends_with_unknown_issuer_on_both_sides(
    wire: Wire, clock: Clock, authority: ImplicitAuthority
) -> None:
    home = Home(wire, clock, issue(authority, HUB))
    stranger = ImplicitAuthority.generate(Eui64.parse("2222222222222222"))
    with pytest.raises(KeyEstablishmentFailed) as caught:
        await establish(home.meter, HUB, issue(stranger, METER))
    assert caught.value.status is TerminateStatus.UNKNOWN_ISSUER
    assert not home.established
    assert "issuer" in home.failures[0]


async def test_a_second_partner_is_told_to_come_again_in_thirty_seconds(wire: Wire, clock: Clock, authority: ImplicitAuthority) -> None:
    home = Home(wire, clock, issue(authority, HUB))
    other = home.node(wire, clock, OTHER)

    async def stay_silent_after_the_first_message() -> None:
        certificate = issue(authority, METER).certificate
        await home.meter.request(HUB, 9, KE, 0x00, b"\x02\x00\x0a\x0a" + certificate, secured=False)

    await stay_silent_after_the_first_message()
    with pytest.raises(KeyEstablishmentFailed) as caught:
        await establish(other, HUB, issue(authority, OTHER))
    assert (caught.value.status, caught.value.wait_s) == (TerminateStatus.NO_RESOURCES, 30)
    await clock.sleep(caught.value.wait_s)
    key = await establish(other, HUB, issue(authority, OTHER))
    await clock.sleep(1)
    assert home.established == [(OTHER, key)]
    assert home.failures == [f"{METER} sent no ephemeral message in time"]


async def test_a_partner_that_starts_afresh_replaces_its_own_session(wire: Wire, clock: Clock, authority: ImplicitAuthority) -> None:
    home = Home(wire, clock, issue(authority, HUB))
    credentials = issue(authority, METER)
    await home.meter.request(HUB, 9, KE, 0x00, b"\x02\x00\x0a\x0a" + credentials.certificate, secured=False)
    assert home.server.partner == METER
    assert await establish(home.meter, HUB, credentials)


async def test_an_altered_confirmation_ends_with_bad_key_confirm(wire: Wire, clock: Clock, authority: ImplicitAuthority) -> None:
    def alter(source: Eui64, destination: Eui64, frame: ApsFrame) -> ApsFrame:
        zcl = ZclFrame.decode(frame.payload)
        if zcl.is_cluster_command and zcl.command == 0x02 and source == METER:
            altered = ZclFrame(zcl.frame_control, zcl.sequence, zcl.command, bytes(16))
            return ApsFrame(frame.cluster, altered.encode(), frame.source_endpoint, frame.destination_endpoint, frame.secured)
        return frame

    home = Home(wire, clock, issue(authority, HUB))
    wire.filter = alter
    with pytest.raises(KeyEstablishmentFailed) as caught:
        await establish(home.meter, HUB, issue(authority, METER))
    assert caught.value.status is TerminateStatus.BAD_KEY_CONFIRM
    assert not home.established
    assert not wire.ports[HUB].link_keys


async def test_a_responder_that_falls_silent_is_given_up_after_its_announced_time(
    wire: Wire, clock: Clock, authority: ImplicitAuthority
) -> None:
    home = Home(wire, clock, issue(authority, HUB))

    def mute(source: Eui64, destination: Eui64, frame: ApsFrame) -> ApsFrame | None:
        zcl = ZclFrame.decode(frame.payload)
        return None if source == HUB and zcl.is_cluster_command and zcl.command == 0x01 else frame

    wire.filter = mute
    before = clock.now()
    with pytest.raises(KeyEstablishmentFailed, match="sent no ephemeral message"):
        await establish(home.meter, HUB, issue(authority, METER))
    assert clock.now() - before == pytest.approx(15)


async def test_a_device_that_is_gone_shows_as_a_radio_error(wire: Wire, clock: Clock, authority: ImplicitAuthority) -> None:
    home = Home(wire, clock, issue(authority, HUB))
    started = asyncio.ensure_future(establish(home.meter, HUB, issue(authority, METER)))
    await asyncio.sleep(0)
    del wire.ports[HUB]
    with pytest.raises(RadioError):
        await started
