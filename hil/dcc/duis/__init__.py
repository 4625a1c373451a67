"""DUIS service requests: read, checked, built, written, signed (DUIS schema 5.4; reference dcc-side 1)."""

from __future__ import annotations

from hil.dcc.duis.document import (
    Verified,
    new_request,
    read_request,
    read_stored,
    sign_request,
    signed_pre_command,
    validate,
    verify_request,
    write_request,
)
from hil.dcc.duis.request import VARIANTS, RequestError, RequestId, ServiceRequest, Variant

__all__ = [
    "VARIANTS",
    "RequestError",
    "RequestId",
    "ServiceRequest",
    "Variant",
    "Verified",
    "new_request",
    "read_request",
    "read_stored",
    "sign_request",
    "signed_pre_command",
    "validate",
    "verify_request",
    "write_request",
]
