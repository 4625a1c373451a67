"""Programs of other people that tests look for: ``tools/test`` installs each, so that no group of tests is skipped without being missed."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from firmware_emu.extras import lacking

ROOT = Path(__file__).resolve().parents[2]
OF_EVERY_MACHINE = {"setpriv"}
"""Debian has these without any install."""


def asked_for(pattern: str) -> set[str]:
    """Programs that the tests of this suite look for before they would skip."""
    files = (ROOT / "tests").rglob("*.py")
    return {name for file in files for name in re.findall(pattern, file.read_text(encoding="utf-8"))}


def test_tools_test_installs_every_program_that_a_test_looks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "tools")
    table = runpy.run_path(str(ROOT / "tools" / "test"), run_name="read")
    wanted = asked_for(r"""\bwhich\(["']([\w-]+)["']""")
    wanted |= {name for words in asked_for(r"""\bmark\.needs\(([^)]*)\)""") for name in re.findall(r"""["']([\w-]+)["']""", words)}
    assert wanted - {*table["PROGRAMS"], *table["BY_PIP"], *OF_EVERY_MACHINE} == set()
    assert {"tshark", "npm"} <= wanted


def test_an_extra_brings_every_library_without_which_a_test_would_be_skipped() -> None:
    wanted = asked_for(r"""\bimportorskip\(\s*["']([\w.]+)["']""")
    assert {name for name in wanted if lacking(ModuleNotFoundError(name=name)) is None} == set()
    assert "selenium.webdriver" in wanted
