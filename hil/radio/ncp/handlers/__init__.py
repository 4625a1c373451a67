"""Functions of the EZSP commands, one module a family; :data:`HANDLERS` is name -> function of the co-processor and the fields."""

from __future__ import annotations

from hil.radio.ncp.ezsp import Handler
from hil.radio.ncp.handlers import agreement, configuration, keys, manufacturing, messaging, network, routes, second_band, tables
from hil.radio.ncp.refusals import guarded

_FAMILIES = (agreement, configuration, keys, manufacturing, messaging, network, routes, second_band, tables)


HANDLERS: dict[str, Handler] = {name: guarded(name, handler) for family in _FAMILIES for name, handler in family.HANDLERS.items()}
