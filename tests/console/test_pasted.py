"""One box to paste anything into: it finds what it is, and second readers tell where they disagree."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from firmware_emu.cli import exit_code
from firmware_emu.console.commands import pasted
from firmware_emu.console.commands.explain import explain
from firmware_emu.console.commands.pasted import Form, Pasted, Piece, explain_piece, take_apart
from firmware_emu.console.layers import LayerKnowledge
from firmware_emu.errors import CommsHubError
from firmware_emu.han.capture import CaptureWriter, KeyFile
from hil.console.oracles import ORACLES, _Sniffed

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
    assert tshark.judge(piece, explain_piece(other, known), known) == ["MAC sequence number: tshark reads 164, this reads 165"]


@pytest.mark.needs("openssl")
def test_openssl_refuses_a_certificate_that_is_cut_short() -> None:
    (piece,) = take_apart(Pasted(_certificate()[0]))[1]
    (openssl,) = (one for one in ORACLES if one.name == "openssl")
    found = explain_piece(piece, LayerKnowledge())
    assert openssl.judge(piece, found, LayerKnowledge()) == []
    assert openssl.judge(Piece("cut", piece.octets[:40], "der"), found, LayerKnowledge())
