"""One run at a time has an instrument."""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_emu.errors import NotAvailable
from firmware_emu.ownership import Owner
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


@pytest.mark.skipif(os.geteuid() != 0, reason="another user is played by root")
def test_another_user_of_the_machine_is_refused_and_told_who_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o777)
        monkeypatch.setenv("CHUB_LEASES", f"{place}/leases")
        address, before = "TCPIP::10.0.0.7::5555::SOCKET", os.umask(0o077)
        first = Lease(address)
        os.umask(before)
        os.seteuid(65534)
        try:
            with pytest.raises(NotAvailable, match=f"process {os.getpid()} has it"):
                Lease(address)
            assert [one.address for one in holders()] == [address]
            Lease("TCPIP::10.0.0.8::5555::SOCKET").close()
            first.close()
            Lease(address).close()
        finally:
            os.seteuid(0)


def test_a_dongle_in_use_is_shown_with_its_process_and_since_when(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHUB_LEASES", str(tmp_path / "leases"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dongle = Owner.of_line("/dev/ttyACM9", "the dongle at /dev/ttyACM9")
    instrument = Lease(f"ASRL{tmp_path}/terminal::INSTR")
    shown = CliRunner().invoke(station).output
    assert f"the dongle at /dev/ttyACM9: since 20{time.strftime('%y')}" in shown
    assert f"process {os.getpid()}" in shown
    assert shown.count("terminal::INSTR") == 1, "an instrument on a serial line is one thing"
    dongle.release()
    instrument.close()
    assert "no instrument, dongle or port is in use" in CliRunner().invoke(station).output
