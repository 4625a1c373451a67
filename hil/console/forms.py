"""Forms of the rig for ``chub explain``: debug logs of other hosts, captures of the HAN with their keys."""

from __future__ import annotations

import csv
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

from firmware_emu.console.commands.pasted import Form, Pasted, Piece
from firmware_emu.errors import CommsHubError, DecodeError, in_words
from firmware_emu.han.capture import KEY_FILE_NAME, LINKTYPE_TAP
from hil.radio.log.reading import Entry, LogError, read_lines, read_log
from hil.radio.recording import FORMAT

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_WITH_FCS, _WITHOUT_FCS = 195, 230
"""Link types of IEEE 802.15.4 (tcpdump.org's list)."""
_TAP_FCS = 0


def _log(pasted: Pasted) -> list[Piece]:
    if pasted.text is None or len(pasted.text) < 2:
        return []
    try:
        recorded = pasted.file is not None and f'"format": "{FORMAT}"' in pasted.text.split("\n", 1)[0]
        found = read_log(pasted.file) if recorded and pasted.file is not None else read_lines(pasted.text.splitlines(), "what was pasted")
    except LogError:
        return []
    said = [Piece(f"line {one.line}", words=_said(one)) for one in found.entries]
    return [*said, *(Piece(f"line {wrong.line}", words=f"went wrong: {wrong.what}: {wrong.why}") for wrong in found.wrong)]


def _said(one: Entry) -> str:
    return f"{'->' if one.sender == 'host' else '<-'} {one.layer} {one.name} {one.text}".rstrip()


def _capture(pasted: Pasted) -> list[Piece]:
    if pasted.octets[:4] != struct.pack(">I", _SECTION):
        return []
    order = "<" if pasted.octets[8:12] == b"\x4d\x3c\x2b\x1a" else ">"
    links: list[int] = []
    pieces: list[Piece] = []
    for kind, body in _blocks(pasted.octets, order):
        if kind == _INTERFACE:
            links.append(int(struct.unpack_from(f"{order}H", body)[0]))
        elif kind == _PACKET:
            interface, _, _, length, _ = struct.unpack_from(f"{order}IIIII", body)
            if interface >= len(links):
                raise DecodeError(0, "pcapng", f"a packet of interface {interface}, expected one of {len(links)}")
            pieces.append(Piece(f"frame {len(pieces) + 1}", _frame(links[interface], body[20 : 20 + length]), "mac"))
    if not pieces:
        raise DecodeError(0, "pcapng", "the capture has no packet")
    return pieces


def _blocks(octets: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 12 <= len(octets):
        kind, length = struct.unpack_from(f"{order}II", octets, at)
        if length < 12 or at + length > len(octets):
            return  # a capture that is still written ends in the middle of a block
        yield kind, octets[at + 8 : at + length - 4]
        at += length


def _frame(link: int, packet: bytes) -> bytes:
    """The MPDU without its check sequence. Raises DecodeError for a link type that is not 802.15.4."""
    if link == LINKTYPE_TAP:
        header = int.from_bytes(packet[2:4], "little")
        return packet[header:-2] if _tap_has_fcs(packet[4:header]) else packet[header:]
    if link == _WITH_FCS:
        return packet[:-2]
    if link == _WITHOUT_FCS:
        return packet
    raise DecodeError(0, "pcapng", f"link type {link}, expected IEEE 802.15.4: {_WITH_FCS}, {_WITHOUT_FCS} or {LINKTYPE_TAP} (TAP)")


def _tap_has_fcs(fields: bytes) -> bool:
    at = 0
    while at + 4 <= len(fields):
        kind, length = struct.unpack_from("<HH", fields, at)
        if kind == _TAP_FCS:
            return fields[at + 4] != 0
        at += 4 + (length + 3) // 4 * 4
    return False


def keys_in(file: Path) -> list[bytes]:
    """The keys of a ``zigbee_pc_keys``. Raises CommsHubError for what is none."""
    try:
        rows = [row for row in csv.reader(file.read_text("ascii").splitlines()) if row and not row[0].startswith("#")]
        return [bytes.fromhex(row[0].replace(":", "")) for row in rows]
    except (OSError, ValueError) as wrong:
        raise CommsHubError(f"{file}: {in_words(wrong)}: expected Wireshark's key file zigbee_pc_keys") from None


def _keys_beside(pasted: Pasted) -> Sequence[bytes]:
    beside = None if pasted.file is None else pasted.file.with_name(KEY_FILE_NAME)
    return keys_in(beside) if beside is not None and beside.is_file() else ()


FORMS: Sequence[Form] = (
    Form("pcapng", "a capture of the HAN, read with the keys of a zigbee_pc_keys beside it or of --han-key", 5, _capture, _keys_beside),
    Form("log", "a debug log of bellows, ZHA, Zigbee2MQTT or zigpy-znp, or a recording", 60, _log),
)
