"""``dcc``: the far end."""

from __future__ import annotations

import json

from firmware_emu.console.declare import Annotated, Kind, WordError, verb
from firmware_emu.console.result import Result
from firmware_emu.console.words import nearest
from hil.console.readings import readings
from hil.console.rig import WAIT_S, RigNoun, told
from hil.dcc.duis.build import Content
from hil.dcc.services import schedule

Target = Annotated[str, Kind("chf, gpf or a Device of the board", str, "targets")]
Variant = Annotated[str, Kind("a service request variant such as 7.4", str, "variants")]


class Dcc(RigNoun):
    """The DCC with the board's users."""

    name = "dcc"
    about = "the far end: service requests, inventory, alerts"

    @verb()
    async def read(self, device: Target, what: str = "4.1.1") -> Result:
        """Read a meter's registers over the whole chain (4.1.1), or what another read service gives."""
        outcome = await self.ask(what, self.target(device))
        values = readings(outcome) if outcome.ok else {}
        done = told(outcome, device)
        return Result(done.said, {**values, **done.values}, ok=done.ok, raw=outcome)

    @verb()
    async def send(self, variant: Variant, target: Target | None = None, json_: str = "{}", **body: str) -> Result:
        """Send a service request and wait for its end; the body as names and values, or as JSON where it has parts."""
        if variant not in schedule():
            raise WordError(f"variant: read {variant!r}, expected one of {len(schedule())} variants{nearest(variant, schedule())}")
        try:
            parts: dict[str, Content] = json.loads(json_)
        except json.JSONDecodeError as wrong:
            raise WordError(f"json: read {json_!r}, expected a JSON object: {wrong}") from None
        outcome = await self.ask(variant, None if target is None else self.target(target), {**parts, **body}, wait_s=WAIT_S)
        return told(outcome, target or "dcc")
