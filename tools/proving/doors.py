"""Doors: commands, console verbs, pages and messages on a wire (tests/doors.csv), each with the function that answers a user there."""

from __future__ import annotations

import csv
import inspect
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

import click
from through_doors import ROOT

KINDS = ("command", "verb", "page", "wire")


def doors() -> Iterator[tuple[str, Callable[..., object]]]:
    """Each door as ``kind: name`` with its function."""
    from firmware_emu.cli import chub

    yield from _commands(chub, "chub")
    from hil.parse_correlate.command import main

    yield "command: parse-correlate", main
    for entry in entry_points(group="chub.console"):
        noun = entry.load()
        for name, method in inspect.getmembers(noun, inspect.isfunction):
            if "console_verb" in method.__dict__:
                yield f"verb: {entry.name} {name.rstrip('_')}", method
    from hil.ssi.pages import ROUTES

    for path, _, _, handler in ROUTES:
        yield f"page: {path}", handler
    with (ROOT / "tests" / "doors.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            found: object = import_module(row["module"])
            for part in row["function"].split("."):
                found = getattr(found, part)
            assert callable(found)
            yield f"wire: {row['door']}", found


def _commands(command: click.Command, name: str) -> Iterator[tuple[str, Callable[..., object]]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for word in command.list_commands(context):
            inner = command.get_command(context, word)
            if inner is not None:
                yield from _commands(inner, f"{name} {word}")
    if command.callback is not None:
        yield f"command: {name}", command.callback


def table() -> dict[str, dict[str, str]]:
    """``{file relative to the checkout: {function: door}}``; the function under decorators. A function behind two doors has the first."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for name, function in doors():
        inner = inspect.unwrap(function)
        code = getattr(inner, "__func__", inner).__code__
        path = Path(code.co_filename)
        if path.is_relative_to(ROOT):
            found[str(path.relative_to(ROOT))].setdefault(code.co_qualname, name)
    return dict(found)


if __name__ == "__main__":
    json.dump(table(), sys.stdout, indent=1)
