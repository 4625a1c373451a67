"""Messages as people hand them over: hexadecimal, base64 or binary; in an argument, in files and folders, on standard input."""

from __future__ import annotations

import base64
import binascii
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from firmware_emu.errors import IdentifierError

STANDARD_INPUT = "-"
SUFFIXES = frozenset({".hex", ".bin", ".b64", ".base64", ".gbcs", ".txt", ""})
"""Suffixes of the files that are read in a folder; a file named itself is read whatever its suffix."""
_TAGS = (b"\xdd", b"\xdf")
_HEX = re.compile(r"(?:0[xX])?(?:[0-9a-fA-F]{2})+")
_SEPARATORS = re.compile(r"[\s:,-]+")
_EXPECTED = "hexadecimal or base64 of octets that begin with dd or df, or these octets themselves"


@dataclass(frozen=True, slots=True)
class Found:
    """One message, or why there is none; ``name`` is its file, with the line where a file holds several."""

    name: str
    octets: bytes
    problem: str = ""


def from_text(text: str) -> bytes | None:
    """Octets written in hexadecimal (with or without separators) or base64; None where it is neither."""
    digits = _SEPARATORS.sub("", text)
    if _HEX.fullmatch(digits):
        return bytes.fromhex(digits.removeprefix("0x").removeprefix("0X"))
    try:
        return base64.b64decode("".join(text.split()), validate=True) or None
    except binascii.Error:
        return None


def from_content(name: str, content: bytes) -> Iterator[Found]:
    """The messages of a file: one in any form, or several in text, one a line."""
    if content[:1] in _TAGS:
        yield Found(name, content)
        return
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        yield Found(name, content, f"starts with {content[:1].hex()}, expected {_EXPECTED}")
        return
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    by_line = [(f"{name}:{number}", from_text(line)) for number, line in lines]
    if len(by_line) > 1 and all(octets is not None and octets[:1] in _TAGS for _, octets in by_line):
        yield from (Found(place, octets or b"") for place, octets in by_line)
        return
    octets = from_text(text)
    yield Found(name, b"", f"starts with {text.strip()[:8]!r}, expected {_EXPECTED}") if octets is None else Found(name, octets)


def read_one(argument: str) -> bytes:
    """The message in an argument: its text, a file, or ``-``. Raises IdentifierError or UsageError."""
    if argument != STANDARD_INPUT and not os.path.isfile(argument):
        octets = from_text(argument)
        if octets is None:
            shown = argument if len(argument) <= 40 else f"{argument[:37]}..."
            raise IdentifierError("a message", shown, "hexadecimal, base64, the name of a file, or - for standard input")
        return octets
    found = list(from_content(argument, _content(argument)))
    if len(found) > 1:
        raise click.UsageError(f"{argument}: {len(found)} messages, one a line; hand over one of them")
    if found[0].problem:
        raise IdentifierError("a message", found[0].name, found[0].problem)
    return found[0].octets


def _content(argument: str) -> bytes:
    return sys.stdin.buffer.read() if argument == STANDARD_INPUT else Path(argument).read_bytes()


def files_in(paths: tuple[str, ...]) -> list[str]:
    """Every file named, and those of the folders named whose suffix is one of :data:`SUFFIXES`. Raises UsageError for what is not there."""
    names: list[str] = []
    for path in paths:
        if os.path.isdir(path):
            inside = (entry for entry in Path(path).rglob("*") if entry.is_file() and not entry.name.startswith("."))
            names.extend(sorted(str(entry) for entry in inside if entry.suffix.lower() in SUFFIXES))
        elif path == STANDARD_INPUT or os.path.exists(path):
            names.append(path)
        else:
            raise click.UsageError(f"{path} is neither a file nor a folder of messages, nor - for standard input")
    if not names:
        endings = ", ".join(sorted(suffix for suffix in SUFFIXES if suffix))
        raise click.UsageError(f"no messages in {', '.join(paths)}: files ending in {endings} or in nothing are read")
    return names


def read_files(names: list[str]) -> Iterator[Found]:
    """The messages of all these files."""
    for name in names:
        yield from from_content(name, _content(name))
