"""The non-volatile memory of Z-Stack 3.30 as the host sees it, over the tokens of the simulated stack.

Items of the host's own are kept as they are. Those that describe the network (NIB, keys, counters, tables of Devices) are written
afresh from the stack while it runs, and read into its tokens when it starts: so a backup tells the truth and a restore takes effect.
Layouts: zigpy-znp 1.1.1 ``types/structs.py``, structs aligned as on a CC2652.
"""

from __future__ import annotations

import struct

from firmware_emu.ids import Eui64
from hil.radio.personality import Personality
from hil.radio.stack.stack import Stack
from hil.radio.stack.tokens import Child, Tokens

EXTADDR, STARTUP_OPTION, NIB, EXTENDED_PAN_ID, ACTIVE_KEY, ALTERNATE_KEY, USE_EXTENDED_PAN_ID = 0x01, 0x03, 0x21, 0x2D, 0x3A, 0x3B, 0x47
LINK_KEY_TABLE, ON_A_NETWORK, PRECONFIGURED_KEY, PAN_ID, CHANNELS, LOGICAL_TYPE, TCLK_SEED = 0x4C, 0x55, 0x62, 0x83, 0x84, 0x87, 0x101
CLEAR_CONFIG, CLEAR_STATE = 0x01, 0x02
KEPT_ON_CLEAR = frozenset({STARTUP_OPTION, TCLK_SEED})
OSAL = 0x0000
ADDRESSES, TCLK, APS_KEYS, SECURITY = 0x0001, 0x0004, 0x0006, 0x0007
_LIMITS = {ADDRESSES: "address_entries", TCLK: "key_entries", APS_KEYS: "link_keys", SECURITY: "security_entries"}
"""Extended tables, and what a personality calls their rows."""
_EMPTY_ADDRESS = b"\xff\x00\xff\xff" + b"\xff" * 8
_ROWS = {ADDRESSES: _EMPTY_ADDRESS, TCLK: bytes(16) + b"\x00\xff\x00\x00", APS_KEYS: bytes(24), SECURITY: bytes(12)}
_LINK_KEYS = struct.Struct("<HHBx")
_TCLK = struct.Struct("<II8sBBBx")
_VERIFIED = 0x02
"""Attribute of a key made of the seed that is in use."""
_CHILD, _SECURITY = 0x01, 0x02
_AUTHENTICATED = 0x01
_NIB_OCTETS, _SHORT, _CHANNEL, _COORDINATOR, _PAN, _MASK, _EXTENDED, _KEY_LOADED, _UPDATE = 116, 22, 24, 28, 36, 40, 57, 65, 114
_ROUTER_STATE = (38, 8)


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
        self.put(OSAL, LINK_KEY_TABLE, bytes(2 + _LINK_KEYS.size * self.sizes[APS_KEYS]))
        for table, count in self.sizes.items():
            for sub in range(count):
                self.put(table, sub, _ROWS[table])
        self._tokens.save()

    # items

    def get(self, item: int, sub: int) -> bytes | None:
        if item == OSAL and sub == EXTADDR:
            return self._tokens.eui64.zigbee
        return self._tokens.data.get(f"nv:{item:04x}:{sub:04x}")

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
        nib = self.get(OSAL, NIB)
        return self.number(ON_A_NETWORK) == 1 and nib is not None and bool(nib[_KEY_LOADED])

    def write_network(self) -> None:
        """From the running stack into the items."""
        tokens = self._tokens
        assert tokens.network_key is not None, "a running coordinator has a network key"
        nib = bytearray(self.get(OSAL, NIB) or bytes(_NIB_OCTETS))
        struct.pack_into("<H", nib, _SHORT, tokens.short)
        nib[12], nib[_CHANNEL], nib[_KEY_LOADED], nib[_UPDATE] = 5, tokens.channel, 1, tokens.update_id
        nib[_ROUTER_STATE[0]] = _ROUTER_STATE[1]
        nib[_COORDINATOR : _COORDINATOR + 8] = tokens.eui64.zigbee
        struct.pack_into("<H", nib, _PAN, tokens.pan)
        struct.pack_into("<I", nib, _MASK, 1 << tokens.channel)
        nib[_EXTENDED : _EXTENDED + 8] = tokens.extended_pan.zigbee
        active = bytes([tokens.key_sequence]) + tokens.network_key
        alternate = active if tokens.alternate_key is None else bytes([tokens.alternate_sequence]) + tokens.alternate_key
        for sub, value in {
            NIB: bytes(nib),
            EXTENDED_PAN_ID: tokens.extended_pan.zigbee,
            ACTIVE_KEY: active,
            ALTERNATE_KEY: alternate,
            ON_A_NETWORK: b"\x01",
            PAN_ID: tokens.pan.to_bytes(2, "little"),
        }.items():
            self._note(OSAL, sub, value)
        self._note(SECURITY, 0, struct.pack("<I", self._stack.nwk.counter) + tokens.extended_pan.zigbee)
        self._write_devices()

    def _write_devices(self) -> None:
        """Address manager, link keys and where they belong."""
        tokens = self._tokens
        keys = dict(tokens.link_keys.values())
        devices = [*tokens.children, *(device for device in keys if device not in tokens.children)]
        rows: list[bytes] = []
        table: list[bytes] = []
        for at, device in enumerate(devices[: self.sizes[ADDRESSES]]):
            child = tokens.children.get(device)
            short = child.short if child is not None else self._stack.nwk.shorts.get(device, 0xFFFE)
            use = (_CHILD if child is not None and not child.router else 0) | (_SECURITY if device in keys else 0)
            rows.append(struct.pack("<BxH", use, short) + device.zigbee)
            if device in keys and len(table) < self.sizes[APS_KEYS]:
                aps = self._stack.aps
                self._note(APS_KEYS, len(table), keys[device] + struct.pack("<II", aps.counter, aps.incoming_counter(device)))
                table.append(_LINK_KEYS.pack(at, len(table), _AUTHENTICATED))
        for sub in range(self.sizes[TCLK]):
            self._note(TCLK, sub, _ROWS[TCLK])
        for sub in range(self.sizes[ADDRESSES]):
            self._note(ADDRESSES, sub, rows[sub] if sub < len(rows) else _EMPTY_ADDRESS)
        index = struct.pack("<H", len(table)) + b"".join(table)
        self._note(OSAL, LINK_KEY_TABLE, index.ljust(2 + _LINK_KEYS.size * self.sizes[APS_KEYS], b"\x00"))

    def read_network(self) -> None:
        """From the items into the tokens, before the stack starts."""
        tokens, nib = self._tokens, self.get(OSAL, NIB)
        active = self.get(OSAL, ACTIVE_KEY)
        assert nib is not None, "formed says that it is there"
        assert active is not None, "formed says that it is there"
        tokens.node_type, tokens.short, tokens.channel = 1, 0, nib[_CHANNEL]
        (tokens.pan,) = struct.unpack_from("<H", nib, _PAN)
        tokens.extended_pan = Eui64.from_zigbee(nib[_EXTENDED : _EXTENDED + 8])
        tokens.update_id, tokens.parent, tokens.parent_short, tokens.depth = nib[_UPDATE], None, 0xFFFF, 0
        tokens.tc_eui64 = tokens.eui64
        tokens.key_sequence, tokens.network_key = active[0], active[1:17]
        for sub in range(self.sizes[SECURITY]):
            row = self.get(SECURITY, sub) or bytes(12)
            if row[4:12] == tokens.extended_pan.zigbee:
                tokens.nwk_counter = max(tokens.nwk_counter, int.from_bytes(row[:4], "little"))
        self._read_devices()
        self._written.clear()
        tokens.save()

    def _read_devices(self) -> None:
        tokens = self._tokens
        rows = [self.get(ADDRESSES, sub) or _EMPTY_ADDRESS for sub in range(self.sizes[ADDRESSES])]
        listed: set[Eui64] = set()
        for row in rows:
            device = Eui64.from_zigbee(row[4:12])
            if row[0] != 0xFF and row[0] & _CHILD:
                listed.add(device)
                if device not in tokens.children:
                    tokens.children[device] = Child(int.from_bytes(row[2:4], "little"), 0x80, authenticated=True)
        for device in [device for device, child in tokens.children.items() if not child.router and device not in listed]:
            del tokens.children[device]
        table = self.get(OSAL, LINK_KEY_TABLE) or bytes(2)
        tokens.link_keys.clear()
        for place in range(int.from_bytes(table[:2], "little")):
            address, key, state = _LINK_KEYS.unpack_from(table, 2 + place * _LINK_KEYS.size)
            value = self.get(APS_KEYS, key)
            if state == _AUTHENTICATED and value is not None and address < len(rows):
                tokens.link_keys[place] = (Eui64.from_zigbee(rows[address][4:12]), value[:16])
                tokens.aps_counter = max(tokens.aps_counter, int.from_bytes(value[16:20], "little"))
        seed = self.get(OSAL, TCLK_SEED) or bytes(16)
        for sub in range(self.sizes[TCLK]):
            sent, _, eui64, attributes, _, shift = _TCLK.unpack(self.get(TCLK, sub) or _ROWS[TCLK])
            device = Eui64.from_zigbee(eui64)
            if any(eui64) and attributes == _VERIFIED and device not in {known for known, _ in tokens.link_keys.values()}:
                tokens.link_keys[len(tokens.link_keys)] = device, seeded_key(device, seed, shift)
                tokens.aps_counter = max(tokens.aps_counter, sent)


def seeded_key(device: Eui64, seed: bytes, shift: int) -> bytes:
    """The link key that Z-Stack makes of its seed: rotated by ``shift`` octets, XOR the EUI-64 twice (zigpy-znp, znp/security.py)."""
    rotated = seed[shift:] + seed[:shift]
    return bytes(one ^ other for one, other in zip(rotated, 2 * device.zigbee, strict=True))
