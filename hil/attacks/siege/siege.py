"""The layers by name, made when they are asked for, around one set of keys; and a search over them in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.pki import DEFAULT_DEVICES, make_pki
from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.errors import NotAvailable, one_of
from firmware_emu.ids import Eui64
from hil.attacks.siege.certificates import Certificates
from hil.attacks.siege.commands import Commands
from hil.attacks.siege.homes import Homes
from hil.attacks.siege.meanings import Meanings
from hil.attacks.siege.outsiders import Outsiders
from hil.attacks.siege.requests import SignedRequests
from hil.attacks.siege.search import BesiegedLayer, Find, trial
from hil.attacks.siege.stores import FarStore, HubStore, Stores


class Siege:
    """The besieged layers. ``folder`` holds their keys and stores; keys that are there already are used."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[str, BesiegedLayer] = {}

    @cached_property
    def _keys(self) -> Keystore:
        keys = self._folder / "keys"
        return Keystore.load(keys) if keys.is_dir() else make_pki(keys, devices=DEFAULT_DEVICES)

    @cached_property
    def _parties(self) -> dict[RemotePartyRole, Eui64]:
        found = {role: self._keys.find(role) for role in RemotePartyRole if role is not RemotePartyRole.ISSUING_AUTHORITY}
        return {role: euis[0] for role, euis in found.items() if euis and role is not RemotePartyRole.ROOT}

    def layer(self, name: str) -> BesiegedLayer:
        """The layer of that name. Raises NotAvailable."""
        if name not in LAYERS:
            raise NotAvailable(f"the layer {name!r}", f"expected {one_of(name, LAYERS)}")
        if name not in self._made:
            self._made[name] = LAYERS[name](self)
        return self._made[name]

    def requests(self) -> SignedRequests:
        """Signed service requests."""
        return SignedRequests(self._keys, self._parties[RemotePartyRole.SUPPLIER], _of(DeviceType.CHF), _of(DeviceType.ESME))

    def meanings(self) -> Meanings:
        """Requests with odd values, signed."""
        return Meanings(self._keys, self._parties[RemotePartyRole.SUPPLIER], _of(DeviceType.ESME))

    def certificates(self) -> Certificates:
        """Certificates and their path."""
        return Certificates(self._keys, self._parties[RemotePartyRole.SUPPLIER], _of(DeviceType.ESME), self._parties)

    def commands(self) -> Commands:
        """Commands at a meter."""
        return Commands(self._keys, _of(DeviceType.ESME), self._parties)

    def hub_store(self) -> Stores:
        """The hub's store."""
        return Stores(self._folder / "stores", HubStore)

    def dcc_store(self) -> Stores:
        """The DCC's store."""
        return Stores(self._folder / "stores", FarStore)

    def run(self, layers: Sequence[str], seed: str, over: Callable[[int], bool]) -> Iterator[tuple[int, Find | None]]:
        """Trials, one layer after the other, until ``over(trials)``. Raises NotAvailable for a layer that is none."""
        for name in layers:
            if name not in LAYERS:
                self.layer(name)
        count = 0
        while not over(count):
            name = layers[count % len(layers)]
            yield count + 1, trial(name, self.layer(name), f"{seed}/{count}")
            count += 1


def _of(kind: DeviceType) -> Eui64:
    return next(eui for eui, found in DEFAULT_DEVICES.items() if found is kind)


LAYERS: Final[dict[str, Callable[[Siege], BesiegedLayer]]] = {
    "requests": Siege.requests,
    "meanings": Siege.meanings,
    "certificates": Siege.certificates,
    "commands": Siege.commands,
    "hub-store": Siege.hub_store,
    "dcc-store": Siege.dcc_store,
    "air": lambda siege: Outsiders(),
    "home": lambda siege: Homes(),
}
SLOW: Final = frozenset({"home"})
"""Layers of which a trial takes seconds: coverage would guide nothing there in the time of a search."""
