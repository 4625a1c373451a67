"""``why``: hop, rule with its clause, differing octets, faults in force, and the next thing to try."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from firmware_emu.console import Bench, BlockingBench, Result
from firmware_emu.console.records import halted
from firmware_emu.console.why import octet_differences, why
from firmware_emu.trace import Record, Scalar
from hil.journeys.forgery import signed_by_another, with_flipped_mac_bit


def record(number: int, event: str, message: str | None = "a:b:command:1", data: bytes | None = None, **detail: Scalar) -> Record:
    area = "bench" if str(detail.get("sentence", "")) else "han"
    return Record(number, float(number), area, "chf", event, "esme", message, data, detail)


@pytest.fixture(scope="module")
def bench() -> Iterator[BlockingBench]:
    with Bench.open("simulated", seed=11) as bench:
        bench.hub.form()
        bench.esme.add()
        yield bench


def command(bench: BlockingBench) -> tuple[int, bytes]:
    """Number and octets of the last GBCS command that the meter got."""
    got = next(one for one in reversed(bench.records) if one.area == "device" and one.event == "received" and one.data)
    assert got.data is not None
    return got.number, got.data


def test_nothing_is_said_to_be_wrong_before_anything_is() -> None:
    with Bench.open("simulated", seed=1) as quiet:
        assert quiet.why().said == "nothing was refused or lost"


def test_a_response_that_is_late_and_wrong_is_told_by_its_earliest_cause_in_verdict_and_why_and_beside_a_good_run(tmp_path: Path) -> None:
    def read(faults: Sequence[str]) -> tuple[Result, Result, Path]:
        with Bench.open("simulated", seed=11, faults=faults) as bench:
            bench.hub.form()
            bench.esme.add()
            verdict = bench.dcc.read("esme")
            return verdict, bench.why(good=str(good)) if faults else bench.why(), bench.folder

    good = tmp_path
    _, _, good = read([])
    assert (good / "zigbee_pc_keys").stat().st_mode & 0o77 == 0  # its capture can be opened, by its owner
    verdict, told, _ = read(["esme answers 4s late to 4.1.1", "response 4.1.1 with a wrong MAC"])
    assert "no Response came" in verdict.said
    assert "the MAC does not hold" in str(verdict["cause"])
    assert "response 4.1.1 with a wrong MAC (acted 1 time, on this message @" in str(verdict["cause"])
    assert told.said.startswith("refused at responses: refused by the user: the MAC does not hold")
    assert "in the end refused at responses" in told.said
    assert "late to 4.1.1 (acted 1 time, on this message @" in str(told["faults"])
    assert re.search(r"hub received \w+, \+[34]\.\d+ s", str(told["first difference"]))


@pytest.mark.requirement("CH-34")
def test_a_replayed_command_is_told_with_the_counters_and_the_clause(bench: BlockingBench) -> None:
    assert bench.dcc.send("7.2", "esme")
    number, _ = command(bench)
    bench.dcc.post(f"@{number}")
    told = bench.why()
    assert "refused at esme" in told.said
    assert "is not above the stored" in told.said
    assert "GBCS 4.3.1" in str(told["rule"])
    assert "counter above the last" in str(told["next"])
    assert "hops of the message" in told.as_text()


def test_a_flipped_mac_bit_is_told_by_the_octet_that_differs(bench: BlockingBench) -> None:
    assert bench.dcc.read("esme")
    _, octets = command(bench)
    forged = bench.call(
        lambda station: with_flipped_mac_bit(
            octets, station.dcc.counters.next(station.supplier.eui64), station.keystore, station.board.parties.access_control_broker
        )
    )
    bench.dcc.post(forged.hex())
    told = bench.why()
    assert "step mac" in str(told["rule"])
    differing = str(told["octets"]).splitlines()
    assert len(differing) == 1
    read, expected = re.fullmatch(r"offset \d+, MAC: ([0-9a-f]{2}) read, ([0-9a-f]{2}) expected", differing[0]).groups()  # type: ignore[union-attr]
    assert (int(read, 16) ^ int(expected, 16)).bit_count() == 1
    assert "`explain @" in str(told["next"])


def test_a_signature_of_another_party_is_told_with_whose_it_is(bench: BlockingBench) -> None:
    assert bench.dcc.send("7.2", "esme")
    _, octets = command(bench)
    forged = bench.call(
        lambda station: signed_by_another(
            octets,
            station.dcc.counters.next(station.other_supplier.eui64),
            station.other_supplier.eui64,
            station.keystore,
            station.board.parties.access_control_broker,
        )
    )
    bench.dcc.post(forged.hex())
    told = bench.why()
    assert "step authority" in str(told["rule"])
    assert "the party whose role" in str(told["next"])


def test_a_refusal_of_the_dcc_is_told_with_its_rule_and_next_step(bench: BlockingBench) -> None:
    refused = bench.dcc.send("4.1.1", "gpf")
    assert not refused
    told = bench.why(str(refused["request"]))
    assert "[134" in str(told["rule"])
    assert "code E5" in str(told["rule"])
    assert told["next"]


def test_a_message_that_a_fault_took_is_lost_where_it_was_last_seen(bench: BlockingBench) -> None:
    bench.fault.add("han drop 100% to esme")
    lost = bench.dcc.send("7.2", "esme")
    assert not lost
    told = bench.why()
    assert "not delivered at chf to" in told.said or "tunnel lost at chf to" in told.said
    assert "han drop 100% to esme (acted " in str(told["faults"])
    assert "fault list" in str(told["next"]) or "NAME status" in str(told["next"])
    bench.fault.clear()


def test_a_message_without_an_end_is_lost_after_its_last_hop() -> None:
    reason = why([record(1, "sent"), record(2, "queued")])
    assert reason.said == "lost after chf to esme: queued, the last hop at which it was seen"
    assert "waits in the hub" in reason.next_step
    assert why([record(1, "sent"), record(2, "executed")]).record is None


def test_octets_that_changed_between_two_hops_are_told_by_offset() -> None:
    reason = why([record(1, "sent", data=bytes(4)), record(2, "refused", data=b"\0\1\0\0\5", reason="odd")])
    assert reason.differing == ("offset 1: 00 was, 01 is (against @1, chf sent)", "4 octets were, 5 are (against @1, chf sent)")
    assert octet_differences(bytes(20), bytes([1] * 20))[-1] == "and 12 more"


def test_a_fault_that_acts_is_a_cause_and_not_the_trouble() -> None:
    told = why([record(1, "added", None, sentence="han drop to esme"), record(2, "dropped", None, sentence="han drop to esme")])
    assert told.record is None


def test_a_message_that_was_not_in_trouble_is_said_to_be_well(bench: BlockingBench) -> None:
    good = next(one.message for one in bench.records if one.event == "executed" and one.message)
    assert bench.why(good).said == f"{good}: it was neither refused nor lost"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({"step": "counter"}, "a counter above the last"),
        ({"kind": "not in the log"}, "add the Device to the hub's log"),
        ({"kind": "repeated"}, "a repeated message was recognised"),
        ({}, "what came before"),
    ],
)
def test_what_to_try_next_follows_from_names_and_not_from_sentences(names: dict[str, Scalar], said: str) -> None:
    for reason in ("its counter, MAC and signature are not in the CHF Device Log, received before, not commissioned", "x"):
        assert said in why([record(1, "refused", reason=reason, **names)]).next_step


def test_a_response_that_was_refused_is_the_cause_of_a_verdict_that_nothing_came() -> None:
    command, response, request = "a:b:command:7", "b:a:response:7", "u:a:7"
    records = [
        record(1, "transformed", command, request=request),
        record(2, "executed", command),
        record(3, "sent", response),
        record(4, "refused", "x:y:command:1", reason="of another exchange"),
        record(5, "refused", response, reason="the MAC does not hold"),
        record(6, "refused", request, reason="no Response came"),
    ]
    for told in (why(records), why(records, message=command), why(records, message=response), why(records, message=request)):
        assert told.record is records[4]
        assert told.said == "refused at chf to esme: the MAC does not hold; in the end refused at chf, @6"
        assert [hop.number for hop in told.hops] == [1, 2, 3, 5, 6]


def test_a_wait_on_the_wall_clock_is_told_with_how_long_it_lasts_and_how_to_end_it() -> None:
    shown: list[Record] = []
    with Bench.open("simulated", seed=7) as bench:
        trace, clock = bench.handle.core.trace, bench.clock
        bench.handle.show = shown.append

        def on_the_wall(record: Record) -> None:  # for the one moment, so that no test waits
            clock.warp = not halted(record) or record.event == "waiting"

        end = trace.subscribe(on_the_wall)
        for line in ("hub form", "esme add", "fault add response 4.1.1 with a wrong MAC", "dcc read esme"):
            list(bench.handle.say(line))
        end()
    refused, waiting, *_ = shown
    assert (refused.source, refused.event) == ("responses", "refused")
    assert str(waiting.detail["reason"]).startswith("no end yet: the DCC waits for the answer for up to 2 h more; Ctrl-C ends this wait")
    assert sum(record.event == "waiting" for record in shown) == 1
