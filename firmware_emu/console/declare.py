"""Nouns and verbs, declared once: the prompt, the scripts and the Python API all read these declarations.

A noun is a class, a verb a method with a docstring and typed parameters. The type of a parameter says how a word is read,
what is expected where it cannot be, and what to offer while it is typed.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal, TypeVar, get_args, get_origin, get_type_hints

from firmware_emu.console.result import Result
from firmware_emu.errors import CommsHubError

METHOD = TypeVar("METHOD", bound=Callable[..., Awaitable[Result]])


class WordError(CommsHubError):
    """A line that cannot be done: what was read and what was expected, in one line."""


@dataclass(frozen=True, slots=True)
class WordKind:
    """Reading rule of a word. ``offers`` names a list of the bench to complete from (devices, variants ...), or holds the words."""

    expected: str
    read: Callable[[str], object] = str
    offers: str | tuple[str, ...] = ()


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_CENTURY_S = 36525 * _UNITS["d"]
"""Longest time that a word may say: bench time that goes on for longer leaves what a date can be."""
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|min|s|m|h|d|w)")


def seconds(text: str) -> float:
    """``30m``, ``1d``, ``1h30m``, ``250ms``, or a bare number of seconds; not below 0, and a century at most. Raises ValueError."""
    try:
        found = float(text)
    except ValueError:
        if not text or _PART.sub("", text):
            raise
        found = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    if not 0 <= found <= _CENTURY_S:
        raise ValueError(text)
    return found


def moment(text: str) -> datetime:
    """An ISO 8601 time; without a zone it is UTC. Raises ValueError."""
    when = datetime.fromisoformat(text)
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def switch(text: str) -> bool:
    """``on`` or ``off``. Raises ValueError."""
    if text not in ("on", "off"):
        raise ValueError(text)
    return text == "on"


Seconds = Annotated[float, WordKind("a time such as 30m, 1d or 250ms, a century at most", seconds, ("30m", "1h", "1d"))]
Moment = Annotated[datetime, WordKind("a time such as 2026-01-05T06:30", moment)]
Switch = Annotated[bool, WordKind("on or off", switch, ("on", "off"))]
Device = Annotated[str, WordKind("a Device of the board", str, "devices")]

_PLAIN = {str: WordKind("text"), int: WordKind("a whole number", lambda text: int(text, 0)), float: WordKind("a number", float)}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a verb. ``many`` takes all words that are left; ``pairs`` all ``name=value`` words that are no parameter.

    ``python`` is its name in the method: ``as_`` where ``as`` is typed."""

    name: str
    python: str
    kind: WordKind
    default: object = inspect.Parameter.empty
    many: bool = False
    pairs: bool = False
    named: bool = False
    """Only as ``name=value``."""

    @property
    def placed(self) -> bool:
        """True if it has a place among the words."""
        return not self.many and not self.pairs and not self.named

    @property
    def needed(self) -> bool:
        return self.default is inspect.Parameter.empty and not self.many and not self.pairs

    @property
    def usage(self) -> str:
        shown = self.name.upper()
        if self.many:
            return f"{shown}..."
        if self.pairs:
            return "[NAME=VALUE...]"
        if self.named:
            return f"[{self.name}={shown}]"
        return shown if self.needed else f"[{shown}]"

    def read(self, value: object) -> object:
        """The value of a word; what is no word (from Python) stays as it is. Raises WordError."""
        if not isinstance(value, str):
            return value
        try:
            return self.kind.read(value)
        except (ValueError, KeyError):
            raise WordError(f"{self.name}: read {value!r}, expected {self.kind.expected}") from None


@dataclass(frozen=True, slots=True)
class Verb:
    """A declared verb: ``method`` is the name of the method, ``plain`` the word that stands for noun and verb together, if any."""

    name: str
    method: str
    summary: str
    parameters: tuple[Parameter, ...]
    plain: str | None
    looks: bool
    """It only looks: nothing on the bench changes."""
    section: str
    """The heading of its part of the manual."""

    @property
    def usage(self) -> str:
        """The parameters, as the manual prints them."""
        return " ".join(parameter.usage for parameter in self.parameters)


def verb(*, plain: str | None = None, looks: bool = False) -> Callable[[METHOD], METHOD]:
    """Declare a method as a verb. ``plain``: the one word that does for noun and verb; ``looks``: it changes nothing on the bench."""

    def mark(method: METHOD) -> METHOD:
        method.__dict__["console_verb"] = (method.__name__.rstrip("_"), plain, looks)
        return method

    return mark


def declared(owner: type, method: Callable[..., object], name: str, plain: str | None, looks: bool) -> Verb:
    """The declaration of a method that :func:`verb` has marked, in the class that owns it."""
    doc = inspect.getdoc(method) or ""
    heading = vars(owner).get("title") or getattr(owner, "name", "")
    summary = doc.split("\n\n")[0].replace("\n", " ")
    return Verb(name, method.__name__, summary, tuple(_parameters(method)), plain, looks, f"{heading} {name}".strip())


def _parameters(method: Callable[..., object]) -> Iterator[Parameter]:
    hints = get_type_hints(method, include_extras=True)
    for parameter in list(inspect.signature(method).parameters.values())[1:]:
        yield Parameter(
            parameter.name.rstrip("_"),
            parameter.name,
            _kind(hints[parameter.name]),
            parameter.default,
            parameter.kind is inspect.Parameter.VAR_POSITIONAL,
            parameter.kind is inspect.Parameter.VAR_KEYWORD,
            parameter.kind is inspect.Parameter.KEYWORD_ONLY,
        )


def _kind(hint: object) -> WordKind:
    if get_origin(hint) is Annotated:
        return next(extra for extra in get_args(hint)[1:] if isinstance(extra, WordKind))
    if get_origin(hint) is Literal:
        words = tuple(str(word) for word in get_args(hint))
        return WordKind(f"one of {', '.join(words)}", lambda text: words[words.index(text)], words)
    named = [one for one in get_args(hint) if one is not type(None)]
    if named:  # Optional: the kind of what it is when it is there
        return _kind(named[0])
    assert isinstance(hint, type), hint
    return _PLAIN[hint]
