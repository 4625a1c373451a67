from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from firmware_emu.cli import chub
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import RemotePartyRole
from firmware_emu.errors import KeystoreError
from firmware_emu.ids import Eui64


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(chub, ["pki", *(str(argument) for argument in arguments)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pki") / "keys"
    assert _run("make", made).exit_code == 0
    return made


def test_making_a_pki_says_what_was_made_and_checking_it_finds_nothing(tmp_path: Path) -> None:
    made = _run("make", tmp_path / "keys")
    assert made.output == f"{tmp_path / 'keys'}: 9 organisations, 7 devices, 4 authorities\n"
    checked = _run("check", tmp_path / "keys")
    assert (checked.exit_code, checked.output) == (0, f"{tmp_path / 'keys'}: all 16 parties hold\n")


def test_named_devices_and_organisations_take_the_place_of_the_default_ones(tmp_path: Path) -> None:
    options = (
        "--device",
        "00-DB-00-00-00-00-00-01:esme",
        "--device",
        "00db000000000002:chf",
        "--organisation",
        "us:supplier:90b3d51f30019999",
    )
    assert _run("make", tmp_path / "keys", *options).exit_code == 0
    store = Keystore.load(tmp_path / "keys")
    assert [str(entity) for entity in store.entities()] == ["00db000000000001", "00db000000000002", "90b3d51f30019999"]
    assert store.find(RemotePartyRole.SUPPLIER) == (Eui64.parse("90b3d51f30019999"),)


def test_an_existing_pki_is_kept_unless_forced(folder: Path, tmp_path: Path) -> None:
    refused = _run("make", folder)
    assert isinstance(refused.exception, KeystoreError)
    assert "--force" in str(refused.exception)
    assert _run("make", tmp_path / "keys").exit_code == 0
    assert _run("make", tmp_path / "keys", "--force").exit_code == 0


def test_a_device_is_added(tmp_path: Path) -> None:
    assert _run("make", tmp_path, "--device", "00db000000000001:ESME").exit_code == 0
    added = _run("add", tmp_path, "--device", "00db000000000002:type-2")
    assert (added.exit_code, added.output) == (0, f"{tmp_path}: added TYPE_2 00db000000000002\n")
    assert Keystore.load(tmp_path).has_cbke(Eui64.parse("00db000000000002"))


@pytest.mark.parametrize(
    ("option", "value", "problem"),
    [
        ("--device", "00db:ESME", "'00db' is not an EUI-64"),
        ("--device", "00db1234567890a0:TOASTER", "'TOASTER' is not a device type: expected GSME, ESME"),
        ("--device", "00db1234567890a0", "is not an EUI-64"),
        ("--organisation", "us:king:90b3d51f30010000", "'king' is not a role, as in supplier:SUPPLIER:90b3d51f30010000: expected one of"),
        ("--organisation", "us:supplier:9", "'9' is not an EUI-64"),
    ],
)
def test_a_party_that_cannot_be_read_is_named_with_what_was_expected(tmp_path: Path, option: str, value: str, problem: str) -> None:
    result = _run("make", tmp_path / "keys", option, value)
    assert result.exit_code == 2
    assert problem in result.stderr
    assert not (tmp_path / "keys").exists()


def test_a_device_named_twice_is_refused(tmp_path: Path) -> None:
    result = _run("make", tmp_path, "--device", "00db000000000001:ESME", "--device", "00db000000000001:GSME")
    assert result.exit_code == 2
    assert "an EUI-64 occurs twice" in result.stderr
    result = _run("make", tmp_path, "--organisation", "a:other:00db000000000001", "--organisation", "a:other:00db000000000002")
    assert "a name occurs twice" in result.stderr


def test_showing_lists_parties_pairs_and_hubs_and_no_secret(folder: Path) -> None:
    shown = _run("show", folder)
    assert shown.exit_code == 0
    for text in ("access control broker", "90b3d51f30010000", "pp-ka", "BENCH-OCA", "SM WAN TLS: server, hubs 00db1234567890a2"):
        assert text in shown.output
    tree = json.loads(_run("show", folder, "--json").output)
    meter = next(party for party in tree["parties"] if party["eui64"] == "00db1234567890a0")
    assert [pair["kind"] for pair in meter["pairs"]] == ["ds", "ka"]
    assert all(pair["private_key"] for pair in meter["pairs"])
    assert meter["key_establishment"] is True
    secret = f"{Keystore.load(folder).cbke(Eui64.parse('00db1234567890a0')).private_key:x}"
    assert secret not in shown.output + json.dumps(tree)


def test_the_published_keys_are_shown_with_the_warning_about_the_misfiled_pair(rtds: Path) -> None:
    shown = _run("show", rtds / "keys")
    assert shown.exit_code == 0
    assert "warning: " in shown.output
    assert "is 90b3d51f30030000's for key agreement" in shown.output


def test_a_bad_verdict_ends_with_exit_code_1(rtds: Path) -> None:
    in_time = json.loads(_run("check", rtds / "keys", "--at", "2020-01-01", "--json").output)
    assert not any("is valid" in finding["problem"] for finding in in_time["findings"])
    late = _run("check", rtds / "keys", "--at", "2026-01-01", "--json")
    assert late.exit_code == 1
    tree = json.loads(late.output)
    assert tree["good"] is False
    assert sum("is valid 2015-" in finding["problem"] for finding in tree["findings"]) == 13


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = _run("show", tmp_path / "nowhere")
    assert isinstance(result.exception, KeystoreError)
    assert "make one with `chub pki make`" in str(result.exception)


@pytest.mark.parametrize("verb", ["show", "check"])
def test_a_folder_without_keys_is_refused_and_not_shown_as_an_empty_table(tmp_path: Path, verb: str) -> None:
    refused = _run(verb, tmp_path)
    assert isinstance(refused.exception, KeystoreError)
    assert "holds no key and no certificate: expected a folder of PEM files" in str(refused.exception)
