"""A gas meter behind a bad wall, a WAN that says everything twice: what is asked is still answered, once."""


def test_a_gas_read_gets_through_a_lossy_home(chub_bench, chub_hub, chub_gsme, chub_dcc, chub_fault):
    chub_hub.form()
    chub_gsme.add()
    loss = chub_fault.add("han drop 10% to gsme")
    chub_fault.add("wan duplicate")
    chub_bench.go("31m")
    assert chub_dcc.read("gsme").ok
    executed = [record.message for record in chub_bench.records if record.event == "executed" and record.source.startswith("gsme")]
    assert len(executed) == len(set(executed))
    assert loss["number"] == 1
