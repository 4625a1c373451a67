"""Pictures in a report: turned as the camera was held, scaled, and without what the camera noted beside them (place, owner)."""

from __future__ import annotations

import base64
import hashlib
import io
from pathlib import Path
from typing import TypedDict

from PIL import Image, ImageOps, UnidentifiedImageError

from firmware_emu.errors import BoardError, in_words

_LONGEST_SIDE = 1280
_QUALITY = 82
_SUFFIXES = (".jpg", ".jpeg", ".png")


class PictureRow(TypedDict):
    """One picture of a report. ``sha256`` is of the file as it was, hex; ``jpeg`` is what the report shows, base64."""

    what: str
    file: str
    sha256: str
    jpeg: str


def picture(path: Path, what: str, key: str) -> PictureRow:
    """The picture in a file, which the board names under ``key``. Raises BoardError for a file that is not there or shows nothing."""
    octets = _octets(path, key)
    try:
        with Image.open(io.BytesIO(octets)) as opened:
            shown = ImageOps.exif_transpose(opened).convert("RGB")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError) as wrong:
        raise BoardError(str(path), key, f"is no picture that can be read ({in_words(wrong)}): expected a JPEG or PNG file") from wrong
    shown.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    out = io.BytesIO()
    shown.save(out, "JPEG", quality=_QUALITY)
    return {
        "what": what,
        "file": path.name,
        "sha256": hashlib.sha256(octets).hexdigest(),
        "jpeg": base64.b64encode(out.getvalue()).decode(),
    }


def shows(path: Path) -> bool:
    """True if a file is a picture by its name."""
    return path.suffix.lower() in _SUFFIXES


def attachment(path: Path, key: str) -> str:
    """Name and SHA-256 of a file, as a report names it. Raises BoardError for one that is not there."""
    return f"{path.name} (SHA-256 {hashlib.sha256(_octets(path, key)).hexdigest()})"


def _octets(path: Path, key: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as wrong:
        raise BoardError(str(path), key, f"{wrong.strerror}: give the path of a file, or leave it out") from wrong
