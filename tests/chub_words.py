"""Commands of ``chub`` by the words of a line."""

from __future__ import annotations

import click

from firmware_emu.cli import chub


def command(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that the words name, and the words that are left for it."""
    found: click.Command = chub
    while words and isinstance(found, click.Group):
        under = found.get_command(click.Context(found), words[0])
        assert under is not None, f"no such command: {words[0]}"
        found, words = under, words[1:]
    return found, words
