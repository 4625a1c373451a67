"""Every scenario by its name."""

from __future__ import annotations

from collections.abc import Mapping

from hil.scenarios import district, household, replacement, terminal
from hil.scenarios.scenario import Scenario

SCENARIOS: Mapping[str, Scenario] = {
    one.name: one for one in (*household.SCENARIOS, *terminal.SCENARIOS, *replacement.SCENARIOS, *district.SCENARIOS)
}
