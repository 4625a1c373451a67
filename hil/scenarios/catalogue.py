"""Every scenario by its name."""

from __future__ import annotations

from collections.abc import Mapping

from hil.scenarios import district, household, replacement
from hil.scenarios.scenario import Scenario

SCENARIOS: Mapping[str, Scenario] = {one.name: one for one in (*household.SCENARIOS, *replacement.SCENARIOS, *district.SCENARIOS)}
