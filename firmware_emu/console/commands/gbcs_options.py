"""Options and parameter types that the verbs of ``chub gbcs`` share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

from firmware_emu.console.result import columns
from firmware_emu.errors import IdentifierError
from firmware_emu.extras import Choice
from firmware_emu.ids import Eui64

_Command = TypeVar("_Command", bound=Callable[..., Any])
_KEYS = click.Path(path_type=Path)


def console() -> Console:
    """The console that prints for people."""
    return Console(width=columns())


class EuiParameter(click.ParamType[Eui64]):
    name = "EUI"

    def convert(self, value: str | Eui64, param: click.Parameter | None, ctx: click.Context | None) -> Eui64:
        try:
            return value if isinstance(value, Eui64) else Eui64.parse(value)
        except IdentifierError as wrong:
            self.fail(str(wrong), param, ctx)


class CounterParameter(click.ParamType[int]):
    name = "COUNTER"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            counter = int(str(value), 0)
        except ValueError:
            counter = -1
        if not 0 <= counter < 1 << 64:
            self.fail(f"{value!r} is no originator counter: expected 0 to 2^64 - 1, decimal or 0x hexadecimal", param, ctx)
        return counter


def keys_option(required: bool) -> Callable[[_Command], _Command]:
    """``--keys DIR``: what must be there to sign and check, or what may be."""
    text = "Certificates and private keys: a folder of PEM files, or JSON of DCC Boxed."
    return click.option("--keys", type=_KEYS, metavar="DIR", required=required, help=text)


brief_option = click.option("--brief", "is_brief", is_flag=True, help="Print one line: what it is, and what of it does not hold.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
form_option = click.option(
    "--as", "form", type=Choice(["hex", "base64", "binary"]), default="hex", show_default=True, help="Form of the printed message."
)
