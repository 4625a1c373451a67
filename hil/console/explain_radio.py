"""Explains frames of the air: 802.15.4, ZigBee NWK and APS, down to the GBCS message inside. With the test HAN's keys it opens them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from firmware_emu.console.explain_zcl import moved, zcl_nodes
from firmware_emu.console.layers import LayerKnowledge
from firmware_emu.errors import DecodeError, ProtectionError
from firmware_emu.gbcs import explain as gbcs
from firmware_emu.gbcs.tree import Cursor, Tree, TreeNode
from firmware_emu.ids import Eui64
from firmware_emu.zse import clusters
from firmware_emu.zse.zcl import ZclFrame
from hil.radio.air.frames import AirReader, ApsCommand, ApsKind, ApsPdu, DeliveryMode, MacCommand, MacKind, MacPdu, NwkCommand, NwkPdu
from hil.radio.stack.nwk import MIC_OCTETS, Auxiliary, KeyId, unprotect

_MAC = "IEEE 802.15.4-2006 7.2"
_NWK = "ZigBee PRO 3.3.1"
_APS = "ZigBee PRO 2.2.5"
_SECURITY = "reference zigbee-han 5"
_Inside = Callable[[bytes], Tree]
_PROFILES = {0x0109: "ZigBee Smart Energy", 0x0104: "Home Automation", 0x0000: "ZDP"}


def explain_mac(octets: bytes, known: LayerKnowledge) -> Tree:
    """One MPDU without its check sequence. Raises DecodeError."""
    frame = MacPdu.decode(octets)
    cursor = Cursor(octets)
    kind = frame.kind.name.lower()
    flags = [name for name, there in (("pending", frame.pending), ("acknowledgement asked", frame.ack_request)) if there]
    nodes = [
        cursor.node(2, "MAC frame control", None, ", ".join((kind, *flags)), _MAC),
        cursor.node(1, "MAC sequence number", str(frame.sequence)),
    ]
    if frame.destination is not None:
        nodes.append(cursor.node(2, "destination PAN", f"{frame.destination_pan:04x}"))
        nodes.append(_address(cursor, "destination", frame.destination))
    if frame.source is not None:
        if frame.source_pan is not None:
            nodes.append(cursor.node(2, "source PAN", f"{frame.source_pan:04x}"))
        nodes.append(_address(cursor, "source", frame.source))
    title = f"802.15.4 {kind}"
    if frame.kind is MacKind.COMMAND and frame.payload:
        number = frame.payload[0]
        name = MacCommand(number).name.lower().replace("_", " ") if number in MacCommand._value2member_map_ else "unknown"
        nodes.append(cursor.node(1, "MAC command", f"{number:02x}", name))
        title = f"{title}: {name}"
    elif frame.kind is MacKind.DATA and frame.payload:
        inner = _below(lambda data: explain_nwk(data, known), frame.payload, cursor.offset)
        nodes.append(TreeNode(cursor.offset, b"", "NWK", inner.title, children=inner.nodes))
        cursor.position = len(octets)
        title = f"{title}: {inner.title}"
    if cursor.remaining:
        nodes.append(cursor.node(cursor.remaining, "MAC payload"))
    return Tree(title, tuple(nodes))


def _below(inside: _Inside, octets: bytes, at: int) -> Tree:
    """The octets that stand at an offset of the frame, explained at that offset. Raises DecodeError there."""
    try:
        tree = inside(octets)
    except DecodeError as wrong:
        raise DecodeError(at + wrong.offset, wrong.field, wrong.problem) from None
    return Tree(tree.title, tuple(moved(node, at) for node in tree.nodes))


def _address(cursor: Cursor, field: str, address: int | Eui64) -> TreeNode:
    if isinstance(address, int):
        return cursor.node(2, field, f"{address:04x}", "broadcast" if address >= 0xFFFC else "coordinator" if address == 0 else "")
    return cursor.node(8, field, str(address))


def explain_nwk(octets: bytes, known: LayerKnowledge) -> Tree:
    """One NPDU. Raises DecodeError."""
    frame = NwkPdu.decode(octets)
    cursor = Cursor(octets)
    kind = "command" if frame.command else "data"
    flags = ["secured"] if frame.secured else []
    nodes = [
        cursor.node(2, "NWK frame control", None, ", ".join((kind, *flags)), _NWK),
        _address(cursor, "NWK destination", frame.destination),
        _address(cursor, "NWK source", frame.source),
        cursor.node(1, "radius", str(frame.radius)),
        cursor.node(1, "NWK sequence number", str(frame.sequence)),
    ]
    for field, eui in (("destination EUI-64", frame.destination_eui), ("source EUI-64", frame.source_eui)):
        if eui is not None:
            nodes.append(cursor.node(8, field, str(eui)))
    if frame.relays is not None:
        nodes.append(cursor.node(len(frame.relays), "source route"))
    title = f"NWK {kind} {frame.source:04x} to {frame.destination:04x}"
    if frame.secured:
        below, opened = _secured(cursor, frame.header(), frame.source_eui, known, lambda data: _nwk_payload(data, frame, known))
        return Tree(f"{title}{opened}", (*nodes, *below))
    inner = _below(lambda data: _nwk_payload(data, frame, known), octets[cursor.position :], cursor.offset)
    return Tree(f"{title}: {inner.title}", (*nodes, *inner.nodes))


def _nwk_payload(data: bytes, frame: NwkPdu, known: LayerKnowledge) -> Tree:
    if not frame.command:
        return explain_aps(data, known)
    if not data:
        raise DecodeError(0, "NWK command", "no octet left, expected a command id")
    cursor = Cursor(data)
    name = NwkCommand(data[0]).name.lower().replace("_", " ") if data[0] in NwkCommand._value2member_map_ else "unknown"
    nodes = [cursor.node(1, "NWK command", f"{data[0]:02x}", name)]
    if cursor.remaining:
        nodes.append(cursor.node(cursor.remaining, "command payload"))
    return Tree(name, tuple(nodes))


def _secured(
    cursor: Cursor,
    header: bytes,
    sender: Eui64 | None,
    known: LayerKnowledge,
    inside: _Inside,
) -> tuple[list[TreeNode], str]:
    """Auxiliary header, ciphertext and MIC; opened where one of the bench's keys does it."""
    rest = cursor.octets[cursor.position :]
    read = AirReader(rest)
    auxiliary = Auxiliary.read(read)
    sealed = read.rest()
    if len(sealed) < MIC_OCTETS:
        raise DecodeError(cursor.offset, "MIC", f"{len(sealed)} octets left, expected {MIC_OCTETS} or more")
    nodes = [
        cursor.node(1, "security control", None, f"{auxiliary.key_id.name.lower()} key", _SECURITY),
        cursor.node(4, "frame counter", str(auxiliary.counter)),
    ]
    if auxiliary.source is not None:
        nodes.append(cursor.node(8, "security source", str(auxiliary.source)))
    if auxiliary.key_id is KeyId.NETWORK:
        nodes.append(cursor.node(1, "key sequence number", str(auxiliary.key_sequence)))
    source, plain = auxiliary.source or sender, None
    for key in known.han_keys if source is not None else ():
        assert source is not None
        try:
            plain = unprotect(key, header, auxiliary, source, sealed)
            break
        except ProtectionError:
            continue
    at = cursor.offset
    text = cursor.node(len(sealed) - MIC_OCTETS, "ciphertext", None, "" if plain is not None else "no key of this bench opens it")
    opened = ""
    if plain is not None:
        tree = _below(inside, plain, at)
        text = replace(text, meaning=tree.title, decrypted=tree.nodes)
        opened = f": {tree.title}"
    nodes += [text, cursor.node(MIC_OCTETS, "MIC", None, "valid" if plain is not None else "unchecked")]
    return nodes, opened


def explain_aps(octets: bytes, known: LayerKnowledge) -> Tree:
    """One APDU. Raises DecodeError."""
    frame = ApsPdu.decode(octets)
    cursor = Cursor(octets)
    kind = frame.kind.name.lower()
    flags = [name for name, there in (("secured", frame.secured), ("acknowledgement asked", frame.ack_request)) if there]
    nodes = [cursor.node(1, "APS frame control", None, ", ".join((kind, frame.delivery.name.lower(), *flags)), _APS)]
    title = f"APS {kind}"
    if frame.kind is not ApsKind.COMMAND and frame.addressed:
        if frame.delivery is DeliveryMode.GROUP:
            nodes.append(cursor.node(2, "group", f"{frame.group:04x}"))
        else:
            nodes.append(cursor.node(1, "destination endpoint", str(frame.destination_endpoint)))
        cluster = clusters.BY_ID.get(frame.cluster)
        name = cluster.name if cluster is not None else ""
        nodes += [
            cursor.node(2, "cluster", f"{frame.cluster:04x}", name if frame.profile else "ZDP"),
            cursor.node(2, "profile", f"{frame.profile:04x}", _PROFILES.get(frame.profile, "")),
            cursor.node(1, "source endpoint", str(frame.source_endpoint)),
        ]
        title = f"{title} {name or f'cluster {frame.cluster:04x}'}"
    nodes.append(cursor.node(1, "APS counter", str(frame.counter)))
    if frame.block is not None:
        nodes.append(cursor.node(1, "extended control", None, "first fragment" if frame.block.first else "fragment"))
        nodes.append(cursor.node(1, "fragments" if frame.block.first else "fragment number", str(frame.block.number)))
        if frame.block.acked is not None:
            nodes.append(cursor.node(1, "fragments acknowledged", f"{frame.block.acked:02x}"))
        title += f", {'first of' if frame.block.first else 'fragment'} {frame.block.number}"
    if frame.secured:
        below, opened = _secured(cursor, frame.header(), None, known, lambda data: _aps_payload(data, frame, known))
        return Tree(f"{title}{opened}", (*nodes, *below))
    inner = _below(lambda data: _aps_payload(data, frame, known), octets[cursor.position :], cursor.offset)
    return Tree(f"{title}: {inner.title}" if inner.title else title, (*nodes, *inner.nodes))


def _aps_payload(data: bytes, frame: ApsPdu, known: LayerKnowledge) -> Tree:
    cursor = Cursor(data)
    if not data:
        return Tree("", ())
    if frame.kind is ApsKind.COMMAND:
        name = ApsCommand(data[0]).name.lower().replace("_", " ") if data[0] in ApsCommand._value2member_map_ else "unknown"
        nodes = [cursor.node(1, "APS command", f"{data[0]:02x}", name)]
        if cursor.remaining:
            nodes.append(cursor.node(cursor.remaining, "command payload"))
        return Tree(name, tuple(nodes))
    if frame.profile == 0 or (frame.block is not None and not frame.block.first):
        return Tree("", (cursor.node(len(data), "ZDP payload" if frame.profile == 0 else "piece of a fragmented message"),))
    try:
        title, below = zcl_nodes(cursor, ZclFrame.decode(data), frame.cluster, lambda inner: gbcs.explain(inner, known.keystore).nodes)
    except DecodeError as problem:
        return Tree("", (TreeNode(0, data, "payload", data.hex(), f"no ZCL frame: {problem}"),))
    return Tree(title, below)


def like_mac(octets: bytes) -> float:
    """A frame type and addressing modes that exist, and for data a network frame inside."""
    if len(octets) < 3 or octets[0] & 0x88 or octets[1] & 0x33:
        return 0.0
    try:
        frame = MacPdu.decode(octets)
        if frame.kind is MacKind.DATA:
            return 0.9 if like_nwk(frame.payload) else 0.0
    except DecodeError:
        return 0.0
    return 0.35 if len(octets) < 5 else 0.7 if frame.destination_pan is not None or frame.source_pan is not None else 0.0


def like_nwk(octets: bytes) -> float:
    """Protocol version 2, reserved bits 0, and a frame behind it."""
    if len(octets) < 9 or octets[0] & 0x3E != 0x08 or octets[1] & 0xE1:
        return 0.0
    try:
        frame = NwkPdu.decode(octets)
        if frame.secured:
            Auxiliary.read(AirReader(frame.payload))
            return 0.75
        return 0.7 if frame.command or like_aps(frame.payload) else 0.3
    except (DecodeError, ValueError):
        return 0.0


def like_aps(octets: bytes) -> float:
    """A profile that is in use here."""
    try:
        frame = ApsPdu.decode(octets)
    except DecodeError:
        return 0.0
    if frame.kind is ApsKind.COMMAND:
        return 0.3 if frame.secured or (frame.payload and frame.payload[0] in ApsCommand._value2member_map_) else 0.0
    if frame.addressed and frame.profile == 0x0109 and clusters.BY_ID.get(frame.cluster) is not None:
        return 0.8
    return 0.5 if frame.addressed and frame.profile == 0x0109 else 0.0
