"""Ladders: which records are hops, what stands on an arrow, and each line of the drawing and of its text."""

from __future__ import annotations

import re

import pytest
from rich.console import Console

from firmware_emu.trace import Record
from hil.console.ladder_text import LadderText
from hil.report.ladder import Arrow, arrows, draw_ladder

LANES = {"dcc": "DCC", "hub": "hub", "00db1234567890a1": "meter", "esme": "meter"}


def record(source: str, target: str | None, event: str = "sent", message: str | None = "a:b:command:1", **detail: object) -> Record:
    return Record(7, 12.5, "wan", source, event, target, message, None, detail)


@pytest.mark.parametrize(
    ("records", "hops"),
    [
        ([record("dcc", "hub")], ["DCC hub sent"]),
        ([record("dcc", None)], []),
        ([record("dcc", "nobody")], []),
        ([record("nobody", "hub")], []),
        ([record("esme", "meter 00db1234567890a1")], []),  # within one lane
        ([record("esme 00db1234567890a1", "hub radio")], ["meter hub sent"]),
        ([record("x 00db1234567890a1", "hub")], ["meter hub sent"]),
        ([record("dcc", "hub", "received", None)], []),
        ([record("dcc", "hub", "received")], ["DCC hub received"]),
        ([record("dcc", "hub"), record("dcc", "hub", "received")], ["DCC hub sent"]),
        ([record("dcc", "hub"), record("hub", "dcc", "received")], ["DCC hub sent", "hub DCC received"]),
        ([record("dcc", "hub"), record("dcc", "hub")], ["DCC hub sent", "DCC hub sent"]),
        ([record("dcc", "hub", cluster="Metering", command="PublishSnapshot")], ["DCC hub sent Metering PublishSnapshot"]),
        ([record("dcc", "hub", command="read", kind="DLMS")], ["DCC hub sent DLMS"]),
        ([record("dcc", "hub", reason="late", variant="4.1.1")], ["DCC hub sent 4.1.1"]),
        ([record("dcc", "hub", cluster="", reason="late")], ["DCC hub sent late"]),
    ],
)
def test_a_hop_leads_from_one_lane_to_another_and_is_drawn_once(records: list[Record], hops: list[str]) -> None:
    assert [f"{one.source} {one.target} {one.text}" for one in arrows(records, LANES)] == hops


@pytest.mark.parametrize(
    ("event", "cluster", "refused", "keep_alive"),
    [
        ("sent", "Metering", False, False),
        ("sent", "KeepAlive", False, True),
        *((event, "Metering", True, False) for event in ("refused", "lost", "failed", "dropped", "not delivered")),
    ],
)
def test_an_arrow_knows_its_record_and_whether_it_got_through(event: str, cluster: str, refused: bool, keep_alive: bool) -> None:
    (found,) = arrows([record("dcc", "hub", event, cluster=cluster)], LANES)
    assert (found.time, found.number, found.area, found.refused, found.keep_alive) == (12.5, 7, "wan", refused, keep_alive)


HOPS = [
    Arrow(10.0, "DCC", "hub", "sent <4.1.1>", False),
    Arrow(10.25, "hub", "meter", "sent " + "x" * 40, False),
    Arrow(86_410.0, "meter", "DCC", "refused", True),
]


def test_a_drawing_has_a_column_a_lane_and_a_row_an_arrow() -> None:
    """Columns of 170 behind 76 for the time, rows of 24 below 40 for the names; the head of an arrow is 7 long."""
    svg = draw_ladder(HOPS, LANES, began=10.0, title="a & b", marks={1: "mark <1>"}).splitlines()
    long = "sent " + "x" * 38
    assert svg == [
        '<svg xmlns="http://www.w3.org/2000/svg" width="586" height="136" viewBox="0 0 586 136" class="ladder" '
        'role="img" aria-label="a &amp; b">',
        '<text x="161" y="16" text-anchor="middle" class="who">DCC</text>',
        '<line x1="161" y1="24" x2="161" y2="136" stroke="#cccccc"/>',
        '<text x="331" y="16" text-anchor="middle" class="who">hub</text>',
        '<line x1="331" y1="24" x2="331" y2="136" stroke="#cccccc"/>',
        '<text x="501" y="16" text-anchor="middle" class="who">meter</text>',
        '<line x1="501" y1="24" x2="501" y2="136" stroke="#cccccc"/>',
        '<text x="4" y="64" class="when">0.000 s</text>',
        '<line x1="161" y1="64" x2="331" y2="64" stroke="#00587c"/>',
        '<path d="M331 64l-7 -4v8z" fill="#00587c"/>',
        '<text x="246.0" y="60" text-anchor="middle" class="what">sent &lt;4.1.1&gt;</text>',
        '<text x="4" y="88" class="when">0.250 s</text>',
        '<line x1="331" y1="88" x2="501" y2="88" stroke="#00587c"/>',
        '<path d="M501 88l-7 -4v8z" fill="#00587c"/>',
        f'<text x="416.0" y="84" text-anchor="middle" class="what">{long}…<title>{HOPS[1].text}</title></text>',
        '<text x="4" y="112" class="when">86400.000 s</text>',
        '<line x1="501" y1="112" x2="161" y2="112" stroke="#b3261e"/>',
        '<path d="M161 112l7 -4v8z" fill="#b3261e"/>',
        '<text x="331.0" y="108" text-anchor="middle" class="what">refused</text>',
        '<text x="4" y="100" class="state">mark &lt;1&gt;</text>',
        "</svg>",
    ]


def test_words_of_forty_four_characters_have_room_and_a_lane_without_a_hop_has_no_column() -> None:
    svg = draw_ladder([Arrow(0.0, "DCC", "hub", "y" * 44, False)], LANES, began=0.0, title="")
    assert re.findall(r'class="what">([^<]*)<', svg) == ["y" * 44]
    assert 'width="416" height="88"' in svg
    assert "meter" not in svg


def text_of(hops: list[Arrow], width: int, began: float = 10.0) -> list[str]:
    console = Console(width=width, highlight=False, color_system=None)
    with console.capture() as taken:
        console.print(LadderText(hops, list(LANES.values()), began))
    return taken.get().splitlines()


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (
            80,
            [
                "                     DCC                    hub                   meter",
                "2000-01-01, 0 s is 00:00:10 UTC",
                "    0.000 s           │───────<4.1.1>───────▶│                      │",
                "    0.250 s           │                      │─────────────────────▶│",
                "                      │                 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                "2000-01-02, 0 s is 00:00:10 UTC",
                "86400.000 s           │✗──────────────────refused───────────────────│",
            ],
        ),
        (
            40,
            [
                "              DCC      hub     meter",
                "2000-01-01, 0 s is 00:00:10 UTC",
                "    0.000 s    │───────▶│        │",
                "               │ <4.1.1>│        │",
                "    0.250 s    │        │───────▶│",
                "           xxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                "               │        │ xxxxxxxxxxx",
                "2000-01-02, 0 s is 00:00:10 UTC",
                "86400.000 s    │✗────refused─────│",
            ],
        ),
    ],
)
def test_the_text_has_the_same_lanes_names_each_day_and_cuts_nothing(width: int, lines: list[str]) -> None:
    assert text_of(HOPS, width) == lines


def test_no_arrow_makes_no_text() -> None:
    assert text_of([], 80) == []


def test_a_lane_of_two_is_no_wider_than_forty_four() -> None:
    heading = text_of(HOPS[:1], 200)[0]
    assert heading.index("hub") - heading.index("DCC") == 44
