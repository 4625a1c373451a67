"""``chub dcc registration`` on a store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.ids import Eui64
from hil.commands.dcc.registration import registration
from hil.dcc.base.services import UserRole
from hil.dcc.base.store import DccStore
from hil.dcc.registration.counts import SOURCES, NonDomestic
from hil.dcc.registration.files import Fuel, RegistrationFile, Row
from hil.dcc.registration.incidents import FeedIncidentKind, RegistrationIncidentError, handling
from hil.dcc.registration.register import Registration
from hil.dcc.registration.settings import feed_settings
from tests.dcc.far_end import MPAN, NETWORK, SUPPLIER
from tests.dcc.registration.feed_bench import MPAN_2, RDP


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


@pytest.mark.requirement("REG-06")
@pytest.mark.parametrize("kind", list(FeedIncidentKind))
def test_an_incident_of_each_kind_is_raised_after_its_steps_and_resolved(store_path: Path, kind: FeedIncidentKind) -> None:
    steps = [word for step in handling()[kind].steps for word in ("--step", step)]
    words = ("incidents", "--open", str(RDP), "gas", kind.value, "file 7")
    refused = CliRunner().invoke(registration, [*words, *steps[:-2], "--store", str(store_path)])
    assert isinstance(refused.exception, RegistrationIncidentError)
    assert f"still to do: {steps[-1]}" in str(refused.exception)
    assert [(one["kind"], one["state"]) for one in said(store_path, *words, *steps)] == [(kind.value, "open")]
    assert [(one["state"], one["resolution"]) for one in said(store_path, "incidents", "--resolve", "1", "it came")] == [
        ("resolved", "it came")
    ]


@pytest.mark.requirement("REG-07")
def test_what_comes_again_is_resolved_with_what_prevents_the_next(store_path: Path) -> None:
    steps = [word for step in handling()[FeedIncidentKind.MALFORMED].steps for word in ("--step", step)]
    for _ in range(feed_settings().recurrence):
        said(store_path, "incidents", "--open", str(RDP), "gas", "malformed", "sequence 3", *steps)
    again = ["incidents", "--resolve", str(feed_settings().recurrence), "sent again"]
    refused = CliRunner().invoke(registration, [*again, "--store", str(store_path)])
    assert "say what prevents it [87]" in str(refused.exception)
    resolved = said(store_path, *again, "--prevention", "files are checked before they are sent")
    assert [one["state"] for one in resolved] == ["open"] * (feed_settings().recurrence - 1) + ["resolved"]


@pytest.mark.requirement("REG-02")
@pytest.mark.requirement("REG-10")
@pytest.mark.requirement("REG-23")
def test_registrations_and_non_domestic_supplies_are_counted_by_every_source(store_path: Path) -> None:
    store = DccStore(store_path)
    register = Registration(store)
    other = Eui64.parse("90b3d51f30020000")
    for mpxn, user in ((MPAN, SUPPLIER), (MPAN_2, other), ("1312345678333", other)):
        register.register(mpxn, UserRole.IS, user, 0.0)
    NonDomestic(store).note(MPAN, 3, "domestic")
    NonDomestic(store).note(MPAN_2, 1, "non-domestic")
    store.close()
    told = CliRunner().invoke(registration, ["non-domestic", str(SUPPLIER), MPAN, "non-domestic", "--store", str(store_path)])
    assert told.output == f"{MPAN}: non-domestic, by {SUPPLIER}\n"
    found = {row["of"].removesuffix(" (in use)"): row["registered"] for row in said(store_path, "counts")}
    assert (found[str(SUPPLIER)], found[str(other)]) == (1, 2)
    by_source = {name: found[f"non-domestic by {name}"] for name in SOURCES}
    assert by_source == {"profile class": 1, "supplier-given": 1, "registration item": 1}
    words = ["non-domestic", str(other), MPAN_2, "non-domestic", "--switched-off", "--store", str(store_path)]
    refused = CliRunner().invoke(registration, words)
    assert "switched off by X2.4(c)" in str(refused.exception)
    assert {row["of"]: row["registered"] for row in said(store_path, "counts")}.items() >= {(str(other), 2)}


@pytest.mark.requirement("REG-21")
def test_a_large_delivery_is_sent_in_batches_so_far_apart() -> None:
    used = feed_settings()
    result = CliRunner().invoke(registration, ["batches", str(2 * used.batch_rows + 5), "--json"])
    assert [(row["first row"], row["rows"], row["after s"]) for row in json.loads(result.output)] == [
        (0, used.batch_rows, 0.0),
        (used.batch_rows, used.batch_rows, used.spacing_s),
        (2 * used.batch_rows, 5, 2 * used.spacing_s),
    ]
