"""The DCC's providers: published thresholds, changed only after consultation, and their monthly report (PM-08, PM-09 [263-266])."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from hil.dcc.base.months import Month
from hil.dcc.base.store import DccStore
from hil.dcc.base.tables import create_tables
from hil.sec.charging.money import pence
from hil.sec.measures.performance import MeasureError

PROVIDERS = ("DSP", "CSP North", "CSP Central and South")
"""The data services provider and each communications service provider [265]; there are two of these (reference glossary)."""


@dataclass(frozen=True, slots=True)
class ProviderThreshold:
    """A provider's service level. ``published`` None: proposed, users are being consulted until ``consulted_until``."""

    number: int
    provider: str
    measure: str
    threshold: Decimal
    consulted_until: float
    published: float | None


@dataclass(frozen=True, slots=True)
class ProviderLine:
    """One provider in the monthly report: what it reached, and the service credit expected of it."""

    provider: str
    measure: str
    threshold: Decimal
    reached: Decimal
    credit_gbp: Decimal


class ProviderThresholds:
    """The register of provider thresholds, in the DCC's store."""

    def __init__(self, store: DccStore, now: Callable[[], float]) -> None:
        create_tables(store, "hil.sec.measures")
        self._store = store
        self._now = now

    def propose(self, provider: str, measure: str, threshold: Decimal, consulted_until: float, reason: str) -> ProviderThreshold:
        """Propose a threshold in percent and consult until a time; the first one of a measure needs no consultation (choice)."""
        if provider not in PROVIDERS or not 0 <= threshold <= 100:
            raise MeasureError(f"read {threshold} % for {provider}, expected 0 to 100 % for one of {', '.join(PROVIDERS)}")
        number = self._store.insert(
            "provider_thresholds",
            provider=provider,
            measure=measure,
            threshold=str(threshold),
            proposed=self._now(),
            consulted_until=consulted_until,
            reason=reason,
        )
        return self._one(number)

    def publish(self, number: int) -> ProviderThreshold:
        """Publish a proposal. Raises MeasureError while users are being consulted on a change [263]."""
        one = self._one(number)
        changed = self.threshold(one.provider, one.measure) is not None
        if changed and self._now() < one.consulted_until:
            raise MeasureError(f"{one.provider}'s {one.measure} is changed after consultation [263]: it has not ended yet")
        self._store.execute("UPDATE provider_thresholds SET published = ? WHERE number = ?", (self._now(), number))
        return self._one(number)

    def threshold(self, provider: str, measure: str) -> Decimal | None:
        """The threshold in force, None if none was published."""
        row = self._store.row(
            "SELECT threshold FROM provider_thresholds WHERE provider = ? AND measure = ? AND published IS NOT NULL "
            "ORDER BY published DESC, number DESC LIMIT 1",
            (provider, measure),
        )
        return None if row is None else Decimal(row["threshold"])

    def published(self) -> tuple[ProviderThreshold, ...]:
        """Everything that is or was in force, oldest first."""
        rows = self._store.rows("SELECT number FROM provider_thresholds WHERE published IS NOT NULL ORDER BY number")
        return tuple(self._one(row["number"]) for row in rows)

    def report(self, month: Month, reached: Sequence[tuple[str, str, Decimal]], credit_per_point_gbp: Decimal) -> tuple[ProviderLine, ...]:
        """The month's report on the DSP and each CSP with the credit expected of each shortfall [265, 266].

        The contracts' scales are not published: the credit is ``credit_per_point_gbp`` for each percentage point short (choice).
        Raises MeasureError where a provider is missing, or reached nothing that has a threshold.
        """
        missing = [provider for provider in PROVIDERS if provider not in {name for name, _, _ in reached}]
        if missing:
            raise MeasureError(f"the report on {month} is on the DSP and each CSP [265]: {', '.join(missing)} is missing")
        lines = []
        for provider, measure, value in reached:
            threshold = self.threshold(provider, measure)
            if threshold is None:
                raise MeasureError(f"{provider} has no published threshold for {measure}: publish it first [263]")
            short = max(Decimal(0), threshold - value)
            lines.append(ProviderLine(provider, measure, threshold, value, pence(short * credit_per_point_gbp)))
        return tuple(lines)

    def _one(self, number: int) -> ProviderThreshold:
        row = self._store.row("SELECT * FROM provider_thresholds WHERE number = ?", (number,))
        if row is None:
            raise MeasureError(f"there is no provider threshold {number}")
        return ProviderThreshold(
            number, row["provider"], row["measure"], Decimal(row["threshold"]), row["consulted_until"], row["published"]
        )
