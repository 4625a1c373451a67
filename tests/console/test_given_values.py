"""Values of a GBCS message as they are typed: numbers, times, octets, structures and files, and what is no value."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from firmware_emu.cli import chub
from firmware_emu.console.commands import gbcs_values
from firmware_emu.console.commands.explain import _cluster, _key
from firmware_emu.console.commands.gbcs_options import CounterParameter
from firmware_emu.errors import IdentifierError
from firmware_emu.gbcs.zcl_layouts import GroupLayout, LayoutValue


@pytest.mark.parametrize(("text", "counter"), [("0", 0), ("18446744073709551615", 2**64 - 1), ("0x10", 16)])
def test_an_originator_counter_has_64_bits(text: str, counter: int) -> None:
    assert CounterParameter().convert(text, None, None) == counter


@pytest.mark.parametrize("text", ["-1", "18446744073709551616", "one", "1.5"])
def test_what_is_no_originator_counter_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"expected 0 to 2\^64 - 1"):
        CounterParameter().convert(text, None, None)


@pytest.mark.parametrize(
    ("given", "seconds"), [("now", 0), ("never", 0xFFFFFFFF), ("2000-01-01T00:01Z", 60), (7, 7), ("12", 12), ("0x0c", 12)]
)
def test_a_time_of_zcl_is_seconds_since_2000_or_a_word(given: object, seconds: int) -> None:
    """GBCS 10.2.2: 0 is at once, FFFFFFFF never."""
    assert gbcs_values._utc("when", given) == seconds


def test_a_value_in_a_file_or_in_json_is_what_it_holds(tmp_path: Path) -> None:
    file = tmp_path / "value.json"
    file.write_text(' [1, {"a": 2}]\n')
    assert gbcs_values._loaded(f"@{file}") == [1, {"a": 2}]
    assert gbcs_values._loaded('{"a": [1]}') == {"a": [1]}
    assert gbcs_values._loaded("plain") == "plain"
    assert gbcs_values._loaded("@certificate.pem") == "@certificate.pem", "a certificate is read where it is needed"


def test_json_that_is_none_is_told_by_its_first_forty_characters_and_the_place() -> None:
    text = "[" + "1," * 40
    with pytest.raises(IdentifierError) as refused:
        gbcs_values._loaded(text)
    assert text[:40] in str(refused.value)
    assert text[:41] not in str(refused.value)
    assert "at character 81" in str(refused.value)


def _layouts() -> list:  # type: ignore[type-arg]
    from firmware_emu.gbcs.use_cases import catalogue

    found = []
    for use_case in catalogue().values():
        for gbz in use_case.gbz_lists:
            for item in gbz.items:
                layout = gbcs_values.layout_of(item.cluster, item.frame_control, item.command)
                if layout is not None:
                    found.append(layout)
    return found


def test_a_group_of_a_command_takes_a_list_of_objects_with_its_own_fields_alone() -> None:
    group = next(part for layout in _layouts() for part in layout.fields if isinstance(part, GroupLayout))
    for wrong in ("1", {"a": 1}, [1]):
        with pytest.raises(IdentifierError, match=r"JSON \[\{"):
            gbcs_values._zcl("it", group, wrong)
    with pytest.raises(IdentifierError, match=r"'zzz, zzzz' is not a field of it: expected one of"):
        gbcs_values._zcl("it", group, [{"zzz": 1, "zzzz": 2}])
    assert gbcs_values._zcl("it", group, []) == []


@pytest.mark.parametrize(
    ("given", "value"),
    [("0x41:0aff", LayoutValue(0x41, b"\x0a\xff")), ("0x42:41", LayoutValue(0x42, b"A")), ("0x20:7", LayoutValue(0x20, 7))],
)
def test_a_value_with_its_type_is_octets_for_a_string_and_a_number_else(given: str, value: LayoutValue) -> None:
    """ZCL 2.6.2: 41 octet string, 42 character string."""
    from types import SimpleNamespace

    assert gbcs_values._zcl("it", SimpleNamespace(kind="v"), given) == value  # type: ignore[arg-type]


@pytest.mark.parametrize(("text", "key"), [("00" * 16, bytes(16)), (":".join(["ff"] * 16), b"\xff" * 16)])
def test_a_key_of_the_han_has_sixteen_octets(text: str, key: bytes) -> None:
    assert _key(text) == key
    for wrong in (text[:-2], text + "00", "zz"):
        with pytest.raises(click.BadParameter, match="expected 16 octets in hex") as refused:
            _key(wrong)
        assert wrong not in str(refused.value)


@pytest.mark.parametrize(("text", "cluster"), [(None, None), ("Price", 0x0700), ("0700", 0x0700), ("702", 0x0702)])
def test_a_cluster_is_a_name_or_a_number_in_hexadecimal(text: str | None, cluster: int | None) -> None:
    assert _cluster(text) == cluster
    with pytest.raises(click.BadParameter, match="expected a cluster as Price or 0700"):
        _cluster("no such")


def _explain(*words: str, text: str = "") -> tuple[int, str, str]:
    done = CliRunner().invoke(chub, ["explain", *words], input=text or None)
    return done.exit_code, done.stdout, str(done.exception or "") + done.stderr


def test_pieces_are_shown_by_number_all_or_the_first_twenty() -> None:
    lines = [bytes([0x30, 3, 2, 1, number]) for number in range(25)]
    pem = "".join(f"-----BEGIN X-----\n{base64.b64encode(line).decode()}\n-----END X-----\n" for line in lines)
    code, out, _ = _explain("--brief", text=pem)
    assert code == 0
    assert out.count("x ") == 20
    assert "25 pieces, the first 20 shown; --all shows all, --only NUMBER one in full" in " ".join(out.split())
    assert _explain("--brief", "--all", text=pem)[1].count("x ") == 25
    only = json.loads(_explain("--only", "25", "--json", text=pem)[1])
    assert (only["pieces"], [one["where"] for one in only["read"]]) == (25, ["x 25"])
    code, _, wrong = _explain("--only", "26", text=pem)
    assert "read 26, expected 1 to 25" in wrong
    first = _explain("--only", "1", text=pem)[1]
    assert "INTEGER" in first


def test_one_piece_that_cannot_be_read_ends_with_its_fault() -> None:
    code, _, wrong = _explain("--as", "der", "3005020101")
    assert code != 0
    assert "at offset 0, 5 octets: at offset 1, DER length: read 5, but 3 octets are left" in wrong


def test_a_word_that_looks_like_a_file_and_is_none_is_told_as_that(tmp_path: Path) -> None:
    assert "is no file that is there, and nothing that can be explained" in _explain("no/such.hex")[2]
    assert "is a folder: name a file in it" in _explain(str(tmp_path))[2]
    (tmp_path / "a.hex").write_text("3003020105")
    assert "INTEGER" in _explain(str(tmp_path / "a.hex"))[1]
