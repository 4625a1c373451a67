"""Rows of conformance reports."""

from __future__ import annotations

from hil.report.conformance import CheckRow


def row(name: str, value: float | None, verdict: str = "pass", **more: object) -> CheckRow:
    made: CheckRow = {
        "id": name,
        "group": "supply static",
        "chapter": "electrical",
        "title": f"Check {name} of the supply at the hub's pins",
        "verdict": verdict,
        "value": value,
        "limit": "<= 2",
        "unit": "A",
        "u": None if value is None else 0.01,
        "basis": "datasheet",
        "outcome": verdict,
        "margin": None if value is None else 2 - value,
        "source": "profile",
        "requirement": ["ICH-02"],
        "profile_supplied": True,
        "limit_sources": [],
        "why": "",
        "round": 1,
        "waveform": [[0.0, 0.0], [0.5, 12.0], [1.0, 12.0], [1.5, 0.0]],
        "waveform_at": "at the hub's pins",
    }
    made.update(more)  # type: ignore[typeddict-item]
    return made
