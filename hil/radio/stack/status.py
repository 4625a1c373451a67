"""Status codes of the stack, with their number in each of the three tables that EZSP versions use.

Numbers: EmberStatus and EzspStatus up to EZSP 13, sl_status from 14 on (reference ezsp-ncp 2; values as bellows names them).
"""

from __future__ import annotations

from enum import Enum


class Status(Enum):
    """What the stack answers: (EmberStatus, sl_status)."""

    SUCCESS = (0x00, 0x00)
    FATAL = (0x01, 0x01)
    BAD_ARGUMENT = (0x02, 0x21)
    NOT_FOUND = (0x03, 0x2D)
    NO_BUFFERS = (0x18, 0x19)
    MAC_NO_DATA = (0x31, 0x3F)
    MAC_BAD_SCAN_DURATION = (0x33, 0x50)
    MAC_INCORRECT_SCAN_TYPE = (0x34, 0x4E)
    MAC_INVALID_CHANNEL_MASK = (0x35, 0x4F)
    MAC_SCANNING = (0x3D, 0x4D)
    MAC_NO_ACK_RECEIVED = (0x40, 0x40)
    MAC_INDIRECT_TIMEOUT = (0x42, 0x41)
    DELIVERY_FAILED = (0x66, 0xC02)
    INVALID_CALL = (0x70, 0x02)
    MESSAGE_TOO_LONG = (0x74, 0x38)
    PHY_INVALID_CHANNEL = (0x8A, 0x55)
    NETWORK_UP = (0x90, 0x15)
    NETWORK_DOWN = (0x91, 0x16)
    NOT_JOINED = (0x93, 0x17)
    JOIN_FAILED = (0x94, 0x01)
    MOVE_FAILED = (0x96, 0xC06)
    NETWORK_OPENED = (0x9C, 0xC18)
    NETWORK_CLOSED = (0x9D, 0xC19)
    INVALID_ENDPOINT = (0xA3, 0x21)
    APS_ENCRYPTION_ERROR = (0xA6, 0xC0A)
    SECURITY_STATE_NOT_SET = (0xA8, 0xC0B)
    NO_BEACONS = (0xAB, 0x18)
    NO_NETWORK_KEY_RECEIVED = (0xAD, 0xC1B)
    INDEX_OUT_OF_RANGE = (0xB1, 0x27)
    TABLE_FULL = (0xB4, 0x1C)
    LIBRARY_NOT_PRESENT = (0xB5, 0x0F)
    TABLE_ENTRY_ERASED = (0xB6, 0x2E)

    @property
    def ember(self) -> int:
        return self.value[0]

    @property
    def sl(self) -> int:
        return self.value[1]


class EzspStatus(Enum):
    """What the EZSP layer itself answers: (EzspStatus, sl_status)."""

    SUCCESS = (0x00, 0x00)
    ERROR_VERSION_NOT_SET = (0x30, 0x11)
    ERROR_INVALID_FRAME_ID = (0x31, 0x0F)
    ERROR_TRUNCATED = (0x33, 0x21)
    ERROR_OUT_OF_MEMORY = (0x35, 0x19)
    ERROR_INVALID_VALUE = (0x36, 0x22)
    ERROR_INVALID_ID = (0x37, 0x21)
    ERROR_INVALID_CALL = (0x38, 0x02)

    @property
    def ember(self) -> int:
        return self.value[0]

    @property
    def sl(self) -> int:
        return self.value[1]
