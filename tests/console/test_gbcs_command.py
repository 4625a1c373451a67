from __future__ import annotations

import base64
import io
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from firmware_emu.cli import chub, main
from firmware_emu.console.commands.gbcs import gbcs
from firmware_emu.console.commands.gbcs_input import from_content, from_text
from firmware_emu.console.tree_table import show
from firmware_emu.crypto import primitives
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.pki import DEFAULT_DEVICES, make_pki
from firmware_emu.errors import IdentifierError
from firmware_emu.gbcs import dlms, protect
from firmware_emu.gbcs.axdr import DoubleLongUnsigned, Structure
from firmware_emu.gbcs.build import respond
from firmware_emu.gbcs.dlms import AccessResponse, AccessResult, Choice, Protected, ProtectionParameters, invoke_id
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.explain import explain
from firmware_emu.gbcs.verify import mac_secret

_README = Path(__file__).resolve().parents[2] / "README.md"
_SUPPLIER = "90b3d51f30010000"
_ESME = "00db1234567890a0"


def _run(*arguments: str | Path, text: str | bytes | None = None) -> Result:
    return CliRunner().invoke(chub, ["gbcs", *(str(argument) for argument in arguments)], input=text)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pki") / "keys"
    make_pki(folder, organisations=None, devices=DEFAULT_DEVICES)
    return folder


@pytest.fixture(scope="module")
def keystore(keys: Path) -> Keystore:
    return Keystore.load(keys)


def _build(use_case: str, target: str, *values: str, counter: int = 1000) -> str:
    built = _run("build", "--use-case", use_case, "--originator", _SUPPLIER, "--target", target, "--counter", str(counter), *values)
    assert built.exit_code == 0, built.output or built.exception
    return built.output.strip()


@pytest.fixture(scope="module")
def command(keys: Path) -> bytes:
    """A signed and MACed command, made by three verbs in a row."""
    pre_command = _build("ECS70", _ESME, "0=1", '1=["2026-03-29T01:30:00Z","now","never"]')
    signed = _run("sign", "--keys", keys, text=pre_command)
    maced = _run("mac", "-", "--keys", keys, text=signed.output)
    assert maced.exit_code == 0, maced.output
    return bytes.fromhex(maced.output)


@pytest.fixture(scope="module")
def unsigned(keys: Path) -> bytes:
    """A MACed command without a signature."""
    return bytes.fromhex(_run("mac", _build("ECS17b", _ESME), "--keys", keys).output)


# -- help


def test_every_verb_has_help_and_the_readme_names_verbs_that_are_there() -> None:
    assert sorted(gbcs.commands) == ["build", "explain", "mac", "sign", "use-cases", "utrn", "verify"]
    for verb in gbcs.commands.values():
        assert verb.help
        assert all(option.help for option in verb.params if isinstance(option, click.Option)), verb.name
    row = next(line for line in _README.read_text("utf-8").splitlines() if line.startswith("| `chub gbcs`"))
    named = re.findall(r"[a-z-]+", row.split("|")[2].split(":")[1])
    assert named
    assert set(named) <= set(gbcs.commands)


def test_every_read_prints_json() -> None:
    for verb in gbcs.commands.values():
        assert any("--json" in option.opts for option in verb.params), verb.name


# -- input


@pytest.mark.parametrize("form", ["hex", "spaced", "base64", "binary", "0x", "file of hex", "file of octets"])
def test_a_message_is_read_in_every_form_it_comes_in(form: str, command: bytes, tmp_path: Path) -> None:
    wanted = _run("explain", command.hex(), "--json").output
    file = tmp_path / "message"
    encoded = base64.b64encode(command).decode()
    texts = {"hex": command.hex(), "spaced": command.hex(" ").upper(), "base64": encoded, "0x": f"0x{command.hex()}"}
    if form in texts:
        assert _run("explain", texts[form], "--json").output == wanted
        assert _run("explain", "-", "--json", text=texts[form] + "\n").output == wanted
    elif form == "binary":
        assert _run("explain", "-", "--json", text=command).output == wanted
    else:
        file.write_bytes(command if form == "file of octets" else command.hex().encode())
        assert _run("explain", file, "--json").output == wanted


def test_text_of_one_message_in_several_lines_is_one_message_and_a_message_a_line_are_several(command: bytes, unsigned: bytes) -> None:
    wrapped = base64.encodebytes(command)
    assert wrapped.count(b"\n") > 2
    assert [found.octets for found in from_content("wrapped", wrapped)] == [command]
    lines = f"{command.hex()}\n\n{base64.b64encode(unsigned).decode()}\n".encode()
    assert [(found.name, found.octets) for found in from_content("lines", lines)] == [("lines:1", command), ("lines:3", unsigned)]
    assert from_text("what is this?") is None


@pytest.mark.parametrize("argument", ["nonsense!", "no/such/file.hex"])
def test_what_is_no_message_is_refused_by_what_was_expected(argument: str) -> None:
    refused = _run("explain", argument)
    assert isinstance(refused.exception, IdentifierError)
    assert "hexadecimal, base64, the name of a file" in str(refused.exception)


def test_an_error_is_one_line_and_exit_code_2(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: bytes) -> None:
    monkeypatch.setattr(sys, "argv", ["chub", "gbcs", "explain", command[:40].hex()])
    with pytest.raises(SystemExit) as leaving:
        main()
    assert leaving.value.code == 2
    said = capsys.readouterr().err
    assert re.match(r"chub: at offset \d, ciphered-service length: ", said)
    assert said.count("\n") == 1


# -- explain


def test_the_explanation_holds_every_octet_and_its_lines_show_offset_field_and_meaning(command: bytes, keys: Path) -> None:
    tree = json.loads(_run("explain", command.hex(), "--keys", keys, "--json").output)

    def octets(node: dict[str, object]) -> str:
        children = node.get("children", [])
        assert isinstance(children, list)
        return str(node["octets"]) + "".join(octets(child) for child in children)

    assert "".join(octets(node) for node in tree["nodes"]) == command.hex()
    assert tree["mac"]["state"] == tree["signature"]["state"] == "valid"
    lines = _run("explain", command.hex(), "--keys", keys).output.splitlines()
    assert lines[0].strip() == "ECS70 command, 90b3d51f30010000 to 00db1234567890a0, counter 1000"
    assert any(re.match(r" *45 +00 62 +├─ message code +0062 +ECS70: Set Clock on", line) for line in lines)
    assert any("2026-03-29T01:30:00Z" in line for line in lines)


def test_a_mac_that_fails_ends_with_1_and_the_input_that_would_hold_is_named(unsigned: bytes, keystore: Keystore, keys: Path) -> None:
    message = Message.decode(unsigned)
    header = message.header
    z = mac_secret(header, keystore)
    key = primitives.derive_key(z, protect.other_info(header.originator, 2, header.counter, header.recipient))
    as_response = primitives.tag(key, header.originator.octets + bytes(4), protect.MAC_AAD_PREFIX + message.signing_block)
    shown = _run("explain", replace(message, mac=as_response).encode().hex(), "--keys", keys, "--json")
    assert shown.exit_code == 1
    assert json.loads(shown.output)["mac"]["would_hold"] == "u octet 02 (response) in the key derivation"
    own_secret = keystore.shared_secret(header.originator, header.recipient)
    by_user = protect.with_mac(message, own_secret).encode()
    shown = _run("verify", "-", "--keys", keys, "--json", text=by_user.hex())
    assert shown.exit_code == 1
    failure = json.loads(shown.output)["failures"][0]
    assert (failure["file"], failure["offset"], failure["field"]) == ("-", len(by_user) - 12, "MAC")
    assert f"it holds with the shared secret of {_ESME} and {_SUPPLIER}" in failure["error"]


def test_on_a_narrow_console_nothing_of_a_field_is_lost(command: bytes) -> None:
    out = io.StringIO()
    show(Console(file=out, width=80), explain(command))
    said = " ".join(out.getvalue().replace("│", " ").split())
    assert max(map(len, out.getvalue().splitlines())) <= 80
    assert "45 00 62 ├─ message code 0062 ECS70: Set Clock on ESME gbcs-messages 1.4" in said
    assert "2026-03-29T01:30:00Z" in said


# -- verify


def test_a_folder_of_messages_in_every_form_is_verified(command: bytes, unsigned: bytes, keys: Path, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "a.HEX").write_text(command.hex())
    (tmp_path / "b.b64").write_bytes(base64.b64encode(unsigned))
    (inner / "c.bin").write_bytes(command)
    (inner / "d.txt").write_text(f"{command.hex()}\n{unsigned.hex()}\n")
    (inner / "notes.md").write_text("not a message")
    checked = _run("verify", tmp_path, "--keys", keys, "--json")
    assert checked.exit_code == 0
    assert json.loads(checked.output) == {
        "messages": 5,
        "parsed": 5,
        "reencoded_identical": 5,
        "mac": {"valid": 5, "invalid": 0, "unchecked": 0},
        "signature": {"valid": 3, "invalid": 0, "unchecked": 0},
        "encrypted": {"found": 0, "decrypted": 0},
        "failures": [],
        "unchecked_reasons": [],
    }
    assert "5 messages" in _run("verify", tmp_path, "--keys", keys).output


def test_what_does_not_hold_is_counted_named_and_ends_with_1(command: bytes, keys: Path, tmp_path: Path) -> None:
    (tmp_path / "altered.bin").write_bytes(command[:108] + b"\x02\x04" + command[110:])
    (tmp_path / "short.bin").write_bytes(command[:-1])
    (tmp_path / "text.txt").write_text("hello, hub")
    broken = bytearray(command)
    broken[160] ^= 1
    (tmp_path / "signature.bin").write_bytes(broken)
    checked = _run("verify", tmp_path, "--keys", keys, "--json")
    assert checked.exit_code == 1
    told = json.loads(checked.output)
    assert (told["messages"], told["parsed"]) == (4, 1)
    assert (told["mac"]["invalid"], told["signature"]["invalid"]) == (1, 1)
    by_file = {(Path(failure["file"]).name, failure["field"]) for failure in told["failures"]}
    assert {("short.bin", "ciphered-service length"), ("text.txt", "file")} <= by_file
    assert {("signature.bin", "signature"), ("signature.bin", "MAC")} <= by_file
    assert any(name == "altered.bin" for name, _ in by_file)
    said = _run("verify", tmp_path, "--keys", keys)
    assert said.exit_code == 1
    assert said.output.count("failed ") == len(told["failures"])


def test_a_check_without_its_key_is_unchecked_with_the_reason(command: bytes, keystore: Keystore, tmp_path: Path) -> None:
    keystore.subset(private=()).save(tmp_path / "public")
    checked = _run("verify", "-", "--keys", tmp_path / "public", "--json", text=command.hex())
    told = json.loads(checked.output)
    assert checked.exit_code == 0
    assert told["mac"] == {"valid": 0, "invalid": 0, "unchecked": 1}
    assert told["signature"]["valid"] == 1
    assert "no private key of" in told["unchecked_reasons"][0]["reason"]


def _encrypted_answer(keystore: Keystore) -> bytes:
    command = Message.decode(bytes.fromhex(_build("ECS17b", _ESME, counter=1001)))
    esme, supplier = command.header.recipient, command.header.originator
    values = Structure((DoubleLongUnsigned(10),)).encode()
    z = keystore.shared_secret(esme, supplier)
    sealed = protect.encrypt(values, z, originator=esme, counter=1001, recipient=supplier)
    data = Protected(ProtectionParameters(1001, esme, supplier), sealed).data()
    payload = AccessResponse(invoke_id(1001), (data,), (dlms.AccessOutcome(Choice.ACTION, AccessResult(0)),)).encode()
    return protect.with_mac(respond(command, payload), z).encode()


def test_an_encrypted_answer_is_decrypted_only_by_who_may_read_it(keystore: Keystore, keys: Path, tmp_path: Path) -> None:
    answer = _encrypted_answer(keystore)
    told = json.loads(_run("verify", "-", "--keys", keys, "--json", text=answer.hex()).output)
    assert told["encrypted"] == {"found": 1, "decrypted": 1}
    keystore.subset(private=()).save(tmp_path / "public")
    told = json.loads(_run("verify", "-", "--keys", tmp_path / "public", "--json", text=answer.hex()).output)
    assert told["encrypted"] == {"found": 1, "decrypted": 0}
    assert not told["failures"]
    shown = _run("explain", answer.hex(), "--keys", keys).output
    assert "double-long-unsigned 10" in shown


def test_a_ciphertext_that_does_not_open_fails_even_under_a_mac_that_holds(keystore: Keystore, keys: Path) -> None:
    answer = Message.decode(_encrypted_answer(keystore))
    place = answer.payload.index(protect.ENCRYPTED_HEADER) + 5
    payload = answer.payload[:place] + bytes((answer.payload[place] ^ 1,)) + answer.payload[place + 1 :]
    altered = protect.with_mac(replace(answer, payload=payload), keystore.shared_secret(answer.header.originator, answer.header.recipient))
    verified = _run("verify", "-", "--keys", keys, "--json", text=altered.encode().hex())
    told = json.loads(verified.output)
    assert (verified.exit_code, told["mac"]["valid"], told["encrypted"]) == (1, 1, {"found": 1, "decrypted": 0})
    assert told["failures"][0]["error"].startswith("does not open")
    explained = _run("explain", altered.encode().hex(), "--keys", keys, "--json")
    assert explained.exit_code == 1
    assert json.loads(explained.output)["encrypted"][0]["opened"] is False


@pytest.mark.parametrize("arguments", [("no/such/folder",), ()])
def test_a_path_that_is_not_there_is_refused(arguments: tuple[str, ...], keys: Path) -> None:
    assert _run("verify", *arguments, "--keys", keys).exit_code == 2


def test_a_folder_without_messages_is_refused(keys: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("nothing here")
    refused = _run("verify", tmp_path, "--keys", keys)
    assert refused.exit_code == 2
    assert "no messages in" in refused.output


def test_every_message_of_the_reference_set_verifies(rtds: Path) -> None:
    checked = _run("verify", rtds / "4.5.0", "--keys", rtds / "keys", "--json")
    told = json.loads(checked.output)
    count = sum(1 for _ in (rtds / "4.5.0").rglob("*.HEX"))
    assert checked.exit_code == 0
    assert (told["messages"], told["parsed"], told["reencoded_identical"]) == (count, count, count)
    assert told["failures"] == []
    assert told["encrypted"]["found"] == told["encrypted"]["decrypted"] > 0
    unchecked = {Path(entry["file"]).name.split("_")[0] for entry in told["unchecked_reasons"]}
    assert unchecked == {"PCS01", "PCS02"}, "messages between two devices whose private keys are not published"
