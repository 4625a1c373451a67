"""Source of fresh keys and nonces: the system's generator, unless the builder of a simulated bench hands in another."""

from __future__ import annotations

import secrets
from typing import Protocol


class Entropy(Protocol):
    """A source of octets that nobody can foretell."""

    def octets(self, count: int) -> bytes: ...

    def below(self, limit: int) -> int:
        """A number from 0 to ``limit`` - 1."""
        ...

    def stream(self, purpose: str) -> Entropy:
        """The source for one purpose, so that what others draw does not change what it gives."""
        ...


class SystemEntropy:
    """The operating system's generator; every purpose draws from the same."""

    def octets(self, count: int) -> bytes:
        return secrets.token_bytes(count)

    def below(self, limit: int) -> int:
        return secrets.randbelow(limit)

    def stream(self, purpose: str) -> SystemEntropy:
        return self


SYSTEM = SystemEntropy()
