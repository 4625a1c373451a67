"""Every attack on one home: each has an outcome that was expected, nothing is executed or ended, the next honest message works."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_emu.board import load_board
from hil.attacks.arena import AttackOutcome, AttackResult
from hil.attacks.suite import all_attacks, chosen, run_attacks
from hil.attacks.table import as_html, as_json, as_markdown
from hil.commands.attack import attack

NAMES = [one.name for one in all_attacks()]


@pytest.fixture(scope="module")
def results() -> dict[str, AttackResult]:
    return {result.name: result for result in run_attacks(load_board("simulated"), all_attacks())}


@pytest.mark.parametrize("name", NAMES)
def test_an_attack_is_held(results: dict[str, AttackResult], name: str) -> None:
    result = results[name]
    assert result.sent > 0
    assert result.wrong == ()


def test_names_are_each_its_own_and_every_target_is_attacked_at_every_layer_that_it_has() -> None:
    assert len(set(NAMES)) == len(NAMES)
    by_layer = {(one.layer, one.target) for one in all_attacks()}
    assert {target for layer, target in by_layer if layer.startswith("GBCS envelope")} == {"CHF", "GPF", "ESME", "GSME"}
    assert {layer for layer, _ in by_layer} >= {
        "MAC",
        "NWK",
        "APS",
        "ZCL",
        "tunnel",
        "key establishment",
        "ASH",
        "EZSP",
        "SM WAN",
        "SM WAN framing",
        "GBCS envelope",
        "GBCS protection",
        "GBCS payload",
        "GBCS block transfer",
        "GBCS to the DCC",
        "DUIS",
    }


@pytest.mark.parametrize(
    ("name", "counter"),
    [
        ("nwk/replayed", "hub's radio: nwk_counter_failure"),
        ("nwk/in-clear/hub", "hub's radio: aps_unsecured"),
        ("nwk/foreign-key/esme", "meter's radio: nwk_decryption_failure"),
        ("nwk/foreign-key/hub", "hub's radio: nwk_decryption_failure"),
        ("aps/transport-key", "meter's radio: aps_link_key_not_authorized"),
    ],
)
def test_what_is_dropped_in_silence_was_heard_and_counted(results: dict[str, AttackResult], name: str, counter: str) -> None:
    assert any(evidence.startswith(counter) for evidence in results[name].evidence)


def test_a_replayed_read_changes_nothing_and_a_wrong_mac_is_refused_at_each_target(results: dict[str, AttackResult]) -> None:
    for target in ("chf", "gpf", "esme", "gsme"):
        assert AttackOutcome.ANSWERED in results[f"gbcs/replayed/{target}"].outcomes
        assert all("MAC does not hold" in evidence for evidence in results[f"gbcs/wrong-mac/{target}"].evidence)
        assert results[f"gbcs/mis-signed/{target}"].outcomes == (AttackOutcome.REFUSED,)


def test_the_table_has_a_row_for_each_attack_in_markdown_html_and_json(results: dict[str, AttackResult]) -> None:
    rows = list(results.values())
    assert as_markdown(rows).count("\n| ") == len(NAMES) + 1
    assert as_html(rows).count("<tr>") == len(NAMES) + 1
    table = json.loads(as_json(rows))
    assert table["attacks"] == table["held"] == len(NAMES)
    assert [row["name"] for row in table["results"]] == NAMES


def test_a_broken_attack_is_shown_with_what_did_not_hold() -> None:
    broken = AttackResult("x/y", "MAC", "hub", "something", 3, ("silence",), (), ("executed: esme",))
    assert not broken.held
    assert "| silence | executed: esme | NO |" in as_markdown([broken])


def test_the_command_lists_runs_some_and_writes_the_table(tmp_path: Path) -> None:
    listed = json.loads(CliRunner().invoke(attack, ["list", "--json"]).stdout)
    assert [row["name"] for row in listed] == NAMES
    ran = CliRunner().invoke(attack, ["run", "gbcs/replayed", "wan/truncated", "--json", "--report", str(tmp_path / "attacks.md")])
    assert ran.exit_code == 0
    assert [row["name"] for row in json.loads(ran.stdout)["results"]] == [one.name for one in chosen(("gbcs/replayed", "wan/truncated"))]
    assert "5 attacks on 5 targets" in (tmp_path / "attacks.md").read_text()
    assert CliRunner().invoke(attack, ["run", "--report", "attacks.txt"]).exit_code == 2


def test_a_name_that_is_none_is_told_in_one_line() -> None:
    result = CliRunner().invoke(attack, ["run", "gbcs/nonsense"])
    assert str(result.exception) == (
        "the attack 'gbcs/nonsense' is not available: `chub attack list` shows all; a name may end at a slash, as gbcs/replayed; "
        "did you mean gbcs/no-mac/esme?"
    )


@pytest.mark.parametrize(("name", "sent"), [("mac/knocks", 40), ("nwk/strangers", 40), ("nwk/in-clear/hub", 4), ("nwk/in-clear/esme", 4)])
def test_an_attack_sends_so_many_frames_as_it_says(results: dict[str, AttackResult], name: str, sent: int) -> None:
    """Forty strangers; tunnel data, a leave, a rejoin and a status each."""
    assert results[name].sent == sent
