"""Parse and Correlate: software for a user of the DCC, independent of the transform it checks.

:func:`correlate` says whether a pre-command asks of a Device what the service request asks; :func:`parse` reads what a Device answered or
reported, and :func:`to_mmc` writes that as MMC XML. The package stands alone: it shares no code with any other.
"""

from __future__ import annotations

from .correlate import Correlation, Difference, Known, NotChecked, correlate
from .errors import DecodeError, KeyFileError, ParseCorrelateError, RequestError
from .keys import AGREEMENT, SIGNING, KeyFolder, Keys
from .message.dlms import Value
from .message.envelope import Entity
from .message.zcl import ZclCommand
from .parse import Field, MmcError, Parsed, gaps, parse, to_mmc

__all__ = [
    "AGREEMENT",
    "SIGNING",
    "Correlation",
    "DecodeError",
    "Difference",
    "Entity",
    "Field",
    "KeyFileError",
    "KeyFolder",
    "Keys",
    "Known",
    "MmcError",
    "NotChecked",
    "ParseCorrelateError",
    "Parsed",
    "RequestError",
    "Value",
    "ZclCommand",
    "correlate",
    "gaps",
    "parse",
    "to_mmc",
]
