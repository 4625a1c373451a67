"""Holder and purpose of a certificate: remote party roles, key usages, cell usages, device types.

Numbers are those of GBCS trust anchor cells (reference gbcs-behaviour 2, gbcs-messages 1.6 and 6).
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Final

from firmware_emu.ids import Eui64


class RemotePartyRole(IntEnum):
    """Role of an organisation; the OU of its certificates is this number as two hexadecimal digits (SMKI, reference dcc-side 7)."""

    ROOT = 0
    RECOVERY = 1
    SUPPLIER = 2
    NETWORK_OPERATOR = 3
    ACCESS_CONTROL_BROKER = 4
    TRANSITIONAL_COS = 5
    WAN_PROVIDER = 6
    ISSUING_AUTHORITY = 7
    LOAD_CONTROLLER = 8
    OTHER = 127


class KeyUsage(Enum):
    """Purpose of a key pair. The value is the bit of X.509 key usage that stands for it (reference gbcs-behaviour 2)."""

    DIGITAL_SIGNATURE = 0
    KEY_AGREEMENT = 4
    KEY_CERT_SIGN = 5


class CellUsage(IntEnum):
    """Second half of a trust anchor cell's name: ordinary management, or the supplier's prepayment top-up pair."""

    MANAGEMENT = 0
    PREPAYMENT_TOP_UP = 1


class DeviceType(IntEnum):
    """Device types in the numbering of GBCS (CS02, CCS messages)."""

    GSME = 0
    ESME = 1
    CHF = 2
    GPF = 3
    HCALCS = 4
    PPMID = 5
    TYPE_2 = 6


XML_SIGNING_USER: Final = 0x87
"""OU of a user's certificate for signing DUIS requests (reference dcc-side 7)."""

XML_SIGNING_DCC: Final = 0x89
"""OU of the DCC's certificate for signing DUIS responses (reference dcc-side 7)."""

NO_ENTITY: Final = Eui64(bytes(8))
"""Stands for a certification authority, whose certificate names no entity: GBCS writes eight zero octets (reference gbcs-messages 6.1)."""
