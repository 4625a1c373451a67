"""One run at a time has an instrument."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_emu.errors import NotAvailable
from hil.commands.station import station
from ichis.instrument.lease import Lease, holders


def test_a_second_run_is_told_who_has_the_instrument_until_it_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHUB_LEASES", str(tmp_path))
    address = "TCPIP::10.0.0.7::5555::SOCKET"
    first = Lease(address)
    with pytest.raises(NotAvailable, match=r"process \d+ has it \(.* since "):
        Lease(address)
    assert [one.address for one in holders()] == [address]
    assert json.loads(CliRunner().invoke(station, ["--json"]).output)["leases"][0]["address"] == address
    first.close()
    assert holders() == []
    Lease(address).close()
