"""Boards: one file each, errors that name file, key and expectation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_emu.board import board_names, board_schema, load_board
from firmware_emu.console.commands.board import board
from firmware_emu.errors import BoardError


def _write(folder: Path, text: str, name: str = "mine") -> str:
    path = folder / f"{name}.toml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", board_names())
def test_every_board_of_the_repository_loads(name: str) -> None:
    assert load_board(name).name == name


def test_a_dongle_board_differs_from_the_virtual_one_in_the_radio_and_in_having_no_devices_that_cannot_hear_it() -> None:
    virtual, dongle = load_board("simulated").model_dump(), load_board("dongle_efr32").model_dump()
    assert {key for key in virtual if virtual[key] != dongle[key]} == {"name", "extends", "description", "radio", "device"}
    assert dongle["device"] == ()
    assert dongle["radio"]["path"].startswith("/dev/serial/by-id/")


@pytest.mark.requirement("SHP-02")
def test_time_may_jump_only_where_every_part_is_virtual() -> None:
    assert load_board("simulated").warp
    assert not load_board("dongle_efr32").warp


@pytest.mark.parametrize(
    ("text", "key", "expectation"),
    [
        ('name = "x"\nextends = "simulated"\n[radio]\nbaud = 9600\n', "radio.baud", "expected one of air, baudrate"),
        ('name = "x"\nextends = "simulated"\n[hub]\nchf = 12\n', "hub.chf", "write it in quotes"),
        ('name = "x"\nextends = "simulated"\n[hub]\nchf = "02C4"\n', "hub.chf", "16 hexadecimal digits"),
        ('name = "x"\nextends = "simulated"\n[hub]\nchannel = 27\n', "hub.channel", "less than or equal to 26"),
        ('name = "x"\nextends = "nowhere"\n', "extends", "or one of"),
        (
            'name = "x"\nextends = "simulated"\n[[device]]\nname = "a"\ntype = "ESME"\neui = "02-E5-3E-00-00-00-00-01"\n'
            'install_code = "0102030405060708090A0B0C0D0E0F10FFFF"\n',
            "device.0.install_code",
            "expected CRC",
        ),
        ('name = "x"\nextends = "simulated"\n[hub]\nchannel = "20"\n', "hub.channel", "written without quotes"),
        ('name = "x"\nextends = "simulated"\nseed = true\n', "seed", "expected a whole number"),
        (
            'name = "x"\nextends = "simulated"\n[hub]\ngpf = "02-C4-B0-00-00-00-00-00"\nchf = "02-C4-B0-00-00-00-00-00"\n',
            "hub.gpf",
            "of its own",
        ),
        ('name = "x"\nextends = "simulated"\n[clock]\nmode = "warp"\n[wan]\nkind = "tcp"\n', "clock.mode", "a WAN of kind tcp"),
        ('name = "x"\nextends = "simulated"\n[wan]\nkind = "tcp"\nvariant = "cellular"\n', "wan.variant", "of the SM WAN in memory"),
        ('name = "x"\nextends = "simulated"\n[clock]\nmode = "warp"\n[radio]\npath = "/dev/ttyUSB0"\n', "clock.mode", "the dongle at"),
        ('name = "x"\n', "hub", "missing"),
        ("name = \n", "", "not TOML"),
    ],
)
def test_a_wrong_board_is_told_with_file_key_and_expectation(tmp_path: Path, text: str, key: str, expectation: str) -> None:
    path = _write(tmp_path, text)
    with pytest.raises(BoardError) as caught:
        load_board(path)
    assert caught.value.file == path
    assert caught.value.key == key
    assert expectation in str(caught.value)


def test_boards_that_extend_each_other_in_a_circle_are_refused(tmp_path: Path) -> None:
    _write(tmp_path, 'name = "a"\nextends = "b"\n', "a")
    _write(tmp_path, 'name = "b"\nextends = "a"\n', "b")
    with pytest.raises(BoardError, match="circle"):
        load_board(str(tmp_path / "a.toml"))


def test_a_setting_is_laid_over_the_file() -> None:
    assert load_board("simulated", ("radio.path=/dev/ttyUSB7", "hub.channel=15")).radio.path == "/dev/ttyUSB7"
    with pytest.raises(BoardError, match="KEY=VALUE"):
        load_board("simulated", ("radio.path",))


def test_the_schema_is_that_of_the_board() -> None:
    schema = json.loads(board_schema())
    assert set(schema["required"]) == {"name", "hub", "parties"}
    assert schema["$defs"]["HubTable"]["properties"]["chf"]["description"]


def test_showing_a_board_keeps_its_install_codes_to_itself() -> None:
    shown = CliRunner().invoke(board, ["show", "simulated", "--json"]).output
    assert json.loads(shown)["device"][0]["name"] == "esme"
    assert "0102030405" not in shown


def test_row_32_a_board_whose_ends_cannot_hear_each_other_is_refused_in_a_sentence_that_says_why() -> None:
    with pytest.raises(BoardError, match=r"esme, gsme, ppmid, ihd and the hub cannot hear each other: .*'outside', theirs on 'bench'"):
        load_board("simulated", ("radio.path=/dev/ttyUSB7",)).check_airs()
    for fits in ("simulated", "dongle_efr32", "dongle_znp"):
        load_board(fits).check_airs()
    load_board("simulated", ("radio.path=replay:field.jsonl",)).check_airs()


@pytest.mark.parametrize(
    "code",
    [
        "83FE\u2011D340\u20117A93\u20119723\u2011A5C6\u201139B2\u20116916\u2011D505\u2011C3B5",
        "83FE-D340\t7A93 9723 A5C6 39B2 6916 D505 C3B5",
        "Z$A:02E53E0000000001$I:83FED3407A939723A5C639B26916D505C3B5",
    ],
)
def test_a_board_takes_identity_and_install_code_as_the_label_prints_them(code: str) -> None:
    eui = code if "$" in code else "02:e5:3e:00:00:00:00:01"
    row = load_board("simulated", (f'device=[{{name="esme", type="ESME", eui="{eui}", install_code="{code}"}}]',)).device[0]
    assert (str(row.eui), row.install_code.octets.hex()) == ("02e53e0000000001", "83fed3407a939723a5c639b26916d505")


def test_ports_are_on_one_air_unless_the_board_names_others() -> None:
    device = 'device=[{name="esme", type="ESME", eui="02e53e0000000001", install_code="0102030405060708090A0B0C0D0E0F10", %s}]'
    on_a_port = load_board("simulated", ("radio.path=/dev/ttyUSB7", device % 'node="/dev/ttyUSB8"'))
    on_a_port.check_airs()
    shielded = load_board("simulated", ("radio.path=/dev/ttyUSB7", device % 'node="/dev/ttyUSB8", air="tent"'))
    with pytest.raises(BoardError, match="'tent'"):
        shielded.check_airs()
    assert load_board("simulated", (device % 'node="socket:127.0.0.1:9000"',)).device[0].node == "socket:127.0.0.1:9000"


@pytest.mark.parametrize(
    ("other", "key", "expectation"),
    [
        ({"name": "esme", "eui": "02-E5-3E-00-00-00-00-77"}, "device.1.name", "two Devices are named 'esme'"),
        ({"name": "second", "eui": "02-E5-3E-00-00-00-00-01"}, "device.1.eui", "has the EUI-64 of esme"),
        ({"name": "jig", "eui": "02-E5-3E-00-00-00-00-77"}, "device.1.name", "is a noun of the prompt"),
    ],
)
def test_a_board_whose_devices_cannot_be_told_apart_is_refused_when_it_is_read(
    tmp_path: Path, other: dict[str, str], key: str, expectation: str
) -> None:
    rows = [{"name": "esme", "eui": "02-E5-3E-00-00-00-00-01"}, other]
    code = load_board("simulated").device[0].install_code
    tables = "".join(
        f'[[device]]\ntype = "ESME"\ninstall_code = "{code.octets.hex()}"\n'
        + "".join(f'{name} = "{value}"\n' for name, value in row.items())
        for row in rows
    )
    path = _write(tmp_path, f'name = "x"\nextends = "simulated"\n{tables}')
    with pytest.raises(BoardError) as caught:
        load_board(path)
    assert caught.value.key == key
    assert expectation in str(caught.value)


def test_check_says_of_each_board_whether_it_can_be(tmp_path: Path) -> None:
    wrong = _write(tmp_path, 'name = "x"\nextends = "simulated"\n[hub]\nchannel = "20"\n')
    done = CliRunner().invoke(board, ["check", "simulated", wrong])
    assert done.exit_code == 2
    assert "simulated: good" in done.output
    assert "hub.channel" in done.output
    every = CliRunner().invoke(board, ["check", "--json"])
    assert set(json.loads(every.output)) == set(board_names())


def test_a_board_is_told_with_its_real_parts_whatever_description_it_was_handed() -> None:
    assert load_board("simulated").real_parts == ()
    shown = CliRunner().invoke(board, ["show", "simulated", "--set", "radio.path=/dev/ttyUSB9", "--set", "device=[]"])
    assert "(radio at /dev/ttyUSB9)" in shown.output
    assert "virtual" not in shown.output.splitlines()[0]
    listed = dict(line.split(maxsplit=1) for line in CliRunner().invoke(board, ["list"]).output.splitlines())
    assert listed["simulated"].endswith("(all virtual)")
    assert "all virtual" not in listed["dongle_efr32"] + listed["jig_ftdi"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("name = true", "(read: true)"),
        ('extends = ["simulated"]', '["simulated"] is not the name of a board'),
        ('name = "b"\nextends = "simulated"\n[radio]\nkind = {a = false, b = 2026-01-05}', "(read: {a = false, b = 2026-01-05})"),
        ('name = "b"\nextends = "simulated"\n[[device]]\nname = "esme"\ntype = "ESME"\neui = true', "true is not text"),
    ],
)
def test_a_refusal_quotes_the_board_as_its_author_wrote_it(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "mine.toml").write_text(line, encoding="utf-8")
    with pytest.raises(BoardError) as refused:
        load_board(str(tmp_path / "mine.toml"))
    assert said in str(refused.value)
