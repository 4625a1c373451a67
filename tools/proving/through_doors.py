"""Modules of the packages loaded so that it is known by which door a function is entered.

A door is what a user of the bench touches: a command, a verb of the console, a page, a message on a wire (:mod:`doors`). Its function is
rewritten to name itself in a context variable while it runs, which tasks and callbacks inherit. One function at a time is watched, with or
without a mutant in it: each entry notes the door it was reached by, in a file that programs started by a test write to as well.

Environment: ``CHUB_DOORS`` names the JSON file of the doors ``{file: {function: door}}``; ``CHUB_WATCHED`` holds the watched function as
JSON (:class:`Watched`); ``CHUB_PASSED`` names the file of notes; ``CHUB_TRACE`` names a folder for all functions that were entered.
"""

from __future__ import annotations

import ast
import atexit
import builtins
import gc
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar, Token
from dataclasses import asdict, dataclass
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

PACKAGES = ("firmware_emu", "ichis", "hil")
ROOT = Path(__file__).resolve().parents[2]
DOOR: ContextVar[str] = ContextVar("door", default="")


@dataclass(frozen=True)
class Watched:
    """A function of a file (relative to the checkout) and the line that is changed in it; ``old`` empty for none, ``number`` that of the
    line where the same text may stand more than once."""

    file: str
    function: str
    old: str = ""
    new: str = ""
    number: int = 0


class _Through:
    def __init__(self, door: str) -> None:
        self.door = door
        self.token: Token[str] | None = None

    def __enter__(self) -> None:
        self.token = None if DOOR.get() else DOOR.set(self.door)

    def __exit__(self, *_: object) -> None:
        if self.token is not None:
            try:
                DOOR.reset(self.token)
            except ValueError:  # a generator that another context ends
                return


_noted: set[str] = set()


def _passed() -> None:
    door = DOOR.get()
    if door not in _noted and (file := os.environ.get("CHUB_PASSED")):
        _noted.add(door)
        with open(file, "a", encoding="utf-8") as notes:
            notes.write(f"{door}\n")


class _Rewrite(ast.NodeTransformer):
    def __init__(self, doors: dict[str, str], watched: str) -> None:
        self.doors, self.watched = doors, watched
        self.names: list[str] = []

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        name = ".".join((*self.names, node.name))
        self.names.append(f"{node.name}.<locals>")
        self.generic_visit(node)
        self.names.pop()
        if name == self.watched:
            node.body = [*ast.parse("__passed__()").body, *node.body]
        if name in self.doors:  # around the note: a door's own function is entered by that door
            with_door = ast.parse(f"with __through__({self.doors[name]!r}):\n pass").body[0]
            assert isinstance(with_door, ast.With)
            with_door.body, node.body = node.body, [with_door]
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = _function

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self.names.append(node.name)
        self.generic_visit(node)
        self.names.pop()
        return node


def changed(source: str, watched: Watched) -> str:
    """The text with the mutant in the watched function. Raises ValueError where the function, or the line in it, is not there."""
    lines = source.splitlines(keepends=True)
    for first, last in extents(ast.parse(source)).get(watched.function, ()):
        for index in range(first - 1, last):
            if lines[index].strip() == watched.old and watched.number in (0, index + 1):
                indent = lines[index][: len(lines[index]) - len(lines[index].lstrip())]
                lines[index] = f"{indent}{watched.new}\n"
                return "".join(lines)
    raise ValueError(f"{watched.file}: {watched.function} has no line {watched.old!r}")


def extents(tree: ast.Module) -> dict[str, list[tuple[int, int]]]:
    """First and last line of each function of a module and method of its classes, by qualified name."""
    found: dict[str, list[tuple[int, int]]] = {}

    def walk(body: Sequence[ast.stmt], names: tuple[str, ...]) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef):
                walk(node.body, (*names, node.name))
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found.setdefault(".".join((*names, node.name)), []).append((node.lineno, node.end_lineno or node.lineno))

    walk(tree.body, ())
    return found


def _code(path: str, doors: dict[str, str], watched: Watched | None) -> CodeType:
    source = Path(path).read_text(encoding="utf-8")
    if watched is not None and watched.old:
        source = changed(source, watched)
    tree = _Rewrite(doors, watched.function if watched is not None else "").visit(ast.parse(source, path))
    code: CodeType = compile(ast.fix_missing_locations(tree), path, "exec")
    return code


class _Loader(SourceFileLoader):
    finder: _Finder

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        relative = str(Path(path).relative_to(ROOT))
        watched = self.finder.watched
        return _code(path, self.finder.doors.get(relative, {}), watched if watched is not None and watched.file == relative else None)


class _Finder:
    def __init__(self, doors: dict[str, dict[str, str]], watched: Watched | None) -> None:
        self.doors, self.watched = doors, watched

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname.partition(".")[0] not in PACKAGES:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or not isinstance(spec.loader, SourceFileLoader) or not Path(spec.loader.path).is_relative_to(ROOT):
            return spec
        relative = str(Path(spec.loader.path).relative_to(ROOT))
        if relative in self.doors or (self.watched is not None and self.watched.file == relative):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
            spec.loader.finder = self
        return spec


def install() -> None:
    """Rewrite what is imported from now on, as the environment says."""
    doors = json.loads(Path(os.environ["CHUB_DOORS"]).read_text(encoding="utf-8"))
    watched = Watched(**json.loads(os.environ["CHUB_WATCHED"])) if "CHUB_WATCHED" in os.environ else None
    vars(builtins).update(__through__=_Through, __passed__=_passed)
    sys.meta_path.insert(0, _Finder(doors, watched))  # type: ignore[arg-type]
    if folder := os.environ.get("CHUB_TRACE"):
        entered = trace()
        atexit.register(lambda: keep(entered, Path(folder) / f"{os.getpid()}.json"))


def watch(watched: Watched) -> int:
    """Put the function, with its mutant, in the place of the one that is loaded; returns how many functions were replaced.

    Programs started from now on load it too, and so does this one where its module is not imported yet."""
    os.environ["CHUB_WATCHED"] = json.dumps(asdict(watched))
    for finder in sys.meta_path:
        if isinstance(finder, _Finder):
            finder.watched = watched
    path = str(ROOT / watched.file)
    doors = json.loads(Path(os.environ["CHUB_DOORS"]).read_text(encoding="utf-8")).get(watched.file, {})
    new = [code for code in _codes(_code(path, doors, watched)) if code.co_qualname == watched.function]
    loaded = _loaded(path, watched.function) or _anywhere(path, watched.function)
    for one in loaded:
        there = [code for code in new if code.co_firstlineno == one.__code__.co_firstlineno] or new
        one.__code__ = there[0]
    return len(loaded)


def _loaded(path: str, function: str) -> list[FunctionType]:
    """The function as its module has it, under what decorators made of it; empty where it is not found there."""
    found: list[FunctionType] = []
    for module in [one for one in sys.modules.values() if getattr(one, "__file__", None) == path]:
        part: Any = module
        for name in function.split("."):
            part = vars(part).get(name) if isinstance(part, type | ModuleType) else None
        while part is not None and not isinstance(part, FunctionType):
            part = next((inner for name in _UNDER if (inner := getattr(part, name, None)) is not None), None)
        while part is not None and part.__code__.co_qualname != function:
            part = getattr(part, "__wrapped__", None)
        if part is not None:
            found.append(part)
    return found


_UNDER = ("__func__", "fget", "func", "__wrapped__", "callback")
"""Attributes under which decorators keep the function: class and static methods, properties, cached values, click's commands."""


def _anywhere(path: str, function: str) -> list[FunctionType]:
    gc.unfreeze()
    everything = (one for one in gc.get_objects() if isinstance(one, FunctionType))
    return [one for one in everything if one.__code__.co_filename == path and one.__code__.co_qualname == function]


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


Entered = dict[tuple[CodeType, str], set[int]]


def trace() -> Entered:
    """From now on: the lines that ran of each function, by the door it was entered by, empty for none."""
    entered: Entered = {}
    door = DOOR.get
    tracers: dict[tuple[CodeType, str], Callable[..., Any]] = {}
    ours = tuple(f"{ROOT / package}/" for package in PACKAGES)

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        key = frame.f_code, door()
        tracer = tracers.get(key)
        if tracer is None:
            if not (frame.f_code.co_filename.startswith(ours) and frame.f_code.co_filename.endswith(".py")):
                return None  # somebody else's, or a template: its calls are heard all the same
            lines = entered.setdefault(key, set())

            def tracer(frame: FrameType, event: str, argument: Any) -> Any:
                lines.add(frame.f_lineno)
                return tracer

            tracers[key] = tracer
        return tracer

    threading.settrace(enter)
    sys.settrace(enter)
    return entered


def keep(entered: Entered, file: Path) -> None:
    """Write what ran as JSON (:func:`named`)."""
    sys.settrace(None)
    file.write_text(json.dumps(named(entered)), encoding="utf-8")


def named(entered: Entered) -> list[tuple[str, str, str, int]]:
    """File, function, door and line of what ran in the packages."""
    found = set()
    for (code, door), lines in list(entered.items()):
        function = code.co_qualname.partition(".<locals>")[0]
        file = str(Path(code.co_filename).relative_to(ROOT))
        found.update((file, function, door, line) for line in lines)
    return sorted(found)


def forget(entered: Entered) -> None:
    """Begin anew."""
    for lines in entered.values():
        lines.clear()
