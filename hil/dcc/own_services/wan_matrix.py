"""SM WAN coverage as the DCC holds it, for 12.1 (services schedule table 5.2): by full postcode, and by UPRN where one is held.

The words are those of DUIS 5.4 (DSPWANMatrixResponse); how coverage data arrive is not modelled: entries are put in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hil.dcc.base.refusals import OwnServiceRefused
from hil.dcc.base.store import DccStore
from hil.dcc.duis.request import text
from hil.dcc.gateway.arrival import Arrival


@dataclass(frozen=True, slots=True)
class WanCoverage:
    """One region's word on one place. ``likelihood`` is High, Medium or Low; ``anticipated`` a date where there is no coverage yet."""

    region: str
    covered: bool
    technology: str
    likelihood: str
    anticipated: str | None = None
    equipment: str | None = None

    def as_json(self) -> dict[str, object]:
        """In the words of DUIS 5.4."""
        return {
            "CSPRegion": self.region,
            "CoverageAvailability": self.covered,
            "WANTechnology": self.technology,
            "ConnectivityLikelihood": self.likelihood,
            **({} if self.anticipated is None else {"AnticipatedCoverageDate": self.anticipated}),
            **({} if self.equipment is None else {"AuxiliaryEquipmentRequired": self.equipment}),
        }


@dataclass(frozen=True, slots=True)
class WanMatrix:
    """The coverage data in the DCC's store."""

    store: DccStore

    def cover(self, coverage: WanCoverage, *, postcode: str = "", uprn: str = "") -> None:
        """Note what a region offers at a postcode, or at a UPRN."""
        self.store.execute(
            "INSERT OR REPLACE INTO wan_matrix VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                _plain(postcode),
                uprn,
                coverage.region,
                int(coverage.covered),
                coverage.technology,
                coverage.likelihood,
                coverage.anticipated,
                coverage.equipment,
            ),
        )

    def look_up(self, *, postcode: str = "", uprn: str = "") -> tuple[WanCoverage, ...]:
        """Coverage that is held; by UPRN if one is given, else by postcode, whatever its spacing."""
        column, value = ("uprn", uprn) if uprn else ("postcode", _plain(postcode))
        return tuple(
            WanCoverage(row["region"], bool(row["covered"]), row["technology"], row["likelihood"], row["anticipated"], row["equipment"])
            for row in self.store.rows(f"SELECT * FROM wan_matrix WHERE {column} = ? ORDER BY region", (value,))
        )

    def request(self, arrival: Arrival) -> Mapping[str, object]:
        """12.1. Raises OwnServiceRefused where nothing is held."""
        uprn, postcode = text(arrival.request, "UPRN") or "", text(arrival.request, "PostCode") or ""
        found = self.look_up(postcode=postcode, uprn=uprn)
        if not found:
            raise OwnServiceRefused("wan-matrix-unknown", place=f"UPRN {uprn}" if uprn else f"postcode {postcode}")
        return {"DSPWANMatrixResponse": [one.as_json() for one in found]}


def _plain(postcode: str) -> str:
    return "".join(postcode.split()).upper()
