"""Verbs that only look are those whose sentence says so, and no other: what looks leaves no line and lets no time pass."""

from __future__ import annotations

from importlib import import_module
from inspect import getmembers, isclass, isfunction
from pkgutil import iter_modules

import pytest

LOOKS = {"Compare", "Draw", "Explain", "Look", "Measure", "Save", "Show", "Tell", "Write"}
"""First words of what changes nothing on the bench: it shows, compares, or writes a file."""


def _verbs() -> list[tuple[str, str, bool]]:
    """Verb, first word of its sentence, and whether it only looks."""
    found = set()
    for package in ("firmware_emu.console.nouns", "hil.console"):
        for one in iter_modules(import_module(package).__path__, package + "."):
            for _, noun in getmembers(import_module(one.name), isclass):
                for _, method in getmembers(noun, isfunction):
                    if (said := method.__dict__.get("console_verb")) is not None:
                        found.add((f"{method.__module__}.{said[0]}", (method.__doc__ or "").split()[0], said[2]))
    return sorted(found)


@pytest.mark.parametrize(("verb", "word", "looks"), _verbs())
def test_a_verb_looks_where_its_sentence_begins_with_a_word_of_looking(verb: str, word: str, looks: bool) -> None:
    assert looks is (word in LOOKS), f"{verb}: {word} ..."


def test_there_are_verbs_of_both_kinds() -> None:
    assert {looks for _, _, looks in _verbs()} == {True, False}
    assert len(_verbs()) > 60
