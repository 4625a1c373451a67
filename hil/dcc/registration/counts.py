"""Counts of registrations: for charging, demand, and non-domestic supply (REG-02, REG-10, REG-23 [75, 81-83])."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from firmware_emu.errors import CommsHubError
from firmware_emu.ids import Eui64
from hil.dcc.base.services import NETWORK_OPERATORS, SUPPLIERS
from hil.dcc.base.store import DccStore
from hil.dcc.base.tables import create_tables
from hil.dcc.inventory.inventory import METERS, Inventory
from hil.dcc.registration.register import Registration
from hil.dcc.registration.settings import FeedSettings, feed_settings

SOURCES = ("profile class", "supplier-given", "registration item")
"""Sources that say whether a supply is non-domestic [81-83]; the settings name one."""
NON_DOMESTIC_CLASSES = frozenset(range(3, 9))
"""Profile classes 3 to 8 (recalled: 1 and 2 are domestic; the consultation's [81] says profile class and lists none)."""


def registered_systems(registration: Registration, at: float) -> Mapping[Eui64, int]:
    """Number of MPxNs each supplier is registered for, which charging goes by before systems are enrolled [75]."""
    return dict(Counter(user for _, role, user in registration.all_at(at) if role in SUPPLIERS))


@dataclass(frozen=True, slots=True)
class EnrolledSystems:
    """Enrolled systems by supplier and by network operator."""

    by_supplier: Mapping[Eui64, int]
    by_network: Mapping[Eui64, int]


def enrolled_systems(inventory: Inventory, registration: Registration, at: float) -> EnrolledSystems:
    """Enrolled systems now, for the parties that are registered at ``at`` for their MPxNs [173, 174, 317, 408]."""
    suppliers: Counter[Eui64] = Counter()
    networks: Counter[Eui64] = Counter()
    for meter in inventory.devices():
        if meter.type not in METERS or not inventory.enrolled(meter.eui):
            continue
        for mpxn in meter.mpxns:
            for role, user in registration.parties(mpxn, at).items():
                if role in SUPPLIERS:
                    suppliers[user] += 1
                elif role in NETWORK_OPERATORS:
                    networks[user] += 1
    return EnrolledSystems(dict(suppliers), dict(networks))


class NonDomestic:
    """Which MPxNs are non-domestic, by the source that the settings name [81-83]."""

    def __init__(self, store: DccStore, settings: FeedSettings | None = None) -> None:
        create_tables(store, "hil.dcc.registration")
        self._store = store
        self._settings = settings or feed_settings()

    def say(self, supplier: Eui64, mpxn: str, marker: str) -> None:
        """A supplier's own figure for one of its MPxNs (E2.3) [82]; refused once X2.4(c) has switched them off."""
        if not self._settings.supplier_figures:
            raise CommsHubError(f"{supplier} gives {marker} for {mpxn}: suppliers' own figures are switched off by X2.4(c) [82]")
        if marker not in ("domestic", "non-domestic"):
            raise CommsHubError(f"read {marker!r}, expected domestic or non-domestic")
        self._store.execute(
            "INSERT INTO registration_items (mpxn, supplier_given) VALUES (?, ?) "
            "ON CONFLICT (mpxn) DO UPDATE SET supplier_given = excluded.supplier_given",
            (mpxn, marker),
        )

    def note(self, mpxn: str, profile_class: int | None, marker: str | None) -> None:
        """Keep what the data provider's feed says of an MPxN."""
        self._store.execute(
            "INSERT INTO registration_items (mpxn, profile_class, marker) VALUES (?, ?, ?) "
            "ON CONFLICT (mpxn) DO UPDATE SET profile_class = excluded.profile_class, marker = excluded.marker",
            (mpxn, profile_class, marker),
        )

    def is_non_domestic(self, mpxn: str) -> bool | None:
        """True or False by the named source, None where it says nothing about this MPxN."""
        row = self._store.row("SELECT * FROM registration_items WHERE mpxn = ?", (mpxn,))
        if row is None:
            return None
        match self._settings.non_domestic_source:
            case "supplier-given":
                marker = row["supplier_given"]
            case "registration item":
                marker = row["marker"]
            case _:
                found = row["profile_class"]
                return None if found is None else found in NON_DOMESTIC_CLASSES
        return None if marker is None else marker == "non-domestic"

    def count(self) -> int:
        """Number of MPxNs that are non-domestic."""
        return sum(self.is_non_domestic(row["mpxn"]) is True for row in self._store.rows("SELECT mpxn FROM registration_items"))


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows to be sent together, so many seconds after the first."""

    first: int
    rows: int
    after_s: float


def smoothed(rows: int, settings: FeedSettings | None = None) -> tuple[Batch, ...]:
    """Batches in which a provider sends ``rows`` rows: of the size and spacing that the interface asks for [390]."""
    used = settings or feed_settings()
    return tuple(
        Batch(first, min(used.batch_rows, rows - first), number * used.spacing_s)
        for number, first in enumerate(range(0, rows, used.batch_rows))
    )
