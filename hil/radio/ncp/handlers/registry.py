"""Tables of command handlers, one a family."""

from __future__ import annotations

from collections.abc import Callable

from hil.radio.ncp.ezsp import Handler


def register_in(table: dict[str, Handler]) -> Callable[..., Callable[[Handler], Handler]]:
    """A decorator that puts a function into ``table`` for each of the commands it names."""

    def handles(*names: str) -> Callable[[Handler], Handler]:
        def register(function: Handler) -> Handler:
            table.update(dict.fromkeys(names, function))
            return function

        return register

    return handles
