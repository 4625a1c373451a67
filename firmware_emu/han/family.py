"""A family of dongle firmware, declared once: who drives it, who plays it, who asks a dongle for it.

A family is an entry point of the group ``commshub.radio``; its name is the ``kind`` of a board's ``[radio]``. The parts are named
and imported when they are needed, for each family has a library of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any

from firmware_emu import extensions
from firmware_emu.errors import NotAvailable
from firmware_emu.han.dongle import Dongle, DongleUser

Driver = Callable[[DongleUser, dict[str, Any]], Dongle]


@dataclass(frozen=True, slots=True)
class DongleFamily:
    """``dongle``, ``virtual``, ``ask`` and ``judge`` are ``module:name``.

    ``dongle`` makes the driver of a dongle; ``virtual`` a virtual dongle (:class:`hil.radio.dongles.VirtualDongle` says how);
    ``ask`` asks an unknown dongle for this firmware, in its turn by ``order`` at each of ``rates`` (baud), and ``judge`` says whether
    what answered will serve (:mod:`hil.inventory.firmware_probe`). ``extra``: what to install of this project for its library.
    ``tells_refusals``: the firmware tells its host of a Device that it did not let in.
    """

    name: str
    firmware: str
    dongle: str
    virtual: str
    ask: str
    judge: str
    rates: tuple[int, ...]
    order: int = 50
    extra: str = ""
    tells_refusals: bool = True

    def driver(self) -> Driver:
        """Driver of such a dongle. Raises NotAvailable where its library is not installed."""
        try:
            found = resolve_name(self.dongle)
        except ModuleNotFoundError as missing:
            what = f"commshub[{self.extra}]" if self.extra else str(missing.name)
            raise NotAvailable(f"a radio of kind {self.name!r}", f"install {missing.name}: pip install '{what}'") from missing
        made: Driver = found
        return made

    def part(self, name: str) -> Any:
        """Object that a ``module:name`` of this declaration stands for."""
        return resolve_name(name)


def family(name: str) -> DongleFamily:
    """The family of that name. Raises NotAvailable, which names those there are."""
    found = extensions.load(extensions.RADIO, name)
    assert isinstance(found, DongleFamily), f"{name} declares no family of dongles"
    return found


def families() -> list[DongleFamily]:
    """All that are installed, in the order in which an unknown dongle is asked."""
    return sorted((family(name) for name in extensions.names(extensions.RADIO)), key=lambda one: (one.order, one.name))
