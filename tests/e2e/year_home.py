"""A whole home and its DCC for a simulated year: real hub, GPF, meters, displays and DCC, on a HAN and a WAN in memory.

The electricity meter's clock gains and the gas meter's loses; the gas meter stands below 1 GHz on a dual-band hub.

Reduced against a bench: no radio, no dongle and no jig; no Device watches the hub, and the hub
marks once a day that it is alive. The settings and the
reads of the results go the whole way: DUIS body, transform, correlate, signature, MAC, SM WAN, hub, tunnel, Device and back.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from firmware_emu.board import load_board
from firmware_emu.clock import EPOCH, Clock
from firmware_emu.device.store import MemoryStore, Store
from firmware_emu.hub.delivery import Mailbox
from firmware_emu.hub.from_board import hub_config, parties_of
from firmware_emu.hub.gas_store import DAY_S, HALF_HOUR_S, GasStore
from firmware_emu.hub.hub import Hub
from firmware_emu.hub.profile import standard_profile
from firmware_emu.ids import Eui64
from firmware_emu.trace import Record, Trace
from firmware_emu.wan.virtual import memory_pair
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.zcl import AttributeRecord
from hil.bench.dcc_board import addition, certify, dcc_of, hold_and_register, list_hub, notification, supplier_of, user_of
from hil.bench.keys import load_keys
from hil.dcc.base.results import Outcome
from hil.dcc.base.services import UserRole
from hil.dcc.duis.document import Content
from hil.devices import Esme, Gsme, Ihd, Ppmid
from hil.devices.base.han_device import HanDevice
from hil.devices.kinds import device_type
from hil.devices.metering.maker import maker
from hil.devices.metering.registers import LoadProfile
from hil.radio.air.phy import sub_ghz
from hil.radio.nodes.memory_han import DualBandRadio
from tests.hub.hub_bench import Han, MemoryNode

CLOCK_SLACK = timedelta(minutes=1)
MAKERS = {"ESME": "maker-drift-fast", "GSME": "maker-drift-slow"}
FIRST_CHANNEL, QUIET_CHANNEL = sub_ghz(28, 0), sub_ghz(28, 1)


class RareGsme(Gsme):
    """A gas meter that opens its radio in a day's last half hour, and when something waits for it or in it.

    In between its total alone goes into the mirror, each half hour as ever, without a radio: the GPF makes its logs of that.
    """

    def reach(self, store: Store) -> None:
        """``store``: the hub's."""
        self._hub_mailbox = Mailbox(store)
        self._gas = GasStore(store, standard_profile())

    async def wake(self) -> None:
        await self.clock.sleep(4)  # its clock is behind the bench's by up to a day's loss, and a reading belongs after its half hour's end
        last = self.clock.now() % DAY_S >= DAY_S - HALF_HOUR_S
        if last or self._hub_mailbox.count(self.eui64) or len(self.outbox) or not self.knows_gpf():
            await super().wake()
            return
        live = self.model.zcl.attributes
        pushed = [AttributeRecord(number, live[METERING.id, number].type, live[METERING.id, number].read()) for number in (0x0000, 0x0007)]
        self._gas.report(METERING.id, pushed, int(self.clock.now()))


class YearHome:
    """``power`` and ``gas``: watts and litres an hour by half hour of the day, asked as each half hour ends."""

    def __init__(self, start: datetime, power: LoadProfile, gas: LoadProfile) -> None:
        self.board = load_board("simulated")
        self.clock = Clock(start=start, warp=True, grace_s=0)
        self.trace = Trace(self.clock.now)
        self.records: list[Record] = []
        self.trace.subscribe(self._keep)
        self.keystore = load_keys(self.board)
        self.han = Han()
        profile = replace(standard_profile(), alive_mark_s=86_400)
        self.store = MemoryStore()
        hub_wan, self._dcc_wan = memory_pair(self.clock)
        self.radio = DualBandRadio(self.han, self.board.hub.gpf)
        self.hub = Hub(
            replace(hub_config(self.board), profile=profile),
            self.radio,
            hub_wan,
            self.store,
            self.keystore,
            self.clock,
            self.trace,
        )
        self.dcc = dcc_of(self.board, self.keystore, self.clock, self.trace, None)
        self.users = {name: user_of(self.board, name, self.keystore) for name in ("supplier", "gas_supplier", "network_operator")}
        loads: Mapping[str, LoadProfile] = {"ESME": power, "GSME": gas}
        made = {}
        for row in self.board.device:
            kind = {"ESME": Esme, "GSME": RareGsme, "PPMID": Ppmid, "IHD": Ihd}[row.type]
            more = {"load": loads[row.type], "maker": maker(MAKERS[row.type])} if row.type in loads else {}
            node, parties = MemoryNode(self.han, row.eui), parties_of(self.board, device_type(row.type))
            made[row.name] = kind(row.eui, row.install_code, self.keystore, node, self.clock, self.trace, parties, **more)
            if row.type == "GSME":
                node.sub_ghz = FIRST_CHANNEL
        self.devices = made
        self.esme, self.gsme, self.ppmid, self.ihd = (made[name] for name in ("esme", "gsme", "ppmid", "ihd"))
        self.gsme.reach(self.store)
        self.chf, self.gpf = self.board.hub.chf, self.board.hub.gpf

    def _keep(self, record: Record) -> None:
        """Of a year's trace only what went wrong."""
        if record.event in ("refused", "unanswered", "crashed", "failed", "wake step failed", "not sent", "alert not sent", "not joined"):
            self.records.append(record)

    # --- life

    @contextlib.asynccontextmanager
    async def living(self) -> AsyncIterator[None]:
        """The home is brought up and commissioned; in the end everything is switched off."""
        life = asyncio.create_task(self.hub.run())
        try:
            await self._commission()
            yield
        finally:
            for device in self.devices.values():
                await device.stop()
            life.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await life
            await self.dcc.close()

    def run(self, year: Callable[[YearHome], Coroutine[None, None, None]]) -> None:
        """``year`` in the living home, on a loop of its own."""

        async def main() -> None:
            async with self.living():
                await year(self)

        self.clock.run(main())

    async def _commission(self) -> None:
        board, dcc = self.board, self.dcc
        for user in self.users.values():
            dcc.add_user(user)
        hold_and_register(dcc, board)
        dcc.register_supply(str(board.find("esme").mpxn), UserRole.ED, board.parties.network_operator)
        await dcc.start()
        list_hub(dcc, board)
        dcc.attach_hub(self._dcc_wan, self.chf)
        await self.until(lambda: dcc.head_end.connected(self.chf) and self.hub.status.commissioned)
        for row in board.device:
            certify(dcc, row)
            await self.ask("12.2", None, notification(row), to=row.eui)
            await self.ask("8.11", self.chf, addition(row, 600))
            self.devices[row.name].watch_hub = lambda: None
            await self.devices[row.name].start()
            await self.devices[row.name].join()
        for meter in (self.esme, self.gsme):
            await self.ask("8.1.1", meter.eui64, {"CurrentDateTime": self.clock.datetime() - CLOCK_SLACK, "TolerancePeriod": 7200})
        for variant, target, other in (
            ("8.7.1", self.esme, self.ppmid.eui64),
            ("8.7.1", self.ppmid, self.esme.eui64),
            ("8.7.2", self.gsme, self.gpf),
            ("8.7.2", self.esme, self.ihd.eui64),
        ):
            await self.ask(variant, target.eui64, {"OtherDeviceID": other})

    def link(self, one: HanDevice, other: HanDevice) -> None:
        """Give two Devices the key that a trust centre gives those who have no key establishment with each other: this HAN does not."""
        for device, partner in ((one, other), (other, one)):
            self.han.ports[device.eui64].link_keys[partner.eui64] = bytes(range(16))

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until it is so, five bench minutes at most."""
        async with asyncio.timeout(300):
            while not holds():
                await self.clock.sleep(0.5)

    async def at(self, moment: datetime) -> None:
        """Let the home live until ``moment``."""
        await self.clock.sleep((moment - self.clock.datetime()).total_seconds())

    async def ask(
        self,
        variant: str,
        target: Eui64 | None,
        body: Mapping[str, Content] | None = None,
        *,
        by: str = "",
        to: Eui64 | None = None,
    ) -> Outcome:
        """A service request by the supplier of the target or the user of the name ``by``, which must succeed."""
        party = supplier_of(self.board, target or to or self.chf)
        user = self.users.get(by) or next(user for user in self.users.values() if user.eui64 == party)
        outcome = await self.dcc.send(user, self.dcc.request(user, variant, target, body), wait_s=7200)
        assert outcome.ok, f"{variant} to {target}: {outcome.why}"
        return outcome


def seconds(moment: datetime) -> int:
    """Seconds since 2000."""
    return int((moment.astimezone(UTC) - EPOCH).total_seconds())
