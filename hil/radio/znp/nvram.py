"""The non-volatile memory of Z-Stack 3.30 as the host sees it, over the tokens of the simulated stack.

Items of the host's own are kept as they are. Those that describe the network (NIB, keys, counters, tables of Devices) are written
afresh from the stack while it runs, and read into its tokens when it starts: so a backup tells the truth and a restore takes effect.
Layouts: zigpy-znp 1.1.1 ``types/structs.py``, structs aligned as on a CC2652.
"""

from __future__ import annotations

import contextlib
from typing import Any

from construct import Construct, ConstructError

from firmware_emu.ids import Eui64
from hil.radio.personality import Personality
from hil.radio.stack.stack import Stack
from hil.radio.stack.tokens import Child, Tokens
from hil.radio.znp import structures

EXTADDR, STARTUP_OPTION, NIB, EXTENDED_PAN_ID, ACTIVE_KEY, ALTERNATE_KEY, USE_EXTENDED_PAN_ID = 0x01, 0x03, 0x21, 0x2D, 0x3A, 0x3B, 0x47
LINK_KEY_TABLE, ON_A_NETWORK, PRECONFIGURED_KEY, PAN_ID, CHANNELS, LOGICAL_TYPE, TCLK_SEED = 0x4C, 0x55, 0x62, 0x83, 0x84, 0x87, 0x101
CLEAR_CONFIG, CLEAR_STATE = 0x01, 0x02
KEPT_ON_CLEAR = frozenset({STARTUP_OPTION, TCLK_SEED})
OSAL = 0x0000
ADDRESSES, TCLK, APS_KEYS, SECURITY = 0x0001, 0x0004, 0x0006, 0x0007
_LIMITS = {ADDRESSES: "address_entries", TCLK: "key_entries", APS_KEYS: "link_keys", SECURITY: "security_entries"}
"""Extended tables, and what a personality calls their rows."""
_EMPTY_ADDRESS = structures.ADDRESS.build({"use": 0xFF, "short": 0xFFFF, "device": b"\xff" * 8})
_ROWS = {
    ADDRESSES: _EMPTY_ADDRESS,
    TCLK: structures.TRUST_CENTRE_KEY.build({"sent": 0, "received": 0, "device": bytes(8), "attributes": 0, "kind": 0xFF, "shift": 0}),
    APS_KEYS: bytes(structures.KEY_DATA.sizeof()),
    SECURITY: bytes(structures.COUNTER.sizeof()),
}
_NIB_FROM = {
    "passive_ack_timeout": 0x2F,
    "max_broadcast_retries": 0x2E,
    "broadcast_delivery_time": 0x30,
    "route_discovery_time": 0x39,
    "route_expiry_time": 0x2C,
    "concentrator": 0x32,
    "concentrator_discovery_time": 0x33,
    "concentrator_radius": 0x34,
}
"""Fields of the NIB and the items that they are taken from."""
_VERIFIED = 0x02
"""Attribute of a key made of the seed that is in use."""
_CHILD, _SECURITY = 0x01, 0x02
_AUTHENTICATED = 0x01


class Nvram:
    """Items by (item, sub): OSAL items have item 0 and their id as sub."""

    def __init__(self, stack: Stack, firmware: Personality) -> None:
        self._stack = stack
        self._items = firmware.items
        self._written: set[tuple[int, int]] = set()
        """Items that a host has written while the network runs: they stay as they are until the next start, which reads them."""
        self.sizes = {table: firmware.limits[name] for table, name in _LIMITS.items()}
        if not any(name.startswith("nv:") for name in self._tokens.data):
            self.clear()

    @property
    def _tokens(self) -> Tokens:
        return self._stack.tokens

    def clear(self) -> None:
        """As from the factory: network and settings are gone, identity and counters stay."""
        kept = {one: value for one in KEPT_ON_CLEAR if (value := self.get(OSAL, one))}
        for name in [name for name in self._tokens.data if name.startswith("nv:")]:
            del self._tokens.data[name]
        draw = self._stack.air.random(f"{self._tokens.factory} factory items")
        for sub, item in self._items.items():
            if item.value != "absent":
                fresh = draw.randbytes(item.length) if item.value == "random" else bytes.fromhex(item.value)
                self.put(OSAL, sub, kept.get(sub, fresh))
        self.put(OSAL, STARTUP_OPTION, b"\x00")
        self.put(OSAL, LINK_KEY_TABLE, self._link_key_table([]))
        for table, count in self.sizes.items():
            for sub in range(count):
                self.put(table, sub, _ROWS[table])
        self._tokens.save()

    def _link_key_table(self, rows: list[dict[str, int]]) -> bytes:
        """``rows``, and room for as many as there are link keys."""
        filled: bytes = structures.LINK_KEYS.build(rows)
        return filled.ljust(2 + structures.LINK_KEY.sizeof() * self.sizes[APS_KEYS], b"\x00")

    # items

    def get(self, item: int, sub: int) -> bytes | None:
        if item == OSAL and sub == EXTADDR:
            return self._tokens.eui64.zigbee
        return self._tokens.data.get(f"nv:{item:04x}:{sub:04x}")

    def _read(self, structure: Construct, item: int, sub: int) -> Any:
        """An item by its fields; None where it is absent, or a host has written what is none."""
        with contextlib.suppress(ConstructError):
            if (octets := self.get(item, sub)) is not None:
                return structure.parse(octets)
        return None

    def put(self, item: int, sub: int, value: bytes) -> None:
        """Kept at the next :meth:`Tokens.save`."""
        self._tokens.data[f"nv:{item:04x}:{sub:04x}"] = value

    def put_by_host(self, item: int, sub: int, value: bytes) -> None:
        """Kept over the running stack, and saved."""
        self.put(item, sub, value)
        if self._stack.running:
            self._written.add((item, sub))
        self._tokens.save()

    def _note(self, item: int, sub: int, value: bytes) -> None:
        """Note the stack's value of an item, unless a host has written it meanwhile."""
        if (item, sub) not in self._written:
            self.put(item, sub, value)

    def delete(self, item: int, sub: int) -> bool:
        gone = self._tokens.data.pop(f"nv:{item:04x}:{sub:04x}", None) is not None
        self._tokens.save()
        return gone

    def number(self, sub: int) -> int:
        """An OSAL item as a number; 0 where there is none."""
        return int.from_bytes(self.get(OSAL, sub) or b"", "little")

    # the network

    @property
    def formed(self) -> bool:
        nib, key = self._read(structures.NIB, OSAL, NIB), self._read(structures.KEY, OSAL, ACTIVE_KEY)
        return self.number(ON_A_NETWORK) == 1 and key is not None and nib is not None and bool(nib.key_loaded)

    def write_network(self) -> None:
        """From the running stack into the items."""
        tokens = self._tokens
        assert tokens.network_key is not None, "a running coordinator has a network key"
        nib = structures.NIB.build(
            {
                **{name: self.number(item) for name, item in _NIB_FROM.items()},
                "short": tokens.short,
                "channel": tokens.channel,
                "coordinator": tokens.eui64.zigbee,
                "pan": tokens.pan,
                "channels": 1 << tokens.channel,
                "extended_pan": tokens.extended_pan.zigbee,
                "key_loaded": 1,
                "update_id": tokens.update_id,
            }
        )
        active = structures.KEY.build({"sequence": tokens.key_sequence, "key": tokens.network_key})
        alternate = active
        if tokens.alternate_key is not None:
            alternate = structures.KEY.build({"sequence": tokens.alternate_sequence, "key": tokens.alternate_key})
        for sub, value in {
            NIB: nib,
            EXTENDED_PAN_ID: tokens.extended_pan.zigbee,
            ACTIVE_KEY: active,
            ALTERNATE_KEY: alternate,
            ON_A_NETWORK: b"\x01",
            PAN_ID: tokens.pan.to_bytes(2, "little"),
        }.items():
            self._note(OSAL, sub, value)
        counter = {"counter": self._stack.nwk.counter, "extended_pan": tokens.extended_pan.zigbee}
        self._note(SECURITY, 0, structures.COUNTER.build(counter))
        self._write_devices()

    def _write_devices(self) -> None:
        """Address manager, link keys and where they belong."""
        tokens = self._tokens
        keys = dict(tokens.link_keys.values())
        devices = [*tokens.children, *(device for device in keys if device not in tokens.children)]
        rows: list[bytes] = []
        table: list[dict[str, int]] = []
        for at, device in enumerate(devices[: self.sizes[ADDRESSES]]):
            child = tokens.children.get(device)
            short = child.short if child is not None else self._stack.nwk.shorts.get(device, 0xFFFE)
            use = (_CHILD if child is not None and not child.router else 0) | (_SECURITY if device in keys else 0)
            rows.append(structures.ADDRESS.build({"use": use, "short": short, "device": device.zigbee}))
            if device in keys and len(table) < self.sizes[APS_KEYS]:
                aps = self._stack.aps
                data = {"key": keys[device], "sent": aps.counter, "received": aps.incoming_counter(device)}
                self._note(APS_KEYS, len(table), structures.KEY_DATA.build(data))
                table.append({"address": at, "key": len(table), "state": _AUTHENTICATED})
        for sub in range(self.sizes[TCLK]):
            self._note(TCLK, sub, _ROWS[TCLK])
        for sub in range(self.sizes[ADDRESSES]):
            self._note(ADDRESSES, sub, rows[sub] if sub < len(rows) else _EMPTY_ADDRESS)
        self._note(OSAL, LINK_KEY_TABLE, self._link_key_table(table))

    def read_network(self) -> None:
        """From the items into the tokens, before the stack starts."""
        tokens, nib, active = self._tokens, self._read(structures.NIB, OSAL, NIB), self._read(structures.KEY, OSAL, ACTIVE_KEY)
        tokens.node_type, tokens.short, tokens.channel, tokens.pan = 1, 0, nib.channel, nib.pan
        tokens.extended_pan = Eui64.from_zigbee(nib.extended_pan)
        tokens.update_id, tokens.parent, tokens.parent_short, tokens.depth = nib.update_id, None, 0xFFFF, 0
        tokens.tc_eui64 = tokens.eui64
        tokens.key_sequence, tokens.network_key = active.sequence, active.key
        for sub in range(self.sizes[SECURITY]):
            row = self._read(structures.COUNTER, SECURITY, sub)
            if row is not None and row.extended_pan == tokens.extended_pan.zigbee:
                tokens.nwk_counter = max(tokens.nwk_counter, row.counter)
        self._read_devices()
        self._written.clear()
        tokens.save()

    def _read_devices(self) -> None:
        tokens = self._tokens
        rows = [
            self._read(structures.ADDRESS, ADDRESSES, sub) or structures.ADDRESS.parse(_EMPTY_ADDRESS)
            for sub in range(self.sizes[ADDRESSES])
        ]
        listed: set[Eui64] = set()
        for row in rows:
            device = Eui64.from_zigbee(row.device)
            if row.use != 0xFF and row.use & _CHILD:
                listed.add(device)
                if device not in tokens.children:
                    tokens.children[device] = Child(row.short, 0x80, authenticated=True)
        for device in [device for device, child in tokens.children.items() if not child.router and device not in listed]:
            del tokens.children[device]
        tokens.link_keys.clear()
        for place, entry in enumerate(self._read(structures.LINK_KEYS, OSAL, LINK_KEY_TABLE) or ()):
            data = self._read(structures.KEY_DATA, APS_KEYS, entry.key)
            if entry.state == _AUTHENTICATED and data is not None and entry.address < len(rows):
                tokens.link_keys[place] = (Eui64.from_zigbee(rows[entry.address].device), data.key)
                tokens.aps_counter = max(tokens.aps_counter, data.sent)
        seed = self.get(OSAL, TCLK_SEED) or bytes(16)
        for sub in range(self.sizes[TCLK]):
            held = self._read(structures.TRUST_CENTRE_KEY, TCLK, sub)
            if held is None:
                continue
            device = Eui64.from_zigbee(held.device)
            if any(held.device) and held.attributes == _VERIFIED and device not in {known for known, _ in tokens.link_keys.values()}:
                tokens.link_keys[len(tokens.link_keys)] = device, seeded_key(device, seed, held.shift)
                tokens.aps_counter = max(tokens.aps_counter, held.sent)


def seeded_key(device: Eui64, seed: bytes, shift: int) -> bytes:
    """The link key that Z-Stack makes of its seed: rotated by ``shift`` octets, XOR the EUI-64 twice (zigpy-znp, znp/security.py)."""
    rotated = seed[shift:] + seed[:shift]
    return bytes(one ^ other for one, other in zip(rotated, 2 * device.zigbee, strict=True))
