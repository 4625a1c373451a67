"""Records of the trace: how a console shows and picks them, and the reason that ``why`` finds among them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from firmware_emu.console.records import Filter, halted, hop, last_bad, line, of_exchange, quiet, read_trace, record_of, when
from firmware_emu.console.why import earliest, first_difference, octet_differences, told, why
from firmware_emu.errors import NotAvailable
from firmware_emu.trace import Record

COMMAND, RESPONSE = "dcc:esme:command:7", "esme:dcc:response:7"


def record(
    number: int,
    event: str,
    source: str = "hub",
    target: str | None = None,
    message: str | None = None,
    *,
    area: str = "hub",
    time: float = 0.0,
    data: bytes | None = None,
    **detail: object,
) -> Record:
    return Record(number, time, area, source, event, target, message, data, detail)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.0, "00:00:00.000"),
        (14.3019, "00:00:14.301"),
        (86_399.9999, "23:59:59.999"),
        (86_400.0, "00:00:00.000"),
        (3_661.5, "01:01:01.500"),
    ],
)
def test_a_time_is_told_to_its_last_whole_millisecond(seconds: float, told: str) -> None:
    assert when(record(1, "sent", time=seconds)) == told


def test_a_record_is_one_line() -> None:
    one = record(42, "refused", "esme", "hub", COMMAND, area="device", time=14.301, step="MAC", code=None, value=0)
    assert line(one).plain == f"00:00:14.301 @42 device esme refused hub  step=MAC value=0  {COMMAND}"
    assert line(record(1, "boot", area="ichis")).plain == "00:00:00.000 @1 ichis  hub boot"
    assert [span.style for span in line(one).spans][:4] == ["dim", "dim", "yellow", "bold red"]
    assert "bold" in [span.style for span in line(record(1, "boot")).spans]


@pytest.mark.parametrize(
    ("detail", "told"),
    [
        ({}, "esme sent hub"),
        ({"cluster": "Metering", "command": "PublishSnapshot"}, "esme sent hub, Metering PublishSnapshot"),
        ({"cluster": "Metering", "secured": True}, "esme sent hub, Metering, under the link key"),
        ({"secured": False}, "esme sent hub, under the network key alone"),
    ],
)
def test_a_hop_is_one_phrase(detail: dict[str, object], told: str) -> None:
    assert hop(record(1, "sent", "esme", "hub", **detail)) == told


TAKEN = record(1, "sent", "esme 00db", "hub", COMMAND, area="device")


@pytest.mark.parametrize(
    ("chosen", "takes"),
    [
        (Filter(), True),
        (Filter(areas=frozenset({"device", "wan"})), True),
        (Filter(areas=frozenset({"wan"})), False),
        (Filter(events=frozenset({"sent"})), True),
        (Filter(events=frozenset({"refused"})), False),
        (Filter(devices=("gsme", "esme")), True),
        (Filter(devices=("gsme",)), False),
        (Filter(devices=("hub",)), True),
        (Filter(devices=("command",)), True),
        (Filter(message="esme:command"), True),
        (Filter(message="response"), False),
        (Filter(areas=frozenset({"device"}), events=frozenset({"refused"})), False),
        (Filter(devices=("esme",), message="response"), False),
    ],
)
def test_a_filter_takes_what_agrees_with_each_of_its_fields(chosen: Filter, takes: bool) -> None:
    assert chosen(TAKEN) is takes


def test_a_filter_for_a_message_takes_no_record_without_one() -> None:
    assert not Filter(message="command")(record(1, "sent"))


@pytest.mark.parametrize(
    ("one", "is_quiet", "is_halted"),
    [
        (record(1, "refused", message=COMMAND), True, True),
        (record(1, "refused"), True, False),
        (record(1, "refused", message="esme:dcc:alert:9"), True, False),
        (record(1, "refused", "radio"), True, False),
        (record(1, "refused", message=COMMAND, area="bench"), False, False),
        (record(1, "waiting", area="bench"), True, True),
        (record(1, "waiting", area="dcc", message=COMMAND), False, False),
        (record(1, "joined"), True, False),
        (record(1, "sent", message=COMMAND), False, False),
    ],
)
def test_a_prompt_is_told_of_trouble_and_a_waiting_verb_of_what_did_not_go_on(one: Record, is_quiet: bool, is_halted: bool) -> None:
    shown = quiet(one) if one.source != "radio" else not quiet(one)
    assert (shown, halted(one)) == (is_quiet, is_halted)


def test_an_exchange_has_the_request_the_command_and_the_response() -> None:
    records = [
        record(1, "accepted", "dcc", message="request 1"),
        record(2, "made", "dcc", message=COMMAND, request="request 1"),
        record(3, "sent", "esme", message=RESPONSE),
        record(4, "sent", "esme", message="dcc:esme:command:8"),
        record(5, "sent", "esme"),
        record(6, "answered", "dcc", message="answer 1", request="request 1"),
    ]
    for name in ("request 1", "command:7", RESPONSE, "answer 1"):
        assert [one.number for one in of_exchange(records, name)] == [1, 2, 3, 6], name
    assert [one.number for one in of_exchange(records, "command:8")] == [4]
    assert last_bad(records) is None
    assert last_bad([*records, record(7, "lost", area="bench"), record(8, "sent")]) is None


def test_a_trace_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    row = {"number": 3, "time": 1.5, "area": "han", "source": "hub", "event": "sent", "target": "esme", "message": "m", "data": "00ff"}
    (tmp_path / "trace.jsonl").write_text(
        f"{json.dumps({**row, 'detail': {'a': 1}})}\n\n{json.dumps({**row, 'target': None, 'data': None})}\n"
    )
    first, second = read_trace(tmp_path)
    assert first == Record(3, 1.5, "han", "hub", "sent", "esme", "m", b"\x00\xff", {"a": 1})
    assert (second.target, second.data, second.detail) == (None, None, {})
    assert read_trace(tmp_path / "trace.jsonl") == [first, second]
    assert record_of({**row, "message": None}).message is None
    with pytest.raises(NotAvailable, match="name the folder of a run"):
        read_trace(tmp_path / "none")


# -- why


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (b"abc", b"abc", []),
        (b"\x00\x01", b"\x00\x02", ["offset 1: 01 was, 02 is"]),
        (b"ab", b"abc", ["2 octets were, 3 are"]),
        (bytes(8), bytes([1] * 8), [f"offset {at}: 00 was, 01 is" for at in range(8)]),
        (bytes(9), bytes([1] * 9), [*(f"offset {at}: 00 was, 01 is" for at in range(8)), "and 1 more"]),
        (bytes(9), bytes([1] * 10), [*(f"offset {at}: 00 was, 01 is" for at in range(8)), "and 2 more"]),
    ],
)
def test_eight_octets_that_differ_are_told_one_by_one(before: bytes, after: bytes, told: list[str]) -> None:
    assert octet_differences(before, after) == told


SENT = record(1, "sent", "dcc", "hub", COMMAND, area="dcc", time=10.0, data=b"\x01\x02")
ARRIVED = record(2, "received", "hub", None, COMMAND, time=10.5, data=b"\x01\x03")
FAULT = record(3, "set", "fault 1", area="bench", sentence="wan corrupt 10%")
ACTED = record(4, "corrupted", "fault 1", None, COMMAND, area="bench", sentence="wan corrupt 10%")
OTHER = record(5, "set", "fault 2", area="bench", sentence="han drop 5%")
STOPPED = record(6, "changed", "break 1", None, COMMAND, area="bench", offset=1)
REFUSED = record(
    7,
    "refused",
    "esme",
    "hub",
    COMMAND,
    area="device",
    time=12.0,
    data=b"\x01\x03",
    reason="MAC does not hold",
    step="MAC",
    rule="GBCS 6.2.4",
)


def test_a_refusal_has_its_hop_its_rule_the_octets_that_changed_and_what_acted_on_it() -> None:
    found = why([SENT, ARRIVED, FAULT, ACTED, OTHER, STOPPED, REFUSED])
    assert found.record == REFUSED
    assert found.said == "refused at esme to hub: MAC does not hold"
    assert found.rule == "GBCS 6.2.4; step MAC"
    assert found.differing == ("offset 1: 02 was, 03 is (against @1, dcc sent)",)
    assert found.acted == ("break 1: changed by hand (@6) offset=1", "fault 1: wan corrupt 10% (acted 1 time, on this message @4)")
    assert found.in_force == ("fault 2: han drop 5% (acted 0 times)",)
    assert [one.number for one in found.hops] == [1, 2, 4, 6, 7]
    shown = told(found)
    assert shown.values["hop"] == "@7 esme"
    assert shown.values["message"] == COMMAND
    assert shown.values["faults"] == "\n".join(found.faults)


def test_a_fault_that_was_cleared_is_in_force_no_more() -> None:
    cleared = record(6, "cleared", "fault 2", area="bench")
    assert why([SENT, OTHER, cleared, REFUSED]).faults == ()
    assert why([SENT, OTHER, REFUSED, record(8, "cleared", "fault 2", area="bench")]).faults == ()
    refused = record(2, "refused", "esme", "hub", COMMAND)
    later = [SENT, refused, record(3, "set", "fault 3", area="bench", sentence="late")]
    assert why(later, record=refused).faults == ()
    assert why(later).faults == ("fault 3: late (acted 0 times)",)


def test_the_first_trouble_that_nothing_made_good_is_the_reason() -> None:
    lost = record(3, "lost", "hub", None, COMMAND, time=11.0)
    found = why([SENT, ARRIVED, lost, REFUSED])
    assert found.record == lost
    assert found.said == "lost at hub; in the end refused at esme, @7"
    again = record(4, "sent", "hub", "esme", COMMAND, time=11.5)
    assert why([SENT, ARRIVED, lost, again, REFUSED]).record == REFUSED
    elsewhere = record(4, "sent", "gpf", "esme", COMMAND, time=11.5)
    assert why([SENT, ARRIVED, lost, elsewhere, REFUSED]).record == lost


def test_a_message_that_came_to_no_end_was_lost_after_its_last_hop() -> None:
    assert why([SENT, ARRIVED]).said == "lost after hub: received, the last hop at which it was seen"
    assert why([SENT], message="command:7").said == "lost after dcc to hub: sent, the last hop at which it was seen"
    executed = record(9, "executed", "esme", None, COMMAND)
    for message, said in ((None, "nothing was refused or lost"), ("command:7", "command:7: it was neither refused nor lost")):
        found = why([SENT, ARRIVED, executed], message=message)
        assert (found.record, found.said) == (None, said)
        assert told(found).values == {}
    assert told(why([OTHER, record(6, "sent")])).values == {"faults": "fault 2: han drop 5% (acted 0 times)"}


def test_twelve_hops_are_shown_and_the_title_says_how_many_there_were() -> None:
    hops = [record(number, "sent", "dcc", "hub", COMMAND) for number in range(1, 12)]
    for more, title in ((1, "hops of the message:"), (2, "hops of the message, the last 12 of 13:")):
        ended = [*hops, *(record(20 + number, "refused", "hub", None, COMMAND) for number in range(more))]
        picture = told(why(ended)).picture
        assert picture is not None
        assert str(picture.renderables[0]) == title  # type: ignore[attr-defined]
        assert len(picture.renderables) == 13  # type: ignore[attr-defined]


def test_the_earliest_cause_has_its_time_and_how_long_the_exchange_ran() -> None:
    assert earliest([SENT, ARRIVED, REFUSED]) == (
        "refused at esme to hub: MAC does not hold (@7 at 00:00:12.000, 2.0 s after the exchange began)"
    )
    at_once = record(8, "refused", "hub", None, "x:y:command:1", time=5.0)
    assert earliest([at_once]) == "refused at hub (@8 at 00:00:05.000)"
    assert earliest([SENT, STOPPED, at_once], message="x:y") == "refused at hub (@8 at 00:00:05.000)"
    assert earliest([SENT, REFUSED], message="nothing like it") == ""
    assert earliest([record(1, "sent")]) == ""


def test_the_first_hop_that_is_another_than_in_a_good_run_is_told_with_its_delay() -> None:
    good = [SENT, ARRIVED]
    assert first_difference(why([SENT, ARRIVED, REFUSED]), [*good, REFUSED]) == ""
    assert first_difference(why([SENT, REFUSED]), good) == "@7 esme refused hub (in the good run @2 hub received)"
    late = record(2, "received", "hub", None, COMMAND, time=10.52, data=b"\x01\x03")
    assert first_difference(why([SENT, late, REFUSED]), good) == "@2 hub received, +0.020 s (in the good run @2 hub received)"
    assert first_difference(why([SENT, REFUSED]), []) == "the good run has no such exchange"
