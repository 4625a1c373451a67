"""A state machine that looks for a sequence of messages, power cuts and changes of supplier in which a Device obeys what it must not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from device_rig import ACB, COS, GSME, NETWORK_OPERATOR, PARTIES, SECOND_SUPPLIER, SUPPLIER, Rig
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from test_credentials_use_cases import replacements, update

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.device.credentials import Credentials
from firmware_emu.errors import CommsHubError
from firmware_emu.gbcs.asn1_types import SeqChange
from firmware_emu.gbcs.envelope import Message, OtherInformation
from firmware_emu.ids import CraFlag, Eui64

CODE = 0x0050
COUNTERS = st.integers(min_value=1, max_value=12)
SENDERS = st.sampled_from([SUPPLIER, SECOND_SUPPLIER, NETWORK_OPERATOR, ACB, COS])


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
            self.reset()

        def reset(self) -> None:
            """A factory-fresh Device in the same rig."""
            for key in self.rig.store.keys(""):
                self.rig.store.delete(key)
            Credentials.from_keystore(self.rig.store, self.pki, self.rig.device.eui64, DeviceType.ESME, PARTIES)
            self.rig.executor.executed.clear()
            self.rig.restarted()

        def send(self, data: bytes, *, may_act: bool) -> None:
            before = len(self.rig.executor.executed)
            answers = self.rig.device.receive(data)
            acted = len(self.rig.executor.executed) - before
            assert acted == int(may_act), f"acted {acted} times, expected {int(may_act)}"
            assert any(Message.decode(answer).header.cra is CraFlag.RESPONSE for answer in answers) == may_act
            self.recorded.append(data)

        @rule(counter=COUNTERS)
        def the_supplier_sends_a_command(self, counter: int) -> None:
            fresh = counter > self.highest
            self.send(self.rig.command(CODE, b"\xd9", counter, originator=self.supplier, signed=True), may_act=fresh)
            self.highest = max(self.highest, counter)

        @rule(counter=COUNTERS, party=SENDERS)
        def another_party_sends_it(self, counter: int, party: Eui64) -> None:
            if party != self.supplier:
                self.used[party] = max(self.used.get(party, 0), counter)
                self.send(self.rig.command(CODE, b"\xd9", counter, originator=party, signed=True), may_act=False)

        @rule(counter=COUNTERS, party=SENDERS)
        def another_party_signs_in_the_suppliers_name(self, counter: int, party: Eui64) -> None:
            if party != self.supplier:
                data = self.rig.command(CODE, b"\xd9", counter, originator=self.supplier, signed=True, signer=party)
                self.send(data, may_act=False)

        @rule(counter=COUNTERS)
        def it_is_for_another_device(self, counter: int) -> None:
            self.send(self.rig.command(CODE, b"\xd9", counter, originator=self.supplier, recipient=GSME, signed=True), may_act=False)

        @rule(counter=COUNTERS)
        def it_comes_without_a_mac(self, counter: int) -> None:
            self.send(self.rig.command(CODE, b"\xd9", counter, originator=self.supplier, signed=True, mac=False), may_act=False)

        @rule(counter=COUNTERS)
        def it_comes_through_the_acb_for_a_user(self, counter: int) -> None:
            other = OtherInformation(CODE, self.supplier, counter)
            self.send(self.rig.command(CODE, b"\xd9", counter, originator=ACB, signed=True, other=other), may_act=False)

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
    make_rig: Callable[..., Rig], pki: Keystore,
) -> None:
    run_state_machine_as_test(
        machine(make_rig(), pki),
        settings=settings(max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)),
    )
