"""A conformance run that was judged."""

from __future__ import annotations

import pytest

from hil.report.conformance import FORMAT, RunRecord
from tests.report.conformance_rows import row


@pytest.fixture
def record() -> RunRecord:
    checks = [row(f"SST-{number:02}", number / 10) for number in range(1, 13)]
    checks[1]["waveform"] = [[300.0, 12.0], [301.0, 0.0]]
    checks.append(row("SST-13", 2.5, "fail", why="measured 2.5 A, expected <= 2 A"))
    checks.append(row("SST-14", None, "inconclusive", why="not tested: the supply does not answer", waveform=[]))
    return {
        "format": FORMAT,
        "verdict": "fail",
        "facts": {"run": "20260105-060000-ichis", "board": "simulated", "firmware SHA-256": "ab" * 32},
        "not_measured": ["envelope_mm"],
        "profile": [{"key": "power_max", "value": 6.0, "unit": "W", "source": "profile", "confidence": "not established"}] * 36,
        "simulated": True,
        "about": {"unit": "emulated hub: no unit was tested", "operator": "not stated"},
        "deviations": [],
        "attachments": [],
        "pictures": [],
        "checks": checks,
        "not_tested": ["SST-14"],
        "problems": ["the supply <does> not answer"],
        "when": {"started": "2026-01-05T06:00:00+00:00", "took": "1.0 s"},
    }
