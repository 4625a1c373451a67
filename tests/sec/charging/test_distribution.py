"""Hub distribution by the coverage data."""

from __future__ import annotations

import pytest

from hil.dcc.base.store import DccStore
from hil.dcc.own_services.wan_matrix import WanCoverage, WanMatrix
from hil.sec.charging.distribution import hub_distribution


@pytest.mark.requirement("CHG-32")
def test_the_coverage_data_decide_which_hubs_go_to_a_postcode() -> None:
    matrix = WanMatrix(DccStore(None))
    matrix.cover(WanCoverage("South", True, "Cellular", "Low"), postcode="AB1 2CD")
    matrix.cover(WanCoverage("North", True, "Long range radio", "High", equipment="aerial"), postcode="AB1 2CD")
    matrix.cover(WanCoverage("South", True, "Cellular", "Medium"), postcode="ZZ9 9ZZ")
    matrix.cover(WanCoverage("North", False, "Long range radio", "Low", anticipated="2027-01-01"), postcode="HS1 1AA")
    found = hub_distribution(matrix, {"ab12cd": 10, "ZZ9 9ZZ": 3, "HS1 1AA": 2, "XX1 1XX": 1})
    assert found.hubs == {("North", "Long range radio"): 10, ("South", "Cellular"): 3}
    assert found.auxiliary_equipment == {"aerial": 10}
    assert found.uncovered == {"HS1 1AA": "no coverage before 2027-01-01", "XX1 1XX": "no coverage data"}
