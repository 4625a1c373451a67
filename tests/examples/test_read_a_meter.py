"""A home is formed, an electricity meter added, and its register read through the whole chain."""


def test_the_register_that_the_supplier_reads_is_the_meters_own(bench, hub, esme, dcc):
    assert hub.form()["channel"] == 20
    assert esme.add()["status"] == "Commissioned"
    reading = dcc.read("esme")
    assert reading.ok
    assert reading["Import Register Collection, Wh"] == esme.status()["import, Wh"]
