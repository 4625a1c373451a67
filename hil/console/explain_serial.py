"""Explains what runs over a dongle's serial line: ASH frames, and the EZSP in them (reference ezsp-ncp 1, 2)."""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from dataclasses import replace

from firmware_emu.console.layers import LayerKnowledge, explain_any
from firmware_emu.errors import DecodeError
from firmware_emu.gbcs.explain_fault import FAULT
from firmware_emu.gbcs.tree import Cursor, Tree, TreeNode
from hil.radio.ncp.ash import CANCEL, ESCAPE, FLAG, Code, randomise
from hil.radio.ncp.ezsp import FIRST_SL_STATUS, ApsHead, Schema, decode_frame, schemas_by_id
from hil.radio.ncp.ezsp import VERSIONS as EZSP_VERSIONS
from hil.radio.znp.mt import MtKind as MtKind
from hil.radio.znp.mt import Parser

_ASH = "reference ezsp-ncp 1"
_ASH_FRAME = "ASH frame"
_EZSP = "reference ezsp-ncp 2"
_MT = "TI MT API, as zigpy-znp has it"
_MT_START = b"\xfe"
_RESPONSE = 0x80
_MARK = b"\xff\x00"
"""In place of an id of one octet in versions 5 to 7; the id follows (reference ezsp-ncp 2)."""
FIRST_WIDE = 8
"""EZSP version from which control and id of a frame take two octets each."""
OLDEST = 4
"""Its frames have an id of one octet and no mark; of versions 5 to 7 the command ``version`` alone comes so."""
_CALLBACK = 0x18
_STACK_TYPE = 2
"""Of a mesh stack, in the answer to ``version``."""
_REST = "octets after the declared fields"
_SIZES = {
    "u8": 1,
    "s8": 1,
    "bool": 1,
    "u16": 2,
    "u32": 4,
    "eui": 8,
    "sl": 4,
    "aps": 11,
    "net": 20,
    "ctx12": 17,
    "ctx": 18,
    "meta": 12,
    "key": 16,
}
_PROFILES = {0x0109: "ZigBee Smart Energy", 0x0104: "Home Automation", 0x0000: "ZDP"}


def like_ash(octets: bytes) -> float:
    """A flag at the end and a check that holds: it is nothing else."""
    if len(octets) < 4 or octets[-1] != FLAG:
        return 0.0
    body = octets[:-1].lstrip(bytes([FLAG, CANCEL])).rpartition(bytes([FLAG]))[2]
    plain = bytes(value for value, _ in _logical(body))
    return 1.0 if len(plain) >= 3 and binascii.crc_hqx(plain, 0xFFFF) == 0 else 0.0


def explain_ash(octets: bytes, known: LayerKnowledge) -> Tree:
    """ASH frames, one after the other. Raises DecodeError; a frame whose flag is missing is whole where its check holds."""
    cursor = Cursor(octets)
    nodes = _ash_frames(cursor, known)
    if cursor.remaining:
        raise DecodeError(cursor.offset, _ASH_FRAME, "no flag behind it and no check that holds: it is cut off")
    titles = [node.value for node in nodes if node.field == _ASH_FRAME]
    if not titles:
        raise DecodeError(0, _ASH_FRAME, "flags alone, expected a frame")
    return Tree("; ".join(titles), tuple(nodes))


def ash_to_fault(octets: bytes, wrong: DecodeError, known: LayerKnowledge) -> Tree:
    """The whole frames, then what is there of the one that is cut off."""
    cursor = Cursor(octets)
    nodes = _ash_frames(cursor, known)
    if cursor.remaining:
        nodes.append(_frame(cursor, len(octets), known, cut=True))
    nodes.append(TreeNode(len(octets), b"", FAULT, "", f"{wrong.field}: {wrong.problem}"))
    return Tree(f"ASH, cut off at octet {len(octets)}", tuple(nodes))


def _ash_frames(cursor: Cursor, known: LayerKnowledge) -> list[TreeNode]:
    """Flags and frames up to one that is cut off; the cursor stands there."""
    nodes: list[TreeNode] = []
    while cursor.remaining:
        if cursor.octets[cursor.position] in (FLAG, CANCEL):
            nodes.append(cursor.node(1, "flag" if cursor.octets[cursor.position] == FLAG else "cancel", clause=_ASH))
            continue
        end = cursor.octets.find(FLAG, cursor.position)
        if end < 0:
            plain = bytes(value for value, _ in _logical(cursor.octets[cursor.position :]))
            if len(plain) < 3 or binascii.crc_hqx(plain, 0xFFFF):
                break
            end = len(cursor.octets)
        nodes.append(_frame(cursor, end, known))
    return nodes


def _logical(octets: bytes) -> list[tuple[int, int]]:
    """Octets as the sender meant them, with how many octets of the wire each takes."""
    out, position = [], 0
    while position < len(octets):
        if octets[position] == ESCAPE and position + 1 < len(octets):
            out.append((octets[position + 1] ^ 0x20, 2))
            position += 2
        else:
            out.append((octets[position], 1))
            position += 1
    return out


def _frame(cursor: Cursor, end: int, known: LayerKnowledge, *, cut: bool = False) -> TreeNode:
    """A frame, or with ``cut`` its octets that are there: the check that would follow is not."""
    logical = _logical(cursor.octets[cursor.position : end])
    plain = bytes(value for value, _ in logical)
    if len(plain) < 3 and not cut:
        raise DecodeError(cursor.offset, _ASH_FRAME, f"{len(plain)} octets, expected control and a check of 2")
    taken = 0

    def take(count: int, field: str, value: str | None = None, meaning: str = "") -> TreeNode:
        nonlocal taken
        wire = sum(size for _, size in logical[taken : taken + count])
        shown = plain[taken : taken + count].hex() if value is None else value
        taken += count
        return cursor.node(wire, field, shown, meaning, _ASH)

    control = plain[0]
    title, meaning = _control(control, cursor.offset)
    head = cursor.node(0, _ASH_FRAME, title)
    parts = [take(1, "control", f"{control:02x}", meaning)]
    data = plain[1:] if cut else plain[1:-2]
    holds = binascii.crc_hqx(plain, 0xFFFF) == 0
    if not control & 0x80 and data:
        clear = randomise(data)
        ezsp: tuple[TreeNode, ...] = ()
        try:
            inner = explain_any(clear, known, "ezsp").tree if cut else explain_ezsp(clear, known)
            title, ezsp = f"{title}, {inner.title}", inner.nodes
        except DecodeError as problem:
            ezsp = (TreeNode(0, clear, "data without randomisation", clear.hex(), f"no EZSP: {problem}"),)
        node = take(len(data), "randomised data")
        parts.append(TreeNode(node.offset, node.octets, node.field, node.value, "EZSP below, without randomisation", _ASH, decrypted=ezsp))
    elif control in (0xC1, 0xC2) and len(data) == 2:
        parts.append(take(1, "ASH version", str(data[0])))
        code = Code(data[1]).name.lower().replace("_", " ") if data[1] in Code._value2member_map_ else ""
        parts.append(take(1, "code", f"{data[1]:02x}", code))
    elif data:
        parts.append(take(len(data), "data"))
    if not cut:
        parts.append(take(2, "check sequence", None, "valid" if holds else "invalid: the frame is damaged"))
    return TreeNode(head.offset, b"", _ASH_FRAME, title, children=tuple(parts))


def _control(control: int, offset: int) -> tuple[str, str]:
    if not control & 0x80:
        sent, again, asked = control >> 4 & 7, control & 8, control & 7
        return f"DATA {sent}", f"frame {sent}{', sent again' if again else ''}, expects {asked}"
    if control & 0xE0 == 0x80:
        return f"ACK {control & 7}", f"expects {control & 7}"
    if control & 0xE0 == 0xA0:
        return f"NAK {control & 7}", f"expects {control & 7} again"
    known = {0xC0: "RST", 0xC1: "RSTACK", 0xC2: "ERROR"}
    if control not in known:
        raise DecodeError(offset, "ASH control", f"read {control:02x}, expected DATA, ACK, NAK, RST, RSTACK or ERROR")
    return known[control], {0xC0: "the host asks for a reset", 0xC1: "the dongle was reset", 0xC2: "the dongle gave up"}[control]


def like_ezsp(octets: bytes) -> float:
    """A frame format of version 8 on whose id is known, the mark of versions 5 to 7, or the form of version 4, and fields that take all
    octets. That of version 4 has nothing of its own to be known by."""
    if _is_version(octets):
        return 0.85
    if len(octets) >= 5 and octets[1] & 0x7F == 0 and octets[2:4] == _MARK:
        return 0.85 if _fitting(octets, FIRST_WIDE) is not None else 0.0
    wide = len(octets) >= 5 and octets[2] == 0x01
    try:
        whole = wide and _whole(_read_ezsp(octets, LayerKnowledge().ezsp_version))
    except DecodeError:
        wide = False
    if wide:
        return 0.85 if whole else 0.3
    return 0.15 if len(octets) >= 3 and octets[1] & ~(_RESPONSE | _CALLBACK) == 0 and _fits(octets, OLDEST) else 0.0


def _is_version(octets: bytes) -> bool:
    """The command ``version`` or its first answer, in the old form whatever the version."""
    asked = len(octets) == 4 and octets[1:3] == b"\0\0" and octets[3] in EZSP_VERSIONS
    return asked or (len(octets) == 7 and octets[1:3] == bytes([_RESPONSE, 0]) and octets[3] in EZSP_VERSIONS and octets[4] == _STACK_TYPE)


def _whole(tree: Tree) -> bool:
    return all(node.field != _REST for node in tree.nodes)


def explain_ezsp(octets: bytes, known: LayerKnowledge) -> Tree:
    """One EZSP frame, of the version in force or, where that does not explain it to the last octet, of the nearest that does.

    Raises DecodeError.
    """
    cursor = Cursor(octets)
    if len(octets) == 4 and octets[1] & ~_RESPONSE == 0 and octets[2] == 0:  # version, always in the old form
        return Tree("EZSP version", (*_old_head(cursor), cursor.node(1, "desired protocol version", str(octets[3]), clause=_EZSP)))
    if len(octets) == 7 and octets[1] & _RESPONSE and octets[2] == 0:  # and its first answer
        release = ".".join(f"{octet >> 4:x}.{octet & 15:x}" for octet in reversed(octets[5:]))
        return Tree(
            "EZSP version response",
            (
                *_old_head(cursor),
                cursor.node(1, "protocol version", str(octets[3]), clause=_EZSP),
                cursor.node(1, "stack type", str(octets[4])),
                cursor.node(2, "stack version", None, release),
            ),
        )
    version = known.ezsp_version
    problem: DecodeError | None = None
    found: Tree | None = None
    try:
        found = _read_ezsp(octets, version)
    except DecodeError as wrong:
        problem = wrong
    if found is None or not _whole(found):
        other = _fitting(octets, version)
        if other is not None:
            better = _read_ezsp(octets, other)
            nodes = [
                replace(node, meaning=f"{node.meaning}, as of version {other}") if node.field == "frame id" else node
                for node in better.nodes
            ]
            return Tree(f"{better.title} (version {other}, not {version})", tuple(nodes))
    if found is None:
        assert problem is not None, "one of both is there"
        raise problem
    return found


def _old_head(cursor: Cursor) -> tuple[TreeNode, ...]:
    return cursor.node(1, "sequence"), cursor.node(1, "frame control"), cursor.node(1, "frame id", "00", "version")


def _fitting(octets: bytes, version: int) -> int | None:
    """The version nearest to this one that explains the frame to the last octet."""
    from hil.radio.log.ezsp_words import VERSIONS  # brings bellows, which a prompt does not need before this

    marked = octets[2:4] == _MARK
    found = [other for other in VERSIONS if other != version and (marked or not OLDEST < other < FIRST_WIDE) and _fits(octets, other)]
    return min(found, key=lambda other: (abs(other - version), other)) if found else None


def _fits(octets: bytes, version: int) -> bool:
    from hil.radio.log.ezsp_words import fits  # as above

    return bool(fits([(octets, not (len(octets) > 1 and octets[1] & _RESPONSE))], version))


def _read_ezsp(octets: bytes, version: int) -> Tree:
    """One frame as of ``version``. Raises DecodeError."""
    cursor, request = Cursor(octets), decode_frame(octets, version)
    schema = schemas_by_id(version).get(request.frame_id)
    answer = bool(octets[1] & _RESPONSE)
    head = len(octets) - len(request.parameters)
    if schema is None:
        raise DecodeError(head - 1, "EZSP frame id", f"read {request.frame_id:04x}, expected a command of version {version}")
    kind = "callback" if answer and octets[1] & 0x18 else "response" if answer else "command"
    nodes = [cursor.node(1, "sequence", str(octets[0]), clause=_EZSP)]
    if head == 3 or version < FIRST_WIDE:
        nodes.append(cursor.node(1, "frame control", None, kind))
        nodes += [cursor.node(2, "mark of the longer form")] if head == 5 else []
        nodes.append(cursor.node(1, "frame id", f"{request.frame_id:04x}", schema.name))
    else:
        nodes += [cursor.node(2, "frame control", None, kind), cursor.node(2, "frame id", f"{request.frame_id:04x}", schema.name)]
    nodes += _parameters(cursor, schema, schema.response if answer else schema.request, version)
    return Tree(f"EZSP {schema.name} {kind}", tuple(nodes))


def _parameters(cursor: Cursor, schema: Schema, fields: Sequence[tuple[str, str]], version: int) -> list[TreeNode]:
    nodes: list[TreeNode] = []
    for name, kind in fields:
        if kind == "L?" and not cursor.remaining:
            continue
        if kind in ("L", "L?"):
            if not cursor.remaining:
                raise DecodeError(cursor.offset, f"{schema.name}.{name}", "no length octet left")
            length = cursor.octets[cursor.position]
            nodes.append(cursor.node(1, f"length of {name}", str(length)))
            size = length
        elif kind == "raw":
            size = cursor.remaining
        else:
            size = _SIZES.get(kind, 4 if version >= FIRST_SL_STATUS else 1)
        if cursor.remaining < size:
            raise DecodeError(cursor.offset, f"{schema.name}.{name}", f"{cursor.remaining} octets left, expected {size}")
        octets = cursor.octets[cursor.position : cursor.position + size]
        nodes.append(cursor.node(size, name.replace("_", " "), *_shown(kind, octets, version)))
    if cursor.remaining:
        nodes.append(cursor.node(cursor.remaining, _REST))
    return nodes


def _shown(kind: str, octets: bytes, version: int) -> tuple[str, str]:
    match kind:
        case "u8" | "u16" | "u32" | "bool":
            return str(int.from_bytes(octets, "little")), ""
        case "s8":
            return str(int.from_bytes(octets, "little", signed=True)), ""
        case "eui":
            return octets[::-1].hex(), ""
        case "aps":
            head = ApsHead.decode(octets)
            return (
                f"profile {head.profile:04x}, cluster {head.cluster:04x}, endpoints {head.source_endpoint} to {head.destination_endpoint}",
                _PROFILES.get(head.profile, ""),
            )
        case "st" | "es" | "sl":
            from hil.radio.log.ezsp_words import status_name  # brings bellows, which a prompt does not need before this

            return octets[::-1].hex(), status_name(octets, kind, version)[0]
        case "key":
            return "a key", "not shown"
    return octets.hex(), ""


def like_mt(octets: bytes) -> float:
    """A start octet, a length that is that of the rest, and a check that holds."""
    frames = list(Parser().feed(octets))
    return 0.95 if frames and sum(len(frame.data) + 5 for frame in frames) == len(octets) else 0.0


def explain_mt(octets: bytes, known: LayerKnowledge) -> Tree:
    """MT frames of a ZNP, one after the other. Raises DecodeError."""
    cursor = Cursor(octets)
    nodes = _mt_frames(cursor)
    if cursor.remaining or not nodes:
        raise DecodeError(cursor.offset, "MT frame", "expected fe, a length, a command of 2 octets and a check that holds")
    return Tree(f"MT {'; '.join(node.value for node in nodes)}", tuple(nodes))


def mt_to_fault(octets: bytes, wrong: DecodeError, known: LayerKnowledge) -> Tree:
    """The whole frames, then what is there of the one with the fault."""
    cursor = Cursor(octets)
    nodes = _mt_frames(cursor)
    if octets[cursor.position : cursor.position + 1] == _MT_START and cursor.remaining > 1:
        length = octets[cursor.position + 1]
        parts = [cursor.node(1, "start", "fe", "", _MT), cursor.node(1, "length", str(length))]
        if cursor.remaining >= 2:
            kind, subsystem = octets[cursor.position] >> 5, octets[cursor.position] & 0x1F
            parts.append(cursor.node(2, "command", None, f"kind {kind}, subsystem {subsystem}, command {octets[cursor.position + 1]:02x}"))
            if there := min(length, cursor.remaining):
                parts.append(cursor.node(there, "fields", None, "" if there == length else f"cut: {length - there} octets are missing"))
        nodes.append(TreeNode(parts[0].offset, b"", "MT frame", "", children=tuple(parts)))
    nodes.append(cursor.node(cursor.remaining, FAULT, None, f"{wrong.field}: {wrong.problem}"))
    return Tree(f"MT, with a fault at octet {nodes[-1].offset}", tuple(nodes))


def _mt_frames(cursor: Cursor) -> list[TreeNode]:
    """The frames up to the first that is not whole; the cursor stands there."""
    from hil.radio.log.mt_words import words  # brings zigpy-znp, which a prompt does not need before this

    nodes = []
    while cursor.remaining > 1 and cursor.octets[cursor.position : cursor.position + 1] == _MT_START:
        length = cursor.octets[cursor.position + 1] + 5
        frame = next(Parser().feed(cursor.octets[cursor.position : cursor.position + length]), None)
        if frame is None or len(frame.data) + 5 != length:
            break
        told = words(frame, from_host=frame.kind in (MtKind.SREQ, MtKind.POLL))
        parts = [
            cursor.node(1, "start", "fe", "", _MT),
            cursor.node(1, "length", str(len(frame.data))),
            cursor.node(2, "command", None, told.name),
        ]
        if frame.data:
            parts.append(cursor.node(len(frame.data), "fields", None, told.text))
        parts.append(cursor.node(1, "check", None, "valid"))
        nodes.append(TreeNode(parts[0].offset, b"", "MT frame", told.name, children=tuple(parts)))
    return nodes
