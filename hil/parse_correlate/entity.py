"""The 8-octet identifier of a Device or party."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TEXT = re.compile(r"(?:[0-9A-Fa-f]{2}-?){7}[0-9A-Fa-f]{2}")


@dataclass(frozen=True, slots=True, order=True)
class Entity:
    """An EUI-64. Text form: 16 hexadecimal digits; ``hyphenated`` is the one that requests and MMC documents use."""

    octets: bytes

    @classmethod
    def parse(cls, text: str) -> Entity:
        """Read ``90-B3-D5-1F-30-01-00-00`` or ``90b3d51f30010000``. Raises ValueError."""
        if not _TEXT.fullmatch(text.strip()):
            raise ValueError(f"read {text[:40]!r}, expected 8 octets in hexadecimal, as 90-B3-D5-1F-30-01-00-00")
        return cls(bytes.fromhex(text.strip().replace("-", "")))

    @property
    def hyphenated(self) -> str:
        return self.octets.hex("-").upper()

    def __str__(self) -> str:
        return self.octets.hex()
