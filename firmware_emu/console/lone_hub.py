"""A hub that runs alone, for consoles that attach to it: no rig, no far end, and its supply is somebody else's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from firmware_emu.clock import Clock
from firmware_emu.console.core import Noun
from firmware_emu.console.nouns.han import HanNoun
from firmware_emu.console.nouns.hub import HubNoun as HubNoun
from firmware_emu.console.nouns.session import SessionNoun
from firmware_emu.console.nouns.time import TimeNoun
from firmware_emu.console.nouns.trace import TraceNoun
from firmware_emu.console.nouns.wan import Wan
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.errors import NotAvailable
from firmware_emu.hub.hub import Hub

NOUNS: Sequence[type[Noun]] = (HubNoun, HanNoun, SessionNoun, TimeNoun, TraceNoun, Wan)
"""The firmware's own: to load the rig's would take longer than to start the hub."""


class LoneHub:
    """The station of ``chub hub run``."""

    def __init__(self, hub: Hub, folder: Path, keystore: Keystore, clock: Clock) -> None:
        self.hub: Hub | None = hub
        self.folder = folder
        self.keystore = keystore
        self._clock = clock

    @property
    def host(self) -> LoneHub:
        """Itself: it has power as long as it runs."""
        return self

    async def power_up(self) -> None:
        """It is on."""

    def han_keys(self) -> Mapping[str, bytes]:
        """The network key and the link keys in force; secrets, for opening frames of this HAN."""
        assert self.hub is not None
        status = self.hub.status
        keys = {f"link {entry.device}": entry.link_key for entry in status.device_log if entry.link_key}
        if status.network is not None and status.network.network_key is not None:
            keys["network"] = status.network.network_key
        return keys

    async def until(self, what: str, holds: Callable[[], bool], timeout_s: float = 120.0, every_s: float = 0.05) -> None:
        """Wait until ``holds()``. Raises NotAvailable naming ``what`` after ``timeout_s``."""
        deadline = self._clock.now() + timeout_s
        while not holds():
            if self._clock.now() >= deadline:
                raise NotAvailable(what, f"it did not happen within {timeout_s:g} s; the trace tells how far it came")
            await self._clock.sleep(every_s)
