"""Fragments of the changelog are of a known kind and render, and the release that is installed has its section."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
KINDS = {kind["directory"] for kind in PYPROJECT["tool"]["towncrier"]["type"]}
FRAGMENTS = sorted(file for file in (ROOT / "tools" / "changes").iterdir() if file.name not in ("README.md", "template.md"))


@pytest.mark.parametrize("file", FRAGMENTS, ids=lambda file: file.name)
def test_a_fragment_is_a_sentence_of_a_known_kind(file: Path) -> None:
    assert re.fullmatch(rf"[a-z0-9-]+\.({'|'.join(KINDS)})\.md", file.name), f"expected NAME.KIND.md, KIND in {', '.join(sorted(KINDS))}"
    assert file.read_text(encoding="utf-8").strip().endswith(".")


def test_the_fragments_render_under_their_headings() -> None:
    pytest.importorskip("towncrier", reason="needs towncrier (pip install 'commshub[dev]')")
    command = [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "9.9.9", "--date", "2030-01-01"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert "## 9.9.9 - 2030-01-01" in told.stdout
    for file in FRAGMENTS:
        assert file.read_text(encoding="utf-8").strip().splitlines()[0] in told.stdout


def test_the_release_that_is_installed_has_its_section_and_says_first_how_the_api_changed() -> None:
    from firmware_emu import __version__

    assert PYPROJECT["project"]["version"] == __version__
    sections = re.split(r"^## ", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    (section,) = [one for one in sections if one.startswith(f"{__version__} - ")]
    if __version__.endswith(".0"):
        assert section.split("\n### ")[1].startswith("API changes\n")
    assert not any(one.startswith("Unreleased") for one in sections), "changes since the last release are files in tools/changes"
