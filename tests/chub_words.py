"""Commands of ``chub`` by the words of a line."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import get_type_hints

import click
from click.core import UNSET

from firmware_emu.cli import chub


def command(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that the words name, and the words that are left for it."""
    found: click.Command = chub
    while words and isinstance(found, click.Group):
        under = found.get_command(click.Context(found), words[0])
        assert under is not None, f"no such command: {words[0]}"
        found, words = under, words[1:]
    return found, words


def commands(package: str) -> Iterator[tuple[str, click.Command]]:
    """Each command whose function is of the package, by the words of its line."""
    yield from (
        (words, one) for words, one in _under(chub, "chub") if one.callback is not None and _function(one).__module__.startswith(package)
    )


def misfits(words: str, one: click.Command) -> Iterator[str]:
    """Options and arguments of a command that its function takes as something else than its line gives."""
    hints = get_type_hints(_function(one))
    for parameter in one.params:
        taken = hints.get(parameter.name or "")  # what a decorator takes for itself is not named there
        if taken is not None and (given := _given(parameter)) and taken not in given:
            yield f"{words}: {parameter.name} is given as {given[0]}, its function takes {taken}"


def hidden_defaults(words: str, one: click.Command) -> Iterator[str]:
    """Options whose default is a value that their help does not tell."""
    for parameter in one.params:
        if isinstance(parameter, click.Option) and not parameter.is_flag and not parameter.count and parameter.default not in _NOTHING:
            _, told = parameter.get_help_record(click.Context(one)) or ("", "")
            if "default: " not in told and str(parameter.default) not in told:
                yield f"{words}: {parameter.name} is {parameter.default!r} by itself, its help says: {told}"


_NOTHING = (None, UNSET, "", 0, 0.0, ())


def _under(one: click.Command, words: str) -> Iterator[tuple[str, click.Command]]:
    yield words, one
    if isinstance(one, click.Group):
        context = click.Context(one)
        for name in one.list_commands(context):
            if (under := one.get_command(context, name)) is not None:
                yield from _under(under, f"{words} {name}")


def _function(one: click.Command) -> Callable[..., object]:
    return inspect.unwrap(one.callback) if one.callback is not None else _function


def _given(parameter: click.Parameter) -> tuple[object, ...]:
    """Types by which a function may take what a line gives a parameter; empty for a type of the project's own."""
    if isinstance(parameter, click.Option) and parameter.is_flag:
        return bool, bool | None
    kind = parameter.type
    single: object
    if isinstance(kind, click.Path):
        single = kind.type or str
    elif isinstance(kind, click.types.IntParamType):
        single = int
    elif isinstance(kind, click.types.FloatParamType):
        single = float
    elif isinstance(kind, click.types.StringParamType):
        single = str
    else:
        return ()
    many = tuple[single, ...]  # type: ignore[valid-type]
    if parameter.multiple or parameter.nargs == -1:
        return (many,)
    values = (tuple[(single,) * parameter.nargs], many) if parameter.nargs > 1 else (single,)
    return values if parameter.required or parameter.default not in (None, UNSET) else tuple(one | None for one in values)
