"""One box to paste anything into: it finds what it is, and second readers tell where they disagree."""

from __future__ import annotations

import base64
import json
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from firmware_emu.cli import exit_code
from firmware_emu.console.commands import pasted
from firmware_emu.console.commands.console import console
from firmware_emu.console.commands.explain import explain
from firmware_emu.console.commands.pasted import Form, Pasted, Piece, explain_piece, take_apart
from firmware_emu.console.layers import LayerKnowledge
from firmware_emu.errors import CommsHubError, DecodeError, NotAvailable
from firmware_emu.han.capture import CaptureWriter, KeyFile
from hil.console.oracles import ORACLES, _Sniffed, fields_apart

BEACON_REQUEST = bytes.fromhex("0308a4ffffffff07")
READ = bytes.fromhex("0005000000")
"""ZCL: read attributes, of attribute 0."""


def _certificate() -> tuple[bytes, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Z1")])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
    made = made.not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM), key


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (READ.hex(" "), "text"),
        ("0x00 0x05 0x00 0x00 0x00", "text"),
        (base64.b64encode(READ).decode(), "text"),
        ("00000000: 0005 0000 00                             .....\n", "dump"),
        ("0000   00 05 00 00 00                                    .....\n", "dump"),
        ("12:01 the meter said 00 05 00 00 00 00 and went away", "lines"),
        ("<a><b>1</b></a>", "xml"),
        ('{"number":1,"time":1,"area":"han","source":"esme","event":"sent","data":"0005000000"}', "trace"),
    ],
)
def test_what_is_pasted_is_found_out(text: str, form: str) -> None:
    found, pieces = take_apart(Pasted(text.encode()))
    assert found.name == form
    assert pieces[0].octets.startswith(READ) or form == "xml"


def test_octets_as_they_are_and_a_certificate_and_no_private_key() -> None:
    assert take_apart(Pasted(b"\xdf\x09\x01\x00\xff"))[0].name == "binary"
    certificate, key = _certificate()
    (piece,) = take_apart(Pasted(certificate))[1]
    assert explain_piece(piece, LayerKnowledge()).layer.name == "der"
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with pytest.raises(CommsHubError, match="a secret is not shown"):
        take_apart(Pasted(secret))


def test_a_debug_log_is_told_in_words() -> None:
    form, pieces = take_apart(Pasted(b"2026-11-30 10:00:00.000 DEBUG Sending data 1ac038bc7e\n"))  # the reset of ASH
    assert form.name == "log"
    assert pieces[0].words


def test_a_capture_gives_its_frames_and_the_keys_beside_it(tmp_path: Path) -> None:
    with CaptureWriter(tmp_path / "han.pcapng") as writer:
        writer(_Sniffed(BEACON_REQUEST))
    KeyFile(tmp_path).add(bytes(range(16)), "network")
    given = Pasted((tmp_path / "han.pcapng").read_bytes(), tmp_path / "han.pcapng")
    form, pieces = take_apart(given)
    assert [piece.octets for piece in pieces] == [BEACON_REQUEST]
    assert form.keys is not None
    assert list(form.keys(given)) == [bytes(range(16))]
    told = CliRunner().invoke(explain, [str(tmp_path / "han.pcapng"), "--json"])
    assert json.loads(told.output)["read"][0]["title"] == "802.15.4 command: beacon request"


def test_what_is_nothing_is_told_in_a_line_with_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(lambda: explain.main(["hello", "world"], standalone_mode=False)) == 2
    assert "expected what one of these reads: pcapng, pem, trace" in capsys.readouterr().err


def test_a_stranger_adds_a_form_by_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def morse(given: Pasted) -> list[Piece]:
        return [Piece("the signals", words="SOS")] if given.octets == b"... --- ..." else []

    row = Form("morse", "signals", 1, morse)
    monkeypatch.setattr(pasted, "forms", lambda: (row,))
    assert take_apart(Pasted(b"... --- ...")) == (row, [Piece("the signals", words="SOS")])


@pytest.mark.needs("tshark")
def test_tshark_agrees_with_a_frame_and_not_with_another_reading_of_it() -> None:
    piece, other = Piece("a", BEACON_REQUEST, "mac"), Piece("b", b"\x03\x08\xa5" + BEACON_REQUEST[3:], "mac")
    (tshark,) = (one for one in ORACLES if one.name == "tshark")
    known = LayerKnowledge()
    assert tshark.judge(piece, explain_piece(piece, known), known) == []
    assert tshark.judge(piece, explain_piece(other, known), known) == ["MAC sequence number: tshark reads 164, this reads 165 (0xa5)"]

    frame = bytes.fromhex("61887d9b1334120000080000003412 1e010001010709010105180a010000 00 21 0700")  # cluster 0701: no decimal number
    piece = Piece("a", frame, "mac")
    assert tshark.judge(piece, explain_piece(piece, known), known) == []
    for at, named in (
        (3, "destination PAN"),
        (5, "destination"),
        (7, "source"),
        (11, "NWK destination"),
        (13, "NWK source"),
        (15, "radius"),
        (16, "NWK sequence number"),
        (18, "destination endpoint"),
        (19, "cluster"),
        (21, "profile"),
        (23, "source endpoint"),
        (24, "APS counter"),
        (26, "ZCL sequence number"),
        (32, "value"),
    ):
        other = Piece("b", frame[:at] + bytes([frame[at] ^ 1]) + frame[at + 1 :], "mac")
        (line,) = tshark.judge(piece, explain_piece(other, known), known)
        assert line.startswith(f"{named}: tshark reads ")


PUBLISHED = base64.b64decode(
    "3QAAAAAAAFURAAAAAN8JAgAAAYKDJi7hCLwzrAD++lU8CJCz1R8wAAACABIAWZCz1R8wAQAAAAABgoMmLUUR2iAmLuEAAAEJBAACAAABAQAACahvMaB+y9JJIHeL"
)
"""The message that gbcs-parser's README takes apart; what it prints for it is below, without its notes (README, commit 1d9ddf0)."""
PRINTED = {
    "MAC Header": {
        "General Ciphering": {"hex": "DD 00 00 00 00 00 00"},
        "Ciphered Service Length": {"hex": "55"},
        "Security Header": {"hex": "11 00 00 00 00"},
    },
    "Grouping Header": {
        "General Signing": {"hex": "DF 09"},
        "CRA Flag": {"hex": "02"},
        "Originator Counter": {"hex": "00 00 01 82 83 26 2E E1"},
        "Originator System Title": {"hex": "08 BC 33 AC 00 FE FA 55 3C"},
        "Recipient System Title": {"hex": "08 90 B3 D5 1F 30 00 00 02"},
        "Date Time": {"hex": "00"},
        "Other Information Length": {
            "hex": "12",
            "children": {
                "Message Code": {"hex": "00 59"},
                "Supplementary Remote Party ID": {"hex": "90 B3 D5 1F 30 01 00 00"},
                "Supplementary Remote Party Counter": {"hex": "00 00 01 82 83 26 2D 45"},
            },
        },
        "Content Length": {"hex": "11"},
    },
    "Payload": {
        "DLMS Access Response": {
            "hex": "DA 20 26 2E E1 00 00",
            "children": {
                "List of Access Response Data": {"hex": "01", "children": {"[0] Octet String": {"hex": "09 04 00 02 00 00"}}},
                "List of Access Response Specification": {
                    "hex": "01",
                    "children": {"[0] Access Response Specification": {"hex": "01", "children": {"Data Access Result": {"hex": "00"}}}},
                },
            },
        }
    },
    "Signature": {"Signature Length": {"hex": "00"}},
    "MAC": {"MAC": {"hex": "09 A8 6F 31 A0 7E CB D2 49 20 77 8B"}},
}


def test_every_field_that_gbcs_parser_prints_begins_where_one_does_here_and_another_reading_is_told() -> None:
    found = explain_piece(Piece("a", PUBLISHED, "gbcs"), LayerKnowledge())
    ours = [(node.offset, node.offset + len(node.octets)) for _, node in found.tree.walk()]
    assert {16, 24, 33} <= {first for first, _ in ours}
    assert fields_apart(PRINTED, PUBLISHED, ours) == []
    crossing = "Originator Counter: gbcs-parser reads a field from offset 16 to 24, this one from 20 to 28"
    assert crossing in fields_apart(PRINTED, PUBLISHED, [*ours, (20, 28)])
    cut = {name: below for name, below in PRINTED.items() if name != "MAC"}
    assert fields_apart(cut, PUBLISHED, ours) == ["gbcs-parser reads 81 octets of 93"]
    other = {**PRINTED, "MAC Header": {"General Ciphering": {"hex": "DD 01"}}}
    assert fields_apart(other, PUBLISHED, ours) == ["General Ciphering: gbcs-parser reads dd 01 at offset 0, there stands dd 00"]


def test_gbcs_parser_agrees_with_its_own_example_where_it_is_installed() -> None:
    (parser,) = (one for one in ORACLES if one.name == "gbcs-parser")
    piece = Piece("a", PUBLISHED, "gbcs")
    try:
        said = parser.judge(piece, explain_piece(piece, LayerKnowledge()), LayerKnowledge())
    except NotAvailable as missing:
        pytest.skip(str(missing))
    assert said == []


@pytest.mark.parametrize("typed", ["df" * 3000, "é" * 50, "a\0b", "."], ids=["too long for a name", "no ASCII", "a zero", "a folder"])
def test_whatever_is_typed_is_explained_or_refused_in_a_line(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(lambda: explain.main([typed], standalone_mode=False)) in (0, 2)
    said = capsys.readouterr().err
    assert "File name too long" not in said
    assert "Traceback" not in said


@pytest.mark.needs("openssl")
def test_openssl_refuses_a_certificate_that_is_cut_short() -> None:
    (piece,) = take_apart(Pasted(_certificate()[0]))[1]
    (openssl,) = (one for one in ORACLES if one.name == "openssl")
    found = explain_piece(piece, LayerKnowledge())
    assert openssl.judge(piece, found, LayerKnowledge()) == []
    assert openssl.judge(Piece("cut", piece.octets[:40], "der"), found, LayerKnowledge())


def test_a_script_that_is_no_text_is_told_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "script.chub"
    script.write_bytes(b"hub form\n\xff\xfe\x00")
    assert exit_code(lambda: console.main(["--script", str(script)], standalone_mode=False)) == 2
    assert capsys.readouterr().err == "chub: read octet 0xff at offset 9, expected text in UTF-8\n"


MESSAGE = base64.b64decode(
    "3QAAAAAAAFURAAAAAN8JAgAAAYKDJi7hCLwzrAD++lU8CJCz1R8wAAACABIAWZCz1R8wAQAAAAABgoMmLUUR2iAmLuEAAAEJBAACAAABAQAACahvMaB+y9JJIHeL"
)


@pytest.mark.parametrize(
    "text",
    [
        "uint8_t message[] = {\n  /* all of it */ " + ",\n ".join(f"0x{one:x}" for one in MESSAGE) + ",\n};",
        '"' + "".join(f"\\x{one:02x}" for one in MESSAGE) + '"',
        repr(MESSAGE),
        f"12:00 received {MESSAGE!r} from it",
        str(list(MESSAGE)),
        MESSAGE.hex("|"),
        MESSAGE.hex(";"),
        f"<{MESSAGE.hex()}>",
        MESSAGE.hex("\t"),
        base64.urlsafe_b64encode(MESSAGE).decode().rstrip("="),
        json.dumps({"id": 7, "payload": base64.b64encode(MESSAGE).decode()}),
        f"2026-11-30 10:00:00,123 the meter said {MESSAGE.hex()}",
    ],
    ids=["C", "C string", "Python", "Python in a log", "decimal", "pipes", "semicolons", "angles", "tabs", "base64url", "JSON", "dated"],
)
def test_octets_are_found_however_a_program_writes_them(text: str) -> None:
    assert [piece.octets for piece in take_apart(Pasted(text.encode()))[1]] == [MESSAGE]
    assert [piece.octets for piece in take_apart(Pasted(text.encode("utf-16")))[1]] == [MESSAGE]


def test_a_packet_of_zigpys_log_is_read_by_its_cluster() -> None:
    said = f"2026-11-30 10:00:00 DEBUG Received a packet: ZigbeePacket(profile_id=265, cluster_id=1794, data=Serialized[{READ!r}], lqi=255)"
    told = CliRunner().invoke(explain, ["--brief"], input=said)
    assert told.output.startswith("zcl: Metering read attributes")


def test_a_message_within_xml_is_told_field_by_field_and_what_stands_before_the_xml_is_left() -> None:
    said = f"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n<a><GBCSPayload>{base64.b64encode(MESSAGE).decode()}</GBCSPayload></a>"
    told = CliRunner().invoke(explain, [], input=said)
    assert told.exit_code == 0, told.output
    assert "ECS52" in told.output
    assert "0-0:0.2.1.255" in told.output


def test_long_values_of_xml_are_not_cut() -> None:
    told = CliRunner().invoke(explain, ["--json"], input=f"<a><b>{'wordy ' * 40}</b></a>")
    assert ("wordy " * 40).strip() in told.output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "read nothing"),
        (" \n\t\n", "read nothing"),
        (MESSAGE.hex()[:-1], "185 hexadecimal digits"),
        ("-----BEGIN CERTIFICATE-----\nMIIB", "expected the line END CERTIFICATE"),
        ("two\nlines of prose", "expected what one of these reads"),
    ],
)
def test_what_is_half_or_nothing_is_told_by_what_is_missing(text: str, said: str) -> None:
    with pytest.raises(DecodeError, match=said):
        take_apart(Pasted(text.encode()))


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    """One block of a pcapng file."""
    padded = body + bytes(-len(body) % 4)
    length = struct.pack(f"{order}I", len(padded) + 12)
    return struct.pack(f"{order}I", kind) + length + padded + length


def capture_of(link: int, packet: bytes, order: str = "<") -> bytes:
    """A capture of one packet as others write it."""
    head = block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1), order)
    interface = block(1, struct.pack(f"{order}HHI", link, 0, 0), order)
    return head + interface + block(6, struct.pack(f"{order}IIIII", 0, 0, 0, len(packet), len(packet)) + packet, order)


TAP = bytes.fromhex("0000 1c00 0100 0400 00000000 0300 0300 0b000000 0000 0100")  # strength, channel, and the kind of check sequence


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("link", "packet", "frame"),
    [
        (195, b"frame\x01\x02", b"frame"),
        (230, b"frame\x01\x02", b"frame\x01\x02"),
        (283, TAP + b"\x01\x00\x00\x00frame\x01\x02", b"frame"),
        (283, TAP + b"\x00\x00\x00\x00frame\x01\x02", b"frame\x01\x02"),
        (283, TAP[:2] + b"\x04\x00frame\x01\x02", b"frame\x01\x02"),
    ],
)
def test_a_capture_of_others_is_read_with_and_without_a_check_sequence(link: int, packet: bytes, frame: bytes, order: str) -> None:
    (piece,) = take_apart(Pasted(capture_of(link, packet, order)))[1]
    assert (piece.octets, piece.layer) == (frame, "mac")


def test_a_capture_of_another_link_or_without_a_packet_is_told() -> None:
    with pytest.raises(DecodeError, match="link type 1, expected IEEE"):
        take_apart(Pasted(capture_of(1, b"frame")))
    with pytest.raises(DecodeError, match="the capture has no packet"):
        take_apart(Pasted(capture_of(195, b"frame")[: 28 + 20]))
    with pytest.raises(DecodeError, match="a packet of interface 0, expected one of 0"):
        take_apart(Pasted(capture_of(195, b"")[:28] + capture_of(195, b"")[48:]))
