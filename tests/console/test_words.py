"""Lines to calls: order, names, quotes, remarks; what cannot be read is answered in one line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_emu.console import BlockingBench
from firmware_emu.console.declare import WordError, moment, seconds, switch
from firmware_emu.console.words import read_line, unfinished


@pytest.mark.parametrize(("text", "value"), [("30m", 1800), ("1d", 86400), ("1h30m", 5400), ("250ms", 0.25), ("10", 10), ("1.5h", 5400)])
def test_a_span_of_time_is_read_with_its_units(text: str, value: float) -> None:
    assert seconds(text) == value


@given(st.integers(0, 9), st.integers(0, 23), st.integers(0, 59))
def test_a_span_of_several_units_is_their_sum(days: int, hours: int, minutes: int) -> None:
    assert seconds(f"{days}d{hours}h{minutes}m") == days * 86400 + hours * 3600 + minutes * 60


@pytest.mark.parametrize("text", ["", "m", "3x", "1h30", "30 m", "--1"])
def test_what_is_no_span_of_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError) as wrong:  # noqa: PT011 - the text itself is what is wrong with it
        seconds(text)
    assert wrong.value.args


def test_a_time_without_a_zone_is_utc() -> None:
    assert moment("2026-01-05T06:30").isoformat() == "2026-01-05T06:30:00+00:00"
    assert switch("on") is True
    assert switch("off") is False


def test_calls_end_at_semicolons_and_lines_and_remarks_are_left_out() -> None:
    assert read_line("hub form; go 30m\n# a remark; not a call\ndcc read esme") == [["hub", "form"], ["go", "30m"], ["dcc", "read", "esme"]]
    assert read_line('fault add "han drop 20%" to\\\n gsme') == [["fault", "add", "han drop 20%", "to", "gsme"]]
    assert read_line("  ;; \n") == []


@given(st.lists(st.text("abcxyz0189=.%-", min_size=1, max_size=8), min_size=1, max_size=6))
def test_plain_words_are_read_as_they_stand(words: list[str]) -> None:
    assert read_line(" ".join(words)) == [words]


@pytest.mark.parametrize(
    ("text", "open_"),
    [
        ("explain 'df 09", True),
        ("explain df \\", True),
        ("dcc send 7.2 json={", True),
        ("dcc send 7.2 json='{}'", False),
        ("hub form", False),
    ],
)
def test_a_line_goes_on_while_a_quote_or_a_bracket_is_open(text: str, open_: bool) -> None:
    assert unfinished(text) is open_


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("hbu form", "read 'hbu', expected a noun; did you mean hub?; `help` lists them"),
        ("hub", "read 'hub' alone, expected a verb after it: form, status, log, reset"),
        ("hub from", "read 'from', expected a verb of hub: form, status, log, reset"),
        ("go", "time go: expected SPAN, a time such as 30m, 1d or 250ms"),
        ("go -5", "span: read '-5', expected a time such as 30m, 1d or 250ms, a century at most"),
        ("go 1e400", "span: read '1e400', expected a time such as"),
        ("go 99999999999d", "span: read '99999999999d', expected a time such as"),
        ("until joined within=nan", "within: read 'nan', expected a time such as"),
        ("go soon", "span: read 'soon', expected a time such as 30m, 1d or 250ms"),
        ("go 1m 2m", "time go: read '2m' too many, expected SPAN"),
        ("esme power maybe", "to: read 'maybe', expected on or off"),
        ("explain 'df", 'read "explain \'df": no closing quotation'),
        ("explain df0", "octets: read 'df0', expected hex digits in pairs, @NUMBER, or a file that is there"),
        ("explain @99999", "read '@99999', expected @1 to @"),
        ("explain df as=gbsc", "as: read 'gbsc', expected one of gbcs, dlms, tunnel, zcl, der, ash, ezsp, mt, mac, nwk, "),
        ("watch weather", "area: read 'weather', expected one or more of dcc, wan"),
        ("why nobody", "message: read 'nobody', expected a part of the identifier of a message in this trace"),
        ("dcc read esem", "read 'esem', expected one of chf, gpf, esme, gsme, ppmid, ihd; did you mean esme?"),
        ("dcc send 7.99 esme", "read '7.99', expected one of 1"),
        ("dcc send 7.2 esme json=[", "json: read '[', expected a JSON object"),
        ("fault add han dorp", "fault 'han dorp': word 2 is 'dorp': expected one of drop, delay"),
        ("time set 2020-01-01", "to: read 2020-01-01T00:00:00, expected a time after 2026-"),
        ("speed fast", "factor: read 'fast', expected a number above 0, or warp"),
        ("help weather", "help: read 'weather', expected a noun, a verb or a plain word"),
        ("session save it.py", "file: read 'it.py', expected a name such as test_join.py"),
        ("esme read Time.tmie", "attribute: read 'Time.tmie', expected an attribute such as Time.time"),
    ],
)
def test_what_cannot_be_read_is_answered_in_one_line_with_what_was_expected(home: BlockingBench, line: str, said: str) -> None:
    before, time = len(home.handle.core.said), home.clock.now()
    with pytest.raises(WordError) as wrong:
        home.say(line)
    assert str(wrong.value).startswith(said)
    assert "\n" not in str(wrong.value)
    assert len(home.handle.core.said) == before
    assert home.clock.now() - time < 0.01


def test_values_stand_in_order_or_by_name_and_shell_style_options_are_read_too(home: BlockingBench) -> None:
    core = home.handle.core
    for line in (
        "until joined esme within=1h",
        "until within=1h event=joined what=esme",
        "until joined --within 1h esme",
        "time until joined esme 1h",
    ):
        call = core.parse(line)[0]
        assert call.verb.name == "until"
        assert dict(call.kwargs) == {"event": "joined", "what": "esme", "within": 3600.0}
    assert core.parse("dcc send 8.7.2 esme OtherDeviceID=02 json={}")[0].kwargs == {
        "variant": "8.7.2",
        "target": "esme",
        "OtherDeviceID": "02",
        "json_": "{}",
    }
    assert core.parse("explain df 09 --as=gbcs")[0].args == ("df", "09")
