"""Mutants of what keeps the bench safe: data in ``security_mutants.toml``, each made in a copy of the tree, its tests run there."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from prepare import ROOT

LIST = Path(__file__).with_name("security_mutants.toml")
_COPIED = ("firmware_emu", "ichis", "hil", "tests", "board_configs", "pyproject.toml", "tools", "README.md", "CONTRIBUTING.md")


@dataclass(frozen=True)
class Mutant:
    """One change of one file, the tests that must fail then, why none can where it is equivalent, and the layer of the search."""

    name: str
    file: str
    old: str
    new: str
    tests: list[str] = field(default_factory=list)
    equivalent: str = ""
    also: list[list[str]] = field(default_factory=list)
    """More of the same file, old and new, where a fix stands in two places."""
    siege: str = ""
    """Layer in which the search must find it by itself."""


def listed(pattern: str = "") -> list[Mutant]:
    """The mutants whose name or file holds ``pattern``."""
    found = [Mutant(**row) for row in tomllib.loads(LIST.read_text(encoding="utf-8"))["mutant"]]
    return [one for one in found if pattern in one.name or pattern in one.file]


def made(mutant: Mutant, tree: Path) -> str:
    """Write the mutant into a tree; the file's text before it. Raises ValueError where ``old`` does not stand there once."""
    path = tree / mutant.file
    before = path.read_text(encoding="utf-8")
    if (count := before.count(mutant.old)) != 1:
        raise ValueError(f"{mutant.name}: {mutant.file} holds the text to replace {count} times, expected once")
    after = before
    for old, new in ([mutant.old, mutant.new], *mutant.also):
        after = after.replace(old, new)
    path.write_text(after, encoding="utf-8")
    return before


def copied(folder: Path) -> Path:
    """A copy of what runs, beside the shared references where they are."""
    tree = folder / "tree"
    tree.mkdir()
    for name in _COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, tree / name)
    shared = ROOT.parent / "shared"
    if shared.exists():
        (folder / "shared").symlink_to(shared.resolve())
    return tree


def fate(mutant: Mutant, tree: Path) -> str:
    """``killed``, ``survives``, ``equivalent``, or in words why it could not be judged."""
    if mutant.equivalent:
        return "equivalent"
    done = run_in(mutant, tree, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *mutant.tests)
    if done.returncode == 1:
        return "killed"
    return "survives" if done.returncode == 0 else f"not judged: pytest ended with {done.returncode}: {done.stdout.strip()[-200:]}"


def run_in(mutant: Mutant, tree: Path, *command: str, processor_s: float | None = None) -> subprocess.CompletedProcess[str]:
    """One command of Python in the tree with the mutant in it; ended by a signal where it takes more seconds of processor than it may."""
    before = made(mutant, tree)
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    limited = ["prlimit", f"--cpu={processor_s:.0f}"] if processor_s is not None else []
    words = [*limited, sys.executable, *command]
    try:
        return subprocess.run(words, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    finally:
        (tree / mutant.file).write_text(before, encoding="utf-8")


def searched(mutant: Mutant, tree: Path, minutes: float) -> str:
    """``found after N s (N trials): ...`` by the search in the mutant's layer, or ``survives`` that many minutes."""
    chub = "from firmware_emu.cli import main; main()"
    done = run_in(mutant, tree, "-c", chub, "siege", mutant.siege, "--minutes", str(minutes), "--first", "--json")
    try:
        told = json.loads(done.stdout)
    except ValueError:
        return f"not judged: {(done.stdout + done.stderr).strip()[-200:]}"
    if not told["finds"]:
        return "survives"
    return f"found after {told['seconds']:.0f} s ({told['trials']} trials): {told['finds'][0]['broken'][:100]}"


def besieged(minutes: float) -> Iterator[tuple[Mutant, str]]:
    """Each mutant that names a layer of the search, and what the search made of it."""
    with TemporaryDirectory(prefix="chub-mutants-") as folder:
        tree = copied(Path(folder))
        for mutant in listed():
            if mutant.siege:
                yield mutant, searched(mutant, tree, minutes)


def fates(mutants: list[Mutant]) -> Iterator[tuple[Mutant, str]]:
    """Each mutant and what became of it."""
    with TemporaryDirectory(prefix="chub-mutants-") as folder:
        tree = copied(Path(folder))
        for mutant in mutants:
            yield mutant, fate(mutant, tree)
