"""Writes the types of the Python API, ``firmware_emu/console/nouns/typed.pyi``, from the declarations of nouns and verbs.

Run it after a verb was added or changed: ``python tools/api_stubs.py``. A test holds the file against the declarations.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from firmware_emu.board import Board, load_board
from firmware_emu.console.core import Noun, noun_classes
from firmware_emu.console.declare import Parameter, Verb
from firmware_emu.errors import BoardError

STUB = Path(__file__).resolve().parents[1] / "firmware_emu" / "console" / "nouns" / "typed.pyi"
_HEAD = """# Types of nouns and verbs on a bench in Python. Written by tools/api_stubs.py from their declarations.

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Literal

from firmware_emu.console.result import Result
"""
_OURS = ("firmware_emu.", "hil.", "ichis.")
_DEVICES = ("devices", "targets", "meters")
"""Offers of the words that name a Device."""
_WAYS = {"Blocking": "Result", "Awaited": "Awaitable[Result]"}


def stub() -> str:
    """The whole file."""
    kinds = [kind for kind in noun_classes()[0] if kind.__module__.startswith(_OURS)]
    single = sorted((kind for kind in kinds if "name" in vars(kind)), key=lambda kind: kind.name)
    per_device = [inner for kind in kinds if kind not in single for inner in (kind, *kind.__subclasses__())]
    device = max(per_device, key=lambda kind: len(kind.verbs()))  # a sleeper has every verb of a Device
    names = sorted({row.name for board in _boards() for row in board.device})
    out = [_HEAD, f"type_of_device = str | Blocking{device.__name__} | Awaited{device.__name__}"]
    for way, result in _WAYS.items():
        for kind in (*single, device):
            out += ["", f"class {way}{kind.__name__}:"]
            for verb in kind.verbs().values():
                out += _method(kind, verb, verb.method, result)
        out += ["", f"class {way}Nouns:"]
        out += [f"    {kind.name}{'_' if kind.name == 'break' else ''}: {way}{kind.__name__}" for kind in single]
        out += [f"    {name}: {way}{device.__name__}" for name in names]
        for kind in single:
            for verb in kind.verbs().values():
                if verb.plain is not None:
                    out += _method(kind, verb, verb.plain, result)
    return "\n".join(out) + "\n"


def _boards() -> Iterator[Board]:
    """The boards of the package; a profile that boards extend is none."""
    for file in sorted(files("board_configs").iterdir(), key=lambda file: file.name):
        with contextlib.suppress(BoardError):
            if file.name.endswith(".toml"):
                yield load_board(file.name.removesuffix(".toml"))


def _method(kind: type[Noun], verb: Verb, name: str, result: str) -> list[str]:
    hints = get_type_hints(getattr(kind, verb.method), include_extras=True)
    told = ["self"]
    starred = False
    for parameter in verb.parameters:
        if parameter.named and not starred:
            told.append("*")
        starred = starred or parameter.many or parameter.named
        told.append(_parameter(parameter, hints[parameter.python]))
    return [f"    def {name}({', '.join(told)}) -> {result}:", f'        """{verb.summary}"""']


def _parameter(parameter: Parameter, hint: object) -> str:
    kind = _type(hint)
    if parameter.many or parameter.pairs:
        return f"{'**' if parameter.pairs else '*'}{parameter.python}: {kind}"
    if parameter.needed:
        return f"{parameter.python}: {kind}"
    return f"{parameter.python}: {kind} = {parameter.default if parameter.default is None else '...'}"


def _type(hint: Any) -> str:
    """The type in Python: what the verb takes, and the words it is read from."""
    origin = get_origin(hint)
    if origin is Annotated:
        named, kind = get_args(hint)[:2]
        return "type_of_device" if kind.offers in _DEVICES else _type(named)
    if origin is Literal:
        return f"Literal[{', '.join(repr(word) for word in get_args(hint))}]"
    if origin in (Union, UnionType):
        parts = [_type(one) for one in get_args(hint)]
        return " | ".join(dict.fromkeys(word for part in parts for word in part.split(" | ")))
    if origin is Callable:
        return "Callable[..., object] | str"
    if hint is type(None):
        return "None"
    assert inspect.isclass(hint), hint
    return hint.__name__ if hint is str else f"{hint.__name__} | str"


if __name__ == "__main__":
    STUB.write_text(stub(), encoding="utf-8")
