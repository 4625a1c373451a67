"""The host's end: an intimate meter or a hot shoe, which powers the hub and tells it about the mains."""

from __future__ import annotations

import asyncio

from ichis.jig import Jig
from ichis.profile import InterfaceProfile


class Host:
    """Drives a jig as a meter (or hot shoe) would. Times come from the profile and are profile-supplied."""

    def __init__(self, jig: Jig, profile: InterfaceProfile) -> None:
        self._jig, self._profile = jig, profile

    async def power_up(self) -> None:
        """Host Present, a.c. there, then the nominal supply."""
        await self._jig.lines.drive("MT_PR", True)
        await self._jig.lines.drive("AC LO", False)
        await self._jig.supply.set_current_limit(self._profile["current_peak_max"])
        await self._jig.supply.set_voltage(self._profile["supply_nominal"])
        await self._jig.supply.output(True)

    async def mains_lost(self) -> None:
        """The mains goes: AC Lost is asserted, and the supply follows after the host's own hold-up."""
        await asyncio.sleep(self._profile["ac_lost_assert_time"])
        await self._jig.lines.drive("AC LO", True)
        await asyncio.sleep(self._profile["host_holdup_time"])
        await self._jig.supply.output(False)

    async def mains_restored(self) -> None:
        """The mains is back: supply first, AC Lost released within the profile's time."""
        await self._jig.supply.output(True)
        await asyncio.sleep(self._profile["ac_lost_release_time"])
        await self._jig.lines.drive("AC LO", False)
