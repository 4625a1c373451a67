"""Drawings of a home's report: the lane of each trace record, and the supply around each loss of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from firmware_emu.board import Board, told
from firmware_emu.trace import Record
from hil.report.verdict import Plot

_USERS = ("supplier", "gas_supplier", "other_supplier", "network_operator", "other_user")
_DCC = ("gateway", "dcc", "acb", "transform", "inventory", "alerts", "responses")
_HUB = ("hub", "chf", "gpf", "radio", "hub connector")
_AROUND_S = 4.0
_MARKED = ("ac lost", "supply off", "boot")


def lanes(board: Board) -> dict[str, str]:
    """Identity or source to lane, in the order in which a command travels: users, DCC, hub, Devices, jig."""
    return lanes_of(told(board))


def lanes_of(board: Mapping[str, Any]) -> dict[str, str]:
    """The same of a board that was told as plain values, in a run's ``board.json`` or by a hub that runs."""
    parties = board["parties"]
    users = {parties[name]: name.replace("_", " ") for name in _USERS}
    dcc = dict.fromkeys((*_DCC, parties["access_control_broker"]), "DCC")
    hub = dict.fromkeys((*_HUB, board["hub"]["chf"], board["hub"]["gpf"]), "hub")
    devices = {device["eui"]: device["name"] for device in board["device"]}
    return {**users, **dcc, **hub, **devices, "host connector": "jig", "supply": "jig"}


def supply_plots(records: Sequence[Record], curve: Sequence[tuple[float, float]]) -> list[Plot]:
    """Volts at the hub's pins (bench seconds since 2000) around each loss of the supply; the run's whole if there was none."""
    if not curve:
        return []
    began = records[0].time if records else curve[0][0]
    lost = [record.time for record in records if record.area == "ichis" and record.event == "unpowered"]
    windows = []
    for when in lost:
        back = next((r.time for r in records if r.area == "ichis" and r.event == "powered" and r.time > when), curve[-1][0])
        windows.append((when - _AROUND_S, back + _AROUND_S))
    return [_window(records, curve, began, *window) for window in windows or [(curve[0][0], curve[-1][0])]]


def _window(records: Sequence[Record], curve: Sequence[tuple[float, float]], began: float, start: float, end: float) -> Plot:
    inside = [(when - began, volts) for when, volts in curve if start <= when <= end]
    before = [volts for when, volts in curve if when < start][-1:]
    points = [(start - began, volts) for volts in before] + inside + [(end - began, volts) for _, volts in inside[-1:]]
    marks = [
        (record.time - began, record.event)
        for record in records
        if record.area == "power" and record.source == "hub" and record.event in _MARKED and start <= record.time <= end
    ]
    return Plot(f"Supply at the hub's pins, {start - began:.0f} s to {end - began:.0f} s of the run", "V", {"hub": points}, marks)
