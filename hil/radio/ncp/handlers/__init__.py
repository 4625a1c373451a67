"""Functions of the EZSP commands, one module a family; :data:`HANDLERS` is name -> function of the co-processor and the fields."""

from __future__ import annotations

from hil.radio.ncp.ezsp import Handler, Ncp, Reply
from hil.radio.ncp.handlers import configuration, keys, manufacturing, messaging, network, routes, tables
from hil.radio.ncp.refusals import REFUSALS, refused
from hil.radio.port.fields import Fields

_FAMILIES = (configuration, keys, manufacturing, messaging, network, routes, tables)


def _guarded(name: str, handler: Handler) -> Handler:
    """``handler``, behind what the command refuses before it does anything."""
    if name not in REFUSALS:
        return handler

    def guarded(ncp: Ncp, fields: Fields) -> Reply:
        status = refused(ncp, name, fields)
        return handler(ncp, fields) if status is None else {"status": status}

    return guarded


HANDLERS: dict[str, Handler] = {name: _guarded(name, handler) for family in _FAMILIES for name, handler in family.HANDLERS.items()}
