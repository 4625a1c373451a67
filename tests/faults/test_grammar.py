"""Sentences of faults: what is read, what is refused and how, what is offered for completion."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.faults.grammar import EXPECTS, FAULT_PATTERNS, FAULT_WORDS, SentenceError, next_words, read_sentence

DEVICES = ("esme", "gsme")
EXAMPLES = {"PERCENT": "20%", "DURATION": "40ms", "ORDINAL": "3rd", "VOLTS": "9V", "BITS": "2bits", "CODE": "4.1.1", "NAME": "esme"}
EXAMPLES |= {"LINE": "ac-lost", "KIND": "response", "PART": "MAC", "CLUSTER": "Tunneling"}


@pytest.mark.parametrize(
    ("text", "area", "kind", "values", "qualifiers"),
    [
        ("han drop 20% to gsme", "han", "drop", {"PERCENT": 0.2}, {"to": "gsme"}),
        ("wan duplicate", "wan", "duplicate", {}, {}),
        ("nvm torn at 3rd write", "nvm", "torn", {"ORDINAL": 3}, {}),
        ("han drop on the 2nd Tunneling frame", "han", "drop", {}, {"on": 2, "CLUSTER": 0x0704}),
        ("han delay 1s of 0700", "han", "delay", {"DURATION": 1.0}, {"of": 0x0700}),
        ("esme answers 4s late", "message", "delay", {"NAME": "esme", "DURATION": 4.0}, {}),
        ("gsme answers never to ECS17b", "message", "drop", {"NAME": "gsme"}, {"to": "ecs17b"}),
        ("response 4.1.1 with a wrong MAC", "message", "wrong", {"KIND": "response", "CODE": "4.1.1", "PART": "MAC"}, {}),
        ("alert any lost 50% from esme", "message", "drop", {"KIND": "alert", "CODE": "any", "PERCENT": 0.5}, {"from": "esme"}),
        ("supply dip 40ms every 10s", "supply", "dip", {"DURATION": 0.04}, {"every": 10.0}),
        ("dongle reset in 5s", "dongle", "reset", {}, {"in": 5.0}),
        (
            "han corrupt 2bits 5% for 1h from hub to esme",
            "han",
            "corrupt",
            {"BITS": 2, "PERCENT": 0.05},
            {"for": 3600.0, "from": "hub", "to": "esme"},
        ),
        ("line ac-lost stuck for 1.5m", "line", "stuck", {"LINE": "ac-lost"}, {"for": 90.0}),
        ("wan drop at 2nd frame to dcc", "wan", "drop", {}, {"at": 2, "to": "dcc"}),
        ("supply sag 10.5V in 1d", "supply", "sag", {"VOLTS": 10.5}, {"in": 86400.0}),
    ],
)
def test_a_sentence_is_read_into_values(text: str, area: str, kind: str, values: dict[str, object], qualifiers: dict[str, object]) -> None:
    sentence = read_sentence(text, DEVICES)
    assert (sentence.area, sentence.kind) == (area, kind)
    assert dict(sentence.values) == values
    assert dict(sentence.qualifiers) == qualifiers


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it ends after 0 words: expected one of han, tty, wan, nvm"),
        ("hna drop", "word 1 is 'hna': expected one of han, tty"),
        ("han dorp", "word 2 is 'dorp': expected one of drop, delay, duplicate, corrupt, reorder"),
        ("han drop 20", "word 3 is '20': expected a share as 20% or to or from or of"),
        ("han drop 120%", "word 3 is '120%'"),
        ("han drop to gsem", "word 4 is 'gsem': expected one of esme, gsme, hub"),
        ("wan drop to esme", "word 4 is 'esme': expected one of hub, dcc"),
        ("han delay", "it ends after 2 words: expected a time as 40ms, 5s"),
        ("han drop 5% to gsme to esme", "word 6 is 'to': expected from"),
        ("nvm torn", "it ends after 2 words: expected at"),
        ("nvm torn at 3 write", "word 4 is '3': expected 1st, 2nd, 3rd"),
        ("nvm torn at 0th write", "word 4 is '0th'"),
        ("nvm torn at 3rd frame", "word 5 is 'frame': expected write"),
        ("line ac stuck", "word 2 is 'ac': expected one of ac-lost, host-present"),
        ("line ac-lost bent", "word 3 is 'bent': expected one of stuck, open"),
        ("response 99.1 lost", "word 2 is '99.1': expected a service request (4.1.1)"),
        ("response 4.1.1 with a wrong mac", "word 6 is 'mac': expected one of MAC, signature, counter"),
        ("esme answers", "it ends after 2 words: expected one of twice, never or a time as"),
        ("han drop on the 2nd Tuneling frame", "word 6 is 'Tuneling': expected a cluster as Tunneling"),
        ("dongle reset in", "it ends after 3 words: expected a time"),
    ],
)
def test_a_word_that_does_not_belong_is_named_with_what_was_expected_in_one_line(text: str, why: str) -> None:
    with pytest.raises(SentenceError) as refused:
        read_sentence(text, DEVICES)
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)


def _typed(words: list[str]) -> str:
    """A sentence made of first offers."""
    while True:
        offers = next_words(words, DEVICES)
        if not offers:
            return " ".join(words)
        words = [*words, EXAMPLES.get(offers[0], offers[0])]


@pytest.mark.parametrize("pattern", FAULT_PATTERNS, ids=lambda pattern: f"{pattern.area} {pattern.kind}")
def test_what_completion_offers_word_by_word_is_a_sentence_with_everything_that_the_pattern_has(pattern) -> None:  # type: ignore[no-untyped-def]
    needed = itertools.takewhile(lambda part: isinstance(part, str) or not part.optional, pattern.parts)
    head = [part if isinstance(part, str) else EXAMPLES[part.name] for part in needed]
    sentence = read_sentence(_typed(head), DEVICES)
    assert (sentence.area, sentence.kind) == (pattern.area, pattern.kind)
    assert {one.word for one in pattern.qualifiers} <= set(sentence.qualifiers)
    assert {slot.name for slot in pattern.slots} <= set(sentence.values)
    assert {part for part in pattern.parts if isinstance(part, str)} <= set(FAULT_WORDS)


@given(words=st.lists(st.sampled_from([*FAULT_WORDS, *EXAMPLES.values(), *EXPECTS, "gsme", "", "x"]), max_size=8))
def test_any_words_are_read_or_refused_and_completed_without_a_crash(words: list[str]) -> None:
    text = " ".join(words)
    with contextlib.suppress(SentenceError):
        read_sentence(text, DEVICES)
    next_words(text.split(), DEVICES)
