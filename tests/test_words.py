"""Docstrings say what a thing is, subject first; tests read directly."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CODE = [file for folder in ("firmware_emu", "ichis", "hil", "tests", "tools") for file in sorted((ROOT / folder).rglob("*.py"))]
TESTS = [file for file in CODE if file.is_relative_to(ROOT / "tests")]
ASKS = re.compile(r"(What|Who|Whom|Whose|Whether|Where|How)\b")


def docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text of each string that stands alone: docstrings of modules, classes, functions and attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def test_no_docstring_begins_like_a_question() -> None:
    begins = [
        f"{file.relative_to(ROOT)}:{line}: {text.strip().splitlines()[0]}"
        for file in CODE
        for line, text in docstrings(ast.parse(file.read_text(encoding="utf-8")))
        if ASKS.match(text.strip())
    ]
    assert begins == [], "put the subject first: 'Receiver of the frames', 'True if the key is held', 'Show the keystore'"


def test_no_test_module_is_imported_nor_a_conftest_nor_a_sibling_without_its_package() -> None:
    siblings = {file.stem for file in TESTS}
    wrong = []
    for file in TESTS:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            modules = (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [name.name for name in node.names]
                if isinstance(node, ast.Import)
                else []
            )
            for module in modules:
                own = module.startswith("tests.")
                last = module.rpartition(".")[2]
                bare = (isinstance(node, ast.ImportFrom) and node.level) or (not own and "." not in module and module in siblings)
                if bare or (own and (last.startswith("test_") or last == "conftest")):
                    wrong.append(f"{file.relative_to(ROOT)}:{node.lineno}: {module}")
    assert wrong == [], "what tests share stands in a module of its own: from tests.dcc.far_end import FarEnd"


def test_no_module_of_tests_has_the_place_and_name_of_a_module_of_the_product() -> None:
    product = {file.relative_to(ROOT).parts[1:] for file in CODE if file not in TESTS and file.name != "__init__.py"}
    assert [str(file.relative_to(ROOT)) for file in TESTS if file.relative_to(ROOT).parts[1:] in product] == []


OWN_LOOPS = {
    "tests/dcc/test_service_cli.py": "the hub runs in a thread of its own while a command waits for it",
    "tests/test_clock.py": "the clock itself is under test",
    "tests/e2e/test_home_from_board.py": "the loop ends by the fault that is awaited",
    "tests/console/test_console_manual.py": "a notebook has a loop of its own",
    "tests/conformance/test_real_hub.py": "opening fails",
    "tests/conformance/test_defects.py": "the bench begins at the moment of its board",
    "tests/e2e/test_foreign_devices.py": "a process elsewhere follows its clock",
    "tests/outside/ichis/test_drivers_of_others.py": "the drivers of others block a thread",
    "tests/test_supervised.py": "the loop ends by the fault that is awaited",
}
"""Files in which a test runs a loop itself, with the reason. Tests of hypothesis may: each example has a clock of its own."""


def test_a_test_that_awaits_is_a_coroutine_and_wraps_none() -> None:
    wraps = []
    for file in TESTS:
        if str(file.relative_to(ROOT)) in OWN_LOOPS:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test_"):
                continue
            if any("given" in ast.unparse(decorator) for decorator in node.decorator_list):
                continue
            inner = {one.name for one in node.body if isinstance(one, ast.AsyncFunctionDef)}
            runs = [
                call
                for call in ast.walk(node)
                if isinstance(call, ast.Call)
                and isinstance(call.func, ast.Attribute)
                and call.func.attr == "run"
                and any(isinstance(name, ast.Name) and name.id in inner for argument in call.args for name in ast.walk(argument))
            ]
            wraps += [f"{file.relative_to(ROOT)}:{node.lineno}: {node.name}" for _ in runs[:1]]
    assert wraps == [], "write async def test_...(clock, ...): the fixture `clock` or a bench's own puts the test on bench time"


@pytest.mark.parametrize("file", sorted(OWN_LOOPS))
def test_a_file_with_loops_of_its_own_is_there(file: str) -> None:
    assert (ROOT / file).is_file()
