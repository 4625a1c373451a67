"""The place in a home that a Device takes: its label and everything that it is made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from firmware_emu.board import DeviceTable
from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import RemotePartyRole
from firmware_emu.device.store import Store
from firmware_emu.han.base import HanNode
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace

LoadProfile = Callable[[int], int]


def _no_load(kind: str) -> LoadProfile | None:
    return None


@dataclass(frozen=True, slots=True)
class Place:
    """``row`` is the label, ``parties`` who the Device holds when it leaves the factory, ``store`` its memory (None: in this process),
    ``load`` what it carries by kind (import, secondary, export; None: its own ordinary load).
    """

    row: DeviceTable
    keystore: Keystore
    node: HanNode
    clock: Clock
    trace: Trace
    parties: Mapping[RemotePartyRole, Eui64]
    store: Store | None = None
    load: Callable[[str], LoadProfile | None] = _no_load
