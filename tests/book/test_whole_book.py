"""The whole book by its command, in three parts."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from firmware_emu.cli import chub
from hil.book import load_book

PARTS = {"home": ("home",), "meter": ("esme", "prepay", "summer")}
PARTS["others"] = tuple(name for name in load_book().benches if name not in (*PARTS["home"], *PARTS["meter"]))


@pytest.mark.parametrize("part", PARTS)
def test_the_devices_follow_every_row_of_the_book(part: str, request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("--long"):
        pytest.skip("the whole book takes minutes of processor: --long plays it, as chub book run does")
    outcome = CliRunner().invoke(chub, ["book", "run", "--json", *(word for name in PARTS[part] for word in ("--bench", name))])
    told = json.loads(outcome.stdout)
    assert told["findings"] == []
    assert told["rows"] == told["agree"] + told["profile"] == len(load_book().chosen(None, (), PARTS[part])) > 0
    assert outcome.exit_code == 0
