"""Commands that work with the libraries of ``pip install commshub`` alone, and the lines that name an extra where one is needed."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest

from firmware_emu.extras import lacking, load
from tests.patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MODULES = {"pyserial": "serial", "pyusb": "usb", "pyvisa-py": "pyvisa_py", "python-multipart": "multipart", "python-pcapng": "pcapng"}
LISTED = [word for extra, words in PROJECT["optional-dependencies"].items() if extra not in ("test", "dev", "fuzz") for word in words]
NAMES = sorted({name for word in LISTED if (name := re.split(r"[<>=\[]", word)[0]) != "commshub"})
"""Libraries that an extra brings."""
CORE = ("board", "cite", "console", "gbcs", "pki")
"""Nouns that need no extra."""


def brought(extra: str) -> set[str]:
    """Libraries that an extra brings, with those of the extras that it names."""
    found: set[str] = set()
    for word in PROJECT["optional-dependencies"][extra]:
        name, *more = re.split(r"[<>=\[\],]", word)
        found |= set().union(*map(brought, filter(None, more))) if name == "commshub" else {name}
    return found


def chub(*words: str, extra: str | None = None) -> subprocess.CompletedProcess[str]:
    """``chub`` where the libraries of every extra cannot be imported, but those of ``extra``."""
    here = set() if extra is None else brought(extra)
    without = [MODULES.get(name, name.replace("-", "_")) for name in NAMES if name not in here]
    script = f"import sys; sys.modules.update(dict.fromkeys({without!r})); from firmware_emu.cli import main; main()"
    return subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, timeout=PATIENCE_S, check=False)


@pytest.mark.parametrize("noun", sorted(entry.name for entry in entry_points(group="chub.nouns")))
def test_a_noun_works_without_extras_or_names_the_one_it_needs_in_one_line(noun: str) -> None:
    done = chub(noun, "--help")
    if noun in CORE:
        assert (done.returncode, done.stderr) == (0, "")
        return
    if done.returncode == 0:
        return
    assert done.returncode == 2
    assert re.fullmatch(r"chub: the library [\w-]+ is not available: pip install 'commshub\[(\w+)\]'\n", done.stderr), done.stderr


@pytest.mark.parametrize("noun", ["console", "run"])
def test_whole_homes_run_with_what_the_demo_installs(noun: str) -> None:
    done = chub(noun, "--help", extra="fleet")
    assert (done.returncode, done.stderr) == (0, "")


def test_messages_are_read_without_extras() -> None:
    done = chub("gbcs", "use-cases", "--json")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_bench_names_the_extra_that_it_needs_in_one_line() -> None:
    done = chub("console", "-c", "hub form")
    assert done.returncode == 2
    assert "pip install 'commshub[" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("bellows.ash", "radio"),
        ("zigpy", "radio"),
        ("libusb_package", "radio"),
        ("zigpy_znp.api", "znp"),
        ("serial", "jig"),
        ("pyvisa", "jig"),
        ("lxml.etree", "dcc"),
        ("starlette.routing", "page"),
        ("matplotlib", "report"),
    ],
)
def test_a_library_leads_to_the_smallest_extra_that_brings_it(module: str, extra: str) -> None:
    told = lacking(ModuleNotFoundError(name=module))
    assert told is not None
    assert told.how_to_get_it == f"pip install 'commshub[{extra}]'"


@pytest.mark.parametrize("name", NAMES)
def test_every_library_of_an_extra_leads_to_one(name: str) -> None:
    assert lacking(ModuleNotFoundError(name=MODULES.get(name, name.replace("-", "_")) + ".inside")) is not None


def test_a_module_of_the_project_that_is_missing_is_no_matter_of_extras() -> None:
    with pytest.raises(ModuleNotFoundError):
        load(EntryPoint("gone", "hil.gone:gone", "chub.nouns"))
