"""The Python API has types: a checker takes what there is and refuses what there is not, and the stubs say what is declared."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from firmware_emu.console import Bench, BlockingBench
from firmware_emu.console.result import Result

_STUB = Path(__file__).resolve().parents[2] / "firmware_emu" / "console" / "nouns" / "typed.pyi"
_TOOL = Path(__file__).resolve().parents[2] / "tools" / "api_stubs.py"
_USE = """
from typed_nouns import AwaitedNouns, BlockingNouns

def use(bench: BlockingNouns, other: AwaitedNouns) -> None:
    bench.dcc.read(bench.esme, by="supplier")
    bench.esme.add()
    bench.time.go("1h")
    other.dcc.read("esme")
    bench.esmee.add()
    bench.esme.ad()
    bench.dcc.read(7)
"""


def test_the_stubs_are_those_of_the_declarations() -> None:
    spec = importlib.util.spec_from_file_location("api_stubs", _TOOL)
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.STUB.read_text("utf-8") == tool.stub(), "run tools/api_stubs.py"


def test_a_type_checker_refuses_a_noun_a_verb_and_a_value_that_are_none(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="mypy is not here: pip install mypy")
    nouns, program = tmp_path / "typed_nouns.pyi", tmp_path / "use.py"
    nouns.write_text(_STUB.read_text("utf-8"))
    program.write_text(_USE)
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=skip", f"--cache-dir={tmp_path / 'cache'}", "--config-file="]
    told = subprocess.run(
        [*command, str(nouns), str(program)], capture_output=True, text=True, check=False, cwd=tmp_path
    ).stdout.splitlines()
    wrong = {int(line.split(":")[1]): line for line in told if ": error:" in line}
    assert sorted(wrong) == [9, 10, 11], told
    assert '"esmee"' in wrong[9]
    assert '"ad"' in wrong[10]


def test_help_of_a_bench_names_its_nouns(home: BlockingBench) -> None:
    assert Bench.__doc__ is not None
    for noun in home.handle.core.nouns:
        assert f"``{noun}" in Bench.__doc__ or noun in ("hcalcs", "wan"), noun


def test_a_noun_stands_for_its_name_where_a_device_is_expected(home: BlockingBench) -> None:
    assert home.ladder(last=3, device=home.esme).ok
    assert home.trace.show(last=1, device=home.esme).ok


def test_a_result_in_a_notebook_is_the_text_of_the_prompt() -> None:
    html = Result("1 < 2", {"octets": b"\x01"}, ok=False)._repr_html_()
    assert "1 &lt; 2" in html
    assert html.startswith("<pre")
    assert "01" in html
