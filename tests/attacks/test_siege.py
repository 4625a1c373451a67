"""The search finds nothing where the layers hold, and finds within a few trials what a fix that is taken out lets through."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_emu.crypto import certificate_profile
from firmware_emu.device import checks
from firmware_emu.device.profile import permissions
from hil.attacks.siege import Find, Siege
from hil.commands.siege import siege as command


@pytest.fixture(scope="module")
def siege(tmp_path_factory: pytest.TempPathFactory) -> Siege:
    return Siege(tmp_path_factory.mktemp("siege"))


def finds(siege: Siege, layer: str, trials: int, seed: int = 1) -> list[Find]:
    return [find for _, find in siege.run([layer], seed, lambda done: done >= trials) if find is not None]


@pytest.mark.parametrize("layer", ["requests", "certificates", "commands"])
def test_the_layers_hold(siege: Siege, layer: str) -> None:
    assert finds(siege, layer, 150) == []


def test_a_right_that_nobody_granted_is_found_where_the_broker_may_all(siege: Siege, monkeypatch: pytest.MonkeyPatch) -> None:
    def wide(kind):  # type: ignore[no-untyped-def]
        return {
            code: (*rights, *(replace(one, role=checks._BROKER, for_another=True, signature=False) for one in rights[:1]))
            for code, rights in permissions(kind).items()
        }

    monkeypatch.setattr(checks, "permissions", wide)
    found = finds(siege, "commands", 600)
    assert found
    assert "without a right" in found[0].broken
    assert len(found[0].changes) <= 3
    assert "siege.layers['commands'].judge" in found[0].as_test()


def test_an_exception_that_gets_out_is_a_find(siege: Siege, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(octets: bytes) -> None:
        raise IndexError("x")

    monkeypatch.setattr(certificate_profile.certificate_facts, "read", breaks)
    found = finds(siege, "certificates", 5)
    assert found
    assert "IndexError at" in found[0].broken


def test_one_seed_gives_one_search_and_the_command_says_what_it_did(siege: Siege, tmp_path: Path) -> None:
    done = CliRunner().invoke(command, ["certificates", "--trials", "20", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output) | {"seconds": 0} == {"trials": 20, "seconds": 0, "finds": []}
    told = CliRunner().invoke(command, ["walls", "--trials", "1"])
    assert told.exit_code != 0
