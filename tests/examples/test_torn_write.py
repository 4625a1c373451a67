"""The hub dies in the middle of a write to its memory and is asked again after it has booted."""

import pytest


@pytest.mark.chub_needs("radio")
def test_a_hub_that_died_in_a_write_still_knows_its_devices(chub_bench, chub_hub, chub_esme, chub_dcc, chub_fault, chub_trace):
    chub_hub.form()
    chub_esme.add()
    chub_fault.add("nvm torn at 1st write")
    chub_dcc.read("esme")
    chub_bench.go("1m")
    assert chub_dcc.read("esme").ok
    assert any(record.event == "torn" for record in chub_bench.records)
    assert any(record.event == "boot" for record in chub_bench.records if record.area == "power")
