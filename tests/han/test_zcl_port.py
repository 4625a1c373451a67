from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from firmware_emu.clock import Clock
from firmware_emu.errors import RadioError
from firmware_emu.han.attributes import Attributes
from firmware_emu.han.base import ApsFrame, SimpleDescriptor
from firmware_emu.han.zcl_port import Answer, Incoming, Reply, ZclPort
from firmware_emu.zse.clusters.tunneling import TUNNELING
from firmware_emu.zse.zcl import BY_NAME, AttributeRecord, DefaultResponse, ZclFrame, ZclStatus
from tests.han.memory_wire import HUB, METER, OTHER, Wire

TUNNEL = TUNNELING.id
KE = 0x0800
CLIENT, SERVER = 3, 7


def pair(wire: Wire, clock: Clock) -> tuple[ZclPort, ZclPort]:
    hub, meter = ZclPort(wire.port(HUB), clock), ZclPort(wire.port(METER), clock)
    hub.add_endpoint(SimpleDescriptor(CLIENT, 0x0508, clients=(TUNNEL, KE)))
    meter.add_endpoint(SimpleDescriptor(SERVER, 0x0501, servers=(TUNNEL, KE)))
    return hub, meter


def status_of(answer: ZclFrame) -> int:
    assert answer.default_response is not None
    return answer.default_response.status


async def test_a_request_gets_the_reply_of_the_same_sequence_number(wire: Wire, clock: Clock) -> None:
    hub, meter = pair(wire, clock)
    meter.serve(SERVER, TUNNEL, lambda incoming: Reply(0x00, incoming.frame.payload[::-1]))
    answer = await hub.request(METER, SERVER, TUNNEL, 0x00, b"abc")
    assert (answer.command, answer.payload, answer.to_client) == (0x00, b"cba", True)


async def test_two_hundred_requests_in_flight_each_get_their_own_answer(wire: Wire, clock: Clock) -> None:
    hub, meter = pair(wire, clock)

    async def later(incoming: Incoming) -> Answer:
        await clock.sleep(255 - incoming.frame.payload[0])  # the last asked is answered first
        return Reply(0x00, incoming.frame.payload)

    meter.serve(SERVER, TUNNEL, later)
    asked = [hub.request(METER, SERVER, TUNNEL, 0x00, bytes([n]), timeout_s=300) for n in range(200)]
    answers = await asyncio.gather(*asked)
    assert [answer.payload[0] for answer in answers] == list(range(200))


async def test_more_requests_than_sequence_numbers_are_refused(wire: Wire, clock: Clock) -> None:
    hub, meter = pair(wire, clock)
    meter.serve(SERVER, TUNNEL, lambda incoming: None)
    asked = [asyncio.ensure_future(hub.request(METER, SERVER, TUNNEL, 0x00)) for _ in range(257)]
    with pytest.raises(RadioError, match="256 requests"):
        await asked[256]
    assert all(isinstance(one, RadioError) for one in await asyncio.gather(*asked, return_exceptions=True))


async def test_silence_ends_in_a_timeout_at_the_bench_time_asked_for(wire: Wire, clock: Clock) -> None:
    hub, meter = pair(wire, clock)
    meter.serve(SERVER, TUNNEL, lambda incoming: None)
    before = clock.now()
    with pytest.raises(RadioError, match="did not answer") as caught:
        await hub.request(METER, SERVER, TUNNEL, 0x00, timeout_s=1800)
    assert caught.value.status == "TIMEOUT"
    assert clock.now() - before == pytest.approx(1800)


@pytest.mark.parametrize("times", [1, 2])
async def test_a_late_or_repeated_answer_is_dropped_without_an_answer(wire: Wire, clock: Clock, times: int) -> None:
    hub, meter = pair(wire, clock)

    async def twice(incoming: Incoming) -> Answer:
        for _ in range(times):
            await clock.sleep(5)
            await meter.command(
                HUB, CLIENT, TUNNEL, 0x00, b"late", to_server=False, source_endpoint=SERVER, sequence=incoming.frame.sequence
            )
        return None

    meter.serve(SERVER, TUNNEL, twice)
    if times == 1:
        with pytest.raises(RadioError):
            await hub.request(METER, SERVER, TUNNEL, 0x00, timeout_s=1)
    else:
        assert (await hub.request(METER, SERVER, TUNNEL, 0x00)).payload == b"late"
    await clock.sleep(60)
    assert [source for source, _, _ in wire.sent].count(HUB) == 1


async def test_a_cancelled_request_leaves_its_sequence_number_free(wire: Wire, clock: Clock) -> None:
    hub, meter = pair(wire, clock)
    meter.serve(SERVER, TUNNEL, lambda incoming: None)
    asked = [asyncio.ensure_future(hub.request(METER, SERVER, TUNNEL, 0x00)) for _ in range(256)]
    await clock.sleep(1)
    for one in asked:
        one.cancel()
    await asyncio.gather(*asked, return_exceptions=True)
    meter.serve(SERVER, TUNNEL, lambda incoming: Reply(0x00))
    await hub.request(METER, SERVER, TUNNEL, 0x00)


async def test_an_unsecured_command_on_a_secured_cluster_is_answered_failure_and_ignored(wire: Wire, clock: Clock) -> None:
    hub, meter = pair(wire, clock)
    seen: list[Incoming] = []
    meter.serve(SERVER, TUNNEL, lambda incoming: seen.append(incoming))
    answer = await hub.request(METER, SERVER, TUNNEL, 0x00, secured=False)
    assert status_of(answer) == ZclStatus.FAILURE
    assert not seen
    assert not wire.sent[-1][2].secured
    with pytest.raises(RadioError, match="FAILURE"):
        await hub.read_attributes(METER, SERVER, TUNNEL, [0], secured=False)


async def test_an_unsecured_answer_to_a_secured_request_counts_as_none(wire: Wire, clock: Clock) -> None:
    hub, meter = pair(wire, clock)
    meter.serve(SERVER, TUNNEL, lambda incoming: Reply(0x00))
    wire.filter = lambda source, destination, frame: replace(frame, secured=False) if source == METER else frame
    with pytest.raises(RadioError) as caught:
        await hub.request(METER, SERVER, TUNNEL, 0x00)
    assert caught.value.status == "TIMEOUT"


async def test_an_answer_of_another_device_does_not_end_the_transaction(wire: Wire, clock: Clock) -> None:
    hub, meter = pair(wire, clock)
    intruder = ZclPort(wire.port(OTHER), clock)
    intruder.add_endpoint(SimpleDescriptor(SERVER, 0x0501, servers=(TUNNEL,)))

    async def answer(incoming: Incoming) -> Answer:
        await intruder.command(HUB, CLIENT, TUNNEL, 0x00, b"false", to_server=False, sequence=incoming.frame.sequence)
        await clock.sleep(1)
        return Reply(0x00, b"true")

    meter.serve(SERVER, TUNNEL, answer)
    assert (await hub.request(METER, SERVER, TUNNEL, 0x00)).payload == b"true"


async def test_what_nobody_serves_is_answered_unsupported(wire: Wire, clock: Clock) -> None:
    hub, _ = pair(wire, clock)
    assert status_of(await hub.request(METER, SERVER, TUNNEL, 0x00)) == ZclStatus.UNSUP_CLUSTER_COMMAND
    made = await hub.request(METER, SERVER, TUNNEL, 0x00, manufacturer=0x1234)
    assert status_of(made) == ZclStatus.UNSUP_MANUFACTURER_CLUSTER_COMMAND
    assert status_of(await hub.request(METER, SERVER, TUNNEL, 0x06, general=True)) == ZclStatus.UNSUP_GENERAL_COMMAND


async def test_a_malformed_command_is_answered_malformed(wire: Wire, clock: Clock) -> None:
    hub, meter = pair(wire, clock)

    def read(incoming: Incoming) -> Answer:
        TUNNELING.to_server[0x00].decode(incoming.frame.payload)
        return ZclStatus.SUCCESS

    meter.serve(SERVER, TUNNEL, read)
    assert status_of(await hub.request(METER, SERVER, TUNNEL, 0x00, b"\x06")) == ZclStatus.MALFORMED_COMMAND


@pytest.mark.parametrize("later", [False, True])
async def test_a_handler_that_fails_is_answered_failure(wire: Wire, clock: Clock, later: bool) -> None:
    hub, meter = pair(wire, clock)

    def now(incoming: Incoming) -> Answer:
        raise RadioError("no")

    async def soon(incoming: Incoming) -> Answer:
        return now(incoming)

    meter.serve(SERVER, TUNNEL, soon if later else now)
    assert status_of(await hub.request(METER, SERVER, TUNNEL, 0x00)) == ZclStatus.FAILURE


async def test_success_is_not_told_to_a_sender_that_wants_failures_only(wire: Wire, clock: Clock) -> None:
    hub, meter = pair(wire, clock)
    statuses = iter([ZclStatus.SUCCESS, ZclStatus.INVALID_FIELD])
    meter.serve(SERVER, TUNNEL, lambda incoming: next(statuses))
    await hub.command(METER, SERVER, TUNNEL, 0x01)
    await clock.sleep(1)
    assert len(wire.sent) == 1
    await hub.command(METER, SERVER, TUNNEL, 0x01)
    await clock.sleep(1)
    assert ZclFrame.decode(wire.sent[-1][2].payload).default_response == DefaultResponse(0x01, ZclStatus.INVALID_FIELD)


async def test_a_default_response_is_never_answered_and_a_broadcast_neither(wire: Wire, clock: Clock) -> None:
    hub, _ = pair(wire, clock)
    unknown = ZclFrame.of_cluster(0x00).encode()
    answered = ZclFrame.general(0x0B, DefaultResponse(0x00, 0x81).encode(), to_client=True).encode()
    await hub.port.send(METER, ApsFrame(TUNNEL, answered, CLIENT, SERVER))
    await hub.port.send(METER, ApsFrame(TUNNEL, unknown, CLIENT, 0xFF))
    await hub.port.send(METER, ApsFrame(TUNNEL, b"\x03", CLIENT, SERVER))
    await clock.sleep(1)
    assert len(wire.sent) == 3


async def test_attributes_are_read_written_discovered_and_reported(wire: Wire, clock: Clock) -> None:
    hub, meter = pair(wire, clock)
    written: list[object] = []
    reported: list[tuple[AttributeRecord, ...]] = []

    def write(value: object) -> ZclStatus:
        written.append(value)
        return ZclStatus.SUCCESS

    attributes = Attributes(TUNNELING, {"close_tunnel_timeout": 0xFFFF, 0xFFFE: lambda: 1}, writable={0xFFFE: write})
    meter.serve(SERVER, TUNNEL, None, attributes=attributes)
    assert await hub.read_attributes(METER, SERVER, TUNNEL, [0, 1, 0xFFFE]) == {0: 0xFFFF, 0xFFFE: 1}
    records = await hub.read_records(METER, SERVER, TUNNEL, [1])
    assert records[0].status == ZclStatus.UNSUPPORTED_ATTRIBUTE
    uint16, enum8 = BY_NAME["uint16"], BY_NAME["enum8"]
    failures = await hub.write_attributes(
        METER, SERVER, TUNNEL, [AttributeRecord(0, uint16, 5), AttributeRecord(0xFFFE, enum8, 1), AttributeRecord(0xFFFE, uint16, 1)]
    )
    assert [(one.attribute, one.status) for one in failures] == [(0, ZclStatus.READ_ONLY), (0xFFFE, ZclStatus.INVALID_DATA_TYPE)]
    assert written == [1]
    discovered = await hub.request(METER, SERVER, TUNNEL, 0x0C, b"\x00\x00\x01", general=True)
    assert discovered.payload == b"\x00\x00\x00\x21"

    def take(incoming: Incoming, records: tuple[AttributeRecord, ...]) -> ZclStatus:
        reported.append(records)
        return ZclStatus.SUCCESS

    hub.serve(CLIENT, TUNNEL, None, server=False, reports=take)
    sent = (AttributeRecord(0xFFFE, enum8, 1),)
    assert await meter.report_attributes(HUB, CLIENT, TUNNEL, sent) == ZclStatus.SUCCESS
    assert reported == [sent]


async def test_an_undelivered_request_raises_at_once(wire: Wire, clock: Clock) -> None:
    hub, _ = pair(wire, clock)
    with pytest.raises(RadioError, match="does not acknowledge"):
        await hub.request(OTHER, SERVER, TUNNEL, 0x00)


@pytest.mark.parametrize("later", [False, True])
async def test_a_handlers_own_fault_is_told_by_name_and_the_port_serves_on(wire: Wire, clock: Clock, later: bool) -> None:
    hub, meter = pair(wire, clock)
    told: list[str] = []
    meter.on_fault = told.append

    def fails(incoming: Incoming) -> Answer:
        if incoming.frame.payload == b"poison":
            raise KeyError("00112233445566778899aabbccddeeff")
        return Reply(0x00, b"served")

    async def fails_later(incoming: Incoming) -> Answer:
        return fails(incoming)

    meter.serve(SERVER, TUNNEL, fails_later if later else fails)
    asked = hub.request(METER, SERVER, TUNNEL, 0x00, b"poison", timeout_s=10)
    if later:
        with pytest.raises(RadioError):
            await asked
    else:
        assert status_of(await asked) == ZclStatus.FAILURE
    assert len(told) == 1
    assert "KeyError at test_zcl_port.py" in told[0]
    assert f"0x{TUNNEL:04X}" in told[0]
    assert "00112233" not in told[0]
    assert (await hub.request(METER, SERVER, TUNNEL, 0x00)).payload == b"served"
