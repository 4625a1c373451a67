"""The coverage check: shapes part where they should, lists do not, and any pair of folders is checked alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_emu.gbcs.axdr import Array, CompactArray, Data, DoubleLongUnsigned, LongUnsigned, Null, Structure, TypeDescription
from firmware_emu.gbcs.dlms import AccessOutcome, AccessResponse, AccessResult, Choice
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.verify import MessageVerdict, ProtectionCheck, ProtectionState
from firmware_emu.ids import CraFlag, Eui64
from hil.commands.device import device
from hil.coverage import shape

ESME, SUPPLIER = Eui64.parse("00db1234567890a0"), Eui64.parse("90b3d51f30010000")
ABSENT = ProtectionCheck(ProtectionState.ABSENT)


def response(*items: tuple[Data, AccessResult]) -> shape.Shape:
    """The shape of an access response with these items, each a GET."""
    payload = AccessResponse(1, tuple(data for data, _ in items), tuple(AccessOutcome(Choice.GET, code) for _, code in items)).encode()
    message = Message(GroupingHeader(CraFlag.RESPONSE, 1, ESME, SUPPLIER, OtherInformation(0x0040)), payload)
    return shape.of_message(MessageVerdict(message, ABSENT, ABSENT, ()), b"")


def one(data: Data, code: AccessResult = AccessResult.SUCCESS) -> shape.Shape:
    return response((data, code))


def numbers(*values: int) -> Array:
    return Array(tuple(map(LongUnsigned, values)))


def test_values_do_not_part_shapes() -> None:
    assert shape.same(one(LongUnsigned(1)), one(LongUnsigned(2)))


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        (one(LongUnsigned(1)), one(DoubleLongUnsigned(1))),
        (one(LongUnsigned(1)), one(Null(), AccessResult.HARDWARE_FAULT)),
        (one(Structure((Null(),))), one(Structure((Null(), Null())))),
        (one(Null()), response((Null(), AccessResult.SUCCESS), (Null(), AccessResult.SUCCESS))),
    ],
    ids=["type", "result", "members", "items"],
)
def test_what_the_command_fixes_is_compared_one_to_one(expected: shape.Shape, got: shape.Shape) -> None:
    assert not shape.same(expected, got)


def test_a_list_is_compared_by_the_shapes_of_its_elements() -> None:
    assert shape.same(one(numbers(1, 2, 3)), one(numbers(9)))
    assert not shape.same(one(numbers(1)), one(Array((DoubleLongUnsigned(1),))))


def test_a_list_that_should_hold_something_may_not_be_empty() -> None:
    (parting,) = shape.partings(one(numbers(1)), one(numbers()))
    assert parting.got == "an empty list"
    assert shape.same(one(numbers()), one(numbers(1)))


def test_compact_arrays_part_by_their_type_description() -> None:
    row = TypeDescription(LongUnsigned.tag)
    other = TypeDescription(DoubleLongUnsigned.tag)
    assert shape.same(one(CompactArray(row, (LongUnsigned(1),))), one(CompactArray(row, (LongUnsigned(2), LongUnsigned(3)))))
    assert not shape.same(one(CompactArray(row, ())), one(CompactArray(other, ())))


STEMS = (
    "CCS02_8.11_SUCCESS",
    "CS02d_6.15.2_SUCCESS",
    "CS01b_2.2_SUCCESS",
    "CS04B_8.8.2_SUCCESS",
    "CS08_11.2_SUCCESS",
    "ECS17b_4.1.1_TWIN_SUCCESS",
    "ECS35c_6.13_SUCCESS",
    "ECS47a_7.13_APC_INPUT_SUCCESS",
    "GCS15d_4.4.4_SUCCESS",
    "GCS33_7.4_SUCCESS",
)


@pytest.fixture
def folders(duis: Path, rtds: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A small pair of folders of the same kind: requests, and the responses of the same stems."""
    templates, messages = tmp_path / "requests", tmp_path / "messages"
    templates.mkdir()
    messages.mkdir()
    for stem in STEMS:
        name = f"{stem}_REQUEST_DUIS.XML"
        (templates / name).symlink_to(duis / "templates" / name)
        for path in (rtds / "4.5.0").rglob(f"{stem}_RESPONSE_GBCS.HEX"):
            (messages / path.name).symlink_to(path)
    return templates, messages


def test_devices_of_every_kind_answer_in_the_shape_of_the_reference(folders: tuple[Path, Path], rtds: Path) -> None:
    templates, messages = folders
    arguments = ["coverage", "--templates", str(templates), "--rtds", str(messages), "--keys", str(rtds / "keys"), "--json"]
    outcome = CliRunner().invoke(device, arguments)
    report = json.loads(outcome.output)
    assert outcome.exit_code == 0, report["differ"]
    assert report["use_cases"] == report["answered"] == report["same_shape"] == len(STEMS)
    assert report["sealed_references"] == []


def test_without_keys_what_is_sealed_in_the_reference_is_told(folders: tuple[Path, Path]) -> None:
    templates, messages = folders
    outcome = CliRunner().invoke(device, ["coverage", "--templates", str(templates), "--rtds", str(messages), "--json"])
    report = json.loads(outcome.output)
    assert set(report["sealed_references"]) == {"ECS17b_4.1.1_TWIN_SUCCESS", "GCS15d_4.4.4_SUCCESS"}
    assert (report["differ"], outcome.exit_code) == ([], 0), "what cannot be opened is no difference"
    assert report["same_shape"] == report["answered"] - 2


def test_a_reference_of_another_shape_is_a_difference(folders: tuple[Path, Path], rtds: Path) -> None:
    templates, messages = folders
    (other,) = (rtds / "4.5.0").rglob("ECS35d_6.13_SUCCESS_RESPONSE_GBCS.HEX")
    place = messages / "ECS35c_6.13_SUCCESS_RESPONSE_GBCS.HEX"
    place.unlink()
    place.symlink_to(other)
    arguments = ["coverage", "--templates", str(templates), "--rtds", str(messages), "--keys", str(rtds / "keys"), "--json"]
    outcome = CliRunner().invoke(device, arguments)
    report = json.loads(outcome.output)
    assert outcome.exit_code == 1
    assert [one["stem"] for one in report["differ"]] == ["ECS35c_6.13_SUCCESS"]
