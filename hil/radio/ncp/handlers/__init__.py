"""What each EZSP command does, one module a family; :data:`HANDLERS` is name -> function of the co-processor and the fields."""

from __future__ import annotations

from hil.radio.ncp.handlers.registry import HANDLERS as HANDLERS

from . import configuration, keys, messaging, network, routes, tables  # noqa: F401  each registers its handlers
