from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

_TOOL = Path(__file__).resolve().parents[2] / "tools" / "walk"


def test_the_three_journeys_are_walked_and_their_files_counted() -> None:
    done = subprocess.run(
        [sys.executable, str(_TOOL), "--json"], capture_output=True, text=True, check=False, env={**os.environ, "CHUB_PREPARED": "1"}
    )
    assert done.returncode == 0, done.stderr
    walks = {one["journey"]: one for one in json.loads(done.stdout)}
    assert list(walks) == ["7.2", "ESME alert", "power cut of 20 s"]
    for walk in walks.values():
        assert walk["files"] == len(walk["calls"])
        assert walk["changes"] >= walk["files"]
        assert all((_TOOL.parents[1] / name).is_file() for name in walk["calls"])
    assert walks["7.2"]["files"] < 90, "one command is followed through too many files: merge what is read together"
    assert "hil/dcc/dcc.py" in walks["7.2"]["calls"]
    assert not any(name.startswith("hil/dcc/transform/") for name in walks["ESME alert"]["calls"])
    assert any(name.startswith("ichis/") for name in walks["power cut of 20 s"]["calls"])
    page = (_TOOL.parents[1] / "firmware_emu" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    told = [re.findall(r"^\| `([\w/]+\.py)` \| `[\w.]+` \|", part, re.MULTILINE) for part in page.split("\n### ")[1:]]
    for walk, files in zip(walks.values(), told, strict=True):
        assert files
        assert sorted(set(files) - set(walk["calls"])) == [], f"ARCHITECTURE.md names files that {walk['journey']} does not enter"
