"""``jig``: the hub's socket, its supply and its lines."""

from __future__ import annotations

from typing import Annotated

from firmware_emu.console.declare import Switch, WordKind, verb
from firmware_emu.console.result import Result
from hil.console.rig import RigNoun

Volts = Annotated[float, WordKind("volts, such as 12 or 9.5", float)]


class JigNoun(RigNoun):
    """The jig under the hub."""

    name = "jig"
    about = "the hub's socket: supply, mains, lines"

    @verb(looks=True)
    async def status(self) -> Result:
        """Measure the supply and read the lines."""
        jig = self.home.jig
        return Result(
            f"hub {'powered' if jig.hub_side.powered else 'without power'}",
            {
                "volts at the hub": round(jig.pin_volts(), 3),
                "amperes": round((await jig.supply.measure_current()).value, 3),
                "Device present": (await jig.lines.read("CH_PR")).value,
            },
        )

    @verb()
    async def supply(self, to: Switch) -> Result:
        """Switch the supply: off is a power cut without warning."""
        if to:
            await self.home.host.power_up()
        else:
            await self.home.jig.supply.output(False)
        return Result(f"supply {'on' if to else 'off'}")

    @verb()
    async def volts(self, to: Volts) -> Result:
        """Set the supply's voltage."""
        await self.home.jig.supply.set_voltage(to)
        return Result(f"supply set to {to:g} V", {"volts at the hub": round(self.home.jig.pin_volts(), 3)})

    @verb()
    async def mains(self, to: Switch) -> Result:
        """Take the mains of the home away, with AC Lost and the host's hold-up, or give it back."""
        if to:
            await self.home.mains_restored()
        else:
            await self.home.mains_lost()
        return Result(f"mains {'back' if to else 'lost'}")
