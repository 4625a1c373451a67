"""Introduction of a hand-held terminal to a hub, and the answer: one sealed message each way, after key establishment.

The reference has the step (inter-PAN key establishment, then "own install code and id", reference chts 3) and no layout. What stands here
is profile-supplied: a number for the kind of message, then AES-128-GCM under the key that was established, which serves for
these two messages only; the terminal's EUI-64 is the additional data. The cluster that carries them is ``hand_held_cluster`` of the hub's
profile.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Self

from firmware_emu.crypto import primitives
from firmware_emu.errors import DecodeError
from firmware_emu.ids import Eui64, InstallCode

_TO_HUB, _TO_TERMINAL = 1, 2
_CODE_OCTETS = 16
_ADMISSION = struct.Struct(">H")


@dataclass(frozen=True, slots=True)
class Introduction:
    """Identity that a terminal claims."""

    terminal: Eui64
    install_code: InstallCode

    def seal(self, key: bytes) -> bytes:
        """The message, under the established key."""
        return _seal(_TO_HUB, key, self.terminal, self.terminal.octets + self.install_code.octets)

    @classmethod
    def unseal(cls, key: bytes, sender: Eui64, octets: bytes) -> Self:
        """Words of ``sender``. Raises DecodeError (no such message), ProtectionError (not under this key)."""
        plain = _unseal(_TO_HUB, key, sender, octets)
        if len(plain) != 8 + _CODE_OCTETS or plain[:8] != sender.octets:
            raise DecodeError(1, "identity", f"{len(plain)} octets, expected the sender's own EUI-64 and its install code")
        return cls(sender, InstallCode(plain[8:]))


@dataclass(frozen=True, slots=True)
class Admission:
    """Answer of the hub: the seconds from now for which the terminal may be on the HAN."""

    seconds: int

    def seal(self, key: bytes, terminal: Eui64) -> bytes:
        """The message for ``terminal``."""
        return _seal(_TO_TERMINAL, key, terminal, _ADMISSION.pack(self.seconds))

    @classmethod
    def unseal(cls, key: bytes, terminal: Eui64, octets: bytes) -> Self:
        """Answer of the hub to ``terminal``. Raises DecodeError, ProtectionError."""
        plain = _unseal(_TO_TERMINAL, key, terminal, octets)
        if len(plain) != _ADMISSION.size:
            raise DecodeError(1, "time on the HAN", f"{len(plain)} octets, expected {_ADMISSION.size}")
        return cls(*_ADMISSION.unpack(plain))


def _iv(kind: int) -> bytes:
    """Each key seals one message of each kind, so that no IV comes twice under it."""
    return bytes(11) + bytes((kind,))


def _seal(kind: int, key: bytes, terminal: Eui64, plain: bytes) -> bytes:
    return bytes((kind,)) + primitives.encrypt(key, _iv(kind), terminal.octets, plain)


def _unseal(kind: int, key: bytes, terminal: Eui64, octets: bytes) -> bytes:
    if octets[:1] != bytes((kind,)):
        raise DecodeError(0, "kind of message", f"{octets[:1].hex() or 'nothing'}, expected {kind:02x}")
    return primitives.decrypt(key, _iv(kind), terminal.octets, octets[1:])
