"""Modules loaded so that every value their functions return, yield or spell out can be changed while they run.

An import hook rewrites the source: ``return x`` becomes ``return __mutant__(place, x)``, and so do yielded values, bodies of lambdas, and
numbers, booleans and octets inside functions. One place at a time is made to give another value.
"""

from __future__ import annotations

import ast
import builtins
import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any

HOOK = "__mutant__"
Change = Callable[[Any], Any]


class _Rewrite(ast.NodeTransformer):
    def __init__(self, module: str) -> None:
        self.module = module
        self.names: list[str] = []
        self.inside = 0

    def _wrap(self, node: ast.expr, kind: str) -> ast.expr:
        place = f"{self.module}:{'.'.join(self.names) or '<module>'}:{node.lineno}:{node.col_offset}:{kind}"
        call = ast.Call(ast.Name(HOOK, ast.Load()), [ast.Constant(place), node], [])
        return ast.copy_location(ast.fix_missing_locations(ast.copy_location(call, node)), node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        self.names.append(node.name)
        self.inside += 1
        docstring = node.body[:1] if ast.get_docstring(node) is not None else []
        node.body = [*docstring, *(self.visit(one) for one in node.body[len(docstring) :])]
        self.inside -= 1
        self.names.pop()
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = _function

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self.names.append(node.name)
        node.body = [self.visit(one) for one in node.body]
        self.names.pop()
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        self.inside += 1
        node.body = self._wrap(self.visit(node.body), "lambda")
        self.inside -= 1
        return node

    def visit_Return(self, node: ast.Return) -> ast.AST:
        if node.value is not None:
            node.value = self._wrap(self.visit(node.value), "return")
        return node

    def visit_Yield(self, node: ast.Yield) -> ast.AST:
        if node.value is not None:
            node.value = self._wrap(self.visit(node.value), "yield")
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if self.inside and isinstance(node.value, int | bytes | float) and node.value not in (b"",):
            return self._wrap(node, "value")
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return node

    def visit_match_case(self, node: ast.match_case) -> ast.AST:
        node.body = [self.visit(one) for one in node.body]
        node.guard = None if node.guard is None else self.visit(node.guard)
        return node


class _Loader(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        tree = _Rewrite(fullname).visit(ast.parse(self.get_data(path), path))
        code: CodeType = compile(ast.fix_missing_locations(tree), path, "exec")
        return code


class _Finder(MetaPathFinder):
    def __init__(self, prefixes: Sequence[str]) -> None:
        self.prefixes = tuple(prefixes)

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if not any(fullname == prefix or fullname.startswith(f"{prefix}.") for prefix in self.prefixes):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


class Mutants:
    """The switchboard: which places were passed with values of which kinds, and the one that is changed now."""

    def __init__(self) -> None:
        self.prefixes: tuple[str, ...] = ()
        self.seen: dict[str, set[type]] | None = None
        self._place = ""
        self._change: Change | None = None

    def install(self, *prefixes: str) -> None:
        """Rewrite every module of these packages that is loaded from now on."""
        self.prefixes = prefixes
        setattr(builtins, HOOK, self._pass)
        sys.meta_path.insert(0, _Finder(prefixes))

    def _pass(self, place: str, value: Any) -> Any:
        if self.seen is not None:
            self.seen.setdefault(place, set()).add(type(value))
        if place != self._place or self._change is None:
            return value
        try:
            return self._change(value)
        except (ValueError, OverflowError, TypeError, ArithmeticError):
            return value

    def set(self, place: str, change: Change | None) -> None:
        """Change what ``place`` gives from now on; nothing for an empty place. What was remembered is forgotten."""
        self._place, self._change = place, change
        self.forget()

    def forget(self) -> None:
        """Empty the caches of the rewritten modules."""
        for name, module in list(sys.modules.items()):
            if name.startswith(self.prefixes):
                for value in list(vars(module).values()):
                    if isinstance(value, functools._lru_cache_wrapper):
                        value.cache_clear()

    def constants(self) -> Iterator[tuple[str, str, Change]]:
        """Every constant of the rewritten modules that can be changed: module, what is changed, and a change for :meth:`constant`."""
        for name, module in sorted(sys.modules.items()):
            if not name.startswith(self.prefixes):
                continue
            for constant, value in sorted(vars(module).items()):
                if constant.startswith("__"):
                    continue
                for way, change in _constant_changes(value):
                    yield name, f"{constant}, {way}", _setting(module, constant, change)


def _constant_changes(value: Any) -> Iterator[tuple[str, Change]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            first = next(iter(changes(type(inner))), None) if isinstance(inner, _PLAIN) else None
            if first is not None:
                yield f"{key!r}: {first[0]}", _entry_change(key, first[1])
    elif isinstance(value, _PLAIN) or (isinstance(value, tuple) and value and all(isinstance(one, _PLAIN) for one in value)):
        yield from changes(type(value))


def _entry_change(key: Any, change: Change) -> Change:
    return lambda value: type(value)({**value, key: change(value[key])})


def _setting(module: ModuleType, constant: str, change: Change) -> Change:
    """A change that sets the constant to another value when it is given True, and back when it is given False."""
    sound = vars(module)[constant]

    def switch(on: bool) -> None:
        setattr(module, constant, change(sound) if on else sound)

    return switch


_PLAIN = (int, bytes, str, datetime, date, time, timedelta, Decimal)
MUTANTS = Mutants()


def changes(kind: type) -> Iterator[tuple[str, Change]]:
    """Ways to give another value of that type, by name."""
    if issubclass(kind, bool):
        yield "not", lambda value: not value
    elif issubclass(kind, Enum):
        yield "next member", _next_member
    elif issubclass(kind, int):
        yield "plus one", lambda value: type(value)(value + 1)
        yield "ten times", lambda value: value * 10 if value else 10
    elif issubclass(kind, bytes | bytearray):
        yield "last bit", lambda value: value[:-1] + bytes((value[-1] ^ 1,)) if value else b"\x01"
        yield "an octet less", lambda value: value[:-1]
    elif issubclass(kind, str):
        yield "last letter", lambda value: value[:-1] + chr(ord(value[-1]) ^ 1) if value else "x"
    elif issubclass(kind, datetime):
        yield "an hour later", lambda value: value + timedelta(hours=1)
    elif issubclass(kind, date):
        yield "a day later", lambda value: value + timedelta(days=1)
    elif issubclass(kind, time):
        yield "a minute later", lambda value: value.replace(minute=(value.minute + 1) % 60)
    elif issubclass(kind, timedelta):
        yield "a second more", lambda value: value + timedelta(seconds=1)
    elif issubclass(kind, Decimal):
        yield "plus one", lambda value: value + 1
    elif issubclass(kind, dict):
        yield "one less", lambda value: dict(list(value.items())[:-1])
    elif issubclass(kind, list | tuple):
        yield "one less", lambda value: value[:-1] if type(value) in (list, tuple) else value
        yield "backwards", lambda value: value[::-1] if type(value) in (list, tuple) else value
    elif is_dataclass(kind):
        yield from ((f"field {one.name}", _field_change(one.name)) for one in fields(kind) if one.init)


def _next_member(value: Any) -> Any:
    members = list(type(value))
    return members[(members.index(value) + 1) % len(members)]


def _field_change(name: str) -> Change:
    def change(value: Any) -> Any:
        inner = getattr(value, name)
        first = next(iter(changes(type(inner))), None)
        return value if first is None else replace(value, **{name: first[1](inner)})

    return change
