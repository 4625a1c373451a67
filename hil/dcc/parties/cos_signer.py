"""The signer of a change of supplier as the main DCC systems see it: a protocol, and nothing that could sign (COS-01 [142]).

The enduring arrangement, in which the losing supplier signs, can take the CoS Party's place behind it (COS-07 [147]).
"""

from __future__ import annotations

from typing import Protocol

from firmware_emu.gbcs.envelope import Message
from firmware_emu.ids import Eui64
from hil.dcc.base.results import Refusal
from hil.dcc.duis import ServiceRequest


class CosSigner(Protocol):
    """Signer of a change of supplier's credentials."""

    @property
    def eui(self) -> Eui64: ...

    def confirm(self, request: ServiceRequest) -> Refusal | None:
        """Why the request is not valid, by the signer's own checks; None if it is."""
        ...

    def sign(self, request: ServiceRequest, pre_command: bytes) -> Message | Refusal:
        """Correlate, then sign."""
        ...
