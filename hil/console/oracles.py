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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from firmware_emu.console.commands.pasted import Oracle, Piece
from firmware_emu.console.layers import Explained, LayerKnowledge
from firmware_emu.errors import NotAvailable
from firmware_emu.gbcs.envelope import Message
from firmware_emu.han.capture import CaptureWriter
from hil.radio.log import tshark

_FIELDS: Mapping[str, tuple[str, ...]] = {
    "wpan.seq_no": ("MAC sequence number",),
    "wpan.dst16": ("destination",),
    "wpan.src16": ("source",),
    "zbee_nwk.seqno": ("NWK sequence number", "sequence number"),
    "zbee_nwk.radius": ("radius",),
    "zbee_aps.cluster": ("cluster",),
    "zbee_aps.counter": ("APS counter",),
    "zbee_zcl.cmd.tsn": ("ZCL sequence number", "sequence"),
}
"""tshark's field -> the names that ours may have; only numbers are compared."""


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
    ours: dict[str, list[str]] = {}
    for _, node in found.tree.walk():
        ours.setdefault(node.field, []).append(node.value or node.octets[::-1].hex())
    for named, value in zip(_FIELDS.values(), theirs, strict=True):
        mine = [one for name in named for one in ours.get(name, ())]
        read = [one for one in value.split(",") if one]
        if mine and read and not {_number(one) for one in read} & {_number(one) for one in mine}:
            lines.append(f"{named[0]}: tshark reads {value}, this reads {', '.join(mine)}")
    return lines


def _number(text: str) -> int | None:
    text = text.split()[0] if text.split() else ""
    try:
        return int(text, 16) if text.startswith("0x") else int(text)
    except ValueError:
        try:
            return int(text, 16)
        except ValueError:
            return None


_SCRIPT = """
const { createRequire } = require("module");
const { parseGbcsMessage, minimizeMessage } = createRequire(process.env.NPM_PACKAGES + "/")("@smartdcc/gbcs-parser");
const text = require("fs").readFileSync(0, "utf-8");
const none = () => Promise.reject(new Error("no key"));
parseGbcsMessage(text, none).then(
  (read) => console.log(JSON.stringify(minimizeMessage(read))),
  (wrong) => console.log(JSON.stringify({ problem: String(wrong.message || wrong) })),
);
"""


def _gbcs_parser(piece: Piece, found: Explained, known: LayerKnowledge) -> list[str]:
    packages = os.environ.get("NPM_PACKAGES", "")
    if shutil.which("node") is None or not (Path(packages) / "node_modules" / "@smartdcc" / "gbcs-parser").is_dir():
        raise NotAvailable("gbcs-parser", "npm i --prefix DIR @smartdcc/gbcs-parser, and set NPM_PACKAGES=DIR")
    asked = base64.b64encode(piece.octets).decode()
    done = subprocess.run(("node", "-e", _SCRIPT), input=asked, capture_output=True, text=True, check=False)
    try:
        read = json.loads(done.stdout)
    except ValueError:
        reason = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        raise NotAvailable("gbcs-parser's reading", reason) from None
    if "problem" in read:
        return [f"gbcs-parser refuses it: {read['problem']}"]
    header = Message.decode(piece.octets).header
    theirs = {key: str(value).lower() for key, value in _leaves(read)}
    ours = {
        "CRA Flag": f"{header.cra:02x}",
        "Originator Counter": f"{header.counter:016x}",
        "Business Originator ID": str(header.originator),
        "Business Target ID": str(header.recipient),
        "Message Code": f"{header.message_code:04x}",
    }
    return [
        f"{name}: gbcs-parser reads {theirs[name]}, this reads {mine}"
        for name, mine in ours.items()
        if name in theirs and _digits(mine) not in _digits(theirs[name])
    ]


def _digits(text: str) -> str:
    return "".join(one for one in text.lower() if one in "0123456789abcdef")


def _leaves(read: object) -> list[tuple[str, object]]:
    if not isinstance(read, dict):
        return []
    found: list[tuple[str, object]] = []
    for key, value in read.items():
        found += _leaves(value) if isinstance(value, dict) else [(str(key), value)]
    return found


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
