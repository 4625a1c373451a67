"""A session as a pytest test: the same board, the same seed, the same words, and what came of each asserted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from firmware_emu.console.core import Call

if TYPE_CHECKING:
    from firmware_emu.console.core import Core, SaidCall

_KEPT = 90


def as_test(bench: Core, acts: Sequence[SaidCall], name: str) -> str:
    """The text of the test file. A call that was refused must be refused again, with the same error."""
    errors = sorted({said.error.__name__ for said in acts if said.error is not None})
    imports = ["from firmware_emu.console import Bench"]
    if errors:
        imports.append(f"from firmware_emu.errors import {', '.join(_importable(errors))}")
    head = [
        f'"""Saved from a console session on board {bench.board.name}, seed {bench.seed}: the same words, and what came of them."""',
        "",
        "from __future__ import annotations",
        "",
        *(["import pytest", ""] if errors else []),
        *imports,
        "",
        "",
        f"def {name}() -> None:",
        f"    with Bench.open({bench.opened.board!r}, seed={bench.seed}{_more(bench)}) as bench:",
    ]
    return "\n".join([*head, *(line for said in acts for line in _lines(said)), ""])


def _more(bench: Core) -> str:
    parts = []
    if bench.opened.settings:
        parts.append(f", settings={bench.opened.settings!r}")
    if bench.opened.faults:
        parts.append(f", faults={bench.opened.faults!r}")
    return "".join(parts)


def _importable(names: Sequence[str]) -> list[str]:
    import firmware_emu.errors as errors

    return sorted({name if hasattr(errors, name) else "CommsHubError" for name in names})


def _lines(said: SaidCall) -> list[str]:
    call = _python(said.call)
    remark = f"  # {said.result.said[:_KEPT]}" if said.result.said else ""
    if said.error is not None:
        return [f"        with pytest.raises({_importable([said.error.__name__])[0]}):{remark}", f"            {call}"]
    return [f"        assert {'' if said.result.ok else 'not '}{call}.ok{remark}"]


def _python(call: Call) -> str:
    values = [repr(value) if isinstance(value, int | float | str | bool | None) else repr(str(value)) for value in call.args]
    values += [
        f"{name}={value!r}" if isinstance(value, int | float | str | bool | None) else f"{name}={str(value)!r}"
        for name, value in call.kwargs.items()
    ]
    return f"bench.{call.noun.name}.{call.verb.method}({', '.join(values)})"
