"""Places of a program where one token may be changed into another, so that it is another program."""

import tokenize
from dataclasses import dataclass
from io import StringIO

_OTHER = {
    "==": "!=",
    "!=": "==",
    "<": "<=",
    "<=": "<",
    ">": ">=",
    ">=": ">",
    "+": "-",
    "-": "+",
    "&": "|",
    "and": "or",
    "or": "and",
    "not": "",
    "True": "False",
    "False": "True",
}


@dataclass(frozen=True)
class Place:
    """One token that may be changed: where it stands, counted from 1 and 0, what it is and what it becomes."""

    line: int
    column: int
    old: str
    new: str


def places(source: str) -> list[Place]:
    """Tokens of a file that have a mutant, which still compiles and is another program. None for frozen and slots of a dataclass."""
    found = []
    tokens = list(tokenize.generate_tokens(StringIO(source).readline))
    for index, token in enumerate(tokens):
        new = _OTHER.get(token.string)
        if token.type == tokenize.NUMBER:
            new = _next_number(token.string)
        declares = token.line.lstrip().startswith("@dataclass(") and tokens[index - 2].string in ("frozen", "slots")
        if new is not None and not declares and token.type in (tokenize.NUMBER, tokenize.OP, tokenize.NAME):
            found.append(Place(token.start[0], token.start[1], token.string, new))
    return found


def _next_number(text: str) -> str | None:
    try:
        return hex(int(text, 0) + 1) if text.lower().startswith("0x") else str(int(text, 0) + 1)
    except ValueError:  # a number with a point
        return None


def changed(source: str, place: Place) -> str:
    """The file's text with the mutant in it."""
    lines = source.splitlines(keepends=True)
    line = lines[place.line - 1]
    lines[place.line - 1] = line[: place.column] + place.new + line[place.column + len(place.old) :]
    return "".join(lines)


def compiles(source: str, mutant: str) -> bool:
    """True if the mutant is a program, and not the same one."""
    try:
        return compile(mutant, "mutant", "exec") != compile(source, "mutant", "exec")
    except SyntaxError:
        return False
