from __future__ import annotations

import pytest

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


@pytest.mark.parametrize(("known", "entered"), [(1500, 1501), (1500, 2523), (2047, 2048), (3000, 2049), (1024, 1023), (5, 1029)])
def test_a_token_without_its_counter_is_found_in_the_ten_bits_around_the_highest_that_is_known(
    esme: Rig, pki: Keystore, known: int, entered: int
) -> None:
    """Reference gbcs-messages 8: a token carries the low ten bits of the counter's upper half."""
    first = token(esme, pki, known << 32)
    assert top_up.check(esme.device, first, known << 32)[0] is TopUpResult.ACCEPTED
    assert top_up.check_entered(esme.device, token(esme, pki, entered << 32)) == (TopUpResult.ACCEPTED, 1_000_000)
    assert top_up.check_entered(esme.device, token(esme, pki, entered << 32)) == (TopUpResult.DUPLICATE, 0)


def test_a_token_that_is_more_than_a_round_of_ten_bits_away_is_not_found(esme: Rig, pki: Keystore) -> None:
    assert top_up.check(esme.device, token(esme, pki, 3000 << 32), 3000 << 32)[0] is TopUpResult.ACCEPTED
    for counter in (1023, 4096):
        assert top_up.check_entered(esme.device, token(esme, pki, counter << 32)) == (TopUpResult.INVALID, 0)


def test_entry_is_suspended_after_so_many_wrong_tokens_in_a_time_and_open_again_when_that_is_over(esme: Rig, pki: Keystore) -> None:
    profile = esme.device.profile
    told: list[int] = []
    wrong = token(esme, pki, cell=CellUsage.MANAGEMENT)

    def enter(utrn: str = wrong) -> TopUpResult:
        return top_up.check_entered(esme.device, utrn, told.append)[0]

    enter()
    esme.now += profile.wrong_tokens_within_s + 1
    for _ in range(profile.wrong_tokens - 1):
        assert enter() is TopUpResult.INVALID
    assert told == [], "the first is too long ago"
    assert enter() is TopUpResult.INVALID
    assert told == [0x81C4]
    esme.now += profile.tokens_suspended_s - 1
    assert enter(token(esme, pki)) is TopUpResult.ENTRY_LOCKED_OUT
    assert told == [0x81C4, 0x81C5]
    esme.now += 1
    assert enter(token(esme, pki)) is TopUpResult.ACCEPTED


def test_wrong_tokens_count_up_to_the_last_second_of_their_time(esme: Rig, pki: Keystore) -> None:
    profile = esme.device.profile
    told: list[int] = []
    wrong = token(esme, pki, cell=CellUsage.MANAGEMENT)
    top_up.check_entered(esme.device, wrong, told.append)
    esme.now += profile.wrong_tokens_within_s
    for _ in range(profile.wrong_tokens - 1):
        top_up.check_entered(esme.device, wrong, told.append)
    assert told == [0x81C4]
