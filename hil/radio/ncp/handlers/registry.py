"""The register of command handlers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from hil.radio.ncp.commands import Value
from hil.radio.port.fields import Fields

if TYPE_CHECKING:
    from hil.radio.ncp.ezsp import Ncp

Reply = Mapping[str, Value]
Handler = Callable[["Ncp", Fields], Reply]
HANDLERS: dict[str, Handler] = {}


def handles(*names: str) -> Callable[[Handler], Handler]:
    """Register a function for the commands ``names``."""

    def register(function: Handler) -> Handler:
        for name in names:
            HANDLERS[name] = function
        return function

    return register
