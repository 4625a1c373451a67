"""A home is formed, an electricity meter added, and its register read through the whole chain."""


def test_the_register_that_the_supplier_reads_is_the_meters_own(chub_bench, chub_hub, chub_esme, chub_dcc):
    assert chub_hub.form()["channel"] == 20
    assert chub_esme.add()["status"] == "Commissioned"
    reading = chub_dcc.read("esme")
    assert reading.ok
    assert reading["Import Register Collection, Wh"] == chub_esme.status()["import, Wh"]
