"""Each kind of fault on a commissioned home: what it does is seen, and nothing is lost, done twice or ended by it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from firmware_emu.errors import CommsHubError
from firmware_emu.hub.hub import PowerState
from hil.faults import FAULT_PATTERNS, SentenceError
from hil.faults.grammar import read_sentence
from tests.faults.fault_rig import Rig

in_the_home = pytest.mark.asyncio(loop_scope="module")
FRAMES = [
    # sentence, what the trace says it did
    ("han drop 20%", "dropped"),
    ("han drop 100% to esme for 200ms", "dropped"),
    ("han drop from esme at 2nd frame", "dropped"),
    ("han delay 15ms to esme", "delayed"),
    ("han duplicate", "duplicated"),
    ("han corrupt 2bits 10% to esme", "corrupted"),
    ("han reorder 30ms to esme", "held back"),
    ("wan drop 20%", "dropped"),
    ("wan drop at 1st frame to hub", "dropped"),
    ("wan delay 2s", "delayed"),
    ("wan duplicate", "duplicated"),
    ("wan reorder 3s", "held back"),
    ("wan corrupt at 1st frame", "corrupted"),
    ("wan cut every 20s", "cut"),
    ("wan lost for 40s", "lost coverage"),
]
DONGLE = ["tty drop 10%", "tty duplicate 20%", "tty corrupt 10%", "dongle late 5ms", "dongle mute for 3s", "dongle stuck for 3s"]
OWN = {  # kinds with a test of their own below
    ("nvm", "torn"),
    ("nvm", "cut"),
    ("supply", "dip"),
    ("supply", "sag"),
    ("mains", "lost"),
    ("dongle", "reset"),
    ("dongle", "unplugged"),
    ("line", "stuck"),
    ("line", "open"),
    ("pair", "drop"),
    ("pair", "corrupt"),
    ("clock", "skew"),
}


def test_no_kind_of_the_table_is_without_a_test() -> None:
    tested = [read_sentence(text, ["esme"]) for text in [*(text for text, _ in FRAMES), *DONGLE]]
    by_content = {("message", kind) for kind in ("delay", "wrong", "drop", "duplicate", "corrupt")}  # tests/faults/test_content.py
    assert {(one.area, one.kind) for one in tested} | OWN | by_content == {(pattern.area, pattern.kind) for pattern in FAULT_PATTERNS}


async def _nothing_was_done_twice(rig: Rig, since: int, *, reads: int = 1) -> None:
    """After the fault the home answers, each Response was handed over once, and no meter executed a protected Command twice."""
    await rig.settle()
    for _ in range(reads):
        assert (await rig.read()).ok
    done = rig.executions(since)
    assert len(done) == len(set(done))
    handed = [delivery.request for delivery in rig.station.supplier.inbox if delivery.kind == "h"]
    assert len(handed) == len(set(handed))
    hub = {entry.device: entry.key_hash for entry in rig.station.hub.status.device_log}
    assert rig.station.dcc.device_log_copy.compare(rig.journey.chf, hub) == ()
    assert rig.station.hub_trouble is None


@pytest.mark.parametrize(("sentence", "verb"), FRAMES)
@in_the_home
async def test_a_fault_of_frames_is_felt_and_survived(rig: Rig, sentence: str, verb: str) -> None:
    since = len(rig.records)
    rig.faults.add(sentence)
    await rig.station.clock.sleep(0.1)
    outcome = await rig.read_until_answered()
    assert rig.effects(verb, since) >= 1
    assert outcome.parsed is not None
    await _nothing_was_done_twice(rig, since)


@in_the_home
async def test_a_connection_is_made_although_its_greeting_comes_twice_and_what_comes_twice_is_taken_once(rig: Rig) -> None:
    since = len(rig.records)
    rig.faults.add("wan duplicate")
    rig.faults.add("wan cut")
    await rig.station.clock.sleep(5)
    assert rig.station.dcc.head_end.connected(rig.journey.chf)
    assert (await rig.read()).ok
    repeated = {(one.source, one.detail["kind"]) for one in rig.records[since:] if one.area == "wan" and one.event == "repeated"}
    assert repeated >= {("hub", "time"), ("dcc", "hello"), ("hub", "message"), ("dcc", "message")}
    assert not [one for one in rig.records[since:] if "in the middle of a connection" in str(one.detail.get("reason"))]
    await _nothing_was_done_twice(rig, since)


@pytest.mark.parametrize("sentence", DONGLE)
@in_the_home
async def test_a_fault_of_the_dongle_or_its_line_is_laid_on_and_taken_off_and_the_read_goes_through(rig: Rig, sentence: str) -> None:
    since, ncp = len(rig.records), rig.station.ncp
    sound = ncp.faults
    rig.faults.add(sentence)
    await rig.station.clock.sleep(0.01)
    assert ncp.faults != sound
    await rig.read_until_answered()
    await _nothing_was_done_twice(rig, since)
    assert ncp.faults == sound


@pytest.mark.parametrize("kind", ["torn", "cut"])
@in_the_home
async def test_a_hub_that_dies_at_a_write_boots_again_and_does_what_it_was_asked_once(rig: Rig, kind: str) -> None:
    since, boots = len(rig.records), rig.station.hub.status.boots
    rig.faults.add(f"nvm {kind} at 2nd write")
    await rig.read_until_answered()
    await rig.station.until("the boot", lambda: rig.station.hub is not None and rig.station.hub.status.boots == boots + 1)
    assert rig.effects(kind, since) == 1
    await _nothing_was_done_twice(rig, since)


@in_the_home
async def test_a_dip_shorter_than_the_hold_up_is_ridden_through_and_a_longer_one_boots_the_hub(rig: Rig) -> None:
    since, boots = len(rig.records), rig.station.hub.status.boots
    rig.faults.add("supply dip 5ms every 10s")
    await rig.station.clock.sleep(35)
    assert rig.effects("dipped", since) == 4
    assert rig.station.hub.status.boots == boots
    await rig.faults.close()
    rig.faults.add("supply dip 3s")
    await rig.station.clock.sleep(30)
    assert rig.station.hub.status.boots == boots + 1
    await _nothing_was_done_twice(rig, since)


@in_the_home
async def test_a_supply_that_the_host_switches_off_during_a_dip_stays_off(rig: Rig) -> None:
    rig.faults.add("supply dip 5s")
    await rig.station.clock.sleep(1)
    await rig.station.jig.supply.output(False)
    await rig.station.clock.sleep(10)
    assert (await rig.station.jig.supply.measure_voltage()).value == 0
    rig.faults.add("supply dip 5s")
    await rig.station.clock.sleep(10)
    assert (await rig.station.jig.supply.measure_voltage()).value == 0
    await rig.station.jig.supply.output(True)
    await rig.settle()


@in_the_home
async def test_a_supply_that_sags_below_the_brown_out_threshold_stops_the_hub_until_it_is_back(rig: Rig) -> None:
    since, profile = len(rig.records), rig.station.jig.profile
    rig.faults.add(f"supply sag {profile['brownout_threshold'] - 1:g}V for 5s")
    await rig.station.clock.sleep(2)
    assert rig.station.hub is None
    assert rig.effects("sagged", since) == 1
    await rig.station.clock.sleep(30)
    assert (await rig.station.jig.supply.measure_voltage()).value == pytest.approx(profile["supply_nominal"], rel=0.01)
    await _nothing_was_done_twice(rig, since)


@in_the_home
async def test_a_loss_of_the_mains_is_told_by_its_alert(rig: Rig) -> None:
    since, alerts = len(rig.records), len(rig.station.dcc.alerts.records())
    rig.faults.add("mains lost for 200s")
    await rig.station.clock.sleep(60)
    assert rig.station.hub is None
    assert not rig.esme.powered
    await rig.station.until("8F36", lambda: "8F36" in {one.code for one in rig.station.dcc.alerts.records()[alerts:]}, 600)
    await _nothing_was_done_twice(rig, since)


@pytest.mark.parametrize("sentence", ["dongle reset", "dongle unplugged for 5s"])
@in_the_home
async def test_a_dongle_that_restarts_is_taken_up_again_with_its_network(rig: Rig, sentence: str) -> None:
    since, network = len(rig.records), rig.station.hub.status.network
    rig.faults.add(sentence)
    await rig.read_until_answered()
    await _nothing_was_done_twice(rig, since)
    assert rig.effects(None, since) == 1
    assert rig.station.hub.status.network.pan_id == network.pan_id


@pytest.mark.parametrize("kind", ["stuck", "open"])
@in_the_home
async def test_an_ac_lost_line_that_does_not_follow_the_host_costs_the_warning_and_not_the_state(rig: Rig, kind: str) -> None:
    since, alerts = len(rig.records), len(rig.station.dcc.alerts.records())
    before = [(entry.device, entry.key_hash) for entry in rig.station.hub.status.device_log]
    rig.faults.add(f"line ac-lost {kind}")
    await rig.station.clock.sleep(0.01)
    if kind == "open":  # an open contact reads as a.c. lost (its pull-up), so the hub goes into hold-up and stops
        await rig.station.until("the stop", lambda: rig.station.hub is None or rig.station.hub.status.power is not PowerState.RUNNING)
    else:
        await rig.station.mains_lost()
        await rig.station.until("the hub's stop", lambda: rig.station.hub is None)
        assert not [one for one in rig.records[since:] if one.area == "power" and one.event == "ac lost"]
        await rig.station.mains_restored()
    assert rig.effects(None, since) >= 1
    await rig.settle(60)
    assert rig.station.hub.status.power is PowerState.RUNNING
    assert [(entry.device, entry.key_hash) for entry in rig.station.hub.status.device_log] == before
    assert {one.code for one in rig.station.dcc.alerts.records()[alerts:]} & {"8F35", "8F36"}
    await _nothing_was_done_twice(rig, since)


@in_the_home
async def test_octets_of_the_serial_pair_are_lost_and_damaged_and_pass_again_when_the_faults_are_off(rig: Rig) -> None:
    async def echo(octets: bytes) -> bytes:
        await rig.station.jig.data.write(octets)
        got: bytes = await rig.station.jig.hub_side.data.read(len(octets), 0.05)
        return got

    rig.faults.add("pair drop at 1st frame")
    assert await echo(b"hub?") == b""
    assert await echo(b"hub?") == b"hub?"
    await rig.faults.close()
    rig.faults.add("pair corrupt 3bits")
    damaged = await echo(b"hub?")
    assert sum((one ^ other).bit_count() for one, other in zip(damaged, b"hub?", strict=True)) == 3
    await rig.settle(0)
    assert await echo(b"hub?") == b"hub?"


@in_the_home
async def test_a_hub_that_is_told_a_time_ahead_has_it_until_it_is_told_the_right_one(rig: Rig) -> None:
    clock = rig.station.clock
    rig.faults.add("clock skew 90s")
    rig.faults.add("wan cut")
    await clock.sleep(20)
    assert rig.station.hub.status.time - clock.now() == pytest.approx(90, abs=2)
    await rig.faults.close()
    rig.faults.add("wan cut")
    await clock.sleep(20)
    assert rig.station.hub.status.time - clock.now() == pytest.approx(0, abs=2)
    await rig.settle()


@in_the_home
async def test_faults_are_numbered_listed_cleared_traced_and_saved(rig: Rig, tmp_path: Path) -> None:
    since = len(rig.records)
    one, other = rig.faults.add("wan duplicate to hub"), rig.faults.add("han drop 5% to gsme")
    assert [fault.sentence for fault in rig.faults.list()] == ["wan duplicate to hub", "han drop 5% to gsme"]
    assert other.number == one.number + 1
    assert (await rig.read()).ok
    assert rig.faults.list()[0].effects == rig.effects("duplicated", since) > 0
    rig.faults.clear(one.number)
    assert [fault.number for fault in rig.faults.list()] == [other.number]
    with pytest.raises(CommsHubError, match=f"no fault has the number {one.number}: in force are {other.number}"):
        rig.faults.clear(one.number)
    rig.faults.save(tmp_path)
    saved = json.loads((tmp_path / "faults.json").read_text())
    assert [fault["in_force"] for fault in saved["faults"][-2:]] == [False, True]
    with pytest.raises(SentenceError, match="'gsem'"):
        rig.faults.add("han drop to gsem")
    rig.faults.clear()
    assert rig.faults.list() == ()
    told = [(record.source, record.event) for record in rig.records[since:] if record.area == "bench"]
    assert told[:2] == [(f"fault {one.number}", "added"), (f"fault {other.number}", "added")]
    assert told[-1] == (f"fault {other.number}", "cleared")


@in_the_home
async def test_the_same_seed_befalls_the_same_frames(rig: Rig) -> None:
    from hil.faults.faults import Faults

    async def draws(seed: int) -> list[bool]:
        faults = Faults(rig.station, seed, ["pair drop 50%"])
        fallen = [faults.arrivals("pair", b"x") == () for _ in range(40)]
        await faults.close()
        await asyncio.sleep(0)
        return fallen

    assert await draws(1) == await draws(1) != await draws(2)
