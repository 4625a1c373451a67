"""``chub new``: a small package of one's own that works, with a test."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from string import Template

import click

from firmware_emu.errors import NotAvailable
from firmware_emu.extras import Choice

_PLACES = {
    "device": ("pyproject.toml", "$module.py", "$module.toml", "test_$module.py"),
    "instrument": ("pyproject.toml", "$module/__init__.py", "$module/$name.toml", "test_$module.py"),
    "check": ("pyproject.toml", "$module/__init__.py", "$module/$name.toml", "test_$module.py"),
    "noun": ("pyproject.toml", "$module.py", "test_$module.py"),
    "fault": ("pyproject.toml", "$module.py", "test_$module.py"),
}
"""Files of a kind of package."""
_FROM = {
    "device": ("pyproject.toml", "module.py", "board.toml", "test_module.py"),
    "instrument": ("pyproject.toml", "__init__.py", "dialect.toml", "test_module.py"),
    "check": ("pyproject.toml", "__init__.py", "checks.toml", "test_module.py"),
    "noun": ("pyproject.toml", "module.py", "test_module.py"),
    "fault": ("pyproject.toml", "module.py", "test_module.py"),
}
"""Texts that they are made from, in the same order."""
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@click.command()
@click.argument("kind", type=Choice(sorted(_PLACES)))
@click.argument("name")
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="folder in which it is made (default: here)")
def new(kind: str, name: str, into: Path) -> None:
    """Write the package NAME that brings a Device type, an instrument, a conformance check, a fault or a noun of the prompt.

    It works as it is: `pip install --no-build-isolation ./NAME`, then `pytest NAME`. Nothing of this project is edited.
    """
    if not _NAME.fullmatch(name):
        raise click.BadParameter(f"read {name!r}, expected small letters, digits and hyphens, as my-meter", param_hint="NAME")
    folder = into / name
    if folder.exists():
        raise NotAvailable(f"the folder {folder} for a new package", "it is there already: choose another name, or --into another folder")
    words = {
        "name": name,
        "module": name.replace("-", "_"),
        "UPPER": name.upper().replace("-", "_"),
        "Class": "".join(part.capitalize() for part in name.split("-")),
    }
    texts = resources.files("hil.commands").joinpath("new_package", kind)
    for place, source in zip(_PLACES[kind], _FROM[kind], strict=True):
        path = folder / Template(place).substitute(words)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(Template(texts.joinpath(f"{source}.txt").read_text("utf-8")).substitute(words), "utf-8")
        click.echo(path)
    click.echo(f"pip install --no-build-isolation {folder} && pytest {folder}")
