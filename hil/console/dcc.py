"""``dcc``: the far end."""

from __future__ import annotations

import json
from typing import Annotated

from firmware_emu.clock import moment_text
from firmware_emu.console.core import Core
from firmware_emu.console.declare import WordError, WordKind, verb
from firmware_emu.console.octets import Octets, octets_of
from firmware_emu.console.result import Result, count
from firmware_emu.crypto.roles import CellUsage
from firmware_emu.errors import IdentifierError, nearest
from firmware_emu.gbcs import utrn
from firmware_emu.gbcs.alerts import alert_codes
from firmware_emu.ids import Eui64
from hil.bench.station import Station
from hil.console.readings import readings
from hil.console.rig import RigNoun
from hil.dcc.base.services import schedule
from hil.dcc.duis.document import Content

Target = Annotated[str, WordKind("chf, gpf or a Device of the board", str, "targets")]
Variant = Annotated[str, WordKind("a service request variant such as 7.4", str, "variants")]


LAST = 20


class DccNoun(RigNoun):
    """The DCC with the board's users."""

    needs = Station

    name = "dcc"
    about = "the far end: service requests, inventory, alerts"

    def __init__(self, bench: Core) -> None:
        super().__init__(bench)
        bench.offers["targets"] = lambda _: {name: f"{self.kind_of(name)} {eui}" for name, eui in self.targets().items()}
        bench.offers["variants"] = lambda _: {variant: service.name for variant, service in schedule().items()}

    @verb(looks=True)
    async def list(self) -> Result:
        """Show the inventory: every Device with its status and its hub."""
        inventory = self.station.dcc.inventory
        rows = [(str(one.eui), one.type.name, str(one.status), str(inventory.hub_of(one.eui) or "")) for one in inventory.devices()]
        return Result(f"{count(len(rows), 'Device')} in the inventory", columns=("EUI-64", "type", "status", "hub"), rows=rows)

    @verb(looks=True)
    async def alerts(self, last: int = LAST) -> Result:
        """Show the last alerts that reached the DCC: of Devices, and its own."""
        found = self.station.dcc.alerts.records()[-last:]
        rows = [(moment_text(one.time), one.code, _name(one.code), str(one.device), one.state) for one in found]
        return Result(count(len(rows), "alert"), columns=("time", "code", "name", "Device", "state"), rows=rows, raw=found)

    @verb(looks=True)
    async def services(self, device: Target | None = None) -> Result:
        """Show the service requests there are: all, or those for a Device."""
        kind = None if device is None else self.kind_of(device)
        rows = [
            (one.variant, one.name, "critical" if one.critical else "", " ".join(sorted(role.value for role in one.roles)))
            for one in schedule().values()
            if kind is None or kind in one.device_types
        ]
        return Result(count(len(rows), "service request"), columns=("variant", "name", "", "roles"), rows=rows)

    @verb()
    async def read(self, device: Target, what: Variant = "4.1.1", *, by: str = "") -> Result:
        """Read a meter's registers over the whole chain (4.1.1), or what another read service gives."""
        self.known(what)
        outcome = await self.ask(what, self.target(device), by=by)
        values = readings(outcome) if outcome.ok else {}
        done = self.verdict(outcome, device)
        return Result(done.said, {**values, **done.values}, ok=done.ok, raw=outcome)

    @verb()
    async def send(
        self, variant: Variant, target: Target | None = None, *, by: str = "", counter: int = 0, json_: str = "{}", **body: str
    ) -> Result:
        """Send a service request and wait for its end; the body as names and values, or as JSON where it has parts."""
        self.known(variant)
        try:
            parts: dict[str, Content] = json.loads(json_)
        except json.JSONDecodeError as wrong:
            raise WordError(f"json: read {json_!r}, expected a JSON object: {wrong}") from None
        outcome = await self.ask(
            variant,
            None if target is None else self.target(target),
            {**parts, **{name: self._content(name, text) for name, text in body.items()}},
            by=by,
            counter=counter,
        )
        return self.verdict(outcome, target or "dcc")

    @verb()
    async def token(self, meter: Target, pence: int, counter: int = 0) -> Result:
        """Make a prepayment token for a meter, to be typed in; without a counter, under the supplier's next one."""
        target = self.target(meter)
        supplier = self.sender(target)
        counter = counter or self.station.dcc.counters.next(supplier.eui64, top_up=True)
        whole = pence % 100 == 0 and pence > utrn.MAX_VALUE
        digits = utrn.make_utrn(
            self.bench.station.keystore.shared_secret(supplier.eui64, target, CellUsage.PREPAYMENT_TOP_UP),
            supplier=supplier.eui64,
            meter=target,
            counter=counter,
            value=pence // 100 if whole else pence,
            value_class=utrn.ValueClass.POUNDS if whole else utrn.ValueClass.PENCE,
        )
        return Result(f"token for {meter}: {digits}", {"token": digits, "counter": counter, "octets": digits.encode("ascii").hex()})

    @verb()
    async def post(self, *octets: Octets) -> Result:
        """Post octets to the hub as they are, unchecked: a GBCS message by hand, or one of the trace once more."""
        data, where, _ = octets_of(self.bench, octets)
        sequence = self.station.dcc.head_end.post(self.bench.board.hub.chf, data)
        await self.station.until("the hub's receipt", lambda: not self.station.dcc.head_end.undelivered(self.bench.board.hub.chf, sequence))
        return Result(f"{where} posted to the hub", {"octets": len(data)})

    def _content(self, name: str, text: str) -> Content:
        """A value of a body: a Device by its name, an identity, or the text as it stands."""
        if name.endswith("ID"):
            try:
                return self.targets().get(text) or Eui64.parse(text)
            except IdentifierError:
                return text
        return text

    def known(self, variant: str) -> None:
        """Raises WordError unless there is such a service."""
        if variant not in schedule():
            raise WordError(f"read {variant!r}, expected one of {len(schedule())} variants such as 7.4{nearest(variant, schedule())}")


def _name(code: str) -> str:
    try:
        known = alert_codes().get(int(code, 16))
    except ValueError:
        return ""
    return "" if known is None else known.name
