"""The 20 pins as data."""

from __future__ import annotations

import pytest

from firmware_emu.errors import JigError
from ichis.connector import PINS, Direction, Level, signal


@pytest.mark.requirement("ICH-01")
def test_the_connector_has_twenty_pins_and_supplies_on_four() -> None:
    assert [pin.number for pin in PINS] == list(range(1, 21))
    assert [pin.number for pin in PINS if pin.host is Direction.POWER] == [1, 2, 3, 4]
    assert [pin.number for pin in PINS if pin.host is Direction.NOT_CONNECTED] == list(range(10, 21))


def test_the_hub_drives_what_the_host_reads() -> None:
    assert signal("CH_PR").hub is Direction.OUTPUT
    assert signal("MT_PR").hub is Direction.INPUT
    assert signal("AC LO").hub is Direction.INPUT


def test_an_empty_socket_reads_absent_and_a_broken_ac_lost_contact_reads_lost() -> None:
    assert signal("CH_PR").reads_open is Level.HIGH
    assert not signal("CH_PR").open_means_active
    assert signal("AC LO").open_means_active


def test_a_line_that_is_none_is_refused_with_the_ones_there_are() -> None:
    with pytest.raises(JigError, match="CH_PR, MT_PR, AC LO"):
        signal("RMM_A")
    with pytest.raises(JigError, match="no active level"):
        PINS[6].level(True)
