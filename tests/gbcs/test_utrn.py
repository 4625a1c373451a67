"""Prepayment tokens, against the published values."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_emu.errors import IdentifierError, ProtectionError
from firmware_emu.gbcs.utrn import ValueClass, check_digit, check_utrn, make_utrn, read_utrn
from firmware_emu.ids import Eui64

SUPPLIER = Eui64.parse("90b3d51f30ff1000")
METER = Eui64.parse("00db12345678ff01")
Z = bytes(range(32))


def test_the_published_tokens_read_as_what_they_were_made_of() -> None:
    assert (read_utrn("73943333457189043313").counter_bits, read_utrn("73943333457189043313").value) == (1, 100)
    token = read_utrn("73946144332040217315")
    assert (token.counter_bits, token.value_class, token.value, token.pence) == (3, ValueClass.POUNDS, 10, 1000)


@given(st.integers(0, 2**32 - 1).map(lambda high: high << 32), st.integers(0, 8191), st.sampled_from(ValueClass))
def test_a_token_checks_for_its_own_counter_and_parties_only(counter: int, value: int, value_class: ValueClass) -> None:
    utrn = make_utrn(Z, supplier=SUPPLIER, meter=METER, counter=counter, value=value, value_class=value_class)
    assert len(utrn) == 20
    assert utrn[:2] in ("73", "74", "75")
    token = check_utrn(utrn, Z, supplier=SUPPLIER, meter=METER, counter=counter)
    assert (token.value, token.value_class) == (value, value_class)
    with pytest.raises(ProtectionError):
        check_utrn(utrn, Z, supplier=SUPPLIER, meter=METER, counter=counter ^ 1 << 32)
    with pytest.raises(ProtectionError):
        check_utrn(utrn, Z[::-1], supplier=SUPPLIER, meter=METER, counter=counter)


@given(st.text("0123456789", min_size=19, max_size=19), st.integers(0, 18), st.sampled_from("0123456789"))
def test_the_check_digit_finds_every_single_wrong_digit(digits: str, place: int, other: str) -> None:
    wrong = digits[:place] + other + digits[place + 1 :]
    assert (check_digit(wrong) == check_digit(digits)) is (wrong == digits)


def test_the_check_digit_finds_every_exchange_of_two_neighbours_in_a_token() -> None:
    digits = "7394614433204021731"
    for index, (left, right) in enumerate(pairwise(digits)):
        swapped = digits[:index] + right + left + digits[index + 2 :]
        assert left == right or check_digit(swapped) != check_digit(digits)


@pytest.mark.parametrize(
    "utrn", ["", "7394614433204021731", "73946144332040217314", "7394614433204021731x", "0000000000000000000" + check_digit("0" * 19)]
)
def test_what_cannot_be_a_token_is_refused(utrn: str) -> None:
    with pytest.raises(IdentifierError):
        read_utrn(utrn)


def test_a_value_above_thirteen_bits_is_refused() -> None:
    with pytest.raises(IdentifierError):
        make_utrn(Z, supplier=SUPPLIER, meter=METER, counter=1 << 32, value=8192)
