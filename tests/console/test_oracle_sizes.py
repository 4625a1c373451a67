"""Sizes of fields by second parties: tshark's own table of its fields, and bellows' types of EZSP."""

from __future__ import annotations

import re
import subprocess

import pytest

from hil.console import explain_serial, oracles


@pytest.fixture(scope="module")
def types() -> dict[str, str]:
    """tshark's type of each of its fields of the layers that are compared."""
    told = subprocess.run(("tshark", "-G", "fields"), capture_output=True, text=True, check=True).stdout
    rows = (line.split("\t") for line in told.splitlines() if line.startswith("F\t"))
    return {row[2]: row[3] for row in rows if row[2].startswith(("wpan.", "zbee"))}


_NUMBERS = "zbee_zcl.attr."
"""Values of attributes: tshark keeps those of 5 to 7 octets in types of 64 bits, and names them by their own."""


@pytest.mark.needs("tshark")
@pytest.mark.parametrize(("field", "size"), [(name, size) for name, (size, _) in oracles._FIELDS.items()])
def test_a_field_has_as_many_octets_as_tsharks_type_of_it(types: dict[str, str], field: str, size: int) -> None:
    kind = types[field]
    named = re.fullmatch(r"(?:uint|bitmap)(\d+)", field.removeprefix(_NUMBERS))
    bits = int(named[1]) if named else 64 if kind == "FT_EUI64" else int(re.findall(r"FT_U?INT(\d+)", kind)[0])
    assert 8 * size == bits, kind


def test_numbers_of_all_sizes_are_compared() -> None:
    sizes = sorted(name.removeprefix(_NUMBERS) for name in oracles._FIELDS if name.startswith(_NUMBERS) and name[-1].isdigit())
    assert sizes == sorted(f"{kind}{bits}" for kind in ("uint", "bitmap") for bits in range(8, 65, 8))


@pytest.mark.parametrize(
    ("name", "type_of_bellows"),
    [
        ("u8", "uint8_t"),
        ("s8", "int8s"),
        ("bool", "Bool"),
        ("u16", "uint16_t"),
        ("u32", "uint32_t"),
        ("eui", "EUI64"),
        ("sl", "sl_Status"),
        ("aps", "EmberApsFrame"),
        ("net", "EmberNetworkParameters"),
        ("ctx12", "SecurityManagerContextV12"),
        ("ctx", "SecurityManagerContextV13"),
        ("meta", "SecurityManagerAPSKeyMetadata"),
        ("key", "KeyData"),
    ],
)
def test_a_field_of_an_ezsp_frame_has_as_many_octets_as_bellows_type_of_it(name: str, type_of_bellows: str) -> None:
    kind = getattr(pytest.importorskip("bellows.types"), type_of_bellows)
    _, rest = kind.deserialize(bytes(64))
    assert explain_serial._SIZES[name] == 64 - len(rest)


def test_every_size_of_the_table_is_held() -> None:
    assert len(explain_serial._SIZES) == 13


def test_a_profile_of_zigbee_has_the_name_that_zigpy_gives_its_number() -> None:
    profiles = pytest.importorskip("zigpy.profiles")
    from hil.console import explain_radio

    for table in (explain_serial._PROFILES, explain_radio._PROFILES):
        assert table == {0x0109: "ZigBee Smart Energy", profiles.zha.PROFILE_ID: "Home Automation", 0x0000: "ZDP"}


def test_an_ezsp_response_and_a_callback_are_marked_by_the_bits_of_the_frame_control() -> None:
    """UG100 table "frame control": bit 7 response; bits 4 and 3 callback type; version 8 made control and id of two octets."""
    assert (explain_serial._RESPONSE, explain_serial._CALLBACK) == (1 << 7, 1 << 4 | 1 << 3)
    assert (explain_serial.FIRST_WIDE, explain_serial.OLDEST, explain_serial._STACK_TYPE) == (8, 4, 2)
