"""The mains goes for longer than three minutes: the hub tells of it when it is back, and is on the network that it was on."""

import pytest


@pytest.mark.requirement("CH-13")
def test_a_long_outage_is_told_with_its_own_alert(bench, hub, esme, dcc, jig):
    hub.form()
    esme.add()
    jig.mains("off")
    bench.go("4m")
    jig.mains("on")
    bench.go("1m")
    assert "8F36" in [code for _, code, *_ in dcc.alerts().rows]
    assert hub.status()["last boot"] == "supply returned after AC Lost"
    assert dcc.read("esme").ok
