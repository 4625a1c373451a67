"""Entries of a schedule (class 10) as a meter is given them."""

from __future__ import annotations

from firmware_emu.gbcs.axdr import BitString, Boolean, Data, LongUnsigned, OctetString, Structure


def switch(
    selector: int, at: str, weekdays: str = "1111111", special: str = "0", *, on: bool = True, begin: str = "", end: str = ""
) -> Data:
    """Run ``selector`` at a time of day (hexadecimal) on weekdays from Monday on, or on special days, from ``begin`` to ``end``."""

    def bits(text: str) -> BitString:
        padded = text.ljust(-(-len(text) // 8) * 8, "0")
        return BitString(int(padded, 2).to_bytes(len(padded) // 8, "big"), len(text))

    return Structure(
        (
            LongUnsigned(1),
            Boolean(on),
            OctetString(bytes(6)),
            LongUnsigned(selector),
            OctetString(bytes.fromhex(at)),
            LongUnsigned(0),
            bits(weekdays),
            bits(special),
            OctetString(bytes.fromhex(begin or "ffffffffff")),
            OctetString(bytes.fromhex(end or "ffffffffff")),
        )
    )
