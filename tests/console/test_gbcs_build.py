from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from firmware_emu.cli import chub
from firmware_emu.console.commands import gbcs_shapes
from firmware_emu.console.commands.gbcs_values import keys_of
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.pki import DEFAULT_DEVICES, make_pki
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.errors import IdentifierError
from firmware_emu.gbcs import protect
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.use_cases import UseCase, UseCaseKind, by_name, catalogue, decode_payload
from firmware_emu.ids import CraFlag, Eui64

_SUPPLIER = "90b3d51f30010000"
_ESME = "00db1234567890a0"
_GSME = "00db1234567890a1"


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


# -- build, sign, mac


def test_a_built_signed_and_maced_command_verifies(command: bytes, keys: Path) -> None:
    told = json.loads(_run("verify", "-", "--keys", keys, "--json", text=command.hex()).output)
    assert (told["mac"]["valid"], told["signature"]["valid"]) == (1, 1)


def test_a_command_for_a_party_the_device_does_not_know_names_it(keys: Path) -> None:
    arguments = ("--use-case", "CCS02", "--originator", "90b3d51f30000002", "--target", "00db1234567890a2", "--counter", "0x514")
    supplementary = ("--supplementary-party", _SUPPLIER, "--supplementary-counter", "1002")
    told = json.loads(_run("build", *arguments, *supplementary, "0=00-db-12-34-56-78-90-a0", "--json").output)
    other = Message.decode(bytes.fromhex(told["message"])).header.other
    assert other == OtherInformation(2, Eui64.parse(_SUPPLIER), 1002)
    assert told["protection"] == "unsigned, without MAC"


def test_gbz_and_asn1_values_become_what_their_use_case_carries(keys: Path) -> None:
    top_up = _build("CS01b", _GSME, "0.originating_device=0", "0.top_up_code=73946144332040217315", counter=3 << 32)
    assert b"73946144332040217315".hex() in top_up
    unjoin = _build("CS04B", _ESME, "value=00-db-12-34-56-78-90-a4")
    assert bytes.fromhex(unjoin)[-11:] == bytes.fromhex("0408 00db1234567890a4 00".replace(" ", ""))
    asked = ('authorising_cell={"remote_party_role": 2, "key_usage": "digital_signature"}', "roles=[2, 3]")
    credentials = bytes.fromhex(_build("CS02a", _GSME, *asked))
    assert bytes.fromhex("3011300702010203020780300602010202010300") in credentials
    certificate = keys / f"{_ESME}-ka.pem"
    join = _build("CS03B", _ESME, "method=2", f"other_device={_GSME}", "other_type=0", f"certificate=@{certificate}")
    assert len(join) > 800


@pytest.mark.parametrize(
    ("use_case", "values", "said"),
    [
        ("ECS70", ["0=one"], "a number, decimal or 0x hexadecimal"),
        ("ECS70", ["0=1", "1=now"], "a JSON list for structure"),
        ("ECS70", ["0=1", '1=["now"]'], "3 elements"),
        ("ECS70", ["7=1"], "KEY of ECS70"),
        ("ECS70", ["0=1"], "data item 1 of ECS70"),
        ("GCS05", ["0.colour=red"], "KEY of GCS05"),
        ("CS02c", ["key_usage=decoration"], "digital_signature, key_agreement, key_cert_sign"),
        ("CS02a", ['authorising_cell={"colour": 1}', "roles=[2]"], "remote_party_role"),
        ("ECS99z", [], "ECS"),
        ("CCS08", [], "a use case with commands"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name(use_case: str, values: list[str], said: str) -> None:
    arguments = ("build", "--use-case", use_case, "--originator", _SUPPLIER, "--target", _ESME, "--counter", "1")
    refused = _run(*arguments, *values)
    assert isinstance(refused.exception, IdentifierError)
    assert said in str(refused.exception)
    assert "\n" not in str(refused.exception)


def test_a_pre_command_is_not_maced_before_it_is_signed(keys: Path) -> None:
    refused = _run("mac", _build("ECS70", _ESME, "0=1", '1=["now","now","now"]'), "--keys", keys)
    assert refused.exit_code == 2
    assert "sign it first" in refused.output


def test_messages_are_printed_in_the_form_asked_for(command: bytes, keys: Path) -> None:
    for form, read in (("hex", bytes.fromhex), ("base64", base64.b64decode)):
        assert Message.decode(read(_run("mac", command.hex(), "--keys", keys, "--as", form).output.strip())).mac is not None
    assert _run("mac", command.hex(), "--keys", keys, "--as", "binary").stdout_bytes == command


def _filled(shape: gbcs_shapes.Shape) -> object:
    """A value of a shape, as JSON."""
    if shape.type_name == "structure":
        told = [_filled(element) for element in shape.elements]
        return told + [told[-1]] * ((shape.size or 0) - len(told))
    if shape.type_name == "array":
        return [_filled(shape.elements[0])] * (shape.size or 0)
    octets = "00" * (shape.size or 0)
    leaves = {"boolean": "true", "bit-string": "1010", "octet-string": octets, "visible-string": "text", "..": {"unsigned": 1}}
    return leaves.get(shape.type_name, 1)


def _texts(use_case: UseCase) -> list[str]:
    """A value for every KEY that a use case does not fix."""
    texts = []
    for key in keys_of(use_case, None):
        if key.fixed:
            continue
        if use_case.access_lists:
            filled = _filled(gbcs_shapes.parse(use_case.access_list().items[int(key.name)].shape))
            texts.append(f"{key.name}={json.dumps(filled) if isinstance(filled, list | dict) else filled}")
        elif key.takes.startswith("[{"):
            texts.append(f"{key.name}=[]")
        else:
            texts.append(f"{key.name}={'00000000' if key.takes.startswith('date') else '0'}")
    return texts


@pytest.mark.parametrize(
    "name", [found.name for found in catalogue().values() if found.kind is UseCaseKind.COMMAND and (found.access_lists or found.gbz_lists)]
)
def test_every_dlms_and_gbz_command_of_the_catalogue_can_be_built_from_its_keys(name: str) -> None:
    use_case = by_name(name)
    texts = [text.replace("days=[]", "days=" + json.dumps([{"day_id": 1}] * 7)) for text in _texts(use_case)]
    period = ("--from", "2026-01-01", "--to", "2026-01-02T00:00:00+00:00")
    message = Message.decode(bytes.fromhex(_build(name, _ESME, *period, *texts)))
    assert decode_payload(message).encode() == message.payload
    assert message.message_code == use_case.code


# -- tokens and catalogue


def test_a_token_is_read_made_and_checked(keys: Path) -> None:
    read = json.loads(_run("utrn", "7394-6144-3320-4021-7315", "--json").output)
    assert read == {"utrn": "73946144332040217315", "pence": 1000, "value": 10, "value_class": 1, "counter_bits": 3}
    parties = ("--supplier", _SUPPLIER, "--meter", _ESME, "--keys", keys)
    made = json.loads(_run("utrn", *parties, "--counter", "0x500000000", "--value", "250", "--unit", "pence", "--json").output)
    assert (made["pence"], made["counter_bits"]) == (250, 5)
    good = _run("utrn", made["utrn"], *parties, "--counter", "0x500000000")
    assert (good.exit_code, good.output.endswith(", authentic)\n")) == (0, True)
    bad = _run("utrn", made["utrn"], *parties, "--counter", "0x600000000", "--json")
    assert bad.exit_code == 1
    assert json.loads(bad.output)["authentic"] is False


def test_the_reference_set_s_token_is_made_again(rtds: Path) -> None:
    parties = ("--supplier", _SUPPLIER, "--meter", _ESME, "--keys", rtds / "keys")
    made = _run("utrn", *parties, "--counter", "0x300000000", "--value", "10", "--unit", "pounds", "--json")
    assert json.loads(made.output)["utrn"] == "73946144332040217315"


@pytest.mark.parametrize("arguments", [("12345",), ("73946144332040217316",), ("--value", "10")])
def test_a_token_that_cannot_be_read_or_made_is_refused(arguments: tuple[str, ...]) -> None:
    refused = _run("utrn", *arguments)
    assert isinstance(refused.exception, IdentifierError) or refused.exit_code == 2


def test_the_catalogue_is_listed_whole_and_one_by_one() -> None:
    listed = json.loads(_run("use-cases", "--json").output)
    assert [row["name"] for row in listed] == list(catalogue())
    assert all(row["title"] and row["kind"] for row in listed)
    hub = json.loads(_run("use-cases", "--target", "chf", "--kind", "command", "--json").output)
    assert {"CCS01", "CS02a"} <= {row["name"] for row in hub}
    assert all("CHF" in row["targets"] for row in hub)
    one = json.loads(_run("use-cases", "ECS70", "--json").output)
    assert one["build"]["1"][1]["takes"] == "structure[3](octet-string(12),octet-string(12),octet-string(12))"
    assert "[@certificate.pem, ...]" in _run("use-cases", "CS02bSupplierBySupplier").output
    assert "ECS70" in _run("use-cases").output


def test_a_signature_is_checked_against_the_originator(keystore: Keystore, keys: Path) -> None:
    header = GroupingHeader(CraFlag.COMMAND, 1, Eui64.parse(_SUPPLIER), Eui64.parse(_ESME), OtherInformation(0x0062))
    pre_command = Message.decode(bytes.fromhex(_build("ECS70", _ESME, "0=1", '1=["now","now","now"]', counter=1)))
    assert pre_command.header == header
    operator = Eui64.parse("90b3d51f30020000")
    forged = protect.with_signature(pre_command, keystore.private_key(operator, KeyUsage.DIGITAL_SIGNATURE))
    told = json.loads(_run("verify", "-", "--keys", keys, "--json", text=forged.encode().hex()).output)
    assert told["failures"][0]["error"].endswith(f"it holds with the digital signature key of {operator}")
