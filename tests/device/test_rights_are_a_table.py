"""Rights that the table does not grant are refused: for a party the Device does not know, for a partner, and by the header's fields."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from importlib import resources

import pytest

from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.device.profile import permissions
from firmware_emu.gbcs import protect
from firmware_emu.gbcs.envelope import Message, OtherInformation
from firmware_emu.gbcs.use_cases import Protection, by_code
from firmware_emu.ids import Eui64
from tests.device.device_rig import ACB, ESME, SUPPLIER, Rig

STRANGER = Eui64.parse("02bad00000000001")
BROKER = RemotePartyRole.ACCESS_CONTROL_BROKER
RIGHTS = [
    pytest.param(kind, code, id=f"{kind.name} {code:04x}")
    for kind in (DeviceType.ESME, DeviceType.GSME, DeviceType.GPF)
    for code in permissions(kind)
]


def for_a_stranger(code: int) -> OtherInformation:
    return OtherInformation(code, STRANGER, 1)


@pytest.mark.parametrize(("kind", "code"), RIGHTS)
def test_the_broker_runs_for_a_stranger_what_its_own_rows_grant_and_nothing_else(
    make_rig: Callable[..., Rig], kind: DeviceType, code: int
) -> None:
    rig = make_rig(kind)
    signed = by_code(code).protection is Protection.SIGNATURE
    octets = rig.command(code, b"", 1 << 40, originator=ACB, other=for_a_stranger(code), signed=signed)
    rig.device.receive(octets)
    granted = any(right.role is BROKER and right.for_another for right in permissions(kind)[code])
    assert ("authority" not in rig.refusals()) is granted


def test_a_strangers_top_up_change_of_tenancy_and_event_log_clearing_are_nobodys_right(make_rig: Callable[..., Rig]) -> None:
    for kind, codes in {DeviceType.ESME: (0x0007, 0x0023, 0x0047), DeviceType.GSME: (0x0097, 0x0073, 0x0015)}.items():
        rig = make_rig(kind)
        for code in codes:
            rig.device.receive(rig.command(code, b"", 1 << 40, originator=ACB, other=for_a_stranger(code)))
        assert rig.refusals() == ["authority"] * 3
        assert rig.executor.executed == []


def test_the_rows_of_partners_are_for_partners(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(DeviceType.GSME)
    for other in (for_a_stranger(0x0090), OtherInformation(0x0090)):
        rig.device.receive(rig.command(0x0090, b"", 1 << 40, originator=ACB, other=other))
    assert rig.refusals() == ["authority", "authority"]


def test_a_supplier_speaks_for_nobody_else(esme: Rig) -> None:
    esme.device.receive(esme.command(0x0052, b"\x00", 10, other=for_a_stranger(0x0052)))
    assert esme.refusals() == ["authority"]
    esme.device.receive(esme.command(0x0052, b"\x00", 10))
    assert esme.refusals() == ["authority"]
    assert esme.executor.executed == [10]


def header_with(rig: Rig, **fields: object) -> bytes:
    message = Message.decode(rig.command(0x0052, b"\x00", 10))
    changed = replace(message, header=replace(message.header, **fields))  # type: ignore[arg-type]
    return replace(changed, mac=protect.mac_of(replace(changed, mac=None), rig.keystore.shared_secret(ACB, ESME))).encode()


@pytest.mark.parametrize(
    "fields",
    [
        {"date_time": bytes.fromhex("07ea010105000000ff800000")},
        {"originator": ACB, "other": OtherInformation(0x0052, STRANGER)},
        {"originator": ACB, "other": OtherInformation(0x0052, STRANGER, 1, 2)},
    ],
)
def test_header_fields_that_no_command_has_are_refused(esme: Rig, fields: dict[str, object]) -> None:
    esme.device.receive(header_with(esme, **fields))
    assert esme.refusals() == ["well-formed"]
    assert esme.executor.executed == []


def test_an_install_code_in_a_command_of_bad_form_stays_out_of_the_trace(make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(DeviceType.CHF)
    message = Message.decode(rig.command(0x0001, b"\x00" * 16, 10, originator=ACB, other=OtherInformation(0x0001, SUPPLIER, 1)))
    rig.device.receive(replace(message, signature=None, mac=None).encode())
    assert rig.refusals() == ["well-formed"]
    assert [record.data for record in rig.records if record.event == "refused"] == [None]


def test_every_row_says_whether_it_is_for_another_and_names_its_source() -> None:
    text = resources.files("firmware_emu.device").joinpath("authority.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert {row["supplementary"] for row in rows} == {"yes", "no"}
    assert all(row["source"] for row in rows)
    assert {row["role"] for row in rows if row["supplementary"] == "yes"} == {"ACCESS_CONTROL_BROKER"}
