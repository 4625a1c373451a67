"""The lint of hollow places: every one is excused with a reason, no excuse is stale, and one that is made is found."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from hil.commands.device import device
from hil.coverage import hollow as lint
from hil.coverage.hollow import EVENT, SETTING, hollow


def test_no_place_of_a_device_is_hollow_without_an_excuse_and_no_excuse_is_stale() -> None:
    assert [place for place in hollow() if not place.excuse] == []


def test_a_setting_that_nothing_reads_an_event_that_nothing_raises_and_a_stale_excuse_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = lint._rows

    def more(package: str | None, name: str) -> list[dict[str, str]]:
        added = {
            "objects.csv": {"class": "1", "obis": "0-0:94.44.77.1", "attribute": "2", "access": "rw", "type": "boolean", "value": ""},
            "events.csv": {"code": "0x8FFE", "device": "ESME", "log": "event", "alert": "", "party": "", "source": "-"},
            "hollow.csv": {"kind": EVENT, "what": "8145", "why": "it was"},
        }
        return [*rows(package, name), *([added[name]] if name in added else [])]

    monkeypatch.setattr(lint, "_rows", more)
    found = [(place.kind, place.what) for place in hollow() if not place.excuse]
    assert found == [(SETTING, "0-0:94.44.77.1"), (EVENT, "8ffe"), ("excuse", "event 8145")]


def test_a_handler_that_answers_success_and_changes_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    hollow_ones = (
        "def set(value):\n    PRICE.decode(value)\n    return ZclStatus.SUCCESS\n"
        "act = lambda _: AccessResult.SUCCESS\n"
        "def choose(value):\n    return AccessResult.SUCCESS if value else AccessResult.OTHER_REASON\n"
    )
    others = (
        "def keep(self, value):\n    self.kept = value\n    return ZclStatus.SUCCESS\n"
        "def store(self, value):\n    self.store.put(value)\n    return AccessResult.SUCCESS\n"
        "def count(self, value):\n    return 1\n"
    )
    monkeypatch.setattr(lint, "_sources", lambda: [("made", hollow_ones), ("meant", others)])
    assert lint._successes() == ["made:choose", "made:lambda", "made:set"]


def test_the_command_tells_every_place_with_its_excuse() -> None:
    ran = CliRunner().invoke(device, ["lint", "--json"])
    assert ran.exit_code == 0, ran.output
    assert {row["what"]: row["excuse"] for row in json.loads(ran.stdout)}["81a5"] == "there is no local port"
    assert "there is no local port" in CliRunner().invoke(device, ["lint"]).output
