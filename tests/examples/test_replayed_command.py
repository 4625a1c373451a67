"""Somebody on the SM WAN sends an executed command again: the meter refuses it, and `why` names the rule."""


def test_a_replayed_command_is_refused_and_explained(chub_bench, chub_hub, chub_esme, chub_dcc):
    chub_hub.form()
    chub_esme.add()
    assert chub_dcc.send("7.2", "esme").ok
    command = next(one.data for one in chub_bench.records if one.area == "wan" and one.event == "sent" and one.source == "dcc" and one.data)
    chub_bench.call(lambda station: station.dcc.head_end.post(station.board.hub.chf, command) and None)
    chub_bench.go("5s")
    refusal = next(record for record in chub_bench.records if record.event == "refused" and record.area == "device")
    assert "is not above the stored" in str(refusal.detail["reason"])
