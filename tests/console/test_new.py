"""``chub new`` writes packages that are small, that read, and that it refuses to write over others."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_emu.cli import chub
from ichis.conformance.check import load_checks

KINDS = ["check", "device", "fault", "instrument", "noun"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_package_has_files_that_read_each_under_sixty_lines(kind: str, tmp_path: Path) -> None:
    ran = CliRunner().invoke(chub, ["new", kind, "my-own", "--into", str(tmp_path)])
    assert ran.exit_code == 0, ran.output
    written = [path for path in (tmp_path / "my-own").rglob("*") if path.is_file()]
    assert any(path.name == "test_my_own.py" for path in written)
    for path in written:
        text = path.read_text("utf-8")
        assert "$" not in text
        assert len(text.splitlines()) < 60
        if path.suffix == ".py":
            ast.parse(text)
        else:
            tomllib.loads(text)


def test_what_is_there_is_left_alone_and_a_name_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "acme").mkdir()
    there = CliRunner().invoke(chub, ["new", "device", "acme", "--into", str(tmp_path)])
    assert "it is there already" in str(there.exception)
    wrong = CliRunner().invoke(chub, ["new", "device", "Acme_1", "--into", str(tmp_path)])
    assert wrong.exit_code == 2
    assert "read 'Acme_1', expected small letters" in wrong.output


def test_the_checks_of_this_project_are_found_as_those_of_a_package_are() -> None:
    assert len(load_checks()) > 40
