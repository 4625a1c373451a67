"""ARCHITECTURE.md and CONTRIBUTING.md speak of files, functions, folders and directions that are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("firmware_emu/ARCHITECTURE.md", "CONTRIBUTING.md")}
ARCHITECTURE = PAGES["firmware_emu/ARCHITECTURE.md"]
HOPS = re.findall(r"^\| `([\w/]+\.py)` \| `([\w.]+)` \|", ARCHITECTURE, re.MULTILINE)
PATHS = [(page, path) for page, text in PAGES.items() for path in sorted(set(re.findall(r"`((?!runs/)(?:\w+/)+(?:[\w.]+\.\w+)?)`", text)))]


def defined(path: str) -> set[str]:
    """Qualified names of the functions, methods and classes of a file."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    names = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{one.name}" for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)}
    return names


@pytest.mark.parametrize(("path", "function"), sorted(set(HOPS)))
def test_a_hop_of_a_journey_names_a_function_that_is_there(path: str, function: str) -> None:
    assert function in defined(path)


@pytest.mark.parametrize(("page", "path"), PATHS)
def test_a_file_or_folder_that_a_page_names_is_there(page: str, path: str) -> None:
    assert (ROOT / path).exists()


def test_every_package_has_its_row_in_the_house() -> None:
    rows = set(re.findall(r"^\| `([\w/]+)/` \|", ARCHITECTURE, re.MULTILINE))
    packages = {
        str(folder.relative_to(ROOT))
        for floor in ("firmware_emu", "hil")
        for folder in (ROOT / floor).iterdir()
        if (folder / "__init__.py").is_file() and folder.name != "parse_correlate"
    }
    assert packages - rows == set()
