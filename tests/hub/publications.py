"""Publications of a gas supplier as fields: tariff, calendar, day profile; and what asks for them."""

from __future__ import annotations

from firmware_emu.zse.declare import FieldValue

SINCE: dict[str, FieldValue] = {"earliest": 0, "minimum_event": 0, "count": 1}
TARIFFS: dict[str, FieldValue] = {**SINCE, "tariff_type": 0}
ISSUED: dict[str, FieldValue] = {"provider": 7, "event": 1}


def tariff(standing: int, start: int = 0) -> dict[str, FieldValue]:
    return {
        **ISSUED,
        "tariff": 3,
        "start": start,
        "type_and_scheme": 0,
        "label": b"",
        "price_tiers": 1,
        "block_thresholds": 0,
        "unit": 0,
        "currency": 826,
        "trailing_digit": 0x50,
        "standing_charge": standing,
        "tier_block_mode": 0,
        "multiplier": 1,
        "divisor": 1000,
    }


def day(number: int, calendar: int = 9, kind: int = 0) -> dict[str, FieldValue]:
    return {
        **ISSUED,
        "calendar": calendar,
        "day": number,
        "total": 1,
        "command_index": 0,
        "command_count": 1,
        "calendar_type": kind,
        "entries": ({"minute": 0, "value": number},),
    }


def calendar(number: int = 9, kind: int = 0) -> dict[str, FieldValue]:
    return {
        **ISSUED,
        "calendar": number,
        "start": 0,
        "calendar_type": kind,
        "time_reference": 0,
        "name": b"",
        "seasons": 1,
        "weeks": 1,
        "days": 2,
    }
