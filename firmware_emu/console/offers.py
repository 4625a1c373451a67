"""Completion while a line is typed: nouns, verbs, and values from the declarations."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from firmware_emu.console.core import Core
from firmware_emu.console.declare import Parameter, Verb


@dataclass(frozen=True, slots=True)
class Offer:
    """A word that may stand at the end of the line, and what it means."""

    word: str
    meaning: str


def offers(core: Core, line: str, more: Sequence[Offer] = ()) -> list[Offer]:
    """Words that the last word of ``line`` may become; ``more`` are words that the prompt itself knows."""
    words = _typed(line)
    begun, before = words[-1], words[:-1]
    if not before:
        found = [
            *(Offer(word, verb.summary) for word, (_, verb) in core.plain.items()),
            *(Offer(word, noun.about) for word, noun in core.nouns.items()),
            *more,
        ]
    elif len(before) == 1 and before[0] in core.nouns and before[0] not in core.plain:
        found = [Offer(verb.name, verb.summary) for verb in core.nouns[before[0]].verbs().values()]
    else:
        said = _verb(core, before)
        found = [] if said is None else _values(core, *said, begun)
    return [offer for offer in found if offer.word.startswith(begun)]


def hint(core: Core, line: str) -> str:
    """The usage and meaning of the verb that is being typed, one line; empty before there is one."""
    said = _verb(core, _typed(line))
    if said is None:
        return ""
    verb, words = said[0], _typed(line)
    name = words[0] if words[0] == verb.plain else f"{words[0]} {verb.name}"
    return f"{' '.join(part for part in (name, verb.usage) if part)}  {verb.summary.replace('`', '')}"


def _typed(line: str) -> list[str]:
    last = line.replace("\n", ";").rpartition(";")[2]
    try:
        words = shlex.split(last)
    except ValueError:
        words = last.split()
    return [*words, ""] if not last or last[-1].isspace() else words


def _verb(core: Core, words: Sequence[str]) -> tuple[Verb, list[str]] | None:
    if words and words[0] in core.plain:
        return core.plain[words[0]][1], list(words[1:])
    if len(words) > 1 and words[0] in core.nouns:
        verb = core.nouns[words[0]].verbs().get(words[1])
        return None if verb is None else (verb, list(words[2:]))
    return None


def _values(core: Core, verb: Verb, given: Sequence[str], begun: str) -> list[Offer]:
    named = {parameter.name: parameter for parameter in verb.parameters if not parameter.many and not parameter.pairs}
    name, equals, _ = begun.partition("=")
    if equals and name in named:
        return [Offer(f"{name}={word}", meaning) for word, meaning in _words(core, named[name], given).items()]
    said = {word.partition("=")[0] for word in given} & set(named)
    places = [parameter for parameter in verb.parameters if parameter.placed and parameter.name not in said]
    bare = sum(word.partition("=")[0] not in named for word in given)
    found = [Offer(*pair) for place in places[bare : bare + 1] for pair in _words(core, place, given).items()]
    if bare >= len(places):
        found += [Offer(*pair) for rest in verb.parameters if rest.many for pair in _words(core, rest, given).items()]
    later = [parameter for parameter in named.values() if parameter.name not in said and parameter not in places[:bare]]
    return found + [Offer(f"{parameter.name}=", parameter.kind.expected) for parameter in later if not parameter.needed]


def _words(core: Core, parameter: Parameter, given: Sequence[str]) -> Mapping[str, str]:
    """Word to meaning; a list without meanings has what is expected."""
    offered = parameter.kind.offers
    listed: Sequence[str] | Mapping[str, str]
    if isinstance(offered, str):
        listed = core.offers[offered](given) if offered in core.offers else ()
    else:
        listed = offered
    return listed if isinstance(listed, Mapping) else dict.fromkeys(listed, parameter.kind.expected)
