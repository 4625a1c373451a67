"""Memory of a dongle that needs no power: identity, network, keys, counters, children. In a file (mode 0600) or in memory.

Outgoing counters are stored as a ceiling :data:`RESERVE` ahead, as firmware does to spare its flash: after a power cut the
counter goes on at the ceiling and so never repeats.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from firmware_emu.errors import RadioError
from firmware_emu.ids import Eui64

RESERVE = 4096
"""Frames that one stored counter value covers (EmberZNet's interval, reference ezsp-ncp: as real firmware)."""
LAST_COUNTER = 0xFFFFFFFF
"""A counter of 4 octets that stands here is at its end: no frame is protected under it (ZigBee PRO r21
4.3.1.1 and 4.4.1.1, recalled)."""


def ceiling(value: int) -> int:
    """The value to store when frame ``value`` goes out."""
    return min(value + RESERVE, LAST_COUNTER)


_NO_EUI = Eui64(bytes(8))
RX_ON = 0x08
"""Bit of a capability: the receiver is on while the node is idle."""


@dataclass(slots=True)
class Child:
    """An end device, or a router that joined here: ``capability`` as in its association request, ``timeout`` enumeration."""

    short: int
    capability: int
    timeout: int = 8
    authenticated: bool = False
    claimed: bool = False
    """Somebody rejoined in the name of a Device that is known here otherwise: only that Device's announcement makes it true."""

    @property
    def router(self) -> bool:
        return bool(self.capability & 0x02)

    @property
    def node_type(self) -> int:
        """EmberNodeType."""
        return 2 if self.router else 3 if self.capability & RX_ON else 4


@dataclass(slots=True)
class Tokens:
    """The non-volatile state of one node. ``save()`` after a change; secrets never show in ``repr``."""

    eui64: Eui64
    """In force: the one of the factory, or one that a host has written."""
    path: Path | None = field(default=None, repr=False)
    node_type: int = 0
    pan: int = 0xFFFF
    extended_pan: Eui64 = _NO_EUI
    channel: int = 0
    power: int = 8
    short: int = 0xFFFE
    update_id: int = 0
    parent: Eui64 | None = None
    parent_short: int = 0xFFFF
    network_key: bytes | None = field(default=None, repr=False)
    key_sequence: int = 0
    alternate_key: bytes | None = field(default=None, repr=False)
    """The network key before or after the one in force, whichever its sequence tells."""
    alternate_sequence: int = 0
    depth: int = 0
    tc_link_key: bytes | None = field(default=None, repr=False)
    tc_eui64: Eui64 | None = None
    security_bitmask: int = 0
    nwk_counter: int = 0
    aps_counter: int = 0
    link_keys: dict[int, tuple[Eui64, bytes]] = field(default_factory=dict, repr=False)
    children: dict[Eui64, Child] = field(default_factory=dict)
    data: dict[str, bytes] = field(default_factory=dict, repr=False)
    factory: Eui64 = _NO_EUI
    """The EUI-64 burnt in."""

    def __post_init__(self) -> None:
        if self.factory == _NO_EUI:
            self.factory = self.eui64

    @property
    def joined(self) -> bool:
        return self.node_type != 0 and self.network_key is not None

    def forget_network(self) -> None:
        """As firmware does on leaving: network, network key, children and link keys go, identity and counters stay."""
        kept = {"eui64", "factory", "path", "nwk_counter", "aps_counter", "data"}
        blank = Tokens(self.eui64)
        for one in fields(self):
            if one.name not in kept:
                setattr(self, one.name, getattr(blank, one.name))
        self.save()

    def new_key_sequence(self) -> bool:
        """True if the alternate key is newer than the one in force."""
        return self.alternate_key is not None and 0 < (self.alternate_sequence - self.key_sequence & 0xFF) < 0x80

    def switch_key(self) -> None:
        """The alternate network key comes into force, the one before stays known."""
        self.network_key, self.alternate_key = self.alternate_key, self.network_key
        self.key_sequence, self.alternate_sequence = self.alternate_sequence, self.key_sequence
        self.save()

    def save(self) -> None:
        """Write the file at once, whole or not at all."""
        if self.path is None:
            return
        state = {
            **{one.name: getattr(self, one.name) for one in fields(self) if one.name not in _SPECIAL},
            "eui64": str(self.eui64),
            "factory": str(self.factory),
            "extended_pan": str(self.extended_pan),
            "parent": str(self.parent) if self.parent else None,
            "tc_eui64": str(self.tc_eui64) if self.tc_eui64 else None,
            "network_key": self.network_key.hex() if self.network_key else None,
            "alternate_key": self.alternate_key.hex() if self.alternate_key else None,
            "tc_link_key": self.tc_link_key.hex() if self.tc_link_key else None,
            "link_keys": {str(index): [str(eui), key.hex()] for index, (eui, key) in self.link_keys.items()},
            "children": {str(eui): asdict(child) for eui, child in self.children.items()},
            "data": {name: value.hex() for name, value in self.data.items()},
        }
        draft = self.path.with_name(self.path.name + ".new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(state, file, indent=1)
        draft.replace(self.path)

    @classmethod
    def load(cls, path: Path, eui64: Eui64) -> Tokens:
        """Read the file, or begin afresh with ``eui64`` where there is none. Raises RadioError for a file of another dongle."""
        if not path.exists():
            return cls(eui64, path)
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            known = Eui64.parse(state.get("factory", state["eui64"]))
            plain = {name: state[name] for name in _PLAIN if name in state or name not in _SINCE}
            tokens = cls(
                Eui64.parse(state["eui64"]),
                path,
                **plain,
                extended_pan=Eui64.parse(state["extended_pan"]),
                parent=Eui64.parse(state["parent"]) if state["parent"] else None,
                tc_eui64=Eui64.parse(state["tc_eui64"]) if state["tc_eui64"] else None,
                network_key=bytes.fromhex(state["network_key"]) if state["network_key"] else None,
                alternate_key=bytes.fromhex(state["alternate_key"]) if state.get("alternate_key") else None,
                tc_link_key=bytes.fromhex(state["tc_link_key"]) if state["tc_link_key"] else None,
                link_keys={int(index): (Eui64.parse(eui), bytes.fromhex(key)) for index, (eui, key) in state["link_keys"].items()},
                children={Eui64.parse(eui): Child(**child) for eui, child in state["children"].items()},
                data={name: bytes.fromhex(value) for name, value in state["data"].items()},
                factory=known,
            )
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            what = type(problem).__name__
            raise RadioError(f"{path} is not a token file of a virtual dongle ({what}): remove it to begin afresh") from None
        if known != eui64:
            raise RadioError(f"{path} belongs to the dongle {known}, expected {eui64}: name another file")
        return tokens


_SPECIAL = {
    "path",
    "eui64",
    "factory",
    "extended_pan",
    "parent",
    "tc_eui64",
    "network_key",
    "alternate_key",
    "tc_link_key",
    "link_keys",
    "children",
    "data",
}
_PLAIN = [one.name for one in fields(Tokens) if one.name not in _SPECIAL]
_SINCE = {"alternate_sequence", "depth"}
"""Not in files written before there were such."""
