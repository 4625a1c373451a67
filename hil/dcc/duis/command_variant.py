"""The DUIS command variants: what the gateway is to do with a request (DUIS schema 5.4; reference dcc-side 1)."""

from __future__ import annotations

from enum import IntEnum


class CommandVariant(IntEnum):
    """Of a service request, or of the signed pre-command with which a critical one comes back."""

    SEND = 1
    RETURN = 2
    """Return the Command to the user for local delivery."""
    SEND_AND_RETURN = 3
    TRANSFORM = 4
    """Of a critical request: return its pre-command."""
    SIGNED_SEND = 5
    SIGNED_RETURN = 6
    SIGNED_SEND_AND_RETURN = 7
    NON_DEVICE = 8

    @property
    def local(self) -> bool:
        """True if the Command goes back to the user for local delivery."""
        return self in _LOCAL

    @property
    def over_wan(self) -> bool:
        """True if the Command goes to the hub."""
        return self in _OVER_WAN


_LOCAL = frozenset(
    {CommandVariant.RETURN, CommandVariant.SEND_AND_RETURN, CommandVariant.SIGNED_RETURN, CommandVariant.SIGNED_SEND_AND_RETURN}
)
_OVER_WAN = frozenset(
    {CommandVariant.SEND, CommandVariant.SEND_AND_RETURN, CommandVariant.SIGNED_SEND, CommandVariant.SIGNED_SEND_AND_RETURN}
)
SIGNED = frozenset({CommandVariant.SIGNED_SEND, CommandVariant.SIGNED_RETURN, CommandVariant.SIGNED_SEND_AND_RETURN})
"""Of a signed pre-command."""
NON_CRITICAL = frozenset({CommandVariant.SEND, CommandVariant.RETURN, CommandVariant.SEND_AND_RETURN})
