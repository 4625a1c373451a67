"""Messages through the hub: tunnels, the gas meter's mailbox, routing by envelope."""

from __future__ import annotations

import pytest

from firmware_emu.errors import RadioError
from firmware_emu.gbcs.alerts import DeliveryFailure
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.use_cases import decode_payload
from firmware_emu.han.base import HanEventKind
from firmware_emu.ids import CraFlag, Eui64
from firmware_emu.wan.base import WanKind
from tests.hub.hub_bench import (
    ACB,
    CHF,
    ESME,
    GPF,
    GSME,
    IHD,
    NETWORK_OPERATOR,
    STRANGER,
    SUPPLIER,
    Bench,
    GasMeter,
    Meter,
    add_device,
    codes,
    joined_meter,
    read_logs,
    remove_device,
)


def message(
    recipient: Eui64,
    counter: int,
    *,
    originator: Eui64 = SUPPLIER,
    cra: CraFlag = CraFlag.COMMAND,
    size: int = 40,
) -> bytes:
    """A message that the hub has no key for: it must pass unopened."""
    return Message(GroupingHeader(cra, counter, originator, recipient, OtherInformation(0x0062)), bytes(size), bytes(64)).encode()


def tunnel_events(bench: Bench, event: str) -> list[float]:
    return [record.time for record in bench.records if record.event == event]


@pytest.mark.requirement("CH-03")
@pytest.mark.requirement("CH-15")
async def test_commands_reach_their_device_in_order_and_unaltered(bench: Bench) -> None:
    meter = await joined_meter(bench)
    sent = [message(ESME, number, size=number * 10) for number in range(1, 20)]
    for one in sent:
        bench.send(one)
    await bench.wait_for(lambda: len(meter.got) == 19)
    assert meter.got == sent
    assert bench.hub.status.mailbox == {}


@pytest.mark.requirement("CH-03")
@pytest.mark.requirement("CH-15")
@pytest.mark.requirement("CH-10")
async def test_what_a_device_sends_goes_up_unaltered_and_alerts_are_stamped_when_the_chf_gets_them(bench: Bench) -> None:
    meter = await joined_meter(bench)
    await bench.clock.sleep(5)
    response = message(SUPPLIER, 7, originator=ESME, cra=CraFlag.RESPONSE)
    alert = message(NETWORK_OPERATOR, 8, originator=ESME, cra=CraFlag.ALERT)
    bench.wan.coverage = False
    bench.wan.cut()
    await meter.send(response)
    await meter.send(alert)
    notified = bench.clock.now()
    await bench.clock.sleep(100)
    bench.wan.coverage = True
    await bench.wait_for(lambda: alert in bench.from_hub or None, 120)
    assert [one for one in bench.from_hub if one in (response, alert)] == [response, alert]
    identifier = Message.decode(alert).header.identifier
    assert list(bench.hub.alert_stamps) == [identifier]
    assert bench.hub.alert_stamps[identifier] == pytest.approx(notified, abs=0.1)
    (frame,) = (frame for _, frame in bench.frames if frame.kind is WanKind.ALERT and frame.body[4:] == alert)
    assert int.from_bytes(frame.body[:4], "big") == int(notified)


async def test_a_transfer_is_confirmed_only_when_the_message_is_in_nvm(bench: Bench) -> None:
    meter = await joined_meter(bench)
    await bench.clock.sleep(5)
    bench.wan.coverage = False
    bench.wan.cut()
    alert = message(NETWORK_OPERATOR, 9, originator=ESME, cra=CraFlag.ALERT)
    await meter.send(alert)
    await bench.cut()  # the instant after the confirmation
    bench.wan.coverage = True
    await bench.power_on()
    await bench.wait_for(lambda: alert in bench.from_hub or None, 60)
    assert bench.from_hub.count(alert) == 1


async def test_a_busy_tunnel_server_is_asked_again_after_three_minutes(bench: Bench) -> None:
    await bench.ask(add_device(bench, ESME))
    meter = Meter(bench, ESME)
    meter.server.busy = True
    await meter.join()
    await bench.clock.sleep(1)
    refused = tunnel_events(bench, "tunnel refused")
    assert len(refused) == 1
    meter.server.busy = False
    bench.send(message(ESME, 1))
    await bench.wait_for(lambda: meter.got or None, 200)
    assert tunnel_events(bench, "tunnel open")[0] - refused[0] == pytest.approx(180, abs=1)


async def test_a_device_that_lost_its_tunnel_is_asked_for_a_new_one_and_gets_the_message(bench: Bench) -> None:
    meter = await joined_meter(bench)
    await bench.clock.sleep(2)
    meter.server.drop(GPF)
    bench.send(message(ESME, 1))
    await bench.wait_for(lambda: meter.got or None)
    assert len(meter.got) == 1
    assert len(tunnel_events(bench, "tunnel open")) == 2


async def test_tunnels_are_asked_for_at_power_on(bench: Bench) -> None:
    await joined_meter(bench)
    await bench.clock.sleep(2)
    await bench.cut()
    await bench.power_on()
    assert bench.hub.status.tunnels == (ESME,)


async def test_a_tunnel_is_asked_for_again_when_its_lifetime_is_over(bench: Bench) -> None:
    await joined_meter(bench)
    await bench.clock.sleep(0xFFFF + 10)
    opened = tunnel_events(bench, "tunnel open")
    assert opened[1] - opened[0] == pytest.approx(0xFFFF, abs=2)


async def test_a_device_that_rejoins_gets_a_new_tunnel_and_what_waited_for_it(bench: Bench) -> None:
    meter = await joined_meter(bench)
    await bench.clock.sleep(2)
    meter.node.on = False
    meter.server.drop(GPF)
    bench.send(message(ESME, 1))
    await bench.clock.sleep(60)
    assert bench.hub.status.mailbox == {ESME: 1}
    meter.node.on = True
    await meter.node.resume()
    await bench.wait_for(lambda: meter.got or None, 5)
    assert bench.hub.status.mailbox == {}


async def test_a_message_that_cannot_be_delivered_is_given_up_with_an_alert_that_names_it(bench: Bench) -> None:
    meter = await joined_meter(bench)
    await bench.clock.sleep(2)
    meter.node.on = False
    lost = message(ESME, 77)
    bench.send(lost)
    await bench.wait_for(lambda: bench.alerts(0x8F84) or None, 700)
    failure = decode_payload(bench.alerts(0x8F84)[0])
    assert isinstance(failure, DeliveryFailure)
    assert failure.identifier == Message.decode(lost).header.identifier
    assert bench.alerts(0x8F84)[0].header.recipient == ACB
    assert bench.hub.status.mailbox == {}


async def test_what_waits_for_a_device_that_is_removed_is_given_up_and_told(bench: Bench) -> None:
    await bench.ask(add_device(bench, ESME))
    bench.send(message(ESME, 1))
    await bench.wait_for(lambda: bench.hub.status.mailbox == {ESME: 1})
    await bench.ask(remove_device(bench, ESME))
    await bench.wait_for(lambda: bench.alerts(0x8F84) or None)
    assert bench.hub.status.mailbox == {}


@pytest.mark.parametrize("recipient", [STRANGER, IHD])
async def test_a_message_for_nobody_or_for_a_type_2_device_is_refused_with_the_reason(bench: Bench, recipient: Eui64) -> None:
    await bench.ask(add_device(bench, IHD, 128))
    bench.send(message(recipient, 5))
    await bench.wait_for(lambda: bench.alerts(0x8F84) or None)
    reasons = {STRANGER: "is neither this hub nor in the CHF Device Log", IHD: "is a Type 2 Device, which gets no GBCS messages"}
    assert f"{recipient} {reasons[recipient]}" in bench.refusals()


async def test_octets_that_are_no_message_are_refused_and_do_not_stop_the_hub(bench: Bench) -> None:
    meter = await joined_meter(bench)
    await bench.clock.sleep(2)
    bench.send(b"\xdf\x09nonsense")
    await meter.send(b"rubbish")
    assert codes(await bench.ask(read_logs(bench))) == [0, 0]
    assert len(bench.refusals()) == 2


async def test_a_device_outside_the_log_is_not_heard(bench: Bench) -> None:
    meter = await joined_meter(bench)
    await bench.clock.sleep(2)
    key = bench.radio.link_keys[ESME]
    await bench.ask(remove_device(bench, ESME))
    bench.radio.link_keys[ESME] = key  # a dongle that did not forget
    meter.node.on_network = True
    with pytest.raises(RadioError):
        await meter.send(message(SUPPLIER, 1, originator=ESME, cra=CraFlag.ALERT))
    assert "the sender is not in the CHF Device Log" in bench.refusals()


async def gas_meter(bench: Bench) -> GasMeter:
    meter = await joined_meter(bench, GSME, 1)
    assert isinstance(meter, GasMeter)
    await meter.tunnel.open()
    return meter


@pytest.mark.requirement("CH-03")
async def test_the_sleepy_gas_meter_fetches_its_messages_with_the_count_that_remains(bench: Bench) -> None:
    meter = await gas_meter(bench)
    sent = [message(GSME, number) for number in (1, 2, 3)]
    for one in sent:
        bench.send(one)
    await bench.wait_for(lambda: bench.hub.status.mailbox == {GSME: 3})
    await bench.clock.sleep(3600)
    got = [await meter.mailbox.fetch_one() for _ in range(4)]
    assert [item.message for item in got] == [*sent, b""]
    assert [item.remaining for item in got] == [2, 1, 0, 0]
    assert bench.hub.status.mailbox == {}


async def test_a_message_whose_transfer_was_not_confirmed_stays_in_the_mailbox(bench: Bench) -> None:
    meter = await gas_meter(bench)
    sent = message(GSME, 1)
    bench.send(sent)
    await bench.wait_for(lambda: bench.hub.status.mailbox == {GSME: 1})
    real = meter.node.deliver
    meter.node.deliver = lambda sender, frame: None  # type: ignore[method-assign]
    with pytest.raises(RadioError):
        await meter.mailbox.fetch_one()
    meter.node.deliver = real  # type: ignore[method-assign]
    await bench.clock.sleep(20)
    assert bench.hub.status.mailbox == {GSME: 1}
    assert (await meter.mailbox.fetch_one()).message == sent


async def test_the_mailbox_outlives_a_power_cut(bench: Bench) -> None:
    meter = await gas_meter(bench)
    bench.send(message(GSME, 1))
    await bench.wait_for(lambda: bench.hub.status.mailbox == {GSME: 1})
    await bench.cut()
    await bench.power_on()
    meter.tunnel.forget()
    await meter.tunnel.open()
    assert (await meter.mailbox.fetch_one()).message == message(GSME, 1)


async def test_a_message_that_the_gas_meter_does_not_fetch_within_a_day_is_dropped_and_told(bench: Bench) -> None:
    await gas_meter(bench)
    bench.send(message(GSME, 1))
    await bench.clock.sleep(86300)
    assert bench.hub.status.mailbox == {GSME: 1}
    await bench.clock.sleep(200)
    assert bench.hub.status.mailbox == {}
    assert len(bench.alerts(0x819D)) == 1


async def test_what_the_gas_meter_puts_goes_up(bench: Bench) -> None:
    meter = await gas_meter(bench)
    alert = message(SUPPLIER, 3, originator=GSME, cra=CraFlag.ALERT)
    await meter.mailbox.put(alert)
    await bench.wait_for(lambda: alert in bench.from_hub or None)


async def test_a_device_of_unknown_type_that_asks_for_a_tunnel_is_served_as_a_mailbox(bench: Bench) -> None:
    await bench.ask(add_device(bench, GSME, 0))  # registered under the wrong type
    meter = GasMeter(bench)
    await meter.join()
    await meter.tunnel.open()
    bench.send(message(GSME, 1))
    await bench.wait_for(lambda: bench.hub.status.mailbox == {GSME: 1})
    await bench.clock.sleep(1000)
    assert (await meter.mailbox.fetch_one()).message == message(GSME, 1)


@pytest.mark.requirement("CH-04")
@pytest.mark.requirement("GPF-12")
async def test_chf_and_gpf_are_addressed_by_their_own_identities(bench: Bench) -> None:
    bench.send(bench.command(0x0013, b"\x05\x00", recipient=GPF, user=None, originator=SUPPLIER))
    bench.send(read_logs(bench))
    await bench.wait_for(lambda: len(bench.decoded(CraFlag.RESPONSE)) == 2)
    assert {one.header.originator for one in bench.decoded(CraFlag.RESPONSE)} == {CHF, GPF}


@pytest.mark.requirement("CH-01")
@pytest.mark.requirement("CH-22")
async def test_a_hub_without_wan_forms_its_han_and_is_commissioned_by_its_first_connection(bench_without_power: Bench) -> None:
    bench = bench_without_power
    bench.wan.coverage = False
    await bench.power_on()
    assert not bench.hub.status.commissioned
    assert bench.hub.status.network is not None
    bench.wan.coverage = True
    await bench.wait_for(lambda: bench.hub.status.commissioned or None, 120)
    bench.wan.coverage = False
    await bench.cut()
    await bench.power_on()
    assert bench.hub.status.commissioned


async def test_a_stranger_at_the_door_is_recorded_with_the_radio_s_reason(bench: Bench) -> None:
    bench.radio.tell(HanEventKind.REFUSED, STRANGER, "no key is held for it")
    await bench.clock.sleep(1)
    assert "no key is held for it" in bench.refusals()


async def test_wan_frames_that_are_not_for_a_hub_are_refused(bench: Bench) -> None:
    bench.dcc.post(WanKind.POWER_LOST, bytes(4))
    await bench.wait_for(lambda: bench.refusals() or None)
    assert bench.refusals() == ["POWER_LOST is not for a hub"]
