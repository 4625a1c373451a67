"""A single-phase electricity meter: DLMS object model, registers that accumulate, load switch, clock, outage alerts.

Not modelled: prepayment logic, load limiting, voltage events, tariff switching by calendar (the first TOU register takes
everything), proportional control. Attributes of those parts hold what is written to them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import IntEnum
from typing import ClassVar

from firmware_emu.clock import EPOCH, Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.device import firmware, future_dated, joins
from firmware_emu.device.dlms_server import DlmsServer
from firmware_emu.device.joining import Membership
from firmware_emu.device.store import Store
from firmware_emu.gbcs import cosem_time
from firmware_emu.gbcs.axdr import OctetString
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.use_cases import UseCase
from firmware_emu.han.attributes import Attributes
from firmware_emu.han.base import HanNode, SimpleDescriptor
from firmware_emu.ids import Eui64, InstallCode
from firmware_emu.trace import Trace
from firmware_emu.zse.clusters.metering import METERING
from hil.devices import esme_model
from hil.devices.gbcs_device import TunnelServerDevice
from hil.devices.registers import LoadProfile, Register, house

OUTAGE_LONG_S = 180
"""An outage of three minutes or more has an alert of its own, 8F36 (reference chts 8)."""
_RESTORED, _RESTORED_LONG, _OUTAGE_CODE = 0x8F35, 0x8F36, 0x0067
_COMMISSIONED = 0x8F69
METERING_ENDPOINT = 0x22
FIRMWARE_VERSION = bytes.fromhex("01000000")


class LoadSwitch(IntEnum):
    """State of the load switch, as class 70 tells it (reference smets 4)."""

    DISABLED = 0
    ENABLED = 1
    ARMED = 2


def _third(half_hour: int) -> int:
    return house(half_hour) // 3


@dataclass
class EsmeRegisters:
    """What the meter counts: active import in Wh, reactive import in varh."""

    active_import: Register = field(default_factory=lambda: Register(house))
    reactive_import: Register = field(default_factory=lambda: Register(_third))


class Esme(TunnelServerDevice):
    """An ESME on the HAN."""

    device_type: ClassVar[DeviceType] = DeviceType.ESME
    descriptors: ClassVar[tuple[SimpleDescriptor, ...]] = (
        SimpleDescriptor(0x21, 0x0500, servers=(0x0000, 0x0800, 0x0704), clients=(0x0800, 0x000A, 0x0025, 0x0019)),
        SimpleDescriptor(METERING_ENDPOINT, 0x0501, servers=(0x0000, 0x0702), clients=(0x000A,)),
    )

    def __init__(
        self, eui64: Eui64, install_code: InstallCode, keystore: Keystore, node: HanNode, clock: Clock, trace: Trace,
        parties: Mapping[RemotePartyRole, Eui64] | None = None, *, store: Store | None = None, load: LoadProfile | None = None,
    ) -> None:
        super().__init__(eui64, install_code, keystore, node, clock, trace, parties, store=store)
        self.registers = EsmeRegisters()
        if load is not None:
            self.registers.active_import.load = load
        self.load_switch = LoadSwitch.ENABLED
        self.contactor_stuck = False
        """A fault of the contactor: it does not move, and Commands that would move it fail with a hardware fault."""
        self.counter = 0
        """Originator counter of the Command being executed: what a prepayment token is checked against."""
        self._outage_start: float | None = None
        self._commissioned = False
        self._readers: dict[Eui64, Callable[[], None]] = {}
        firmware.set_running_version(self.gbcs, FIRMWARE_VERSION)
        self.model = esme_model.build(self)
        self._dlms = DlmsServer(self.gbcs, self.model)
        self.gbcs.due[future_dated.KIND] = lambda device, action: future_dated.execute_due(device, self.model, action)
        self.use(self)
        self.update()

    # --- commands

    def execute(self, use_case: UseCase, message: Message) -> bytes:
        """An ESME's own use cases are DLMS access lists."""
        self.counter = message.header.counter
        return self._dlms.execute(message)

    def update(self) -> None:
        """Bring the registers up to now."""
        now = self.clock.now()
        self.registers.active_import.update(now)
        self.registers.reactive_import.update(now)

    def move_load_switch(self, state: LoadSwitch) -> bool:
        """Move the contactor; False if it is stuck. Only ENABLED lets current through."""
        if self.contactor_stuck:
            return False
        self.update()
        self.load_switch = state
        self._set_flow()
        self.trace.emit("device", self.name, "load switch", state=state.name.lower())
        return True

    def _set_flow(self) -> None:
        flowing = self.powered and self.load_switch is LoadSwitch.ENABLED
        self.registers.active_import.flowing = flowing
        self.registers.reactive_import.flowing = flowing

    # --- HAN

    def log_may_have_changed(self) -> None:
        """Let exactly the Devices of the log read the meter on the HAN (requirements CH-30)."""
        super().log_may_have_changed()
        joined = {entry.device_id for entry in joins.entries(self.gbcs)}
        for device in set(self._readers) - joined:
            self._readers.pop(device)()
        for device in joined - set(self._readers):
            self._readers[device] = self.zcl.serve(METERING_ENDPOINT, METERING.id, None, partner=device, attributes=self._metering())

    def _metering(self) -> Attributes:
        def delivered() -> int:
            self.update()
            return self.registers.active_import.total

        def demand() -> int:
            return self.registers.active_import.rate(self.clock.now())

        return Attributes(METERING, {0x0000: delivered, 0x0300: 0, 0x0301: 1, 0x0302: 1000, 0x0303: 0, 0x0306: 0, 0x0400: demand})

    async def joined(self, membership: Membership) -> None:
        """Commissioning alert 8F69 after the first join (reference gbcs-spec-notes 9); outage alerts after a return of supply."""
        await super().joined(membership)
        if not self._commissioned:
            self._commissioned = True
            self.gbcs.raise_alert(_COMMISSIONED)

    # --- supply

    def power(self, on: bool) -> None:
        """Mains off and on. On return the outage is told to the network operator: 8F35, or 8F36 from three minutes (0067)."""
        if on == self.powered:
            return
        self.update()
        super().power(on)
        self._set_flow()
        if not on:
            self._outage_start = self.now()
        elif self._outage_start is not None:
            start, self._outage_start = self._outage_start, None
            event = _RESTORED_LONG if self.now() - start >= OUTAGE_LONG_S else _RESTORED
            self.gbcs.raise_alert(event, (_date_time(start), _date_time(self.now())), message_code=_OUTAGE_CODE)


def _date_time(seconds: float) -> OctetString:
    return OctetString(cosem_time.encode_date_time(EPOCH + timedelta(seconds=int(seconds))))
