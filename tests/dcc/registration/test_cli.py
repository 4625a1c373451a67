"""``chub dcc registration`` on a store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import KeyUsage
from hil.commands.dcc.registration import registration
from hil.dcc.base.services import UserRole
from hil.dcc.base.store import DccStore
from hil.dcc.registration.files import Fuel, RegistrationFile, Row
from hil.dcc.registration.incidents import FeedIncidentKind, handling
from tests.dcc.far_end import MPAN, NETWORK, SUPPLIER
from tests.dcc.registration.feed_bench import RDP


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    path = tmp_path / "dcc.sqlite"
    store = DccStore(path)
    store.execute("INSERT INTO users (eui, role) VALUES (?, 'IS')", (str(SUPPLIER),))
    store.close()
    return path


def said(store_path: Path, *words: str, code: int = 0) -> Any:
    result = CliRunner().invoke(registration, [*words, "--store", str(store_path), "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.output)


def test_a_signed_file_is_received_and_shown(store_path: Path, tmp_path: Path, keys: Path, keystore: Keystore) -> None:
    nominated = CliRunner().invoke(
        registration,
        ["nominate", str(NETWORK), str(RDP), "--fuel", "electricity", "--keys", str(keys), "--store", str(store_path)],
        catch_exceptions=False,
    )
    assert str(NETWORK) in nominated.output
    file, signature = tmp_path / "1.csv", tmp_path / "1.sig"
    made = RegistrationFile(RDP, Fuel.ELECTRICITY, False, 1, (Row(MPAN, UserRole.IS, SUPPLIER, 0.0),))
    octets, proof = made.sign(keystore.private_key(RDP, KeyUsage.DIGITAL_SIGNATURE))
    file.write_bytes(octets)
    signature.write_bytes(proof)
    receipt = said(store_path, "receive", str(file), str(signature), "--keys", str(keys))[0]
    assert (receipt["state"], receipt["rows"]) == ("taken", 1)
    assert said(store_path, "receive", str(file), str(signature), "--keys", str(keys), code=1)[0]["state"] == "repeated"
    assert said(store_path, "show", MPAN) == [{"mpxn": MPAN, "role": "IS", "user": str(SUPPLIER)}]


def test_refreshes_incidents_disputes_and_settings_are_listed(store_path: Path) -> None:
    assert said(store_path, "refresh", str(RDP), "--fuel", "gas")[0]["overdue"] is False
    steps = [word for step in handling()[FeedIncidentKind.NOT_RECEIVED].steps for word in ("--step", step)]
    raised = said(store_path, "incidents", "--open", str(RDP), "gas", "not received", "file 7", *steps)
    assert raised[0]["state"] == "open"
    assert said(store_path, "incidents", "--resolve", "1", "it came")[0]["state"] == "resolved"
    assert said(store_path, "disputes") == []
    result = CliRunner().invoke(registration, ["settings", "--json"])
    assert {one["setting"]: one["value"] for one in json.loads(result.output)}["refresh_days"] == "2"
