"""A port that is named: by whatever path, with or without a USB device behind it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from firmware_emu.errors import NotAvailable
from hil.inventory import dongle_board
from hil.inventory.dongle_board import DongleVerdict, same_port, unlisted, verdict
from hil.inventory.usb import FoundPort

DONGLE = FoundPort("Sonoff", "dongle", "10c4:ea60", "ITead", "Sonoff Zigbee 3.0", "1", "", "free", "", None)


def test_a_port_is_the_same_by_a_link_to_it_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "ttyUSB0").touch()
    (tmp_path / "ttyUSB1").touch()
    (tmp_path / "by-id").symlink_to(tmp_path / "ttyUSB0")
    one = replace(DONGLE, port=str(tmp_path / "ttyUSB0"))
    assert [same_port(one, str(tmp_path / name)) for name in ("ttyUSB0", "by-id", "ttyUSB1", "gone")] == [True, True, False, False]
    assert not same_port(one, None)
    assert not same_port(replace(one, port=""), str(tmp_path / "ttyUSB0"))
    assert same_port(replace(one, port="socket://far:1"), "socket://far:1")


def test_a_port_without_a_usb_device_is_a_pseudo_terminal_an_address_or_refused(tmp_path: Path) -> None:
    far = unlisted("socket://far:1")
    assert (far.what, far.port, far.state) == ("port on the network", "socket://far:1", "free")
    ours, theirs = os.openpty()
    near = unlisted(os.ttyname(theirs))
    assert (near.what, near.state, near.advice) == ("port", "free", "")
    os.close(ours)
    os.close(theirs)
    with pytest.raises(NotAvailable, match="name a serial device that is there"):
        unlisted(str(tmp_path / "gone"))
    (tmp_path / "file").touch()
    with pytest.raises(NotAvailable, match="no serial device"):
        unlisted(str(tmp_path / "file"))


def test_a_dongle_is_asked_where_it_may_be_and_is_free_and_else_judged_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def probe(port: str, baudrate: int) -> DongleVerdict:
        asked.append((port, baudrate))
        return DongleVerdict("yes", "it answered")

    monkeypatch.setattr(dongle_board, "verdict_by_probe", probe)
    monkeypatch.setattr(dongle_board, "verdict_by_name", lambda one: DongleVerdict("not known", "by name"))
    free = replace(DONGLE, port="socket://far:1")
    other = replace(free, kind="serial")
    judged = [
        verdict(free, True, None),
        verdict(other, True, "socket://far:1"),
        verdict(other, True, None),
        verdict(free, False, None),
        verdict(replace(free, state="in use"), True, None),
    ]
    assert [one.serves for one in judged] == ["yes", "yes", "not known", "not known", "not known"]
    assert asked == [("socket://far:1", 115200)] * 2
