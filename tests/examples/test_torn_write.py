"""The hub dies in the middle of a write to its memory and is asked again after it has booted."""

import pytest


@pytest.mark.needs("radio")
def test_a_hub_that_died_in_a_write_still_knows_its_devices(bench, hub, esme, dcc, fault, trace):
    hub.form()
    esme.add()
    fault.add("nvm torn at 1st write")
    dcc.read("esme")
    bench.go("1m")
    assert dcc.read("esme").ok
    assert any(record.event == "torn" for record in bench.records)
    assert any(record.event == "boot" for record in bench.records if record.area == "power")
