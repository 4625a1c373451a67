"""The mains goes for longer than three minutes: the hub tells of it when it is back, and is on the network that it was on."""

import pytest


@pytest.mark.requirement("CH-13")
def test_a_long_outage_is_told_with_its_own_alert(chub_bench, chub_hub, chub_esme, chub_dcc, chub_jig):
    chub_hub.form()
    chub_esme.add()
    chub_jig.mains("off")
    chub_bench.go("4m")
    chub_jig.mains("on")
    chub_bench.go("1m")
    assert "8F36" in [code for _, code, *_ in chub_dcc.alerts().rows]
    assert chub_hub.status()["last boot"] == "supply returned after AC Lost"
    assert chub_dcc.read("esme").ok
