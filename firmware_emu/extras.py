"""Parts of the project whose libraries ``pip install commshub`` does not bring: each names the extra that does.

Extras and what is in them are read from the package's own metadata, so that they stand in ``pyproject.toml`` alone.
"""

from __future__ import annotations

import re
from importlib.metadata import EntryPoint, entry_points, requires
from typing import Any

import click

from firmware_emu.errors import NotAvailable, nearest, one_of

_DISTRIBUTIONS = {"serial": "pyserial", "usb": "pyusb", "pcapng": "python-pcapng", "multipart": "python-multipart"}
"""Libraries whose module and package have different names."""


def load(entry: EntryPoint) -> object:
    """Object that an entry point names. Raises NotAvailable, naming the extra, where a library of it is not installed."""
    try:
        return entry.load()
    except ModuleNotFoundError as missing:
        raise (lacking(missing) or missing) from missing


def lacking(missing: ModuleNotFoundError) -> NotAvailable | None:
    """The error for a reader, with the smallest extra that brings the module.

    None where the module belongs to no extra: that is a fault of the project.
    """
    module = (missing.name or "").partition(".")[0]
    name = _DISTRIBUTIONS.get(module, module.replace("_", "-")).lower()
    libraries: dict[str, set[str]] = {}
    for requirement in requires("commshub") or ():
        if found := re.match(r"""([\w.-]+).*\bextra == ["'](\w+)["']""", requirement):
            libraries.setdefault(found[2], set()).add(found[1].lower().replace("_", "-"))
    bringing = [extra for extra, brought in libraries.items() if name in brought]
    if not bringing:
        return None
    smallest = min(bringing, key=lambda extra: len(libraries[extra]))
    return NotAvailable(f"the library {name}", f"pip install 'commshub[{smallest}]'")


class OpenGroup(click.Group):
    """Commands of a module, and of packages that it does not know: those of the entry points ``entries``."""

    entries = ""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *(entry.name for entry in entry_points(group=self.entries))})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        known = super().get_command(ctx, cmd_name)
        if known is not None:
            return known
        for entry in entry_points(group=self.entries, name=cmd_name):
            command = load(entry)
            if isinstance(command, click.Command):
                return command
        return None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            ctx.fail(f"No such command {args[0]!r}{nearest(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


class Choice(click.Choice[Any]):
    """:class:`click.Choice`, refusing in the words of every closed vocabulary here."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        return f"read {value!r}, expected {one_of(value, self.choices)}"
