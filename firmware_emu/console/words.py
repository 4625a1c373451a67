"""A line to words, and words to values by the declarations. One parser, no grammar but order.

``noun verb value ... name=value``; ``;`` or a new line ends a call; quotes keep spaces; a line that begins with ``#`` is a remark.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from firmware_emu.console.declare import Parameter, WordError


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
    """True if more lines must follow: an open quote or bracket, or a backslash at the end."""
    if text.endswith("\\"):
        return True
    try:
        read_line(text)
    except WordError:
        return True
    return any(text.count(left) > text.count(right) for left, right in ("()", "[]", "{}"))


def values(said: str, parameters: Sequence[Parameter], words: Sequence[str]) -> tuple[tuple[object, ...], dict[str, object]]:
    """The values that words give the parameters of a verb, by place and by name. Raises WordError that begins with ``said``."""
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
