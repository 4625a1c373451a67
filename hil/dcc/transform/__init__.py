"""Transform: service request to GBCS command, as data rows and at most one function a use case (reference gbcs-messages 11)."""

from __future__ import annotations

from hil.dcc.transform.context import DeviceProfile, Edition, KnownDevice, StoredLog, TransformContext, TransformError
from hil.dcc.transform.message import Selection, originated_by_dcc, select, transform, use_cases_of

__all__ = [
    "DeviceProfile",
    "Edition",
    "KnownDevice",
    "Selection",
    "StoredLog",
    "TransformContext",
    "TransformError",
    "originated_by_dcc",
    "select",
    "transform",
    "use_cases_of",
]
