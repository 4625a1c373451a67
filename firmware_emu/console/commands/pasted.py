"""Anything that somebody has on the clipboard, taken apart into octets that ``explain`` can read.

A form (hex, a certificate, a capture ...) is one row: it says whether it is what was pasted, and what pieces are in it. The forms of the
firmware's languages are here; further ones come by the entry-point group ``chub.paste``, second readers by ``chub.oracle``.
"""

from __future__ import annotations

import ast
import base64
import codecs
import contextlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import cast

from firmware_emu.console.layers import Explained, LayerKnowledge, explain_any
from firmware_emu.errors import CommsHubError, DecodeError, NotAvailable
from firmware_emu.extras import load

_HEX_RUN = re.compile(r"(?<![0-9A-Za-z])(?:[0-9a-fA-F]{2}[ :,-]?){6,}(?![0-9A-Za-z])")
_BETWEEN = re.compile(r"[\s:;,|\-\"'\[\]{}()<>]+|\\x")
"""Signs that stand between octets: also those of a list, of quotation marks, and of a string in C."""
_BASE64_RUN = re.compile(r"(?<![0-9A-Za-z+/_-])3[QRSTwxyz][0-9A-Za-z+/_-]{20,}={0,2}")
"""A message of GBCS in base64: it begins with DD or DF."""
_DATE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?")
_NUMBER = r"(?:0[xX][0-9a-fA-F]{1,2}|\d{1,3})"
_NUMBERS = re.compile(rf"[\[{{(]\s*({_NUMBER}(?:\s*,\s*{_NUMBER})+)\s*,?\s*[\]}})]")
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_BYTES = re.compile(r"""\bb(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""")
_CLUSTER = re.compile(r"cluster_?id[=:]\s*(0x[0-9a-f]+|\d+)", re.IGNORECASE)
_TAG = re.compile(r"\s*<[?!A-Za-z_].*(?:/|\?)[^<>]*>\s*$", re.DOTALL)
_SHORTEST_UNPADDED = 16
"""Letters from which on base64 without its padding is taken for that (own limit): a word of prose is shorter."""
_DUMP = re.compile(r"^(?:0x)?[0-9a-fA-F]{4,8}:?\s{1,3}((?:[0-9a-fA-F]{2,4}\s{1,2})+)(?:\s*\|?.{0,20})?$")


@dataclass(frozen=True, slots=True)
class Piece:
    """Octets out of what was pasted. ``where`` names the place; ``layer`` is what they are, None: to be found.

    ``words``: what the form itself has read, in place of octets.
    """

    where: str
    octets: bytes = b""
    layer: str | None = None
    words: str = ""
    cluster: int | None = None


@dataclass(frozen=True, slots=True)
class Pasted:
    """Content of a clipboard or file: its octets, its text where it is some, and its file where it came from one."""

    octets: bytes
    file: Path | None = None
    text: str | None = field(init=False)

    def __post_init__(self) -> None:
        code = "utf-16" if self.octets.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
        try:
            object.__setattr__(self, "text", self.octets.decode(code))
        except UnicodeDecodeError:
            object.__setattr__(self, "text", None)


@dataclass(frozen=True, slots=True)
class Form:
    """``pieces`` gives none for what is not of this form, and raises CommsHubError for what is and cannot be read.

    Forms are asked by their ``rank``, the lowest first: one that cannot be anything else before one that many things look like.
    """

    name: str
    about: str
    rank: int
    pieces: Callable[[Pasted], Sequence[Piece]]
    keys: Callable[[Pasted], Sequence[bytes]] | None = None
    """HAN keys that lie beside it."""


@dataclass(frozen=True, slots=True)
class Oracle:
    """A second reader that nobody here wrote: ``judge`` gives one line a disagreement, and raises NotAvailable where it cannot be run."""

    name: str
    layers: tuple[str, ...]
    judge: Callable[[Piece, Explained, LayerKnowledge], Sequence[str]]


@cache
def forms() -> tuple[Form, ...]:
    """All forms that are installed, in the order in which they are asked."""
    return tuple(sorted((one for one in _rows("chub.paste") if isinstance(one, Form)), key=lambda form: form.rank))


@cache
def oracles() -> tuple[Oracle, ...]:
    """All second readers that are declared, whether their programs are here or not."""
    return tuple(one for one in _rows("chub.oracle") if isinstance(one, Oracle))


def _rows(group: str) -> list[object]:
    found: list[object] = []
    for entry in sorted(entry_points(group=group)):
        with contextlib.suppress(NotAvailable):
            found += cast("Sequence[object]", load(entry))
    return found


def take_apart(pasted: Pasted) -> tuple[Form, Sequence[Piece]]:
    """The form of what was pasted, and its pieces. Raises DecodeError where it is of none."""
    if not pasted.octets.strip():
        raise DecodeError(
            0, "what was pasted", f"read nothing, expected what one of these reads: {', '.join(form.name for form in forms())}"
        )
    for form in forms():
        pieces = form.pieces(pasted)
        if pieces:
            return form, pieces
    shown = (pasted.text or pasted.octets.hex(" "))[:40]
    digits = "".join(_BETWEEN.split(pasted.text or ""))
    if re.fullmatch(r"[0-9a-fA-F]+", digits):
        raise DecodeError(0, "what was pasted", f"read {len(digits)} hexadecimal digits, {shown!r}: expected two for each octet")
    raise DecodeError(0, "what was pasted", f"read {shown!r}, expected what one of these reads: {', '.join(form.name for form in forms())}")


def explain_piece(piece: Piece, known: LayerKnowledge) -> Explained:
    """The explanation of a piece with octets. Raises DecodeError."""
    return explain_any(piece.octets, replace(known, cluster=piece.cluster) if piece.cluster is not None else known, piece.layer)


def octets_of_text(text: str) -> bytes | None:
    """Octets in hexadecimal, with or without separators and ``0x``, or in base64 of either alphabet; None where it is neither."""
    words = [word for word in _BETWEEN.split(text) if word]
    octets = [word[2:].zfill(2) if word[:2] in ("0x", "0X") else word for word in words]
    if re.fullmatch(r"(?:[0-9a-fA-F]{2})+", "".join(octets)) and not (re.search("[,;|]", text) and any(len(one) % 2 for one in octets)):
        return bytes.fromhex("".join(octets))
    letters = "".join(text.split()).translate(str.maketrans("-_", "+/"))
    if len(letters) >= _SHORTEST_UNPADDED and " " not in text.strip():
        letters += "=" * (-len(letters) % 4)
    try:
        return base64.b64decode(letters, validate=True) or None
    except ValueError:  # binascii's own, and a letter that is not ASCII
        return None


def _pem(pasted: Pasted) -> list[Piece]:
    found = re.findall(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", pasted.text or "", re.DOTALL)
    secret = [name for name, _ in found if "PRIVATE KEY" in name]
    if secret:
        raise CommsHubError(f"what was pasted has a {secret[0]}: a secret is not shown; paste the certificate alone")
    if not found and (begun := re.match(r"\s*-----BEGIN ([A-Z0-9 ]+)-----", pasted.text or "")) is not None:
        raise DecodeError(0, "what was pasted", f"begins with BEGIN {begun[1]}, expected the line END {begun[1]} behind it")
    return [Piece(f"{name.lower()} {number}", base64.b64decode(body), "der") for number, (name, body) in enumerate(found, 1)]


def _trace(pasted: Pasted) -> list[Piece]:
    pieces = []
    for line in (pasted.text or "").splitlines():
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            return []
        if not isinstance(row, dict) or "number" not in row or "event" not in row:
            return []
        if row.get("data"):
            pieces.append(Piece(f"@{row['number']} {row.get('source')} {row['event']}", bytes.fromhex(str(row["data"]))))
    return pieces


def _dump(pasted: Pasted) -> list[Piece]:
    lines = [line for line in (pasted.text or "").splitlines() if line.strip()]
    rows = [_DUMP.match(line + " ") for line in lines]
    if not rows or not all(rows):
        return []
    octets = bytes.fromhex("".join("".join(row[1].split()) for row in rows if row is not None))
    return [Piece("the dump", octets)] if octets else []


def _xml(pasted: Pasted) -> list[Piece]:
    text = pasted.text or ""
    if re.match(r"HTTP/\d|[A-Z]+ \S+ HTTP/\d", text):
        text = re.split(r"\r?\n\r?\n", text, maxsplit=1)[-1]
    if not _TAG.match(text):
        return []
    octets = pasted.octets if text == pasted.text else text.encode()
    return [Piece("the XML", octets.strip(), "xml")]


def _text(pasted: Pasted) -> list[Piece]:
    if pasted.text is None:
        return []
    lines = [(number, line.strip()) for number, line in enumerate(pasted.text.splitlines(), 1) if line.strip()]
    each = [(number, octets_of_text(line)) for number, line in lines]
    whole = octets_of_text(pasted.text)
    several = len(each) > 1 and all(octets is not None and octets[:1] in (b"\xdd", b"\xdf") for _, octets in each)
    if several:
        return [Piece(f"line {number}", octets or b"") for number, octets in each]
    return [] if whole is None else [Piece(f"{len(whole)} octets", whole)]


def _number(text: str) -> int:
    return int(text, 16 if "x" in text.lower() else 10)


def _string(text: str) -> bytes:
    try:
        return bytes(ast.literal_eval(text))
    except (SyntaxError, ValueError):  # cut short within an escape
        return b""


def _literals(pasted: Pasted) -> list[Piece]:
    """Lists of numbers, and strings of octets as Python writes them, each with the cluster that its line names."""
    text = pasted.text or ""
    lists = [[_number(one) for one in found.split(",")] for found in _NUMBERS.findall(_COMMENT.sub("", text))]
    pieces = [Piece(f"list {number}", bytes(one)) for number, one in enumerate(lists, 1) if max(one) <= 0xFF]
    for number, line in enumerate(text.splitlines(), 1) if not pieces else ():
        strings = [_string(one) for one in _BYTES.findall(line)]
        if longest := max(strings, key=len, default=b""):
            cluster = _CLUSTER.search(line)
            layer = None if cluster is None else "zcl"
            octets = bytes.fromhex(longest.decode("ascii")) if re.fullmatch(rb"(?:[0-9a-fA-F]{2}){3,}", longest) else longest
            pieces.append(Piece(f"line {number}", octets, layer, cluster=None if cluster is None else int(cluster[1], 0)))
    return pieces


def _runs(pasted: Pasted) -> list[Piece]:
    pieces = []
    for number, line in enumerate((pasted.text or "").splitlines(), 1):
        found = (*_HEX_RUN.findall(_DATE.sub("", line)), *_BASE64_RUN.findall(line))
        runs = [octets for run in found if (octets := octets_of_text(run)) is not None]
        if runs:
            pieces.append(Piece(f"line {number}", max(runs, key=len)))
    return pieces


def _binary(pasted: Pasted) -> list[Piece]:
    written = pasted.text is not None and all(letter.isprintable() or letter.isspace() for letter in pasted.text)
    return [] if written else [Piece(f"{len(pasted.octets)} octets", pasted.octets)]


FORMS: Sequence[Form] = (
    Form("pem", "certificates between BEGIN and END", 10, _pem),
    Form("trace", "lines of a run's trace.jsonl", 20, _trace),
    Form("xml", "a DUIS service request or response, or any XML", 30, _xml),
    Form("dump", "a hex dump with offsets, as xxd and Wireshark copy it", 40, _dump),
    Form("text", "octets in hexadecimal or base64", 50, _text),
    Form("literals", "octets as a program writes them", 70, _literals),
    Form("lines", "lines with octets in hexadecimal, or GBCS in base64, among other words", 80, _runs),
    Form("binary", "the octets themselves", 90, _binary),
)
