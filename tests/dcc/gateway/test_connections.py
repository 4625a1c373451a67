"""Gateway connections and the limits of their codes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hil.dcc.base.results import Outcome, Verdict
from hil.dcc.gateway.connections import CodeOfConnection, NotConnected, codes
from tests.dcc.far_end import ESME, NETWORK, SUPPLIER, FarEnd
from tests.dcc.messages import send

PLAIN = CodeOfConnection("bench", 1, "2026-01-01", "first edition")


async def look(far_end: FarEnd) -> Outcome:
    return await send(far_end, "8.2", None, {"DeviceID": ESME})


def check_of(outcome: Outcome) -> str | None:
    return None if outcome.refusal is None else outcome.refusal.check


@pytest.mark.requirement("GW-02")
@pytest.mark.requirement("GW-62")
def test_two_means_of_connection_are_offered_each_with_a_code_under_version_control() -> None:
    assert len({code.means for code in codes()}) >= 2
    for code in codes():
        assert code.edition >= 1
        assert code.since
        assert code.change
    assert len({(code.means, code.edition) for code in codes()}) == len(codes())


@pytest.mark.requirement("GW-03")
async def test_every_connection_of_a_user_is_recorded_with_its_means_and_testing_waits_for_the_first(far_end: FarEnd) -> None:
    await far_end.in_service()
    connections = far_end.dcc.connections
    with pytest.raises(NotConnected, match="notify one before gateway testing"):
        connections.may_test(SUPPLIER)
    first, second = connections.notify(SUPPLIER, "high volume"), connections.notify(SUPPLIER, "low volume")
    connections.may_test(SUPPLIER)
    assert connections.of(SUPPLIER) == (first, second)
    assert connections.of(NETWORK) == ()
    with pytest.raises(NotConnected, match="expected one of high volume, low volume"):
        connections.notify(SUPPLIER, "pigeon")


@pytest.mark.requirement("GW-62")
async def test_a_connection_keeps_the_edition_it_was_notified_under(far_end: FarEnd) -> None:
    await far_end.in_service()
    connections = far_end.dcc.connections
    connections.add_code(PLAIN)
    before = connections.notify(SUPPLIER, "bench")
    connections.add_code(replace(PLAIN, edition=2, change="a limit", messages=1))
    after = connections.notify(NETWORK, "bench")
    assert (before.code.edition, after.code.edition) == (1, 2)
    assert connections.of(SUPPLIER)[0].code == PLAIN


@pytest.mark.requirement("GW-04")
@pytest.mark.requirement("GW-72")
async def test_more_messages_in_a_window_than_allowed_are_refused_and_the_wait_is_told(far_end: FarEnd) -> None:
    await far_end.in_service()
    connections = far_end.dcc.connections
    connections.add_code(replace(PLAIN, messages=3, window_s=60, expected=2))
    connection = connections.notify(SUPPLIER, "bench")
    for _ in range(3):
        assert (await look(far_end)).ok
        await far_end.clock.sleep(10)
    assert connections.load(connection).over == ("3 messages in 60 s, 2 expected",)
    outcome = await look(far_end)
    assert (outcome.verdict, check_of(outcome)) == (Verdict.REFUSED, "connection")
    assert "4 messages in 60 s" in outcome.reason
    assert outcome.refusal is not None
    assert outcome.refusal.next_step.startswith("send it again in 30 s")
    await far_end.clock.sleep(30.1)
    assert (await look(far_end)).ok


@pytest.mark.requirement("GW-74")
@pytest.mark.parametrize("smoothing", [False, True])
async def test_messages_closer_than_the_drip_feed_are_refused_or_smoothed(far_end: FarEnd, smoothing: bool) -> None:
    await far_end.in_service()
    far_end.dcc.connections.add_code(replace(PLAIN, spacing_s=5, smoothing=smoothing))
    far_end.dcc.connections.notify(SUPPLIER, "bench")
    assert (await look(far_end)).ok
    began = far_end.clock.now()
    outcome = await look(far_end)
    assert outcome.ok is smoothing
    assert far_end.clock.now() - began == pytest.approx(5 if smoothing else 0, abs=0.01)
    assert smoothing or "at least 5 s agreed" in outcome.reason


@pytest.mark.requirement("GW-73")
async def test_a_peak_above_the_average_load_lasts_only_so_long(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.dcc.connections.add_code(replace(PLAIN, average_a_minute=6, peak_s=120))
    far_end.dcc.connections.notify(SUPPLIER, "bench")
    began = far_end.clock.now()
    while (outcome := await look(far_end)).ok:
        await far_end.clock.sleep(5)  # 12 a minute
    assert 120 < far_end.clock.now() - began < 180, "the peak begins when the load is first above the average"
    assert "more than 6 messages a minute" in outcome.reason
    await far_end.clock.sleep(60)
    assert (await look(far_end)).ok


@pytest.mark.requirement("GW-71")
@pytest.mark.requirement("GW-04")
async def test_the_profile_of_a_connection_counts_both_directions_beside_what_is_expected(far_end: FarEnd) -> None:
    await far_end.in_service()
    connections = far_end.dcc.connections
    connections.add_code(replace(PLAIN, volumes={"in": 100, "out": 1_000_000}))
    connection = connections.notify(SUPPLIER, "bench")
    assert (await send(far_end, "7.3")).ok
    load = connections.load(connection)
    assert load.messages == {"in": 1, "out": 1}
    assert load.octets["out"] == len(far_end.supplier.inbox[0].octets or b"")
    assert [text.partition(" octets")[2] for text in load.over] == [" in in a day, 100 expected"]


async def test_a_user_without_a_connection_is_not_limited_and_the_count_outlives_the_message(far_end: FarEnd) -> None:
    await far_end.in_service()
    for _ in range(5):
        assert (await look(far_end)).ok
    second = far_end.dcc.connections.notify(SUPPLIER, "high volume")
    request = far_end.dcc.request(far_end.supplier, "8.2", None, {"DeviceID": ESME})
    assert (await far_end.dcc.send(far_end.supplier, request, connection=second.number)).ok
    assert far_end.dcc.connections.load(second).messages == {"in": 1}
