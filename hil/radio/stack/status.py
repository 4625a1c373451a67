"""Status codes of the stack, with their number in each of the three tables that EZSP versions use.

Numbers: EmberStatus and EzspStatus up to EZSP 13, sl_status from 14 on (reference ezsp-ncp 2; values as bellows names them).
"""

from __future__ import annotations

from enum import Enum


class Status(Enum):
    """Status that the stack answers: (EmberStatus, sl_status)."""

    SUCCESS = (0x00, 0x00)
    FATAL = (0x01, 0x01)
    BAD_ARGUMENT = (0x02, 0x21)
    NOT_FOUND = (0x03, 0x2D)
    NO_BUFFERS = (0x18, 0x19)
    MAC_NO_DATA = (0x31, 0x3F)
    MAC_BAD_SCAN_DURATION = (0x33, 0x01)
    MAC_INCORRECT_SCAN_TYPE = (0x34, 0x01)
    MAC_INVALID_CHANNEL_MASK = (0x35, 0x4F)
    MAC_SCANNING = (0x3D, 0x4D)
    MAC_NO_ACK_RECEIVED = (0x40, 0x40)
    MAC_INDIRECT_TIMEOUT = (0x42, 0x41)
    FLASH_WRITE_INHIBITED = (0x46, 0x01)
    DELIVERY_FAILED = (0x66, 0xC02)
    INVALID_BINDING_INDEX = (0x6C, 0x27)
    INVALID_CALL = (0x70, 0x02)
    MAX_MESSAGE_LIMIT_REACHED = (0x72, 0xC03)
    MESSAGE_TOO_LONG = (0x74, 0x38)
    PHY_INVALID_CHANNEL = (0x8A, 0x55)
    PHY_INVALID_POWER = (0x8B, 0x56)
    NETWORK_UP = (0x90, 0x15)
    NETWORK_DOWN = (0x91, 0x16)
    NOT_JOINED = (0x93, 0x17)
    JOIN_FAILED = (0x94, 0x01)
    MOVE_FAILED = (0x96, 0xC06)
    CHANNEL_CHANGED = (0x9B, 0xC17)
    NETWORK_OPENED = (0x9C, 0xC18)
    NETWORK_CLOSED = (0x9D, 0xC19)
    NETWORK_BUSY = (0xA1, 0x04)
    INVALID_ENDPOINT = (0xA3, 0x21)
    APS_ENCRYPTION_ERROR = (0xA6, 0xC0A)
    SECURITY_STATE_NOT_SET = (0xA8, 0xC0B)
    NO_BEACONS = (0xAB, 0x18)
    NO_NETWORK_KEY_RECEIVED = (0xAD, 0xC1B)
    INDEX_OUT_OF_RANGE = (0xB1, 0x27)
    KEY_INVALID = (0xB2, 0x29)
    TABLE_FULL = (0xB4, 0x1C)
    LIBRARY_NOT_PRESENT = (0xB5, 0x0E)
    TABLE_ENTRY_ERASED = (0xB6, 0x2D)
    SECURITY_CONFIGURATION_INVALID = (0xB7, 0x23)
    SIGNATURE_VERIFY_FAILURE = (0xB9, 0xC0D)
    OPERATION_IN_PROGRESS = (0xBA, 0x05)

    def __init__(self, ember: int, sl: int) -> None:
        self.ember = ember
        self.sl = sl


class EzspStatus(Enum):
    """Status that the EZSP layer itself answers: (EzspStatus, sl_status). From version 14 on the details are lost (reference ncp-real
    2)."""

    SUCCESS = (0x00, 0x00)
    ERROR_VERSION_NOT_SET = (0x30, 0xC1E)
    ERROR_INVALID_FRAME_ID = (0x31, 0xC1E)
    ERROR_WRONG_DIRECTION = (0x32, 0xC1E)
    ERROR_TRUNCATED = (0x33, 0xC1E)
    ERROR_OVERFLOW = (0x34, 0xC1E)
    ERROR_OUT_OF_MEMORY = (0x35, 0xC1E)
    ERROR_INVALID_VALUE = (0x36, 0xC1E)
    ERROR_INVALID_ID = (0x37, 0xC1E)
    ERROR_INVALID_CALL = (0x38, 0xC1E)
    ERROR_COMMAND_TOO_LONG = (0x40, 0xC1E)
    ERROR_UNSUPPORTED_CONTROL = (0x49, 0xC1E)

    def __init__(self, ember: int, sl: int) -> None:
        self.ember = ember
        self.sl = sl
