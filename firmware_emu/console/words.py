"""A line to calls: words, then noun and verb, then values by the declarations. One parser, no grammar but order.

``noun verb value ... name=value``; ``;`` or a new line ends a call; quotes keep spaces; a line that begins with ``#`` is a remark.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from firmware_emu.console.declare import Noun, Parameter, Verb, WordError

if TYPE_CHECKING:
    from firmware_emu.console.core import Core


@dataclass(frozen=True, slots=True)
class Call:
    """A verb of a noun with its values, and the words it came from (made up where it came from Python)."""

    noun: Noun
    verb: Verb
    words: tuple[str, ...]
    args: tuple[object, ...] = ()
    kwargs: dict[str, object] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """The words as one would type them."""
        return shlex.join(self.words)


def read_line(text: str) -> list[list[str]]:
    """The words of each call. Raises WordError for a quote that is not closed."""
    plain = "\n".join("" if line.lstrip().startswith("#") else line for line in text.replace("\\\n", " ").split("\n"))
    lexer = shlex.shlex(plain, posix=True, punctuation_chars=";\n")
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    lexer.commenters = ""
    calls: list[list[str]] = [[]]
    try:
        for word in lexer:
            if word and not word.strip(";\n"):
                calls.append([])
            else:
                calls[-1].append(word)
    except ValueError as wrong:
        raise WordError(f"read {text.strip()!r}: {str(wrong).lower()}") from None
    return [words for words in calls if words]


def unfinished(text: str) -> bool:
    """Whether more lines must follow: an open quote or bracket, or a backslash at the end."""
    if text.endswith("\\"):
        return True
    try:
        read_line(text)
    except WordError:
        return True
    return any(text.count(left) > text.count(right) for left, right in ("()", "[]", "{}"))


def nearest(word: str, known: Iterable[str]) -> str:
    """``, did you mean ...?`` where something known looks like it."""
    close = difflib.get_close_matches(word, list(known), 1)
    return f"; did you mean {close[0]}?" if close else ""


def bind(core: Core, words: Sequence[str]) -> Call:
    """The call that words make. Raises WordError."""
    if words[0] in core.plain:
        noun, verb = core.plain[words[0]]
        rest = words[1:]
    elif len(words) < 2:
        if words[0] in core.nouns:
            raise WordError(f"read {words[0]!r} alone, expected a verb after it: {', '.join(core.nouns[words[0]].verbs())}")
        raise WordError(f"read {words[0]!r}, expected a noun{nearest(words[0], [*core.nouns, *core.plain])}; `help` lists them")
    else:
        noun, verb = core.find(words[0], words[1])
        rest = words[2:]
    args, kwargs = _values(f"{noun.name} {verb.name}", verb.parameters, rest)
    return Call(noun, verb, tuple(words), args, kwargs)


def call_of(noun: Noun, verb: Verb, args: Sequence[object], kwargs: dict[str, object]) -> Call:
    """The call that Python makes; texts are read as words are. Raises WordError."""
    places = [parameter for parameter in verb.parameters if parameter.placed]
    rest = next((parameter for parameter in verb.parameters if parameter.many), None)
    pairs = next((parameter for parameter in verb.parameters if parameter.pairs), None)
    by_name = {parameter.name: parameter for parameter in verb.parameters}
    if rest is None and len(args) > len(places):
        raise WordError(f"{noun.name} {verb.name}: read {len(args)} values, expected {verb.usage or 'none'}")
    read: list[object] = []
    for number, value in enumerate(args):
        place = places[number] if number < len(places) else rest
        assert place is not None
        read.append(place.read(value))
    named: dict[str, object] = {}
    for name, value in kwargs.items():
        parameter = by_name.get(name.rstrip("_"), pairs)
        if parameter is None:
            raise WordError(f"{noun.name} {verb.name}: read {name!r}, expected {verb.usage or 'no value'}")
        named[name if parameter is pairs else parameter.python] = parameter.read(value)
    missing = [place for place in places[len(read) :] if place.needed and place.python not in named]
    if missing:
        raise WordError(f"{noun.name} {verb.name}: expected {missing[0].name.upper()}, {missing[0].kind.expected}")
    words = [*(str(value) for value in args), *(f"{name}={value}" for name, value in kwargs.items())]
    return Call(noun, verb, (noun.name, verb.name, *words), tuple(read), named)


def _values(said: str, parameters: Sequence[Parameter], words: Sequence[str]) -> tuple[tuple[object, ...], dict[str, object]]:
    by_name = {parameter.name: parameter for parameter in parameters if not parameter.many and not parameter.pairs}
    rest = next((parameter for parameter in parameters if parameter.many), None)
    pairs = next((parameter for parameter in parameters if parameter.pairs), None)
    places = [parameter for parameter in parameters if parameter.placed]
    values: dict[str, object] = {}
    many: list[object] = []
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        if word.startswith("--") and word[2:].partition("=")[0] in by_name:  # as at a shell: --name=value, --name value
            word = word[2:] if "=" in word or not waiting else f"{word[2:]}={waiting.pop(0)}"
        name, equals, value = word.partition("=")
        if equals and name in by_name:
            values[by_name[name].python] = by_name[name].read(value)
        elif equals and pairs is not None:
            values[name] = pairs.read(value)
        elif (place := next((one for one in places if one.python not in values), None)) is not None:
            values[place.python] = place.read(word)
        elif rest is not None:
            many.append(rest.read(word))
        else:
            usage = " ".join(parameter.usage for parameter in parameters)
            raise WordError(f"{said}: read {word!r} too many, expected {usage or 'nothing more'}")
    missing = [parameter for parameter in by_name.values() if parameter.needed and parameter.python not in values]
    if missing:
        raise WordError(f"{said}: expected {missing[0].name.upper()}, {missing[0].kind.expected}")
    if not many:
        return (), values
    return (*(values.pop(place.python, place.default) for place in places), *many), values
