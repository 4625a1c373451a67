"""An electricity meter on the HAN: DLMS object model, metering and account, supply, events, clock and outage alerts.

Not modelled: waveforms (voltage is a number of volts that holds until it is changed), power factor and reverse current; the exponents of
apparent power.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import ClassVar, Self

from firmware_emu.clock import Clock
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.device import firmware, joins, object_model
from firmware_emu.device.event_log import LogEntry, LogName
from firmware_emu.device.future import FutureAction
from firmware_emu.device.joining import Membership
from firmware_emu.device.object_model import DlmsServer
from firmware_emu.device.pipeline import GbcsDevice, UseCases
from firmware_emu.device.store import Store
from firmware_emu.device.top_up import TopUpResult
from firmware_emu.device.top_up import check as top_up_check
from firmware_emu.device.top_up import check_entered as top_up_check_entered
from firmware_emu.errors import IdentifierError, KeystoreError, ProtectionError
from firmware_emu.gbcs.axdr import Boolean, Data, LongUnsigned, Null
from firmware_emu.gbcs.dlms import AccessResult, parse_obis
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.use_cases import UseCase
from firmware_emu.han.base import HanNode, SimpleDescriptor
from firmware_emu.ids import Eui64, InstallCode
from firmware_emu.trace import Trace
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from hil.devices.base.firmware_version import FIRMWARE_VERSION
from hil.devices.base.gbcs_device import COMPARED_EVERY_S, Model, TunnelServerDevice
from hil.devices.base.load_control import LoadController
from hil.devices.base.place import Place
from hil.devices.base.tampering import ENDS, LOCKED_BY_TAMPER, Tampering, tamper
from hil.devices.esme import logs as esme_logs
from hil.devices.esme import model as esme_model
from hil.devices.esme import settings as esme_settings
from hil.devices.esme.alerts import billing_alert
from hil.devices.esme.consumer import ConsumerView
from hil.devices.esme.controls import Controls
from hil.devices.esme.display import CLUSTERS, DisplaySide
from hil.devices.esme.events import EventSettings
from hil.devices.esme.metering import STATES, EsmeRegisters, EsmeSettings, LoadSwitch, Metering
from hil.devices.esme.ppmid_commands import PpmidDesk
from hil.devices.esme.variant import FURTHER_PHASES_OBJECTS, SECOND_ELEMENT_OBJECTS, SINGLE_ELEMENT, VARIANTS, EsmeVariant
from hil.devices.metering.billing import CREDIT_ADDED_LOCALLY, displayed, over_limit
from hil.devices.metering.maker import ORDINARY, Maker, makers
from hil.devices.metering.maker import maker as maker_of
from hil.devices.metering.meter import Meter
from hil.devices.metering.registers import LoadProfile, house, nothing
from hil.devices.metering.tariff import OFFSET_NUMBERS

OUTAGE_LONG_S = 180
"""An outage of three minutes or more has an alert of its own, 8F36 (reference chts 8)."""
_RESTORED, _RESTORED_LONG, _OUTAGE_CODE = 0x8F35, 0x8F36, 0x0067
_COMMISSIONED = 0x8F69
USER_DONE, USER_NOT_DONE = 0x8161, 0x8162
"""A command of the meter's own user interface was actioned, or not (reference event-table)."""
HUB_FOUND, HUB_LOST = 0x81A2, 0x81A3
INTERRUPTED = 0x8F57
"""Supply interrupted: in the power event log, at the time at which it was (reference event-table)."""
_SUPPLY_SCRIPTS = {0x33: LoadSwitch.ENABLED, 0x34: LoadSwitch.DISABLED, 0x36: LoadSwitch.ARMED}
"""Scripts of 0-0:10.0.106 (reference smets 4; RTDS ECS42, ECS43, ECS44)."""
ESI_ENDPOINT, METERING_ENDPOINT = 0x21, 0x22

__all__ = ["METERING_ENDPOINT", "Esme", "LoadSwitch"]


class Esme(Meter[LoadSwitch, EsmeSettings], TunnelServerDevice):
    """An ESME on the HAN. ``variant``: elements and phases; ``load``, ``secondary`` and ``export``: its loads by half hour of the day."""

    metering: Metering
    states = STATES
    variants: ClassVar[tuple[str, ...]] = tuple(VARIANTS)
    makers: ClassVar[tuple[str, ...]] = tuple(makers())
    device_type: ClassVar[DeviceType] = DeviceType.ESME
    descriptors: ClassVar[tuple[SimpleDescriptor, ...]] = (
        SimpleDescriptor(
            ESI_ENDPOINT,
            0x0500,
            servers=(0x0000, 0x0800, 0x0704, 0x0701, *(one.id for one in CLUSTERS)),
            clients=(0x0800, 0x000A, 0x0025, 0x0019, 0x0706),
        ),
        SimpleDescriptor(METERING_ENDPOINT, 0x0501, servers=(0x0000, 0x0702, 0x0705), clients=(0x000A,)),
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
        variant: EsmeVariant = SINGLE_ELEMENT,
        maker: Maker = ORDINARY,
        secondary: LoadProfile | None = None,
        export: LoadProfile | None = None,
    ) -> None:
        super().__init__(eui64, install_code, keystore, node, clock, trace, parties, store=store)
        self.variant = variant
        second = (secondary or nothing) if variant.elements > 1 else nothing
        self.registers = EsmeRegisters(self.store, self.gbcs.prefix, load or house, second, export or nothing)
        self.contactor_stuck = False
        """A fault of the contactor: it does not move, and Commands that would move it fail with a hardware fault."""
        self.counter = 0
        """Originator counter of the Command being executed: what a prepayment token is checked against."""
        self.maker = maker
        self.drift_ppm = maker.drift_ppm
        self.offset_number = 1 + int.from_bytes(hashlib.sha256(eui64.octets).digest()[:4], "big") % OFFSET_NUMBERS
        """The meter's own number for randomised offsets, fixed at manufacture."""
        self._readers: dict[Eui64, Callable[[], None]] = {}
        firmware.set_running_version(self.gbcs, FIRMWARE_VERSION)
        self.model = esme_model.load(self)
        self.model.tells_done = maker.tells_done
        self.events = EventSettings(self, self.model)
        self.metering = Metering(self)
        self.load_controller = LoadController(self)
        self.controls = Controls(self, self.load_controller.moved)
        self.consumer = ConsumerView(self)
        self.display_side = DisplaySide(self, self.consumer)
        self.desk = PpmidDesk(self)
        esme_settings.install(self, self.model, self.controls)
        esme_model.install(self, self.model, self.controls)
        esme_logs.install(self, self.model, self.controls)
        absent = (*(SECOND_ELEMENT_OBJECTS if variant.elements == 1 else ()), *(FURTHER_PHASES_OBJECTS if variant.phases == 1 else ()))
        self.model.withhold({parse_obis(obis) for obis in absent})
        self._dlms = DlmsServer(self.gbcs, self.model)
        self.use(self)
        self.gbcs.taken_back = self._forget
        self._go_on()

    def read(self, class_id: int, obis: str, attribute: int) -> Data:
        """An attribute of the object model as it stands."""
        return self.model.read((class_id, parse_obis(obis), attribute))

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
            variant=VARIANTS[row.variant or SINGLE_ELEMENT.name],
            maker=maker_of(row.maker),
            load=place.load("import"),
            secondary=place.load("secondary"),
            export=place.load("export"),
        )
        made.gbcs.keep_to(row.gbcs)
        return made

    def display(self) -> dict[str, int | str]:
        self.update()
        total, switch = self.registers.active_import.total, self.load_switch.name.lower()
        return {"import, Wh": total, "load switch": switch, **displayed(self.metering.account)}

    @property
    def served_model(self) -> Model:
        return self.model

    def use_cases(self) -> UseCases:
        return super().use_cases().plus(due={object_model.KIND: self._execute_due})

    # --- commands

    def execute(self, use_case: UseCase, message: Message) -> bytes:
        """An ESME's own use cases are DLMS access lists."""
        self.counter = message.header.counter
        self.update()
        with self._alone():
            changes, before, acts = self.model.changes, self._counted, self._dlms.acts
            answer = self._dlms.execute(message)
            if self._dlms.acts == acts:
                return answer  # it has read what stands: there is nothing to look at
            if self.model.changes != changes:
                self.settings_changed()
            self.metering.look()
            self.controls.update(int(self.now()))
            if self._counted != before:
                self._stirred.set()
            return answer

    @property
    def _counted(self) -> tuple[bytes, bytes]:
        """State that decides when something happens next."""
        return self.metering.stored, self.controls.stored

    def receive(self, data: bytes) -> None:
        """One message from the hub. A change of supplier leaves a snapshot (reference gbcs-behaviour 5)."""
        supplier = self.credentials.party(RemotePartyRole.SUPPLIER)
        super().receive(data)
        if self.credentials.party(RemotePartyRole.SUPPLIER) != supplier:
            self.update()
            self.metering.changed()

    def _execute_due(self, device: GbcsDevice, action: FutureAction) -> None:
        """A future-dated setting: everything up to its moment is counted under the old ones."""
        self._bring(action.when)
        with self._alone():
            changes = self.model.changes
            object_model.execute_due(device, self.model, action)
            if self.model.changes != changes:
                self.settings_changed()
            self.metering.look()

    def _forget(self) -> None:
        """After what was undone in the store: nothing that is only in memory counts."""
        self.model.forget()
        self.metering.forget()
        self.controls.forget()

    def settings_changed(self) -> None:
        """Something in the object model was written."""
        self._stirred.set()
        self.metering.settings_changed()
        self.controls.settings_changed()

    # --- time

    def _count(self, now: float) -> None:
        super()._count(now)
        self.controls.update(int(now))

    def _next_moment(self) -> float:
        switch = self.controls.next_moment(int(self.now()))
        metering = super()._next_moment()
        return metering if switch is None else min(metering, switch)

    # --- supply

    @property
    def load_switch(self) -> LoadSwitch:
        """State of the load switch."""
        return self.metering.supply

    def contactor_moves(self, state: LoadSwitch) -> bool:
        """Move the contactor, unless it is stuck; whether it did."""
        if self.contactor_stuck:
            return False
        self.trace.emit("device", self.name, "load switch", state=state.name.lower())
        return True

    def supply_script(self, parameter: Data) -> AccessResult | Data:
        """Move the load switch as a script of the supply control asks; HARDWARE_FAULT if it is stuck. Only ENABLED lets current through."""
        if not isinstance(parameter, LongUnsigned):
            return AccessResult.TYPE_UNMATCHED
        state = _SUPPLY_SCRIPTS.get(parameter.value)
        if state is None:
            return AccessResult.OBJECT_UNAVAILABLE
        return Null() if self.move_supply(state) else AccessResult.HARDWARE_FAULT

    def tamper(self, how: Tampering) -> None:
        """Do something to the case: security log and alert, and where the supply tamper state says so the supply is locked (81BE)."""
        self.update()
        tamper(self, how)
        locks = self.read(1, "0-0:94.44.0.4", 2) == Boolean(True)
        if locks and self.load_switch is not LoadSwitch.DISABLED and self.move_supply(LoadSwitch.DISABLED):
            self.tell(LOCKED_BY_TAMPER)

    def restore(self, how: Tampering) -> None:
        """Undo it. What was locked stays so."""
        if how in ENDS:
            self.tell(ENDS[how])

    def set_voltage(self, volts: int, phase: int = 1) -> None:
        """A fault profile: the RMS voltage of a phase from now on, in whole volts."""
        self.update()
        self.metering.set_voltage(phase - 1, volts)
        self._stirred.set()

    # --- credit

    def token_by_command(self, utrn: str) -> bool:
        """CS01a: a token in a Command, checked under the Command's counter. Whether it was taken."""
        return self._use(*top_up_check(self.gbcs, utrn, self.counter))[0] is TopUpResult.ACCEPTED

    def enter_token(self, utrn: str) -> bool:
        """A token typed in at the meter; the supplier is told (810E). Whether it was taken."""
        done = self.take_token(utrn)[0] is TopUpResult.ACCEPTED
        self.tell(USER_DONE if done else USER_NOT_DONE)
        return done

    def take_token(self, utrn: str) -> tuple[TopUpResult, int]:
        """A token that comes without the supplier's Command, of which the supplier is told: result, and value in millipence."""
        self.update()
        result, value = self._use(*top_up_check_entered(self.gbcs, utrn, self.tell))
        if result is TopUpResult.ACCEPTED:
            self.tell(CREDIT_ADDED_LOCALLY)
        return result, value

    def _use(self, result: TopUpResult, amount: int) -> tuple[TopUpResult, int]:
        metering, terms = self.metering, self.metering.settings.terms
        if result is not TopUpResult.ACCEPTED:
            return result, amount
        refusal = metering.account.refusal(amount, terms)
        if refusal is not None:
            self.tell(refusal)
            self.gbcs.note_failure("the token is over a limit of the meter")
            return over_limit(refusal), amount
        now = int(self.now())
        payment = metering.account.top_up(amount, now, terms)
        metering.logs.credits.append(now, amount)
        if payment.to_payment_debt:
            metering.logs.debt_payments.append(now, payment.to_payment_debt)
        metering.look()
        return result, amount

    # --- events

    def tell(self, code: int, other: bytes = b"", entry: LogEntry | None = None) -> None:
        """One event, as it was configured."""
        self.events.tell(code, other, entry)

    def billed(self) -> None:
        """The end of a billing period: alert 8F0A with the entry just written, for the supplier's eyes (ECS68)."""
        entry = esme_logs.newest_billing_entry(self, self.model)
        try:
            self.send(billing_alert(self.gbcs, entry))
        except (KeystoreError, ProtectionError) as problem:
            self.trace.emit("device", self.name, "alert not sent", code="8f0a", reason=str(problem))

    # --- privacy

    def set_privacy_pin(self, pin: str) -> None:
        """The consumer's PIN: four digits, entered at the meter. It hides what is shown until ECS14 takes it away."""
        if len(pin) != 4 or not pin.isdecimal():
            raise IdentifierError("a privacy PIN", "what was entered", "four digits")
        self.store.put(self.gbcs.prefix + "pin", pin.encode())

    @property
    def pin_protected(self) -> bool:
        """True if a privacy PIN is set."""
        return self.store.get(self.gbcs.prefix + "pin") is not None

    def disable_privacy_pin(self) -> None:
        """ECS14: the supplier takes the PIN away, and cannot set one."""
        self.store.delete(self.gbcs.prefix + "pin")

    # --- HAN

    def log_may_have_changed(self) -> None:
        """Let exactly the Devices of the log read the meter on the HAN (requirements CH-30)."""
        super().log_may_have_changed()
        joined = {entry.device_id for entry in joins.entries(self.gbcs)}
        self.controls.followed_by(self.load_controller.followers())
        for device in set(self._readers) - joined:
            self._readers.pop(device)()
        for device in joined - set(self._readers):
            self._readers[device] = self._serve(device)

    def paired(self, partner: Eui64) -> None:
        self.spawn(self.load_controller.tell(partner))

    def _serve(self, device: Eui64) -> Callable[[], None]:
        """Let one joined Device read, and ask what a PPMID may; returns what ends it."""
        ends = (
            self.zcl.serve(
                METERING_ENDPOINT,
                METERING.id,
                self.desk.metering,
                partner=device,
                attributes=self.consumer.attributes(),
            ),
            self.zcl.serve(
                METERING_ENDPOINT,
                PREPAYMENT.id,
                self.desk.prepayment,
                partner=device,
                attributes=self.consumer.prepayment(),
            ),
            self.load_controller.serve(device),
            *(
                self.zcl.serve(
                    ESI_ENDPOINT,
                    cluster.id,
                    self.display_side.handler(cluster),
                    partner=device,
                    attributes=self.display_side.attributes(cluster),
                )
                for cluster in CLUSTERS
            ),
        )

        def end() -> None:
            for one in ends:
                one()

        return end

    async def joined(self, membership: Membership) -> None:
        """Commissioning alert 8F69 after the first join (reference gbcs-spec-notes 9); outage alerts after a return of supply."""
        await super().joined(membership)
        self.spawn(self._keep_time())
        name = self.gbcs.prefix + "commissioned"
        if self.store.get(name) is None:
            self.store.put(name, b"\x01")
            self.gbcs.raise_alert(_COMMISSIONED)

    async def _keep_time(self) -> None:
        while True:
            await self.clock.sleep(COMPARED_EVERY_S)
            await self.refresh_hub_time()
            self.compare_clock()

    def _hub_lost(self) -> None:
        super()._hub_lost()
        self.tell(HUB_LOST)

    def _hub_found(self) -> None:
        super()._hub_found()
        self.tell(HUB_FOUND)

    # --- mains

    def power(self, on: bool) -> None:
        """Mains off and on. On return the outage is told to the network operator: 8F35, or 8F36 from three minutes (0067)."""
        if on == self.powered:
            return
        super().power(on)
        if on:
            self._restored()
        else:
            self.store.put(self.gbcs.prefix + "outage", int(self.now()).to_bytes(4, "big"))

    def _restored(self) -> None:
        octets = self.store.get(self.gbcs.prefix + "outage")
        if octets is None:
            return
        self.store.delete(self.gbcs.prefix + "outage")
        start, now = int.from_bytes(octets, "big"), int(self.now())
        if now - start <= self.maker.ride_through_s:
            return
        self.gbcs.logs[LogName.POWER].add(LogEntry(start, INTERRUPTED))
        event = _RESTORED_LONG if now - start >= OUTAGE_LONG_S else _RESTORED
        self.gbcs.raise_alert(event, (esme_model.moment(start), esme_model.moment(now)), message_code=_OUTAGE_CODE)

    def _go_on(self) -> None:
        super()._go_on()
        self._restored()
