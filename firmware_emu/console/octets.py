"""Octets by words: in hex, of a record (``@12``, ``@-1`` for the last with octets), or of a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from firmware_emu.console.declare import WordError, WordKind
from firmware_emu.trace import Record

if TYPE_CHECKING:
    from firmware_emu.console.core import Core

Octets = Annotated[str, WordKind("octets in hex, @NUMBER of a record, or a file", str, "octets")]


def record_of(bench: Core, word: str) -> Record:
    """The record that ``@12`` names. Raises WordError."""
    records = bench.records
    try:
        number = int(word[1:])
    except ValueError:
        raise WordError(f"read {word!r}, expected @ and the number of a record, as `trace show` prints it") from None
    found = records[number - 1 : number] if number > 0 else records[number:][:1]
    if not found:
        raise WordError(f"read {word!r}, expected @1 to @{len(records)}")
    return found[0]


def octets_of(bench: Core, words: tuple[str, ...]) -> tuple[bytes, str, Record | None]:
    """The octets that the words name, what to call them, and the record that they are of. Raises WordError."""
    if not words:
        raise WordError("octets: expected OCTETS, in hex, @NUMBER of a record, or a file")
    if words[0].startswith("@"):
        whole = [one for one in bench.records if one.data is not None]
        counted = words[0][1:2] == "-" and words[0][2:].isdecimal() and whole
        record = whole[max(int(words[0][1:]), -len(whole))] if counted else record_of(bench, words[0])
        if record.data is None:
            raise WordError(f"read {words[0]!r}, a record without octets ({record.source} {record.event})")
        return record.data, f"@{record.number}", record
    text = "".join("".join(words).split()).replace(":", "").replace("-", "").replace(",", "").replace("0x", "")
    try:
        return bytes.fromhex(text), f"{len(text) // 2} octets", None
    except ValueError:
        path = Path(words[0])
        if len(words) == 1 and os.path.isfile(path):
            content = path.read_bytes()
            try:
                return bytes.fromhex(content.decode("ascii")), path.name, None
            except ValueError:
                return content, path.name, None
        read = " ".join(words)[:40]
        raise WordError(f"octets: read {read!r}, expected hex digits in pairs, @NUMBER, or a file that is there") from None
