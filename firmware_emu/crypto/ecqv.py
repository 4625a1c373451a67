"""Implicit certificates (ECQV) of Certificate Based Key Establishment."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class CbkeCredentials:
    """What a Device needs for key establishment.

    ``certificate`` is the implicit certificate (48 octets in suite 1, 74 in suite 2), ``private_key`` the static private scalar,
    ``ca_public_key`` the issuing authority's compressed point, ``suite`` 1 or 2. ``repr`` hides the private key.
    """

    certificate: bytes
    private_key: int = field(repr=False)
    ca_public_key: bytes
    suite: int
