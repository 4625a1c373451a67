"""Files that are nested without end: one line at the command line, whichever library reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_emu.cli import chub, exit_code


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["dcc", "convert"], "JSON"),
        (["report", "show"], "JSON"),
        (["explain"], "JSON"),
        (["board", "check"], "TOML"),
    ],
)
def test_a_file_nested_without_end_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], what: str
) -> None:
    path = tmp_path / f"deep.{what.lower()}"
    path.write_text(("a = " if what == "TOML" else "") + "[" * 200_000)
    assert exit_code(lambda: chub.main([*words, str(path)], standalone_mode=False)) in (1, 2)
    said = capsys.readouterr()
    assert "Traceback" not in said.err + said.out
    assert len((said.err + said.out).strip().splitlines()) == 1


def test_a_fault_of_our_own_that_calls_itself_without_end_is_not_told_as_a_file() -> None:
    def endless() -> None:
        endless()

    with pytest.raises(RecursionError):
        exit_code(endless)
