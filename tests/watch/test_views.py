"""The page of a bench, out of its records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from firmware_emu.board import load_board, told
from firmware_emu.errors import NotAvailable
from firmware_emu.trace import Record
from hil.watch.sources import RunOfFolder, find
from hil.watch.views import BenchView

BOARD = told(load_board("simulated"))
ESME, GSME = BOARD["device"][0]["eui"], BOARD["device"][1]["eui"]  # type: ignore[index]
GPF = BOARD["hub"]["gpf"]  # type: ignore[index]
RECORDS = [
    Record(1, 10.0, "ichis", "supply", "set", detail={"volts": 12.0, "at_pins": 11.97}),
    Record(2, 10.0, "ichis", "host connector", "drove", "hub connector", detail={"what": "AC Lost low"}),
    Record(3, 11.0, "han", f"esme {ESME}", "sent", GPF, detail={"cluster": "KeepAlive", "command": "READ_ATTRIBUTES"}),
    Record(4, 12.0, "han", f"gsme {GSME}", "joined", GPF),
    Record(5, 13.0, "device", f"gsme {GSME}", "asleep"),
    Record(6, 14.0, "bench", "fault 1", "dropped", "han", detail={"sender": GPF, "receiver": ESME}),
    Record(7, 15.0, "han", "hub", "sent", ESME, data=b"\x01", detail={"cluster": "Metering", "command": "READ_ATTRIBUTES"}),
]


def _view() -> BenchView:
    view = BenchView(BOARD)
    view.take(RECORDS)
    return view


def test_a_device_is_on_the_map_as_its_records_say() -> None:
    state = {one["name"]: one for one in _view().as_json(0)["members"]}  # type: ignore[attr-defined]
    assert state["esme"]["state"] == "on the HAN"
    assert state["esme"]["heard"] == "4.0 s"
    assert state["gsme"]["state"] == "asleep"
    assert state["ihd"]["state"] == "not on the HAN"
    view = _view()
    view.take([Record(8, 16.0, "han", "hub", "removed", ESME)])
    assert next(one for one in view.as_json(0)["members"] if one["name"] == "esme")["state"] == "not on the HAN"  # type: ignore[attr-defined]


def test_hops_are_told_between_lanes_and_a_fault_between_those_it_acted_on() -> None:
    hops = {hop["number"]: hop for hop in _view().hops(0)}
    assert hops[3]["keep_alive"]
    assert (hops[7]["from"], hops[7]["to"], hops[7]["text"]) == ("hub", "esme", "Metering READ_ATTRIBUTES")
    assert (hops[6]["from"], hops[6]["to"], hops[6]["bad"]) == ("hub", "esme", True)
    assert 5 not in hops
    assert [hop["number"] for hop in _view().hops(6)] == [7]


def test_supply_and_lines_are_those_of_the_jig() -> None:
    state = _view().as_json(0)
    assert state["volts"] == [(10.0, 11.97)]
    assert state["lines"] == {"AC Lost": [(10.0, "low")]}
    view = _view()
    levels = zip((16.0, 17.0, 18.0), ("low", "high", "low"), strict=True)
    view.take(
        [Record(8 + at, when, "ichis", "host connector", "drove", detail={"what": f"AC Lost {to}"}) for at, (when, to) in enumerate(levels)]
    )
    assert view.lines["AC Lost"] == [(10.0, "low"), (17.0, "high"), (18.0, "low")]


def test_what_a_meters_display_showed_last_stands_for_the_registers_of_a_run_that_is_over() -> None:
    view = _view()
    view.take([Record(8, 16.0, "device", "esme", "display", detail={"import_wh": 7}), Record(9, 17.0, "device", "gsme", "executed")])
    assert view.as_json(0)["displays"] == {"esme": {"import_wh": 7}}


def test_devices_that_talk_past_the_hub_have_a_link() -> None:
    view = _view()
    view.take([Record(8, 16.0, "han", f"gsme {GSME}", "sent", ESME, detail={"cluster": "Price"})])
    assert [sorted(link) for link in view.as_json(0)["links"]] == [["esme", "gsme"]]  # type: ignore[attr-defined]
    view.take([Record(9, 17.0, "han", "hub", "removed", ESME)])
    assert view.as_json(0)["links"] == []


def test_a_run_folder_that_grows_is_read_on_from_where_it_was(tmp_path: Path) -> None:
    (tmp_path / "board.json").write_text(json.dumps(BOARD, default=str))
    trace = tmp_path / "trace.jsonl"
    trace.write_text(RECORDS[0].as_json() + "\n" + RECORDS[1].as_json()[:10])
    run = find(tmp_path)
    assert [record.number for record in run.records(0)] == [1]
    trace.write_text("".join(record.as_json() + "\n" for record in RECORDS))
    assert [record.number for record in run.records(1)] == [2, 3, 4, 5, 6, 7]
    assert run.say("fault add han drop 1% to esme")["ok"] is False
    assert "dropped" in str(run.why(6, run.records(0))["said"])


def test_a_folder_without_a_run_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(NotAvailable, match="name a run's folder"):
        RunOfFolder(tmp_path)


def test_a_board_told_for_json_holds_identifiers_as_text_and_no_install_code() -> None:
    text = json.dumps(BOARD, default=str)
    assert ESME == "02e53e0000000001"
    assert "install_code" not in text
    assert "b'" not in text
