"""Deeds on a Device by hand, its logs, a look inside it, and tokens: the verbs that no message stands behind."""

from __future__ import annotations

import pytest

from firmware_emu.console import BlockingBench
from firmware_emu.console.declare import WordError
from firmware_emu.errors import CommsHubError


def test_a_load_that_is_laid_on_is_counted(home: BlockingBench) -> None:
    home.esme.do("load", "6000")
    before = home.esme.status()["import, Wh"]
    home.go("1h")
    assert home.esme.status()["import, Wh"] - before in range(5990, 6011)
    home.esme.do("load", "300")


def test_a_token_of_its_supplier_is_taken_once(home: BlockingBench) -> None:
    digits = home.dcc.token("esme", 500)["token"]
    assert home.esme.do("token", digits).ok
    again = home.esme.do("token", digits)
    assert not again.ok
    assert "refused" in again.said


def test_what_happened_stands_in_the_logs(home: BlockingBench) -> None:
    home.esme.do("tamper", "strong-magnet")
    assert any("8F75" in row for row in home.esme.events("security").rows)


def test_a_value_inside_it_is_looked_at_and_its_clock(home: BlockingBench) -> None:
    assert home.esme.look("3:0-0:94.44.42:2")["value"] == 0
    before = home.esme.look("clock")["value"]
    home.esme.do("clock", "3")
    assert home.esme.look("clock")["value"] - before == pytest.approx(3)
    home.esme.do("clock", "-3")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("esme do fly", "expected what can be done to esme .*, one of load"),
        ("esme do load much", "load: read 'much', expected watts"),
        ("esme look 3:9-9:9.9.9:2", "expected one of"),
        ("ihd events", "a IHD has no logs"),
        ("dcc read esme 4.15 by=nobody", "by: read 'nobody', expected one of"),
        ("dcc read esme 4.15 by=recovery", "by: read 'recovery', expected one of supplier"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(home: BlockingBench, line: str, told: str) -> None:
    with pytest.raises(CommsHubError, match=told):
        home.say(line)


def test_another_party_of_the_board_may_ask(home: BlockingBench) -> None:
    assert home.dcc.read("esme", "6.2.1", by="network_operator").ok
    with pytest.raises(WordError, match="expected one of"):
        home.dcc.read("esme", by="grocer")
