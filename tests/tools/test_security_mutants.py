"""The list of security mutants fits the code and the tests that it names."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MUTANTS = tomllib.loads((ROOT / "tools" / "security_mutants.toml").read_text(encoding="utf-8"))["mutant"]


def test_every_mutant_finds_its_text_once_and_names_tests_that_are_there() -> None:
    for mutant in MUTANTS:
        text = (ROOT / mutant["file"]).read_text(encoding="utf-8")
        assert text.count(mutant["old"]) == 1, mutant["name"]
        assert all(text.count(old) == 1 for old, _ in mutant.get("also", [])), mutant["name"]
        assert mutant["old"] != mutant["new"]
        assert mutant["tests"] or mutant.get("equivalent"), mutant["name"]
        for named in mutant["tests"]:
            file, _, test = named.partition("[")[0].partition("::")
            assert (ROOT / file).exists(), named
            assert not test or f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), named


def test_there_are_at_least_sixty_over_all_layers_each_with_a_name_of_its_own() -> None:
    assert len(MUTANTS) >= 60
    assert max(Counter(mutant["name"] for mutant in MUTANTS).values()) == 1
    layers = ("firmware_emu/crypto", "firmware_emu/device", "firmware_emu/gbcs", "firmware_emu/wan", "hil/dcc/duis", "hil/dcc/gateway")
    for layer in (*layers, "hil/dcc/parties", "hil/radio", "firmware_emu/sqlite_file", "firmware_emu/ownership"):
        assert any(mutant["file"].startswith(layer) for mutant in MUTANTS), layer
