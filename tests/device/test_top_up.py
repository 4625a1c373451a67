from __future__ import annotations

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import CellUsage
from firmware_emu.device import top_up
from firmware_emu.device.event_log import LogName
from firmware_emu.device.top_up import TopUpResult
from firmware_emu.gbcs.utrn import make_utrn
from tests.device.device_rig import SUPPLIER, Rig

COUNTER = 3 << 32


def token(rig: Rig, pki: Keystore, counter: int = COUNTER, cell: CellUsage = CellUsage.PREPAYMENT_TOP_UP) -> str:
    z = pki.shared_secret(rig.device.eui64, SUPPLIER, cell)
    return make_utrn(z, supplier=SUPPLIER, meter=rig.device.eui64, counter=counter, value=10)


def codes(rig: Rig) -> list[int]:
    return [entry.code for entry in rig.device.logs[LogName.SECURITY].entries()]


def test_a_token_is_worth_its_value_once_and_a_duplicate_after_that(esme: Rig, pki: Keystore) -> None:
    utrn = token(esme, pki)
    assert top_up.check(esme.device, utrn, COUNTER) == (TopUpResult.ACCEPTED, 1_000_000)
    assert top_up.check(esme.device, utrn, COUNTER) == (TopUpResult.DUPLICATE, 0)
    assert codes(esme) == [0x8F51]


def test_a_duplicate_is_known_after_a_power_cut_and_among_a_hundred(esme: Rig, pki: Keystore) -> None:
    for number in range(1, 101):
        counter = number << 32
        assert top_up.check(esme.device, token(esme, pki, counter), counter)[0] is TopUpResult.ACCEPTED
    esme.restarted()
    assert top_up.check(esme.device, token(esme, pki, 1 << 32), 1 << 32)[0] is TopUpResult.DUPLICATE


def test_a_token_made_with_the_management_key_or_another_counter_is_not_authentic(esme: Rig, pki: Keystore) -> None:
    wrong_key = token(esme, pki, cell=CellUsage.MANAGEMENT)
    assert top_up.check(esme.device, wrong_key, COUNTER) == (TopUpResult.INVALID, 0)
    assert top_up.check(esme.device, token(esme, pki), COUNTER + (1024 << 32)) == (TopUpResult.INVALID, 0)
    assert codes(esme) == [0x8F63, 0x8F63]


def test_a_wrong_check_digit_is_told_without_the_token(esme: Rig, pki: Keystore) -> None:
    utrn = token(esme, pki)
    wrong = utrn[:-1] + str((int(utrn[-1]) + 1) % 10)
    assert top_up.check(esme.device, wrong, COUNTER) == (TopUpResult.INVALID, 0)
    assert not any(wrong in record.as_json() for record in esme.records)
