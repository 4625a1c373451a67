"""Which hub goes where: the coverage data decide region and SM WAN variant of every hub that is ordered (CHG-32 [336])."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from hil.dcc.own_services.wan_matrix import WanMatrix

LIKELIHOODS = ("High", "Medium", "Low")


@dataclass(frozen=True, slots=True)
class Distribution:
    """Hubs to deliver by region and SM WAN technology, and postcodes where no hub works yet: no coverage, or nothing known."""

    hubs: Mapping[tuple[str, str], int]
    auxiliary_equipment: Mapping[str, int]
    uncovered: Mapping[str, str]


def hub_distribution(matrix: WanMatrix, wanted: Mapping[str, int]) -> Distribution:
    """Distribute ``wanted`` hubs by postcode. Where several regions cover one postcode the likeliest serves it (choice)."""
    hubs: Counter[tuple[str, str]] = Counter()
    equipment: Counter[str] = Counter()
    uncovered: dict[str, str] = {}
    for postcode, count in wanted.items():
        held = matrix.look_up(postcode=postcode)
        covered = sorted((one for one in held if one.covered), key=lambda one: LIKELIHOODS.index(one.likelihood))
        if not covered:
            coming = min((one.anticipated for one in held if one.anticipated), default=None)
            uncovered[postcode] = "no coverage data" if not held else f"no coverage{f' before {coming}' if coming else ''}"
            continue
        hubs[covered[0].region, covered[0].technology] += count
        if covered[0].equipment is not None:
            equipment[covered[0].equipment] += count
    return Distribution(dict(hubs), dict(equipment), uncovered)
