"""Limits of what a Device sends and shows of messages that it does not take."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from firmware_emu.crypto.roles import DeviceType
from tests.device.device_rig import SECOND_SUPPLIER, Rig


def test_rubbish_without_end_leads_to_no_more_alerts_than_the_profile_says(esme: Rig) -> None:
    profile = esme.device.profile
    sent = 0
    for counter in range(1, 2 * profile.refusal_alerts):
        sent += len(esme.device.receive(esme.command(0x0050, b"\xd9", counter, originator=SECOND_SUPPLIER, signed=True)))
        sent += len(esme.device.receive(bytes([0xDD, counter & 0xFF])))
    assert 0 < sent <= profile.refusal_alerts
    esme.now += profile.refusal_alerts_within_s + 1
    assert len(esme.device.receive(esme.command(0x0050, b"\xd9", 5000, originator=SECOND_SUPPLIER, signed=True))) <= 1


def test_of_octets_that_cannot_be_read_only_the_first_are_shown(esme: Rig) -> None:
    esme.device.receive(b"\xdd" + bytes(range(200)))
    (record,) = [one for one in esme.records if one.event == "refused"]
    assert record.data is not None
    assert len(record.data) <= 32


@pytest.mark.parametrize(("version", "refused"), [("2.0", True), ("4.x", False)])
def test_a_gas_meter_of_an_early_version_has_no_command_of_a_later_one(make_rig: Callable[..., Rig], version: str, refused: bool) -> None:
    gsme = make_rig(DeviceType.GSME)
    gsme.device.keep_to(version)
    gsme.device.receive(gsme.command(0x00D8, b"", 1, signed=True))
    reasons = [str(one.detail.get("reason")) for one in gsme.records if one.event == "refused"]
    assert any("message code 00d8 is not one of a GSME" in reason for reason in reasons) is refused
