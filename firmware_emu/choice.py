"""An option or argument of a command that takes one word of a few, and helps with a word that is nearly one of them."""

from __future__ import annotations

from typing import Any

import click

from firmware_emu.errors import one_of


class Choice(click.Choice[Any]):
    """:class:`click.Choice`, refusing in the words of every closed vocabulary here."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        return f"read {value!r}, expected {one_of(value, self.choices)}"
