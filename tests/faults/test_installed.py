"""Faults of a package: read, completed and refused as those of this project are."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from firmware_emu import extensions
from firmware_emu.board import load_board
from firmware_emu.errors import NotAvailable
from hil.bench.passages import Passing
from hil.faults import SentenceError, check_sentences, installed, next_in

DEVICES = ["esme"]


def late(passing: Passing) -> list[tuple[float, bytes]]:
    return [(30.0, passing.octets)]


@pytest.fixture(autouse=True)
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = {
        name: EntryPoint(name, f"{__name__}:{function}", extensions.FAULT)
        for name, function in (("sluggish", "late"), ("han", "late"), ("broken", "nothing_of_that_name"))
    }
    others = extensions._installed
    monkeypatch.setattr(extensions, "_installed", lambda group: entries if group == extensions.FAULT else others(group))


def test_the_name_of_a_packages_fault_and_what_it_is_of_are_a_sentence() -> None:
    do, sentence = installed.read("sluggish response 4.1.1 from esme", DEVICES)
    assert do is late
    assert (sentence.text, sentence.area, sentence.word("from")) == ("sluggish response 4.1.1 from esme", "message", "esme")
    check_sentences(load_board("simulated"), ["sluggish han frame of Price", "han drop 20% to esme"])


def test_a_word_of_the_grammar_stays_the_grammars() -> None:
    assert installed.read("han drop 20% to esme", DEVICES)[0] is None
    assert "han" not in installed.names()


def test_what_a_packages_fault_cannot_be_of_is_refused_and_so_is_one_that_cannot_be_loaded() -> None:
    with pytest.raises(SentenceError, match="reponse"):
        installed.read("sluggish reponse 4.1.1", DEVICES)
    with pytest.raises(NotAvailable, match="broken"):
        installed.read("broken response 4.1.1", DEVICES)


def test_completion_offers_it_beside_the_grammars_words_and_then_what_it_may_be_of() -> None:
    assert {"sluggish", "wan"} <= set(next_in([], DEVICES))
    assert "response" in next_in(["sluggish"], DEVICES)
    assert next_in(["han"], DEVICES) == [word for word in next_in(["han"], DEVICES) if word != "sluggish"]
