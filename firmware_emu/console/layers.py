"""The layers that ``explain`` can read, and how it finds out which one some octets are of.

Each layer says how much octets look like it and, if asked, explains them. The firmware's languages are here; the rig adds those of
the radio and of the far end by the entry-point group ``chub.explain``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import entry_points
from typing import cast

from firmware_emu.console.explain_der import explain_der
from firmware_emu.console.explain_zcl import explain_tunnel_data, explain_zcl
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.errors import CommsHubError, DecodeError, NotAvailable
from firmware_emu.extras import load
from firmware_emu.gbcs import explain as gbcs
from firmware_emu.gbcs.dlms import AccessRequest, AccessResponse, DataNotification
from firmware_emu.gbcs.explain_dlms import explain_notification, explain_request, explain_response
from firmware_emu.gbcs.explain_fault import FAULT, before, explain_to_fault
from firmware_emu.gbcs.tree import Cursor, Tree, TreeNode
from firmware_emu.zse.zcl import GeneralCommand


@dataclass(frozen=True, slots=True)
class LayerKnowledge:
    """Knowledge that helps to read octets: keys of the test bench, the EZSP version, the cluster where a layer below does not tell it."""

    keystore: Keystore | None = None
    han_keys: tuple[bytes, ...] = ()
    ezsp_version: int = 13
    cluster: int | None = None

    def __repr__(self) -> str:
        return f"Known(ezsp_version={self.ezsp_version}, cluster={self.cluster})"


_MOST_MISSING = 128
"""Octets that are tried as the rest of a frame that is cut off: the longest of IEEE 802.15.4 has 127."""
_SURE = 0.8
"""Octets that look less like a layer are not explained up to a fault unasked: they may be of none."""


@dataclass(frozen=True, slots=True)
class Layer:
    """``likely``: 0 (cannot be) to 1 (is nothing else); ``explain`` raises DecodeError where the octets are not of this layer.

    ``to_fault`` explains octets that ``explain`` refused, up to what is wrong with them.
    """

    name: str
    about: str
    likely: Callable[[bytes], float]
    explain: Callable[[bytes, LayerKnowledge], Tree]
    to_fault: Callable[[bytes, DecodeError, LayerKnowledge], Tree] | None = None


@cache
def layers() -> tuple[Layer, ...]:
    """All layers there are, the firmware's and, where its libraries are installed, the rig's."""
    found: list[Layer] = []
    for entry in sorted(entry_points(group="chub.explain")):
        with contextlib.suppress(NotAvailable):
            found += cast("tuple[Layer, ...]", load(entry))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Explained:
    """Reading of octets: its kind, how sure that is (0 to 1), what else they could be, and the fault that the reading ends at."""

    layer: Layer
    tree: Tree
    likely: float
    others: tuple[str, ...]
    fault: DecodeError | None = None


def explain_any(octets: bytes, known: LayerKnowledge, layer: str | None = None) -> Explained:
    """Explain octets as ``layer``, or as the likeliest one that reads them whole; a layer that can explains up to a fault.

    Raises DecodeError where none can, or KeyError for no layer.
    """
    if layer is not None:
        chosen = {one.name: one for one in layers()}[layer]
        try:
            return Explained(chosen, chosen.explain(octets, known), 1.0, ())
        except DecodeError as refused:
            return _to_fault(chosen, octets, known, refused)
    found: list[tuple[float, Layer, Tree]] = []
    problems: list[tuple[float, Layer, DecodeError]] = []
    for one in layers():
        likely = one.likely(octets)
        if likely <= 0:
            continue
        try:
            found.append((likely, one, one.explain(octets, known)))
        except DecodeError as problem:
            problems.append((likely, one, problem))
    if not found:
        if not problems:
            raise DecodeError(0, "octets", f"{octets[:4].hex(' ')} ...: no layer begins like this; name one with as=")
        likely, most, wrong = max(problems, key=lambda item: item[0])
        said = f"{wrong.problem} (read as {most.name}, which they look like most; as=LAYER reads them as another)"
        told = DecodeError(wrong.offset, wrong.field, said)
        if most.to_fault is None and likely < _SURE:
            raise told
        return _to_fault(most, octets, known, told)
    found.sort(key=lambda item: -item[0])
    likely, best, tree = found[0]
    return Explained(best, tree, likely, tuple(one.name for _, one, _ in found[1:]))


def _to_fault(layer: Layer, octets: bytes, known: LayerKnowledge, wrong: DecodeError) -> Explained:
    """The explanation up to the fault: by the layer itself, or of what is cut off, as it would be if zeros followed.

    Raises the fault where zeros do not make it whole.
    """
    if layer.to_fault is not None:
        return Explained(layer, layer.to_fault(octets, wrong, known), 1.0, (), wrong)
    for missing in range(1, _MOST_MISSING + 1):
        try:
            whole = layer.explain(octets + bytes(missing), known)
        except DecodeError:
            continue
        at, there = len(octets), whole.nodes
        with contextlib.suppress(DecodeError):
            there = _agreed(there, layer.explain(octets + b"\xff" * missing, known).nodes)
        fault = TreeNode(at, b"", FAULT, "", f"{wrong.field}: {wrong.problem}")
        return Explained(layer, Tree(f"{layer.name}, cut off at octet {at}", (*before(there, at), fault)), 1.0, (), wrong)
    raise wrong


def _agreed(nodes: tuple[TreeNode, ...], others: tuple[TreeNode, ...]) -> tuple[TreeNode, ...]:
    """The nodes with both meanings where one hangs on octets that are not there: ``others`` has other octets in their place."""
    meanings = {(node.offset, node.field): node.meaning for _, node in Tree("", others).walk()}
    return tuple(
        replace(
            node,
            meaning=" or ".join(sorted({node.meaning, meanings.get((node.offset, node.field), node.meaning)} - {""})),
            children=_agreed(node.children, others),
        )
        for node in nodes
    )


def _gbcs(octets: bytes, known: LayerKnowledge) -> Tree:
    return gbcs.explain(octets, known.keystore)


def _gbcs_to_fault(octets: bytes, wrong: DecodeError, known: LayerKnowledge) -> Tree:
    return explain_to_fault(octets, wrong, known.keystore)


def _dlms(octets: bytes, known: LayerKnowledge) -> Tree:
    cursor = Cursor(octets)
    match octets[:1]:
        case b"\xd9":
            return Tree("DLMS access request", explain_request(cursor, AccessRequest.decode(octets)))
        case b"\xda":
            return Tree("DLMS access response", explain_response(cursor, AccessResponse.decode(octets), 0))
        case b"\x0f":
            return Tree("DLMS data notification", explain_notification(cursor, DataNotification.decode(octets), 0))
    raise DecodeError(0, "DLMS APDU tag", f"read {octets[:1].hex() or 'nothing'}, expected d9, da or 0f")


def _zcl(octets: bytes, known: LayerKnowledge) -> Tree:
    return explain_zcl(octets, known.cluster, lambda data: gbcs.explain(data, known.keystore).nodes)


def _tunnel(octets: bytes, known: LayerKnowledge) -> Tree:
    cursor = Cursor(octets)
    nodes = explain_tunnel_data(cursor, lambda data: gbcs.explain(data, known.keystore).nodes)
    return Tree("mailbox message of a tunnel (GSME)" if octets[0] < 4 else "data of a tunnel", nodes)


def _der(octets: bytes, known: LayerKnowledge) -> Tree:
    return explain_der(octets)


def _reads(explain: Callable[[bytes, LayerKnowledge], Tree], octets: bytes) -> bool:
    try:
        explain(octets, LayerKnowledge())
    except CommsHubError:
        return False
    return True


def _like_zcl(octets: bytes) -> float:
    if len(octets) < 3 or octets[0] & 0xE2:
        return 0.0
    general = not octets[0] & 0x01
    if general and not octets[0] & 0x04 and octets[2] not in GeneralCommand._value2member_map_:
        return 0.0
    return 0.4


def _like_tunnel(octets: bytes) -> float:
    behind = octets[1:] if octets[:1] == b"\x03" else octets[2:]
    return 0.95 if octets[:1] in (b"\x02", b"\x03") and behind[:1] in (b"\xdd", b"\xdf") and _reads(_gbcs, behind) else 0.0


def _like_der(octets: bytes) -> float:
    return 0.9 if octets[:1] == b"\x30" and _reads(_der, octets) else 0.0


def _like_dlms(octets: bytes) -> float:
    return 0.8 if octets[:1] in (b"\xd9", b"\xda", b"\x0f") else 0.0


LAYERS: Sequence[Layer] = (
    Layer("gbcs", "a GBCS message", lambda octets: 1.0 if octets[:1] in (b"\xdd", b"\xdf") else 0.0, _gbcs, _gbcs_to_fault),
    Layer("dlms", "a DLMS access request, response or notification", _like_dlms, _dlms),
    Layer("tunnel", "what a ZigBee tunnel carries: a GBCS message behind the gas meter's mailbox octet", _like_tunnel, _tunnel),
    Layer("zcl", "a ZigBee cluster frame; cluster=0x0702 names its commands", _like_zcl, _zcl),
    Layer("der", "DER: certificates, GBCS ASN.1 payloads", _like_der, _der),
)
