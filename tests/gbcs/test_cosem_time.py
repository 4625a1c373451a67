"""Times in their three notations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_emu.errors import IdentifierError
from firmware_emu.gbcs import asn1_types, cosem_time

moments = st.datetimes(datetime(2000, 1, 1), datetime(2136, 2, 7)).map(lambda at: at.replace(microsecond=0, tzinfo=UTC))


@given(moments)
def test_a_moment_reads_back_from_every_notation(moment: datetime) -> None:
    assert cosem_time.decode_date_time(cosem_time.encode_date_time(moment)) == moment
    assert cosem_time.decode_utc_seconds(cosem_time.encode_utc_seconds(moment)) == moment
    assert cosem_time.decode_generalized(cosem_time.encode_generalized(moment)) == moment


@given(st.binary(min_size=12, max_size=12))
def test_any_twelve_octets_name_a_moment_or_none(octets: bytes) -> None:
    moment = cosem_time.decode_date_time(octets)
    assert moment is None or moment.tzinfo is not None
    assert cosem_time.describe_date_time(octets)


def test_the_instant_of_the_reference_set_is_written_as_it_stands_there() -> None:
    new_year = datetime(2015, 1, 1, tzinfo=UTC)
    assert cosem_time.encode_date_time(new_year).hex() == "07df0101ff000000008000ff"
    assert cosem_time.encode_date_time(new_year, 4)[-1] == 4
    assert cosem_time.encode_utc_seconds(new_year) == 0x1C374A80
    assert cosem_time.encode_utc_seconds(new_year.astimezone(timezone(timedelta(hours=1)))) == 0x1C374A80


def test_hundredths_count_where_they_are_told() -> None:
    told = {octet: cosem_time.decode_date_time(bytes.fromhex(f"07df0101ff010203{octet:02x}0000ff")) for octet in (0, 50, 99, 0xFF)}
    assert {octet: at and at.microsecond for octet, at in told.items()} == {0: 0, 50: 500_000, 99: 990_000, 0xFF: 0}


def test_now_and_never_are_not_moments() -> None:
    assert cosem_time.decode_date_time(cosem_time.NOW) is None
    assert cosem_time.decode_date_time(cosem_time.NEVER) is None
    assert cosem_time.describe_date_time(cosem_time.NEVER) == "never"
    assert cosem_time.describe_utc_seconds(0) == "now"
    assert cosem_time.describe_utc_seconds(cosem_time.UTC_NEVER) == "never"


def test_an_activation_is_a_moment_now_or_never_in_every_notation() -> None:
    now, never, moment = cosem_time.Activation.NOW, cosem_time.Activation.NEVER, datetime(2030, 1, 15, tzinfo=UTC)
    assert [cosem_time.activation_octets(when) for when in (now, never)] == [cosem_time.NOW, cosem_time.NEVER]
    assert cosem_time.activation_octets(moment).hex() == "07ee010fff000000008000ff"
    assert [cosem_time.activation_seconds(when) for when in (now, never)] == [0, 0xFFFFFFFF]
    assert cosem_time.activation_seconds(never, second=True) == 0xFFFFFFFE
    assert cosem_time.activation_seconds(moment) == cosem_time.encode_utc_seconds(moment)
    assert cosem_time.activation_moment(now) is None
    assert cosem_time.activation_moment(never) == asn1_types.NEVER
    assert cosem_time.activation_moment(moment) == moment


def test_what_cannot_be_written_is_refused() -> None:
    with pytest.raises(IdentifierError):
        cosem_time.encode_utc_seconds(datetime(1999, 12, 31, tzinfo=UTC))
    with pytest.raises(IdentifierError):
        cosem_time.decode_generalized("yesterday")
    with pytest.raises(IdentifierError):
        cosem_time.decode_date_time(b"short")
