"""Second readers for ``chub explain --oracle``: tshark for frames of the HAN, gbcs-parser for GBCS messages, openssl for certificates.

Each is asked for the fields that both sides name, and every difference is a line. Secrets given to tshark are on the disk, for their owner
alone, only while it runs.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from firmware_emu.console.commands.pasted import Oracle, Piece
from firmware_emu.console.layers import Explained, LayerKnowledge
from firmware_emu.errors import NotAvailable
from firmware_emu.han.capture import CaptureWriter
from hil.radio.log import tshark

_FIELDS: Mapping[str, tuple[int, tuple[str, ...]]] = {
    "wpan.seq_no": (1, ("MAC sequence number",)),
    "wpan.dst_pan": (2, ("destination PAN",)),
    "wpan.src_pan": (2, ("source PAN",)),
    "wpan.dst16": (2, ("destination",)),
    "wpan.src16": (2, ("source",)),
    "wpan.dst64": (8, ("destination",)),
    "wpan.src64": (8, ("source",)),
    "wpan.cmd": (1, ("MAC command",)),
    "zbee_nwk.dst": (2, ("NWK destination",)),
    "zbee_nwk.src": (2, ("NWK source",)),
    "zbee_nwk.radius": (1, ("radius",)),
    "zbee_nwk.seqno": (1, ("NWK sequence number", "sequence number")),
    "zbee_nwk.cmd.id": (1, ("NWK command",)),
    "zbee.sec.counter": (4, ("frame counter",)),
    "zbee.sec.src64": (8, ("security source",)),
    "zbee.sec.key_seqno": (1, ("key sequence number",)),
    "zbee_aps.dst": (1, ("destination endpoint",)),
    "zbee_aps.src": (1, ("source endpoint",)),
    "zbee_aps.cluster": (2, ("cluster",)),
    "zbee_aps.profile": (2, ("profile",)),
    "zbee_aps.counter": (1, ("APS counter",)),
    "zbee_aps.cmd.id": (1, ("APS command",)),
    "zbee_zcl.cmd.mc": (2, ("manufacturer code",)),
    "zbee_zcl.cmd.tsn": (1, ("ZCL sequence number", "sequence")),
    "zbee_zcl.cmd.id.rsp": (1, ("command answered",)),
    "zbee_zcl.attr.data.type": (1, ("data type",)),
    **{f"zbee_zcl.attr.{kind}{8 * octets}": (octets, ("value",)) for octets in (1, 2, 3, 4, 5, 6, 7, 8) for kind in ("uint", "bitmap")},
}
"""tshark's field -> octets of ours, and the names it may have. All are numbers, the lowest octet first."""


@dataclass(frozen=True, slots=True)
class _Sniffed:
    octets: bytes
    time: float = 0.0
    channel: int = 11
    rssi: int = -50
    lqi: int = 255


def _tshark(piece: Piece, found: Explained, known: LayerKnowledge) -> list[str]:
    if not tshark.installed():
        raise NotAvailable("tshark", "install it: apt install tshark")
    with tempfile.TemporaryDirectory() as folder:
        capture = Path(folder) / "pasted.pcapng"
        with CaptureWriter(capture) as writer:
            writer(_Sniffed(piece.octets))
        keys = {f"key {number}": key for number, key in enumerate(known.han_keys)}
        names = ["_ws.malformed", "frame.protocols", *_FIELDS]
        (values,) = asyncio.run(tshark.fields(capture, keys, "frame", names)) or [[""] * len(names)]
    malformed, protocols, *theirs = [*values, *[""] * (len(names) - len(values))]
    lines = [f"tshark calls it malformed ({protocols})"] if malformed else []
    ours: dict[tuple[int, str], list[int]] = {}
    for _, node in found.tree.walk():
        ours.setdefault((node.length, node.field), []).append(int.from_bytes(node.octets, "little"))
    for (octets, names_here), value in zip(_FIELDS.values(), theirs, strict=True):
        mine = [one for name in names_here for one in ours.get((octets, name), ())]
        read = [_number(one) for one in value.split(",") if one]
        if mine and read and not (set(read) <= set(mine) or set(mine) <= set(read)):
            lines.append(f"{names_here[0]}: tshark reads {value}, this reads {', '.join(f'{one} (0x{one:x})' for one in mine)}")
    return lines


def _number(text: str) -> int:
    """A number as tshark writes it: 7, 0x0036, an EUI-64 with colons."""
    return int(text.replace(":", ""), 16) if ":" in text else int(text, 0)


_SCRIPT = """
const { createRequire } = require("module");
const { generateKeyPairSync } = require("crypto");
const { parseGbcsMessage, minimizeMessage } = createRequire(process.env.NPM_PACKAGES + "/")("@smartdcc/gbcs-parser");
const text = require("fs").readFileSync(0, "utf-8");
const anyKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
const keys = (eui, use, secret) => (secret ? Promise.reject(new Error("no private key")) : Promise.resolve(anyKey));
parseGbcsMessage(text, keys).then(
  (read) => console.log(JSON.stringify(minimizeMessage(read))),
  (wrong) => console.log(JSON.stringify({ problem: String(wrong.message || wrong) })),
);
"""
"""A signature is read with any key, and its verdict left out; what is encrypted stays so: the parser gets no secret."""


def _gbcs_parser(piece: Piece, found: Explained, known: LayerKnowledge) -> list[str]:
    packages = os.environ.get("NPM_PACKAGES", "")
    if shutil.which("node") is None or not (Path(packages) / "node_modules" / "@smartdcc" / "gbcs-parser").is_dir():
        raise NotAvailable(
            "gbcs-parser",
            "get it from github.com/SmartDCCInnovation/gbcs-parser, `npm install` and `npm run build` in its folder, "
            "`npm i --prefix DIR` that folder, and set NPM_PACKAGES=DIR",
        )
    asked = base64.b64encode(piece.octets).decode()
    done = subprocess.run(("node", "-e", _SCRIPT), input=asked, capture_output=True, text=True, check=False)
    try:
        read = json.loads(done.stdout)
    except ValueError:
        reason = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        raise NotAvailable("gbcs-parser's reading", reason) from None
    if read.get("problem") == "no private key":
        raise NotAvailable("gbcs-parser's reading", "the message is encrypted: it reads the plain text alone")
    if "problem" in read:
        return [f"gbcs-parser refuses it: {read['problem']}"]
    return fields_apart(read, piece.octets, [(node.offset, node.offset + len(node.octets)) for _, node in found.tree.walk()])


def fields_apart(read: Mapping[str, object], octets: bytes, ours: Sequence[tuple[int, int]]) -> list[str]:
    """A line for each of gbcs-parser's fields that has other octets here, or lies across one of ``ours`` (first offset, one past the last).

    Its fields follow each other; one that lies within one of ours is only told more finely.
    """
    at = 0
    lines: list[str] = []
    for name, field in _fields(read):
        if octets[at : at + len(field)] != field:
            told = octets[at : at + len(field)].hex(" ") or "nothing: it ends there"
            return [*lines, f"{name}: gbcs-parser reads {field.hex(' ')} at offset {at}, there stands {told}"]
        end = at + len(field)
        across = next((mine for mine in ours if at < mine[0] < end < mine[1] or mine[0] < at < mine[1] < end), None)
        if across is not None:
            lines.append(f"{name}: gbcs-parser reads a field from offset {at} to {end}, this one from {across[0]} to {across[1]}")
        at = end
    return lines if at == len(octets) else [*lines, f"gbcs-parser reads {at} octets of {len(octets)}"]


def _fields(read: Mapping[str, object]) -> Iterator[tuple[str, bytes]]:
    """Name and octets of each field in the order of the octets: ``hex`` is what stands before the ``children``."""
    for name, below in read.items():
        if not isinstance(below, dict):
            continue
        if isinstance(text := below.get("hex"), str):
            yield name, bytes.fromhex(text)
            below = below.get("children") or {}
        yield from _fields(below)


def _openssl(piece: Piece, found: Explained, known: LayerKnowledge) -> list[str]:
    if shutil.which("openssl") is None:
        raise NotAvailable("openssl", "install it: apt install openssl")
    done = subprocess.run(("openssl", "asn1parse", "-inform", "DER"), input=piece.octets, capture_output=True, check=False)
    if done.returncode:
        return [f"openssl refuses it: {(done.stderr.decode(errors='replace').strip().splitlines() or ['no reason'])[0]}"]
    theirs = {int(line.split(":")[0]) for line in done.stdout.decode(errors="replace").splitlines() if ":" in line}
    ours = {node.offset for _, node in found.tree.walk() if node.octets}
    missing = sorted(theirs - ours)
    return [f"openssl begins an element at offset {at}, this does not" for at in missing[:8]]


ORACLES: Sequence[Oracle] = (
    Oracle("tshark", ("mac",), _tshark),
    Oracle("gbcs-parser", ("gbcs",), _gbcs_parser),
    Oracle("openssl", ("der",), _openssl),
)
