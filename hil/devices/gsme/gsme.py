"""A sleepy gas meter: wakes each half hour, mirrors itself to the GPF, fetches its mailbox from the CHF, answers GBZ commands.

On a band below 1 GHz it follows its hub to another channel, and keeps quiet for as long as the hub tells it to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar, Self

from firmware_emu.clock import EPOCH, Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.device import asn1_io, firmware, joins
from firmware_emu.device.future import FutureAction
from firmware_emu.device.gbz_server import GbzServer
from firmware_emu.device.joining import Membership
from firmware_emu.device.pipeline import GbcsDevice, UseCases
from firmware_emu.device.store import Store
from firmware_emu.errors import CommsHubError, DecodeError, RadioError
from firmware_emu.gbcs import gbt
from firmware_emu.gbcs.asn1_types import SetTimeCommand, SetTimeResponse
from firmware_emu.gbcs.envelope import Message, message_of
from firmware_emu.gbcs.use_cases import UseCase
from firmware_emu.han.base import HanNode, SimpleDescriptor
from firmware_emu.han.mailbox import MailboxClient
from firmware_emu.han.tunnel import TunnelClient
from firmware_emu.han.zcl_port import Incoming
from firmware_emu.ids import Eui64, InstallCode
from firmware_emu.supervised import supervised
from firmware_emu.trace import Trace
from firmware_emu.zse.clusters.sub_ghz import SUB_GHZ
from firmware_emu.zse.zcl import ZclStatus
from hil.devices.base.firmware_version import FIRMWARE_VERSION
from hil.devices.base.gbcs_device import Model
from hil.devices.base.han_device import MovingNode
from hil.devices.base.ota_client import OtaClient
from hil.devices.base.place import Place
from hil.devices.gsme import future as gsme_future
from hil.devices.gsme import terms as gsme_terms
from hil.devices.gsme.hardware import Hardware
from hil.devices.gsme.metering import STATES, GasMetering, GsmeSettings, Valve
from hil.devices.gsme.mirror import MirrorPusher
from hil.devices.gsme.model import GsmeModel
from hil.devices.gsme.network import Sampling
from hil.devices.metering.billing import displayed
from hil.devices.metering.keypad import Keypad
from hil.devices.metering.maker import ORDINARY, Maker, makers
from hil.devices.metering.maker import maker as maker_of
from hil.devices.metering.meter import Meter
from hil.devices.metering.registers import HALF_HOUR_S, LoadProfile, Register, boiler

WAKE_PERIOD_S = HALF_HOUR_S
"""A gas meter normally wakes and pushes every 30 minutes (reference chts 5)."""
POLL_S = 0.5
"""Period at which an awake meter asks its parent for what it holds. The bench's own figure."""
ANSWER_S = 20.0
BLOCKS_A_WAKE = 1000
"""Blocks of firmware that one wake takes: at a poll for each, some ten minutes of battery. The bench's own figure."""
_SET_CLOCK = 0x007F
METERING_ENDPOINT = 0x31


class Gsme(Meter[Valve, GsmeSettings]):
    """A GSME on the HAN."""

    metering: GasMetering
    states = STATES
    makers: ClassVar[tuple[str, ...]] = tuple(makers())
    device_type: ClassVar[DeviceType] = DeviceType.GSME
    sleepy: ClassVar[bool] = True
    descriptors: ClassVar[tuple[SimpleDescriptor, ...]] = (
        SimpleDescriptor(
            METERING_ENDPOINT,
            0x0501,
            servers=(0x0000, 0x0800, 0x0702, 0x0705, 0x0709),
            clients=(0x0800, 0x000A, 0x0025, 0x0019, 0x0700, 0x0703, 0x0704, 0x0707, 0x0708, 0x070B),
        ),
    )

    def __init__(
        self,
        eui64: Eui64,
        install_code: InstallCode,
        keystore: Keystore,
        node: HanNode,
        clock: Clock,
        trace: Trace,
        parties: Mapping[RemotePartyRole, Eui64] | None = None,
        *,
        store: Store | None = None,
        load: LoadProfile | None = None,
        maker: Maker = ORDINARY,
    ) -> None:
        super().__init__(eui64, install_code, keystore, node, clock, trace, parties, store=store)
        self._quiet_until = 0.0
        """The hub has told it to keep quiet until then."""
        self.maker = maker
        self.drift_ppm = maker.drift_ppm
        self.valve_stuck = False
        """A fault of the valve: it does not move, and Commands that would move it answer HARDWARE_FAILURE."""
        firmware.set_running_version(self.gbcs, FIRMWARE_VERSION)
        self.metering = GasMetering(self, load or boiler)
        self.hardware = Hardware(self)
        self.model = GsmeModel(self)
        self._keypad = Keypad(self.store, self.gbcs.prefix + "keypad", self.model.credit.enter, self.tell)
        self._server = GbzServer(self.gbcs, self.model.zcl)
        self.use(self)
        self.mirror = MirrorPusher(self)
        self.ota = OtaClient(self)
        self.tunnel: TunnelClient | None = None
        self.message: Message | None = None
        """The Command being executed, or the last one: its counter and code matter to tokens and future-dated settings."""
        self._mailbox: MailboxClient | None = None
        self._awake = asyncio.Lock()
        self._go_on()

    @classmethod
    def from_board(cls, place: Place) -> Self:
        row = place.row
        made = cls(
            row.eui,
            row.install_code,
            place.keystore,
            place.node,
            place.clock,
            place.trace,
            place.parties,
            store=place.store,
            load=place.load("import"),
            maker=maker_of(row.maker),
        )
        made.gbcs.keep_to(row.gbcs)
        return made

    def display(self) -> dict[str, int | str]:
        return {"register": self.register.total, "valve": self.valve.name.lower(), **displayed(self.metering.account)}

    @property
    def served_model(self) -> Model:
        return self.model.zcl

    def use_cases(self) -> UseCases:
        return super().use_cases().plus({_SET_CLOCK: self._set_clock}, {gsme_future.KIND: self._execute_due})

    # --- commands

    def execute(self, use_case: UseCase, message: Message) -> bytes:
        """A GSME's own use cases are GBZ, but for Set Clock."""
        self.message = message
        self._bring(self.now())
        try:
            with self._alone():
                answer = self._server.execute(message)
                self.metering.look()
                return answer
        finally:
            self.metering.settings_changed()  # what a Command wrote is rolled back if it fails
            self._stirred.set()

    def receive(self, data: bytes) -> None:
        """One message from the hub. What fell due before it is done before it."""
        self.update()
        super().receive(data)

    def _execute_due(self, device: GbcsDevice, action: FutureAction) -> None:
        """A future-dated setting: everything up to its moment is counted under the old ones."""
        self._bring(action.when)
        try:
            with self._alone():
                gsme_future.execute_due(self, self.model.apply, action)
        finally:
            self.metering.settings_changed()

    def _set_clock(self, device: GbcsDevice, message: Message) -> bytes:
        """GCS28: adopt the hub's time if it lies in the interval; answers the meter's time and its status."""
        command = asn1_io.read(message, SetTimeCommand)
        self.set_clock((command.start - EPOCH).total_seconds(), (command.end - EPOCH).total_seconds())
        status = 0 if self.clock_reliable else 2
        return asn1_io.write("SetTimeResponse", SetTimeResponse(EPOCH + timedelta(seconds=int(self.now())), status))

    # --- model

    def settings(self) -> GsmeSettings:
        """Settings that steer the metering."""
        return GsmeSettings.read(self.model)

    def number(self, cluster: int, attribute: int) -> int:
        """A numeric attribute as it stands."""
        return self.model.number(cluster, attribute)

    def sampled(self, sampling: Sampling, moment: int) -> None:
        """A sample of the network data log falls due."""
        self.model.network.note(sampling, moment, self.register.total)

    def half_hour(self, moment: int) -> bool:
        """Take the snapshots of a midnight, and of a billing period that ends; whether the block counters begin anew."""
        return self.model.logs.half_hour(moment)

    def tell(self, code: int) -> None:
        """One event, as it was configured."""
        gsme_terms.tell(self, code, self.model.event_configuration(code))

    # --- time

    def update(self) -> None:
        """As every meter's; future-dated settings act at their moments on the way."""
        if self._busy:
            return
        due = self.gbcs.future.next_due()
        if due is not None and due <= self.now():
            for alert in self.gbcs.run_due():
                self.send(alert)
        super().update()

    # --- supply and credit

    @property
    def register(self) -> Register:
        """The consumption register in litres, with its logs."""
        return self.metering.register

    @property
    def valve(self) -> Valve:
        """State of the valve. Gas flows only while it is ON."""
        return self.metering.supply

    def valve_moves(self, state: Valve) -> bool:
        """Move the valve, unless it is stuck; whether it did."""
        if self.valve_stuck:
            return False
        self.trace.emit("device", self.name, "valve", state=state.name.lower())
        return True

    def move_valve(self, state: int) -> bool:
        """Move the valve as a Command asks; False if it is stuck."""
        return self.move_supply(Valve(state))

    def enable_supply(self) -> bool:
        """As every meter's, and flow is watched from then on. A gas meter knows no other way (reference smets 4)."""
        if not super().enable_supply():
            return False
        self.metering.flow.begin(int(self.now()), self.metering.settings.flow_limit)
        self.metering.save()
        self._stirred.set()
        return True

    def enter_token(self, utrn: str) -> bool:
        """A token typed in at the meter, which takes none for a while after several wrong ones. Whether it was taken."""
        self.update()
        return self._keypad.enter(utrn, self.now())

    def knows_gpf(self) -> bool:
        """True if this hub's GPF stands in the meter's log: before that no metering data goes to the mirror (reference zigbee-han 6)."""
        return any(entry.device_type == DeviceType.GPF and entry.device_id == self.coordinator for entry in joins.entries(self.gbcs))

    # --- HAN

    async def start(self) -> None:
        await super().start()
        self.mirror.serve()
        self.zcl.serve(METERING_ENDPOINT, SUB_GHZ.id, self._told_to_be_quiet, server=False)
        self.ota.serve()

    async def join(self) -> None:
        async with self._stay_awake():
            await super().join()

    async def joined(self, membership: Membership) -> None:
        """After a join: tunnel and mirror, then the half-hourly rhythm. A sleepy meter keeps no keep-alive of its own between."""
        self._make_tunnel(membership.coordinator)
        await self.wake()
        self.spawn(self._rhythm())
        self.spawn_due()

    async def _rhythm(self) -> None:
        while True:
            now = self.clock.now()
            await self.clock.sleep(WAKE_PERIOD_S - now % WAKE_PERIOD_S)
            await self.wake()

    async def wake(self) -> None:
        """Switch the HAN interface on: time, mirror, mailbox until it is empty, what waits to be sent; then sleep again.

        What cannot be done now is recorded and tried at the next wake.
        """
        if not self.powered or self.coordinator is None or self.clock.now() < self._quiet_until:
            return
        async with self._awake:
            self.trace.emit("device", self.name, "awake")
            async with self._stay_awake():
                steps = (
                    self._keep_time,
                    self._open_tunnel,
                    self.mirror.publish,
                    self.mirror.push,
                    self._send_waiting,
                    self._fetch_mailbox,
                    self._fetch_image,
                    self.mirror.publish,
                    self.mirror.answer_questions,
                    self._follow_channel,
                )
                for step in steps:
                    try:
                        if step == self._open_tunnel and (self.key_borrowed or not self._heard_time()) and await self.search_hub():
                            await self.refresh_hub_time()
                        await step()
                    except CommsHubError as problem:
                        self.trace.emit("device", self.name, "wake step failed", step=step.__name__, reason=str(problem))
            self.trace.emit("device", self.name, "asleep")

    def _told_to_be_quiet(self, incoming: Incoming) -> ZclStatus:
        """Suspend ZCL Messages: for so many minutes nothing is sent; 0 ends it."""
        if incoming.partner != self.coordinator:
            return ZclStatus.NOT_AUTHORIZED
        minutes = SUB_GHZ.to_client[incoming.frame.command].decode(incoming.frame.payload)["minutes"]
        self._quiet_until = self.clock.now() + 60 * (minutes if isinstance(minutes, int) else 0)
        self.trace.emit("han", self.name, "suspended", minutes=int(str(minutes)))
        return ZclStatus.SUCCESS

    async def _keep_time(self) -> None:
        await self.refresh_hub_time()
        self.compare_clock()

    def _heard_time(self) -> bool:
        """True if the hub gave its time in this wake."""
        return self.clock.now() - self._hub_time_read_at < WAKE_PERIOD_S / 2

    def swapped(self, centre: Eui64) -> None:
        super().swapped(centre)
        self.mirror.forget()
        self._make_tunnel(centre)

    def _stay_awake(self) -> _Polling:
        return _Polling(self)

    async def _open_tunnel(self) -> None:
        if self.tunnel is None:
            raise RadioError("not joined", "NOT_JOINED")
        await self.tunnel.open()

    def _make_tunnel(self, hub: Eui64) -> None:
        self._drop_tunnel()
        self.tunnel = TunnelClient(self.zcl, hub, blocks=gbt, source_endpoint=METERING_ENDPOINT)
        self._mailbox = MailboxClient(self.tunnel, on_late=self._came_late, on_unreadable=self._discard, timeout_s=ANSWER_S)

    def _drop_tunnel(self) -> None:
        if self.tunnel is not None:
            self.tunnel.forget()
            self.tunnel = self._mailbox = None

    def _came_late(self, message: bytes) -> None:
        self.spawn(self.arrived(message))

    def _discard(self, problem: DecodeError, data: bytes) -> None:
        self.trace.emit("device", self.name, "discarded", reason=str(problem), data=data)

    # --- mailbox (reference zigbee-han 7)

    async def _fetch_mailbox(self) -> None:
        """GET until nothing remains; each message is executed and its answers are PUT before the next is fetched."""
        while True:
            response = await self._joined_mailbox().fetch_one()
            if response.message:
                await self.arrived(response.message)
                await self._send_waiting()
            if response.remaining == 0:
                return

    async def _follow_channel(self) -> None:
        """Go where the hub goes, if the mirror's flags say that it does: the channel is read off its Sub-GHz cluster."""
        if not self.mirror.told_of_channel or self.coordinator is None or not isinstance(self.node, MovingNode):
            return
        endpoint = await self.zcl.find_endpoint(self.coordinator, SUB_GHZ.id)
        values = await self.zcl.read_attributes(self.coordinator, endpoint, SUB_GHZ.id, (0x0000,))
        mask = values.get(0x0000)
        if isinstance(mask, int) and mask:
            self.node.move(mask)
            self.trace.emit("han", self.name, "moved", mask=f"{mask:08x}")

    async def _fetch_image(self) -> None:
        """Part of the firmware that waits, if the mirror's flags tell of some or a transfer is not over (reference gbcs-spec-notes 11)."""
        if self.mirror.told_of_firmware or self.ota.under_way:
            await self.ota.fetch(BLOCKS_A_WAKE)
            await self._send_waiting()

    async def _send_waiting(self) -> None:
        while (waiting := self.outbox.first()) is not None:
            key, message = waiting
            await self.hand_over(message)
            self.outbox.done(key)
            self.trace.emit("device", self.name, "sent", message=_name(message), target=str(self.coordinator), data=message)

    async def transfer(self, message: bytes) -> None:
        await self._joined_mailbox().put(message)

    def _joined_mailbox(self) -> MailboxClient:
        if self._mailbox is None:
            raise RadioError("not joined", "NOT_JOINED")
        return self._mailbox

    def power(self, on: bool) -> None:
        """Battery out and in."""
        if not on:
            self._drop_tunnel()
        super().power(on)


class _Polling:
    """While it is entered, the meter polls its parent."""

    def __init__(self, gsme: Gsme) -> None:
        self._gsme = gsme
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        self._task = supervised(self._poll(), f"the polling of {self._gsme.name}", self._gsme.trace, area="device")

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _poll(self) -> None:
        while True:
            await self._gsme.clock.sleep(POLL_S)
            try:
                if self._gsme.node.joined:
                    await self._gsme.node.poll()
            except RadioError as problem:
                self._gsme.trace.emit("han", self._gsme.name, "poll failed", reason=str(problem))


def _name(message: bytes) -> str:
    return str(message_of(message).header.identifier)
