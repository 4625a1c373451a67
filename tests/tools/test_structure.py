from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

_TOOL = Path(__file__).resolve().parents[2] / "tools" / "structure"

RULES = """
[tool.importlinter]
root_packages = ["ground", "upper"]
[[tool.importlinter.contracts]]
name = "one way"
type = "layers"
layers = ["upper.top", "upper.left | upper.right", "upper.base"]
"""


def _structure(*arguments: str) -> tuple[int, dict[str, object]]:
    done = subprocess.run(
        [sys.executable, str(_TOOL), "--json", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "CHUB_PREPARED": "1"},
    )
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(done.stdout)


def _house(root: Path, files: dict[str, str]) -> dict[str, object]:
    for name in ("ground/__init__.py", "upper/__init__.py", *(f"upper/{one}/__init__.py" for one in ("top", "left", "right", "base"))):
        files.setdefault(name, "")
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / "pyproject.toml").write_text(RULES)
    return _structure("--root", str(root), "--rules", str(root / "pyproject.toml"))[1]


def test_a_house_whose_imports_point_down_has_no_arrow_up_and_no_circle(tmp_path: Path) -> None:
    found = _house(tmp_path, {"upper/top/a.py": "import upper.left\nimport ground\n", "upper/left/b.py": "from upper import base\n"})
    assert (found["arrows_up"], found["circles"], found["loose"]) == (0, [], [])
    assert found["arrows"] == 3


@pytest.mark.parametrize(
    ("importer", "text"),
    [
        ("upper/base/a.py", "import upper.top"),
        ("upper/left/a.py", "import upper.right"),
        ("ground/a.py", "import upper"),
        ("upper/base/a.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import upper.left"),
    ],
    ids=["from a lower layer", "beside", "from a lower floor", "for types alone"],
)
def test_an_import_that_points_up_is_counted(tmp_path: Path, importer: str, text: str) -> None:
    assert _house(tmp_path, {importer: text})["arrows_up"] == 1


def test_files_that_import_each_other_are_a_circle_also_where_one_does_it_for_types_alone(tmp_path: Path) -> None:
    types_alone = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import upper.base.a"
    found = _house(tmp_path, {"upper/base/a.py": "import upper.base.b", "upper/base/b.py": types_alone})
    assert found["circles"] == [{"folder": "upper/base", "members": ["a", "b"]}]


def test_folders_that_import_each_other_through_different_files_are_a_circle(tmp_path: Path) -> None:
    found = _house(tmp_path, {"upper/top/a.py": "import upper.base", "upper/base/b.py": "import upper.top.c", "upper/top/c.py": ""})
    assert found["circles"] == [{"folder": "upper", "members": ["base", "top"]}]


def test_files_beside_folders_are_loose(tmp_path: Path) -> None:
    assert _house(tmp_path, {"upper/stray.py": "", "ground/a.py": ""})["loose"] == ["upper/stray.py"]


LOOSE = {
    "firmware_emu": (
        14,
        "what every floor speaks (errors, identifiers, clock, trace, board and its files, owners of files), and the pytest plug-in",
    ),
    "firmware_emu/console": (22, "the parts of one prompt, beside its commands and nouns"),
    "firmware_emu/zse": (4, "the language that the clusters are declared in"),
    "hil/commands": (18, "one noun of chub a file; only dcc has enough verbs for a folder"),
    "hil/attacks": (12, "one hostile peer or place of attack a file, beside the search for the edges of the layers"),
    "hil/conformance": (
        11,
        "the run of checks, on one board or on several, and the benches it runs on, beside the proofs that the checks are right",
    ),
    "hil/dcc": (1, "the DCC itself, put together from its parts"),
    "hil/devices": (5, "Devices of one file, and the table of types"),
    "hil/parse_correlate": (8, "a distribution of its own: command, keys, errors, protection beside its readers"),
    "hil/parse_correlate/parse": (3, "what every reader of the Message Mapping Catalogue starts from"),
    "hil/radio": (5, "what stands over both families of dongles: which one, which firmware, its recordings, its relay"),
    "hil/radio/ncp": (6, "the layers of one firmware, beside the handlers of its commands"),
    "ichis/instrument": (7, "links, sessions and stand-ins of instruments, beside the folder of their dialects"),
    "ichis": (27, "one flat package of volts, pins and the serial pair; only its checks have a folder, with their data"),
}
"""Files that lie beside folders: how many at most, and why."""


def test_no_import_of_the_house_points_up_no_files_go_in_a_circle_and_loose_files_are_few() -> None:
    code, found = _structure()
    assert (code, found["arrows_up"], found["circles"]) == (0, 0, [])
    loose = Counter(str(name).rpartition("/")[0] for name in found["loose"])  # type: ignore[attr-defined]
    assert {folder: count for folder, count in loose.items() if count > LOOSE.get(folder, (0, ""))[0]} == {}
    assert [str(name) for name in found["loose"] if str(name).count("/") == 1 and str(name).startswith("hil/")] == []  # type: ignore[attr-defined]
