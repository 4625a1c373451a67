"""A gas meter behind a bad wall, a WAN that says everything twice: what is asked is still answered, once."""


def test_a_gas_read_gets_through_a_lossy_home(bench, hub, gsme, dcc, fault):
    hub.form()
    gsme.add()
    loss = fault.add("han drop 10% to gsme")
    fault.add("wan duplicate")
    bench.go("31m")
    assert dcc.read("gsme").ok
    executed = [record.message for record in bench.records if record.event == "executed" and record.source.startswith("gsme")]
    assert len(executed) == len(set(executed))
    assert loss["number"] == 1
