"""Dialects as data: every file is read, every model is recognised by its identity, and what is wrong in a file is told by its key."""

from __future__ import annotations

import pytest

from firmware_emu.errors import BoardError
from ichis.measuring.dialect import dialects, figure, named, read_dialect, recognise
from ichis.measuring.reading import Accuracy, Basis, Reading, Span

MODELS = [(dialect, model) for dialect in dialects().values() for model in dialect.models.values()]


@pytest.mark.parametrize(("dialect", "model"), MODELS, ids=[model.name for _, model in MODELS])
def test_every_model_is_recognised_by_the_identity_that_it_tells(dialect: object, model: object) -> None:
    assert recognise(model.idn) is dialect  # type: ignore[attr-defined]
    assert named(model.name) == (dialect, model)  # type: ignore[attr-defined]


def test_what_no_dialect_knows_is_not_taken_for_something_like_it() -> None:
    assert recognise("ACME,PS-1,0,1") is None
    assert recognise("RIGOL TECHNOLOGIES,DS1054Z,DS1,00.04") is None
    with pytest.raises(BoardError, match="rigol-dp832"):
        named("rigol-dp900")


@pytest.mark.parametrize(
    ("family", "action", "answer", "value"),
    [
        ("tti", "volts", "12.000V", 12.0),
        ("tti", "volts", "12,000V", 12.0),
        ("tti", "ask_volts", "V1 12.000", 12.0),
        ("scpi", "amperes", "0.6A", 0.6),
        ("keysight-e36300", "volts", "+1.20003456E+01", 12.0003456),
        ("siglent-spd", "volts", " 12.000", 12.0),
    ],
)
def test_an_answer_is_read_whole_with_its_header_and_unit(family: str, action: str, answer: str, value: float) -> None:
    found = dialects()[family].answer(action, channel=1).fullmatch(answer)
    assert found is not None
    assert figure(found[1]) == value


@pytest.mark.parametrize(
    ("family", "action", "answer"), [("tti", "volts", "0.125A"), ("tti", "ask_volts", "I1 0.600"), ("scpi", "volts", "12 0")]
)
def test_an_answer_to_another_question_is_not_read(family: str, action: str, answer: str) -> None:
    assert dialects()[family].answer(action, channel=1).fullmatch(answer) is None


@pytest.mark.parametrize("answer", ['0,"No error"', '+0,"No error"', "0  No Error", "No Error", ' 0 , "No error"'])
def test_an_empty_error_queue_is_known_in_every_form(answer: str) -> None:
    assert dialects()["scpi"].error.empty(answer)
    assert not dialects()["scpi"].error.empty("0.0001")
    assert not dialects()["scpi"].error.empty("0")
    assert dialects()["tti"].error.empty("0")


def test_what_is_wrong_in_a_file_is_told_by_its_key() -> None:
    with pytest.raises(BoardError, match="words"):
        read_dialect("x.toml", 'family = "x"\nkind = "supply"\nmatch = "x"\nsource = "x"\n')
    with pytest.raises(BoardError, match="not TOML"):
        read_dialect("x.toml", "=")


def test_an_uncertainty_is_of_the_reading_and_not_of_the_programming() -> None:
    """The worked example of the notes: 0.1 % and 25 mV at 12 V is a limit of error of 37 mV, U = 43 mV (reference ichis-more 4)."""
    found = Accuracy((Span(63, 0.001, 0.025, 0.0),), Basis.DATASHEET, "").of(12.0)
    assert found.u == pytest.approx(0.0427, abs=0.0002)
    assert (found - found).u == pytest.approx(0.0604, abs=0.0003)
    assert (Reading(2.0) * found).u == pytest.approx(2 * found.u)
    assert Accuracy((Span(10, 0, 0.1, 0),), Basis.DATASHEET, "").of(12.0).basis is Basis.NONE
