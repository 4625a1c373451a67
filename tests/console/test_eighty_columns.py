"""``explain``, ``ladder`` and ``help`` in 80 columns: nothing is cut, whatever they show."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from firmware_emu.console import Bench, BlockingBench
from firmware_emu.console.result import columns
from firmware_emu.trace import Record
from hil.console.ladder_text import LadderText
from hil.report.ladder import Arrow, arrows

WIDTH = 80


@pytest.fixture(scope="module")
def joined() -> Iterator[BlockingBench]:
    """A home with a meter that was read."""
    with Bench.open("simulated", seed=11) as bench:
        bench.hub.form()
        bench.esme.add()
        assert bench.dcc.read("esme")
        yield bench


def _fits(text: str) -> list[str]:
    """The lines; none is wider than a terminal, and none was cut."""
    lines = text.splitlines()
    assert [line for line in lines if len(line) > WIDTH] == []
    assert "…" not in text
    return lines


def test_explain_wraps_every_field_of_a_record_and_uses_what_the_record_knows(joined: BlockingBench) -> None:
    for record in [one for one in joined.records if one.data is not None][:: max(1, len(joined.records) // 12)]:
        told = joined.explain(f"@{record.number}")
        lines = _fits(told.as_text(WIDTH))
        shown = {line[8:31].strip() for line in lines}
        for _, node in told.raw.walk():
            assert {node.octets[at : at + 8].hex(" ") for at in range(0, len(node.octets), 8)} <= shown
        assert b"".join(node.octets for _, node in told.raw.walk()) == record.data
    frame = next(one for one in joined.records if one.detail.get("cluster") == "Tunneling" and one.data is not None)
    said = joined.explain(f"@{frame.number}").said
    assert "Tunneling" in said
    assert "under the link key" in said
    assert joined.explain(f"@{frame.number}").raw.title.startswith("Tunneling ")


def test_explain_in_brief_is_one_line(joined: BlockingBench) -> None:
    told = joined.explain("@-1", brief=True)
    assert len(told.said.splitlines()) == 1
    assert told.picture is None


def test_a_ladder_of_a_whole_home_cuts_no_word(joined: BlockingBench) -> None:
    told = joined.ladder(last=500)
    text = "\n".join(_fits(told.as_text(WIDTH)))
    flat = " ".join(text.replace("─", " ").replace("│", " ").split())
    for row in told.rows:
        assert all(word in flat for word in str(row[3]).removeprefix("sent ").split())
    assert "2026-" in text


def test_keep_alives_are_left_out_of_a_ladder_until_they_are_asked_for() -> None:
    lanes = {"hub": "hub", "esme": "esme"}
    asks = Record(1, 0.0, "han", "esme", "sent", "hub", detail={"cluster": "KeepAlive", "command": "READ_ATTRIBUTES"})
    reads = Record(2, 0.0, "han", "hub", "sent", "esme", detail={"cluster": "Metering", "command": "READ_ATTRIBUTES"})
    found = arrows([asks, reads], lanes)
    assert [arrow.keep_alive for arrow in found] == [True, False]
    assert found[1].text == "sent Metering READ_ATTRIBUTES"


def test_many_lanes_and_long_words_fit_all_the_same(joined: BlockingBench) -> None:
    names = ["network operator", "gas supplier", "supplier", "DCC", "hub", "esme", "gsme", "ppmid", "jig"]
    words = "refused because " + " ".join(f"reason{number}" for number in range(30))
    drawn = LadderText([Arrow(86_399.0, names[0], names[-1], words, True), Arrow(86_401.0, "jig", "hub", "AC Lost low", False)], names, 0.0)
    text = joined.help().__class__("", picture=drawn).as_text(WIDTH)
    lines = _fits(text)
    assert all(f"reason{number}" in text for number in range(30))
    assert [line[:10] for line in lines if line.startswith("2000-")] == ["2000-01-01", "2000-01-02"]


def test_help_of_everything_fits(joined: BlockingBench) -> None:
    _fits(joined.help().as_text(WIDTH))
    for name, noun in joined.handle.core.nouns.items():
        for verb in noun.verbs():
            assert _fits(joined.help(name, verb).as_text(WIDTH))


def test_the_columns_are_those_of_the_terminal_or_of_what_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert columns() == 80
    monkeypatch.setenv("COLUMNS", "none")
    assert columns(97) >= 20
