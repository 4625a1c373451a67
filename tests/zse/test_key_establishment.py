from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_emu.crypto.ecqv import CbkeCredentials, ImplicitAuthority, issue
from firmware_emu.ids import Eui64
from firmware_emu.zse.key_establishment import (
    TABLE,
    Action,
    Await,
    Established,
    EstablishmentEvent,
    EstablishmentSession,
    EstablishmentState,
    Failed,
    KeCommand,
    Role,
    Send,
    Terminate,
    TerminateStatus,
    event_of,
)

U, V = Eui64.parse("00db1234567890a1"), Eui64.parse("00db1234567890a0")

# Test vectors of the ZigBee Smart Energy specification, Annex C.5 (reference cbke, suite 1).
ID_U, ID_V = Eui64.parse("0000000000000002"), Eui64.parse("0000000000000001")
VECTOR_CA = bytes.fromhex("0200fde8a7f3d1084224962a4e7c54e69ac3f04da6b8")
VECTOR_U = CbkeCredentials(
    bytes.fromhex("020615e07d30eca2dad58002e667d94bc1b4223983070000000000000002544553545345434101090006000000000000"),
    0x01E9DDB5580CF72ECE7F215F0AE594E48DF3E7FEE8,
    VECTOR_CA,
    1,
)
VECTOR_V = CbkeCredentials(
    bytes.fromhex("03045fdfc8d85ffb8b3993cb72ddcaa55f00b3e87d6d0000000000000001544553545345434101090006000000000000"),
    0x00B8A900FCADEBABBFA383B540FCE9ED438395EAA7,
    VECTOR_CA,
    1,
)
EPHEMERAL_U = (0x0013D36DE4B1EA8E22739C381370823F404BFF8862, bytes.fromhex("0300e117c86d0e7cd128b2f34e9076cff24af46d7288"))
EPHEMERAL_V = (0x03D48C7210DDBCC4FB2E5E7A0AA16A0DB89540820B, bytes.fromhex("0306ab52062201d995b8b8591f3f086a3a2e214d845e"))


@pytest.fixture(scope="module")
def authority() -> ImplicitAuthority:
    return ImplicitAuthority.generate(Eui64.parse("1112131415161718"), suite=1)


def sent(actions: list[Action]) -> Send:
    return next(action for action in actions if isinstance(action, Send))


def failed(actions: list[Action]) -> Failed:
    return next(action for action in actions if isinstance(action, Failed))


def deliver(message: Send, to: EstablishmentSession) -> list[Action]:
    return to.handle(event_of(message.command), message.payload)


def test_the_published_vectors_lead_to_the_published_confirmation_and_key() -> None:
    initiator = EstablishmentSession(Role.INITIATOR, ID_U, ID_V, VECTOR_U, ephemeral=lambda _: EPHEMERAL_U)
    responder = EstablishmentSession(Role.RESPONDER, ID_V, ID_U, VECTOR_V, ephemeral=lambda _: EPHEMERAL_V)
    message = sent(initiator.handle(EstablishmentEvent.START))
    assert message.payload[:4].hex() == "01000a0a"
    message = sent(deliver(sent(deliver(message, responder)), initiator))
    assert message.payload == EPHEMERAL_U[1]
    message = sent(deliver(sent(deliver(message, responder)), initiator))
    assert message.payload.hex() == "b82f1f9774740c32f80fcfc3921b6420"
    answered = deliver(message, responder)
    assert sent(answered).payload.hex() == "79d5f2ad1c31d4d1ee7cb719ac683c3c"
    key = bytes.fromhex("86d58aaa998e2faefaf9fef49606543a")
    assert Established(key) in answered
    assert deliver(sent(answered), initiator) == [Established(key)]
    assert (initiator.state, responder.state) == (EstablishmentState.ESTABLISHED, EstablishmentState.ESTABLISHED)
    assert "86d5" not in repr(Established(key))


class Run:
    """A run up to a given message, for the negative tests."""

    def __init__(self, authority: ImplicitAuthority, **responder: CbkeCredentials) -> None:
        self.initiator = EstablishmentSession(Role.INITIATOR, U, V, issue(authority, U))
        self.responder = EstablishmentSession(Role.RESPONDER, V, U, responder.get("credentials") or issue(authority, V))
        self.offer = sent(self.initiator.handle(EstablishmentEvent.START))


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (lambda offer: b"\x02\x00" + offer[2:], TerminateStatus.NO_SUPPORTED_SUITE),
        (lambda offer: offer[:-1], TerminateStatus.BAD_MESSAGE),
        (lambda offer: offer + b"\x00", TerminateStatus.BAD_MESSAGE),
        (lambda offer: b"", TerminateStatus.BAD_MESSAGE),
        (lambda offer: offer[:4] + offer[4:26] + V.octets + offer[34:], TerminateStatus.INVALID_CERTIFICATE),
        (lambda offer: offer[:34] + bytes(8) + offer[42:], TerminateStatus.UNKNOWN_ISSUER),
        (lambda offer: offer[:42] + b"\x01\x04" + offer[44:], TerminateStatus.INVALID_CERTIFICATE),
        (lambda offer: offer[:4] + b"\x07" + offer[5:], TerminateStatus.INVALID_CERTIFICATE),
    ],
)
def test_an_offer_that_does_not_hold_is_refused_with_its_status(
    authority: ImplicitAuthority, change: object, status: TerminateStatus
) -> None:
    run = Run(authority)
    actions = run.responder.handle(EstablishmentEvent.INITIATE, change(run.offer.payload))  # type: ignore[operator]
    assert failed(actions).status is status
    assert sent(actions) == Send(KeCommand.TERMINATE, Terminate(status, 0, 1).encode())
    assert run.responder.state is EstablishmentState.FAILED


@pytest.mark.parametrize("usage", [0x00, 0x80])
def test_a_suite_2_certificate_that_is_not_for_key_agreement_is_refused(usage: int) -> None:
    authority = ImplicitAuthority.generate(Eui64.parse("1112131415161718"))
    offer = b"\x02\x00\x0a\x0a" + issue(authority, U, key_usage=usage).certificate
    responder = EstablishmentSession(Role.RESPONDER, V, U, issue(authority, V))
    assert failed(responder.handle(EstablishmentEvent.INITIATE, offer)).status is TerminateStatus.INVALID_CERTIFICATE


@pytest.mark.parametrize("payload", [b"", bytes(21), bytes(22), b"\x02" + b"\xff" * 21])
def test_ephemeral_data_that_are_no_point_end_with_bad_message(authority: ImplicitAuthority, payload: bytes) -> None:
    run = Run(authority)
    deliver(run.offer, run.responder)
    actions = run.responder.handle(EstablishmentEvent.EPHEMERAL, payload)
    assert failed(actions).status is TerminateStatus.BAD_MESSAGE


def test_a_wrong_confirmation_ends_with_bad_key_confirm_and_no_key(authority: ImplicitAuthority) -> None:
    run = Run(authority)
    message = sent(deliver(sent(deliver(run.offer, run.responder)), run.initiator))
    deliver(message, run.responder)
    actions = run.responder.handle(EstablishmentEvent.CONFIRM, bytes(16))
    assert failed(actions).status is TerminateStatus.BAD_KEY_CONFIRM
    assert not any(isinstance(action, Established) for action in actions)


def test_a_message_out_of_its_turn_ends_the_session(authority: ImplicitAuthority) -> None:
    run = Run(authority)
    assert failed(run.responder.handle(EstablishmentEvent.CONFIRM, bytes(16))).status is TerminateStatus.BAD_MESSAGE
    run = Run(authority)
    deliver(run.offer, run.responder)
    assert failed(deliver(run.offer, run.responder)).status is TerminateStatus.BAD_MESSAGE


def test_a_partners_terminate_ends_it_without_an_answer(authority: ImplicitAuthority) -> None:
    run = Run(authority)
    actions = run.initiator.handle(EstablishmentEvent.TERMINATE, Terminate(4, 30, 1).encode())
    assert actions == [Failed("the partner ended key establishment: NO_RESOURCES", TerminateStatus.NO_RESOURCES, 30)]


def test_silence_is_told_and_not_answered(authority: ImplicitAuthority) -> None:
    run = Run(authority)
    assert [type(action) for action in run.initiator.handle(EstablishmentEvent.TIMEOUT)] == [Failed]


def test_the_partner_is_given_the_time_it_announced(authority: ImplicitAuthority) -> None:
    run = Run(authority)
    slow = run.offer.payload[:2] + b"\x3c\xff" + run.offer.payload[4:]
    assert Await(65) in run.responder.handle(EstablishmentEvent.INITIATE, slow)
    message = sent(deliver(Send(KeCommand.INITIATE, sent_by_responder(authority)), run.initiator))
    assert Await(15) in deliver(message, run.responder)


def sent_by_responder(authority: ImplicitAuthority) -> bytes:
    return b"\x01\x00\x0a\x0a" + issue(authority, V).certificate


def test_every_row_of_the_table_leads_to_a_state_of_the_same_table() -> None:
    for rows in TABLE.values():
        for events in rows.values():
            for _, following in events.values():
                assert following in rows or following in (EstablishmentState.ESTABLISHED, EstablishmentState.FAILED)


@given(
    events=st.lists(st.tuples(st.sampled_from(list(EstablishmentEvent)), st.binary(max_size=90)), max_size=8),
    role=st.sampled_from(list(Role)),
)
def test_no_order_of_events_and_no_octets_raise_or_yield_a_key(events: list[tuple[EstablishmentEvent, bytes]], role: Role) -> None:
    session = EstablishmentSession(role, ID_U, ID_V, VECTOR_U, ephemeral=lambda _: EPHEMERAL_U)
    for event, payload in events:
        assert not any(isinstance(action, Established) for action in session.handle(event, payload))
    if session.over:
        assert session.handle(EstablishmentEvent.START) == []
