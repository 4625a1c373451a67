from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def test_our_known_answers_are_those_of_the_shared_reference(rtds: Path, known: dict[str, Any]) -> None:
    reference = rtds.parent / "reference"
    published = json.loads((reference / "cbke-vectors.json").read_text())
    for suite in ("suite1", "suite2"):
        for name, value in known[suite].items():
            theirs = published[suite][name]
            assert value == ({key: theirs[key] for key in value} if isinstance(value, dict) else theirs), f"{suite} {name}"
    assert known["certificates"] == published["certificates"]["items"]
    command = json.loads((reference / "gbcs-vectors.json").read_text())["gbcs_18_4"][0]
    assert {name: command[name] for name in known["command"]} == known["command"]
