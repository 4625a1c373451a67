"""The trace bus and its JSON lines."""

from __future__ import annotations

import json
from pathlib import Path

from firmware_emu.trace import JsonLines, Record, Trace


def test_every_subscriber_sees_every_record_in_order() -> None:
    trace = Trace(lambda: 7.5)
    seen: list[Record] = []
    leave = trace.subscribe(seen.append)
    trace.emit("dcc", "gateway", "sent", target="chf", message="a:b:command:1", data=b"\xdd", use_case="ECS17b")
    trace.emit("hub", "chf", "received")
    leave()
    trace.emit("hub", "chf", "executed")
    assert [(record.number, record.event) for record in seen] == [(1, "sent"), (2, "received")]
    assert seen[0].time == 7.5
    assert seen[0].detail == {"use_case": "ECS17b"}


def test_a_line_of_the_trace_file_is_one_json_object(tmp_path: Path) -> None:
    trace = Trace(lambda: 1.25)
    lines = JsonLines(tmp_path / "trace.jsonl")
    trace.subscribe(lines)
    trace.emit("wan", "dcc", "sent", target="hub", data=b"\x01\x02", count=3)
    lines.close()
    assert json.loads((tmp_path / "trace.jsonl").read_text()) == {
        "number": 1,
        "time": 1.25,
        "area": "wan",
        "source": "dcc",
        "event": "sent",
        "target": "hub",
        "data": "0102",
        "detail": {"count": 3},
    }
