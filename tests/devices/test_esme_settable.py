"""Every object that a Command of the catalogue sets on an electricity meter can be set; its neighbour writes and reads it back."""

from __future__ import annotations

import pytest

from firmware_emu.gbcs.dlms import Choice, parse_obis
from firmware_emu.gbcs.use_cases import catalogue
from tests.devices.settings_table import rows


def written() -> dict[tuple[int, bytes, int], str]:
    """Attributes that the use cases of an ESME set, with the name of one that does."""
    return {
        (item.class_id, item.obis, item.attribute): case.name
        for case in catalogue().values()
        if "ESME" in case.targets
        for access in case.access_lists
        for item in access.items
        if item.choice is Choice.SET
    }


@pytest.mark.parametrize("key", [pytest.param(key, id=f"{name} {key[0]} {key[1].hex()} {key[2]}") for key, name in written().items()])
def test_what_a_command_sets_is_settable_here(key: tuple[int, bytes, int]) -> None:
    writable = [row for row in rows("objects.csv") if "w" in row["access"]]
    settable = {(int(row["class"]), parse_obis(row["obis"]), int(row["attribute"])) for row in writable}
    assert key in settable


def test_the_catalogue_sets_a_good_deal() -> None:
    assert len(written()) > 100
