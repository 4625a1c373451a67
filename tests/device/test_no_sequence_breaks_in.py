"""A state machine that looks for a sequence of messages, power cuts and changes of supplier in which a Device obeys what it must not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from firmware_emu.crypto.certificates import Issuer, Validity, organisation_certificate
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.primitives import generate
from firmware_emu.crypto.roles import DeviceType, KeyUsage, RemotePartyRole
from firmware_emu.device.credentials import Credentials
from firmware_emu.device.event_log import LogName, route
from firmware_emu.device.profile import CommandCheck
from firmware_emu.errors import CommsHubError
from firmware_emu.gbcs.asn1_types import SeqChange, StatusCode, TrustAnchorCell, TrustAnchorReplacement
from firmware_emu.gbcs.envelope import Message, OtherInformation
from firmware_emu.ids import CraFlag, Eui64
from tests.device.credential_updates import der, outcome, replacements, update
from tests.device.device_rig import ACB, COS, GSME, NETWORK_OPERATOR, PARTIES, SECOND_SUPPLIER, SUPPLIER, Rig

CODE, OPERATORS_CODE, GAS_CODE = 0x0050, 0x0026, 0x0081
BROKEN = ("expired", "not yet valid", "of a stranger's authority", "of another role", "for another use")
COUNTERS = st.integers(min_value=1, max_value=12)
SENDERS = st.sampled_from([SUPPLIER, SECOND_SUPPLIER, NETWORK_OPERATOR, ACB, COS])


def broken_certificates(pki: Keystore) -> dict[str, tuple[TrustAnchorReplacement, ...]]:
    """Replacements of the supplier's certificate that have something wrong, by :data:`BROKEN`."""
    authority = pki.authority(RemotePartyRole.ISSUING_AUTHORITY)
    issuer, stranger = Issuer(authority, pki.authority_key(authority)), Issuer(authority, generate())
    past = Validity(datetime(2015, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC))
    future = Validity(datetime(2039, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC))
    always = Validity(datetime(2015, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC))
    usage, role = KeyUsage.DIGITAL_SIGNATURE, RemotePartyRole.SUPPLIER

    def made(role: RemotePartyRole, usage: KeyUsage, by: Issuer, valid: Validity) -> TrustAnchorReplacement:
        certificate = organisation_certificate(SECOND_SUPPLIER, role, usage, generate().public_key(), by, valid)
        return TrustAnchorReplacement(der(certificate), TrustAnchorCell(2, KeyUsage.DIGITAL_SIGNATURE))

    return {
        "expired": (made(role, usage, issuer, past),),
        "not yet valid": (made(role, usage, issuer, future),),
        "of a stranger's authority": (made(role, usage, stranger, always),),
        "of another role": (made(RemotePartyRole.NETWORK_OPERATOR, usage, issuer, always),),
        "for another use": (made(role, KeyUsage.KEY_AGREEMENT, issuer, always),),
    }


def machine(rig: Rig, pki: Keystore) -> type[RuleBasedStateMachine]:
    class Attack(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.rig = rig
            self.pki = pki
            self.supplier = SUPPLIER
            self.highest = 0
            self.used: dict[Eui64, int] = {}
            self.recorded: list[bytes] = []
            self.next_cos = 1
            self.broken = broken_certificates(pki)
            self.reset()

        def reset(self) -> None:
            """A factory-fresh Device in the same rig."""
            for key in self.rig.store.keys(""):
                self.rig.store.delete(key)
            Credentials.from_keystore(self.rig.store, self.pki, self.rig.device.eui64, DeviceType.ESME, PARTIES)
            self.rig.executor.executed.clear()
            self.rig.restarted()

        def send(self, data: bytes, *, may_act: bool, step: CommandCheck | None = None) -> None:
            """``step``: the check that has to refuse it; None where several may be the first to notice."""
            device = self.rig.device
            before, refused, logged = len(self.rig.executor.executed), len(self.rig.refusals()), self.written()
            answers = [Message.decode(answer) for answer in device.receive(data)]
            acted = len(self.rig.executor.executed) - before
            assert acted == int(may_act), f"acted {acted} times, expected {int(may_act)}"
            assert any(answer.header.cra is CraFlag.RESPONSE for answer in answers) == may_act
            if may_act:
                assert len(self.rig.refusals()) == refused
            else:
                self.leaves_the_documented_trace(refused, logged, answers, step)
            self.recorded.append(data)

        def written(self) -> Counter[int]:
            """Codes of all that the logs hold, which here are never full."""
            return Counter(entry.code for name in LogName for entry in self.rig.device.logs[name].entries())

        def leaves_the_documented_trace(
            self, refused: int, logged: Counter[int], answers: list[Message], step: CommandCheck | None
        ) -> None:
            """One refusal in the trace, with its clause; log entry and alert as the profile says for the step, and nothing else."""
            device = self.rig.device
            steps = self.rig.refusals()[refused:]
            assert len(steps) == 1
            assert step is None or steps == [step.value], f"refused by {steps[0]}, expected {step}"
            consequence = device.profile.refusals[CommandCheck(steps[0])]
            told = next(record for record in reversed(self.rig.records) if record.event == "refused")
            assert (told.detail["clause"], bool(told.detail["reason"])) == (consequence.clause, True)
            new = self.written() - logged
            new.pop(device.profile.unusual_event, None)
            logs = route(consequence.event, device.device_type).logs if consequence.event else ()
            assert new == Counter({consequence.event: len(logs)} if logs else {})
            assert [answer.header.cra for answer in answers] == [CraFlag.ALERT] * consequence.alert
            assert all(consequence.event.to_bytes(2, "big") in answer.payload for answer in answers)

        @rule(counter=COUNTERS)
        def the_supplier_sends_a_command(self, counter: int) -> None:
            fresh = counter > self.highest
            self.send(
                self.rig.command(CODE, b"\xd9", counter, originator=self.supplier, signed=True), may_act=fresh, step=CommandCheck.COUNTER
            )
            self.highest = max(self.highest, counter)

        @rule(counter=COUNTERS, party=SENDERS)
        def another_party_sends_it(self, counter: int, party: Eui64) -> None:
            if party != self.supplier:
                self.used[party] = max(self.used.get(party, 0), counter)
                data = self.rig.command(CODE, b"\xd9", counter, originator=party, signed=True)
                self.send(data, may_act=False, step=CommandCheck.AUTHORITY)

        @rule(counter=COUNTERS)
        def the_supplier_sends_what_only_the_network_operator_may(self, counter: int) -> None:
            data = self.rig.command(OPERATORS_CODE, b"\xd9", counter, originator=self.supplier)
            self.send(data, may_act=False, step=CommandCheck.AUTHORITY)

        @rule(counter=COUNTERS)
        def it_is_a_command_of_another_type_of_device(self, counter: int) -> None:
            data = self.rig.command(GAS_CODE, b"\xd9", counter, originator=self.supplier, signed=True)
            self.send(data, may_act=False, step=CommandCheck.SUPPORTED)

        @rule(counter=COUNTERS, keep=st.floats(min_value=0, max_value=1, exclude_max=True))
        def it_is_cut_short(self, counter: int, keep: float) -> None:
            good = self.rig.command(CODE, b"\xd9", self.highest + counter, originator=self.supplier, signed=True)
            self.send(good[: int(len(good) * keep)], may_act=False)

        @rule(counter=COUNTERS, more=st.binary(min_size=1, max_size=8))
        def there_is_more_than_a_message(self, counter: int, more: bytes) -> None:
            good = self.rig.command(CODE, b"\xd9", self.highest + counter, originator=self.supplier, signed=True)
            self.send(good + more, may_act=False)

        @rule(counter=COUNTERS)
        def it_is_far_too_long(self, counter: int) -> None:
            good = self.rig.command(CODE, bytes(60_000), self.highest + counter, originator=self.supplier, signed=True, mac=False)
            self.send(good + bytes(5_000), may_act=False)

        @rule(counter=st.integers(min_value=1 << 63, max_value=(1 << 64) - 1))
        def its_counter_is_larger_than_any_may_be(self, counter: int) -> None:
            data = self.rig.command(CODE, b"\xd9", counter, originator=self.supplier, signed=True)
            self.send(data, may_act=False, step=CommandCheck.COUNTER)

        @rule(kind=st.sampled_from(sorted(BROKEN)), floor=st.integers(min_value=0, max_value=12))
        def a_change_of_supplier_brings_a_bad_certificate(self, kind: str, floor: int) -> None:
            """Answered, for the Command is lawful; but nobody is replaced and no floor moves."""
            payload = update(self.pki, 7, self.next_cos, self.broken[kind], others=(SeqChange(2, floor, None),), role=5)
            answer = self.rig.ask(0x0107, payload, self.next_cos, originator=COS, signed=True)
            self.next_cos += 1
            found = outcome(answer)
            assert all(part.status is not StatusCode.SUCCESS for part in found.replacements)
            assert found.seq_changes == ()
            assert self.rig.device.credentials.party(RemotePartyRole.SUPPLIER) == self.supplier

        @rule(counter=COUNTERS, party=SENDERS)
        def another_party_signs_in_the_suppliers_name(self, counter: int, party: Eui64) -> None:
            if party != self.supplier:
                data = self.rig.command(CODE, b"\xd9", counter, originator=self.supplier, signed=True, signer=party)
                self.send(data, may_act=False, step=CommandCheck.SIGNATURE if counter > self.highest else CommandCheck.COUNTER)

        @rule(counter=COUNTERS)
        def it_is_for_another_device(self, counter: int) -> None:
            data = self.rig.command(CODE, b"\xd9", counter, originator=self.supplier, recipient=GSME, signed=True)
            self.send(data, may_act=False, step=CommandCheck.ADDRESSED)

        @rule(counter=COUNTERS)
        def it_comes_without_a_mac(self, counter: int) -> None:
            data = self.rig.command(CODE, b"\xd9", counter, originator=self.supplier, signed=True, mac=False)
            self.send(data, may_act=False, step=CommandCheck.MAC if counter > self.highest else CommandCheck.COUNTER)

        @rule(counter=COUNTERS)
        def it_comes_through_the_acb_for_a_user(self, counter: int) -> None:
            other = OtherInformation(CODE, self.supplier, counter)
            data = self.rig.command(CODE, b"\xd9", counter, originator=ACB, signed=True, other=other)
            self.send(data, may_act=False, step=CommandCheck.AUTHORITY)

        @rule(data=st.data())
        def an_old_message_comes_again(self, data: st.DataObject) -> None:
            if self.recorded:
                self.send(data.draw(st.sampled_from(self.recorded)), may_act=False)

        @rule(data=st.data(), bit=st.integers(min_value=0))
        def a_bit_flips(self, data: st.DataObject, bit: int) -> None:
            good = bytearray(self.rig.command(CODE, b"\xd9", self.highest + 1, originator=self.supplier, signed=True))
            bit %= len(good) * 8
            good[bit // 8] ^= 1 << bit % 8
            self.send(bytes(good), may_act=False)

        @rule()
        def the_power_fails(self) -> None:
            self.rig.restarted()

        @rule(counter=COUNTERS)
        def the_power_fails_in_the_middle_of_execution(self, counter: int) -> None:
            """The counter is spent, so the same command is a replay afterwards."""
            if counter <= self.highest:
                return
            command = self.rig.command(CODE, b"\xd9", counter, originator=self.supplier, signed=True)
            self.rig.executor.crash = CommsHubError("power")
            self.rig.device.receive(command)
            self.rig.executor.crash = None
            self.rig.restarted()
            self.highest = counter
            self.send(command, may_act=False)

        @rule(floor=st.integers(min_value=0, max_value=12))
        def the_supplier_changes(self, floor: int) -> None:
            new = SECOND_SUPPLIER if self.supplier == SUPPLIER else SUPPLIER
            self.used[self.supplier] = max(self.used.get(self.supplier, 0), self.highest)
            floor = max(floor, self.used.get(new, 0))  # a supplier that comes back sets a floor above what it sent before
            items = replacements(self.pki, new, 2)
            payload = update(self.pki, 7, self.next_cos, items, others=(SeqChange(2, floor, None),), role=5)
            self.rig.ask(0x0107, payload, self.next_cos, originator=COS, signed=True)
            self.next_cos += 1
            self.supplier = new
            self.highest = floor

        @invariant()
        def the_stored_counter_is_the_highest_taken(self) -> None:
            assert self.rig.device.credentials.counter(RemotePartyRole.SUPPLIER) == self.highest

    return Attack


@pytest.mark.requirement("CH-16")
@pytest.mark.requirement("CH-17")
@pytest.mark.requirement("CH-20")
def test_no_sequence_of_messages_power_cuts_and_changes_of_supplier_gets_an_unlawful_command_executed(
    make_rig: Callable[..., Rig],
    pki: Keystore,
) -> None:
    run_state_machine_as_test(
        machine(make_rig(), pki),
        settings=settings(max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)),
    )
