"""Access requests and responses, notifications, protected attributes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_emu.errors import DecodeError, IdentifierError
from firmware_emu.gbcs.dlms import (
    AccessOutcome,
    AccessRequest,
    AccessResponse,
    AccessResult,
    Choice,
    Data,
    DataNotification,
    DoubleLongUnsigned,
    LongUnsigned,
    Null,
    OctetString,
    Protected,
    ProtectedAttribute,
    ProtectionParameters,
    Specification,
    Structure,
    Unsigned,
    invoke_id,
    obis_text,
    open_protected,
    parse_obis,
    protected_request,
    range_selection,
)
from firmware_emu.ids import Eui64
from tests.gbcs.gbcs_strategies import outcome

simple: st.SearchStrategy[Data] = st.one_of(
    st.just(Null()), st.integers(0, 255).map(Unsigned), st.binary(max_size=40).map(OctetString), st.integers(0, 0xFFFF).map(LongUnsigned)
)
plain = st.builds(
    Specification,
    st.sampled_from([Choice.GET, Choice.SET, Choice.ACTION]),
    st.integers(0, 0xFFFF),
    st.binary(min_size=6, max_size=6),
    st.integers(0, 255),
)
selected = st.builds(
    Specification,
    st.just(Choice.GET_WITH_SELECTION),
    st.integers(0, 0xFFFF),
    st.binary(min_size=6, max_size=6),
    st.integers(0, 255),
    st.integers(0, 255),
    simple,
)
identifiers = st.integers(0, 2**32 - 1)


@given(identifiers, st.lists(st.tuples(st.one_of(plain, selected), simple), max_size=150))
def test_every_request_decodes_to_itself(identifier: int, items: list[tuple[Specification, Data]]) -> None:
    request = AccessRequest(identifier, tuple(item for item, _ in items), tuple(data for _, data in items))
    assert AccessRequest.decode(request.encode()) == request


@given(
    identifiers,
    st.lists(
        st.tuples(simple, st.sampled_from([Choice.GET, Choice.SET, Choice.ACTION]), st.sampled_from(AccessResult)),
        max_size=150,
    ),
)
def test_every_response_decodes_to_itself(identifier: int, items: list[tuple[Data, Choice, AccessResult]]) -> None:
    response = AccessResponse(identifier, tuple(item[0] for item in items), tuple(AccessOutcome(item[1], item[2]) for item in items))
    assert AccessResponse.decode(response.encode()) == response


@given(identifiers, simple)
def test_every_notification_decodes_to_itself(identifier: int, body: Data) -> None:
    notification = DataNotification(identifier, body)
    assert DataNotification.decode(notification.encode()) == notification


@given(st.sampled_from([(AccessRequest, b"\xd9"), (AccessResponse, b"\xda"), (DataNotification, b"\x0f")]), st.binary(max_size=80))
def test_arbitrary_octets_raise_decode_errors_only(
    kind: tuple[type[AccessRequest] | type[AccessResponse] | type[DataNotification], bytes], tail: bytes
) -> None:
    octets = kind[1] + bytes(4) + b"\0" + tail
    result = outcome(lambda: kind[0].decode(octets, 3))
    assert 3 <= result.offset <= 3 + len(octets) if isinstance(result, DecodeError) else result.encode() == octets


def test_the_invoke_id_is_twenty_and_the_low_three_octets_of_the_counter() -> None:
    assert invoke_id(0x0000000300000516) == 0x20000516


def test_an_obis_code_reads_as_text_and_back() -> None:
    assert parse_obis("0-0:94.44.10.2") == bytes((0, 0, 94, 44, 10, 2))
    assert obis_text(parse_obis("1-0:1.8.0.255")) == "1-0:1.8.0.255"
    with pytest.raises(IdentifierError):
        parse_obis("1-0:1.8.999")


def test_a_request_whose_counts_differ_is_refused() -> None:
    with pytest.raises(DecodeError, match="items for"):
        AccessRequest.decode(bytes.fromhex("d9200003e8000103000900000a006aff010200120036"))


def test_a_result_that_does_not_exist_is_refused() -> None:
    with pytest.raises(DecodeError, match="access result"):
        AccessResponse.decode(bytes.fromhex("da20000516000001000103 05".replace(" ", "")))


def test_a_range_selection_is_written_as_the_reference_describes() -> None:
    clock = bytes.fromhex("00005e2c64ff")
    selection = range_selection(1, clock, 2, DoubleLongUnsigned(1), DoubleLongUnsigned(2))
    assert selection.encode().hex() == "0204" + "0204120001090600005e2c64ff0f02120000" + "0600000001" + "0600000002" + "0100"


def test_protection_parameters_are_recognised_only_in_their_exact_form() -> None:
    parameters = ProtectionParameters(1000, Eui64.parse("90b3d51f30010000"), Eui64.parse("00db1234567890a0"))
    assert ProtectionParameters.of(parameters.data()) == parameters
    assert ProtectionParameters.of(Structure((Null(),))) is None
    protected = Protected(parameters, b"\x31\0\0\0\0" + bytes(20))
    assert Protected.of(protected.data().elements) == protected
    assert Protected.of((parameters.data(), OctetString(b"plain"))) is None


def test_a_protected_read_asks_for_its_attributes_with_their_restriction() -> None:
    parameters = ProtectionParameters(1, Eui64(bytes(8)), Eui64(bytes(8)))
    attribute = ProtectedAttribute(7, parse_obis("1-0:99.1.0.255"), 2, 0, (OctetString(bytes(12)), OctetString(bytes(12))))
    request = protected_request((attribute,), parameters)
    assert request.encode().hex().startswith("0202010102051200070906010063010" + "0ff0f021200000202160102")


def test_a_decrypted_answer_must_be_a_structure() -> None:
    assert open_protected(b"\x02\x01\x11\x05") == Structure((Unsigned(5),))
    with pytest.raises(DecodeError, match="protected attributes"):
        open_protected(b"\x11\x05", 90)
