"""Pieces of what is pasted, octet for octet, and what each option of ``chub explain`` makes of them."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from firmware_emu.cli import exit_code
from firmware_emu.console.commands.explain import explain
from firmware_emu.console.commands.pasted import Pasted, take_apart
from firmware_emu.errors import CommsHubError, DecodeError
from hil.console.forms import keys_in

GBCS = bytes.fromhex("dd00000000000085") + bytes(14)
"""The beginning of a message: base64 of it begins with 3Q."""


def pieces_of(octets: bytes) -> tuple[str, list[str]]:
    form, pieces = take_apart(Pasted(octets))
    marks = ((one.layer or "", "" if one.cluster is None else f"{one.cluster:04x}", one.words) for one in pieces)
    return form.name, [" ".join((one.where, one.octets.hex(), *filter(None, mark))) for one, mark in zip(pieces, marks, strict=True)]


@pytest.mark.parametrize(
    ("text", "form", "pieces"),
    [
        ("0x0 0X5 0x10", "text", ["3 octets 000510"]),
        ("['dd', \"01\"]", "text", ["2 octets dd01"]),
        ("\\x01\\x02;03", "text", ["3 octets 010203"]),
        ("00-05:07|09", "text", ["4 octets 00050709"]),
        ("AAUA", "text", ["3 octets 000500"]),
        ("-_8=", "text", ["2 octets fbff"]),
        ("AAECAwQFBgcICQoL\n", "text", ["12 octets 000102030405060708090a0b"]),
        ("AAECAwQFBgcICQoLDA", "text", ["13 octets 000102030405060708090a0b0c"]),  # 18 letters, without the padding
        ("dd 00\ndf 01\n", "text", ["line 1 dd00", "line 2 df01"]),
        ("00 01\ndf 01\n", "text", ["4 octets 0001df01"]),
        ("00000000: 0005 0000 00                             .....\n00000010: ff\n", "dump", ["the dump 0005000000ff"]),
        ("0000  00 05\nwords\n", "", []),
        ("[0, 5, 0xfF, 16]", "literals", ["list 1 0005ff10"]),
        ("{1, 2} /* {3, 4} */ (5, 6) // (7, 8)", "literals", ["list 1 0102", "list 2 0506"]),
        ("[1, 256] [255, 1]", "literals", ["list 2 ff01"]),
        ("got b'\\x18\\x01\\n' clusterId=0x0702", "literals", ["line 1 18010a zcl 0702"]),
        ("x\ncluster_id: 1794, b'a' b\"bcd\"", "literals", ["line 2 626364 zcl 0702"]),
        ("got b'1801aa'", "literals", ["line 1 1801aa"]),
        ("got b'1801'", "literals", ["line 1 31383031"]),
        ("12:01 said 00 05 00 00 00 07 and 000102030405060708 then", "lines", ["line 1 000102030405060708"]),
        ("a\n2026-11-30 10:00:00.000 sent 0001020304 0 x\n", "", []),  # five octets are too few among words
        ("a\n2026-11-30 10:00:00.000 sent 000102030405 x\n", "lines", ["line 2 000102030405"]),
        (f"sent <{base64.b64encode(GBCS).decode()}> x", "lines", [f"line 1 {GBCS.hex()}"]),
        ("<a>1</a>", "xml", ["the XML 3c613e313c2f613e xml"]),
        ("<?x y?><a/>", "xml", ["the XML 3c3f7820793f3e3c612f3e xml"]),
        ("POST / HTTP/1.1\r\nA: b\r\n\r\n<a/>", "xml", ["the XML 3c612f3e xml"]),
        ('{"number": 7, "event": "sent", "source": "hub", "data": "00ff"}', "trace", ["@7 hub sent 00ff"]),
        ('{"number": 7, "data": "00ff"}', "", []),
        ('{"event": 7, "data": "00ff"}', "", []),
    ],
)
def test_each_piece_has_its_place_its_octets_and_what_its_line_tells_of_them(text: str, form: str, pieces: list[str]) -> None:
    try:
        found = pieces_of(text.encode())
    except DecodeError:
        found = ("", [])
    assert found == (form, pieces)


@pytest.mark.parametrize(
    ("octets", "form"),
    [
        (b"\xff\xfe0\x000\x00", "text"),
        (b"\xfe\xff\x000\x000", "text"),
        (b"\xef\xbb\xbf00", "text"),
        (b"\x00\x05", "binary"),
        (b"a\x01", "binary"),
    ],
)
def test_the_mark_of_a_text_says_its_code_and_what_is_no_text_is_octets(octets: bytes, form: str) -> None:
    assert pieces_of(octets)[0] == form


# -- pcapng (draft-ietf-opsawg-pcapng): section, interface and packet blocks; TAP fields (IEEE 802.15.4 TAP 1.0)

SECTION, INTERFACE, PACKET, NAMES = 0x0A0D0D0A, 1, 6, 4
BEACON_REQUEST = bytes.fromhex("03080affffffff07")


def block(kind: int, body: bytes, order: str) -> bytes:
    body += bytes(-len(body) % 4)
    return struct.pack(f"{order}II", kind, 12 + len(body)) + body + struct.pack(f"{order}I", 12 + len(body))


def capture(packets: list[tuple[int, bytes]], links: tuple[int, ...], order: str = "<") -> bytes:
    out = block(SECTION, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1), order)
    out += b"".join(block(INTERFACE, struct.pack(f"{order}HHI", link, 0, 0), order) for link in links)
    for interface, packet in packets:
        out += block(PACKET, struct.pack(f"{order}IIIII", interface, 0, 0, len(packet), len(packet)) + packet, order)
        out += block(NAMES, b"", order)
    return out


def tap(fields: bytes, frame: bytes) -> bytes:
    return struct.pack("<BBH", 0, 0, 4 + len(fields)) + fields + frame


FCS_FIELD = struct.pack("<HHI", 0, 1, 1)
NO_FCS_FIELD = struct.pack("<HHI", 0, 1, 0)
CHANNEL_FIELD = struct.pack("<HHI", 3, 3, 11)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("link", "packet"),
    [
        (195, BEACON_REQUEST + b"\xab\xcd"),
        (230, BEACON_REQUEST),
        (283, tap(b"", BEACON_REQUEST)),
        (283, tap(NO_FCS_FIELD, BEACON_REQUEST)),
        (283, tap(FCS_FIELD, BEACON_REQUEST + b"\xab\xcd")),
        (283, tap(CHANNEL_FIELD + FCS_FIELD, BEACON_REQUEST + b"\xab\xcd")),
        (283, tap(CHANNEL_FIELD, BEACON_REQUEST)),
        (283, tap(struct.pack("<HH", 7, 0) + FCS_FIELD, BEACON_REQUEST + b"\xab\xcd")),  # a field without octets
    ],
)
def test_a_packet_of_each_link_type_is_the_frame_without_its_check(link: int, packet: bytes, order: str) -> None:
    taken = pieces_of(capture([(1, packet), (1, packet)], (1, link), order))
    assert taken == ("pcapng", [f"frame {number} {BEACON_REQUEST.hex()} mac" for number in (1, 2)])


def test_a_capture_that_is_still_written_ends_with_its_last_whole_packet() -> None:
    whole = capture([(0, BEACON_REQUEST), (0, BEACON_REQUEST)], (230,))
    end = 12  # the block of names behind each packet
    assert len(pieces_of(whole[:-end])[1]) == 2
    assert len(pieces_of(whole[: -end - 1])[1]) == 1


@pytest.mark.parametrize(
    ("octets", "told"),
    [
        (capture([(0, b"x")], (1,)), "link type 1, expected IEEE 802.15.4: 195, 230 or 283 (TAP)"),
        (capture([(1, b"x")], (230,)), "a packet of interface 1, expected one of 1"),
        (capture([], (230,)), "the capture has no packet"),
        (capture([], (230,)) + struct.pack("<III", 6, 11, 0), "the capture has no packet"),
    ],
)
def test_a_capture_that_has_no_frame_is_told_in_a_line(octets: bytes, told: str) -> None:
    with pytest.raises(DecodeError) as refused:
        take_apart(Pasted(octets))
    assert str(refused.value) == f"at offset 0, pcapng: {told}"


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("# keys of the HAN\n\n00:01:02,Normal,network\n0a0b\n", ["000102", "0a0b"]),
        ("", []),
    ],
)
def test_keys_are_the_first_column_of_wiresharks_file(text: str, keys: list[str], tmp_path: Path) -> None:
    (tmp_path / "zigbee_pc_keys").write_text(text)
    assert [key.hex() for key in keys_in(tmp_path / "zigbee_pc_keys")] == keys


def test_what_is_no_file_of_keys_is_told_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "zigbee_pc_keys").write_text("no key\n")
    for name in ("zigbee_pc_keys", "none"):
        with pytest.raises(CommsHubError, match=rf"{name}: .*: expected Wireshark's key file zigbee_pc_keys"):
            keys_in(tmp_path / name)


# -- the command's options


def asked(*words: str) -> Result:
    return CliRunner().invoke(explain, list(words))


def read(*words: str) -> list[dict[str, object]]:
    done = asked(*words, "--json")
    assert done.exit_code == 0, done.output
    told: list[dict[str, object]] = json.loads(done.output)["read"]
    return told


def test_a_layer_a_cluster_and_a_version_are_taken_from_their_options() -> None:
    assert read("01", "09", "63", "--as", "aps")[0]["title"] == "APS command: unknown"
    for cluster in ("Price", "0700", "0x0700"):
        assert read("01070001", "--as", "zcl", "--cluster", cluster)[0]["title"] == "Price GetCurrentPrice, client to server"
    assert read("07900119000c000000", "--ezsp", "14")[0]["title"] == "EZSP stackStatusHandler callback"
    assert read("07900119000c000000", "--as", "ezsp")[0]["title"] == "EZSP stackStatusHandler callback (version 14, not 13)"


SEALED = "2109300700000004030201004b1200df1d99ad38df8b67"
"""A command of APS under the key 00 to 0f."""


@pytest.mark.parametrize("key", ["000102030405060708090a0b0c0d0e0f", "00:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f"])
def test_a_key_of_the_han_opens_what_it_sealed(key: str) -> None:
    assert read(SEALED)[0]["title"] == "APS command"
    assert read(SEALED, "--han-key", "00" * 16, "--han-key", key)[0]["title"] == "APS command: transport key"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("00", "--as", "walls"), "Invalid value for --as: read 'walls', expected "),
        (("01070001", "--cluster", "Prices"), "Invalid value for --cluster: read 'Prices', expected a cluster as Price or 0700"),
        ((SEALED, "--han-key", "00"), "Invalid value for --han-key: expected 16 octets in hex"),
        ((SEALED, "--han-key", "xx"), "Invalid value for --han-key: expected 16 octets in hex"),
        ((SEALED, "--only", "2"), "Invalid value for --only: read 2, expected 1 to 1"),
        (("not.there",), "not.there is no file that is there, and nothing that can be explained"),
        (("not/there",), "not/there is no file that is there, and nothing that can be explained"),
    ],
)
def test_a_wrong_option_is_told_in_a_line_with_exit_code_2(words: tuple[str, ...], told: str) -> None:
    done = asked(*words)
    assert done.exit_code == 2
    assert told in done.output


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert f"{tmp_path} is a folder: name a file in it" in asked(str(tmp_path)).output


def _lines(count: int) -> str:
    return "".join(f"at {number} went 000500000{number % 10}0700 away\n" for number in range(1, count + 1))


@pytest.mark.parametrize("count", [20, 21])
def test_twenty_pieces_are_shown_unless_all_are_asked_for(count: int, tmp_path: Path) -> None:
    file = tmp_path / "log.txt"
    file.write_text(_lines(count))
    assert len(read(str(file), "--as", "zcl")) == 20
    assert len(read(str(file), "--as", "zcl", "--all")) == count
    (one,) = read(str(file), "--as", "zcl", "--only", str(count))
    assert one["where"] == f"line {count}"
    shown = asked(str(file), "--as", "zcl").output
    assert ("pieces, the first 20 shown" in shown) is (count > 20)
    assert "the first" not in asked(str(file), "--as", "zcl", "--all").output
    assert "line 1: zcl: " in shown


def test_one_piece_is_shown_in_full_and_in_a_line_where_it_is_asked_for() -> None:
    full = asked("7e7e8160597e").output
    assert "octets in hexadecimal or base64; read as ash" in full
    assert "check sequence" in full
    brief = asked("7e7e8160597e", "--brief").output
    assert brief.startswith("ash: ACK 1")
    assert "check sequence" not in brief
    assert "; could also be mac, zcl (--as mac)" in " ".join(asked("0080000d023074").output.split())


def test_the_json_of_a_piece_has_its_place_its_layer_and_the_others(tmp_path: Path) -> None:
    done = json.loads(asked("0080000d023074", "--json").output)
    assert (done["form"], done["pieces"]) == ("text", 1)
    (one,) = done["read"]
    assert {name: one[name] for name in ("where", "layer", "could_be", "title")} == {
        "where": "7 octets",
        "layer": "ezsp",
        "could_be": ["mac", "zcl"],
        "title": "EZSP version response",
    }
    assert "fault" not in one
    assert "oracles" not in one
    cut = asked("257d", "--as", "ash", "--json")
    assert json.loads(cut.stdout)["read"][0]["fault"].startswith("at offset 0, ASH frame: no flag behind it")


def test_a_fault_of_the_only_piece_ends_with_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(lambda: explain.main(["257d", "--as", "ash"], standalone_mode=False)) == 2
    assert "no flag behind it and no check that holds" in capsys.readouterr().err
