"""Device Alerts in, Device Alerts and DCC Alerts out: enrolment, proof, routing to the party named, storms, power outages.

Rules: sec2-rules PR-07, PR-08 [138, 140, A1, A2], RT-04 [129]; storm protection SECMP0062 (reference dcc-notes 7). The 60 s
clock starts when the CHF was notified, which the hub's ALERT frames carry; without that at the alert's own time stamp.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from enum import StrEnum

from firmware_emu.clock import EPOCH
from firmware_emu.crypto.roles import DeviceType
from firmware_emu.errors import CommsHubError, DecodeError
from firmware_emu.gbcs.alert_contents import WhitelistBackup
from firmware_emu.gbcs.alerts import Alert, read_alert
from firmware_emu.gbcs.asn1_types import DeviceLogBackupAlert, FirmwareActivationAlert, FirmwareTransferAlert, UpdateCredentialsAlert
from firmware_emu.gbcs.dlms import AccessRequest, AccessResponse
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.gbz import Gbz
from firmware_emu.gbcs.use_cases import decode_payload
from firmware_emu.ids import Eui64
from firmware_emu.supervised import supervised
from hil.dcc.answers.alert_table import DCC_ALERT, DEVICE_ALERT, AlertRecord, AlertState, AlertTable, OutageTable
from hil.dcc.base.results import Delivery
from hil.dcc.base.services import NETWORK_OPERATORS, UserRole, dcc_alert_codes
from hil.dcc.base.store import Bus, outliving
from hil.dcc.gateway.arrival import GatewayContext
from hil.dcc.inventory.inventory import COMMISSIONED, mpxns_of
from hil.dcc.parties.users import Receivers, check_protection
from hil.dcc.wan.headend import PowerLost

RESTORED = frozenset({0x8F35, 0x8F36})
"""Supply Outage Restored, and the same for an outage of 3 minutes or longer (reference alert-codes)."""
OUTAGE_ROLES = (UserRole.IS, UserRole.ES, UserRole.GS, UserRole.ED)
"""Roles that get DCC Alerts about a hub (services schedule row A2; X-01: the printed DNO reads as none)."""


@dataclass(frozen=True, slots=True)
class CredentialsChanged:
    """Told on the bus of every outcome of a future-dated change of credentials."""

    message: Message
    alert: UpdateCredentialsAlert


@dataclass(frozen=True, slots=True)
class FirmwareTransferred:
    """Told on the bus of every CCS08: how a transfer of firmware to a Device ended."""

    alert: FirmwareTransferAlert


@dataclass(frozen=True, slots=True)
class FirmwareActivated:
    """Told on the bus of every CS09: whether a PPMID runs the firmware it was given."""

    device: Eui64
    alert: FirmwareActivationAlert


@dataclass(frozen=True, slots=True)
class DeviceAlerted:
    """Told on the bus of every Device Alert that was accepted, before it is forwarded."""

    device: Eui64
    code: str


class DropKind(StrEnum):
    """Why a Device Alert was dropped."""

    UNREADABLE = "unreadable"
    NOT_LISTED = "not listed"
    WRONG_HUB = "wrong hub"
    NOT_ENROLLED = "not enrolled"
    HUB_NOT_COMMISSIONED = "hub not commissioned"
    REPEATED = "repeated"
    NOT_AUTHENTIC = "not authentic"


@dataclass(frozen=True, slots=True)
class _Drop:
    kind: DropKind
    reason: str


class Alerts:
    """Device Alerts and DCC Alerts. ``cos`` is the CoS Party's identifier: alerts to it are for the DCC's own business too."""

    def __init__(self, context: GatewayContext, receivers: Receivers, bus: Bus, cos: Eui64 | None) -> None:
        self._context = context
        self._receivers = receivers
        self._bus = bus
        self._table = AlertTable(context.store)
        self._outages = OutageTable(context.store)
        self._own = context.dcc | ({cos} if cos is not None else set())
        self._watches: dict[Eui64, asyncio.Task[None]] = {}
        self._notified: float | None = None
        bus.on(PowerLost, self._power_lost)

    # Device Alerts

    def take(self, chf: Eui64, message: Message, octets: bytes, notified: float | None = None) -> None:
        """One alert from a hub, inside the transaction that takes its frame. Its 60 s run from ``notified``, when the CHF had it, else
        from the alert's own time (RT-04 [129])."""
        self._notified = notified
        header = message.header
        identifier = str(header.identifier)
        if self._table.seen(identifier):
            reason = "this alert was received before"
            self._context.trace.emit("dcc", "alerts", "refused", message=identifier, reason=reason, kind=DropKind.REPEATED.value)
            return
        try:
            payload = decode_payload(message)
            if isinstance(payload, AccessRequest | AccessResponse | Gbz):
                raise DecodeError(message.payload_offset, "alert", f"a {type(payload).__name__} is no alert")
            alert = read_alert(message.message_code, payload, message.payload_offset)
        except DecodeError as error:
            self._record(message, None, octets, AlertState.DROPPED, f"it cannot be read: {error}", drop=DropKind.UNREADABLE)
            return
        if (problem := self._unwelcome(chf, message)) is not None:
            self._record(message, alert, octets, AlertState.DROPPED, problem.reason, drop=problem.kind)
            return
        if isinstance(alert.content, UpdateCredentialsAlert):
            self._bus.tell(CredentialsChanged(message, alert.content))
        if header.recipient in self._own:
            self._own_alert(chf, message, alert, octets)
        else:
            self._forward(message, alert, octets, (header.recipient,))

    def _unwelcome(self, chf: Eui64, message: Message) -> _Drop | None:
        """Why the alert goes no further: not listed, wrong hub, not enrolled [138], not authentic."""
        device = self._context.inventory.device(message.header.originator)
        if device is None:
            return _Drop(DropKind.NOT_LISTED, f"{message.header.originator} is not in the inventory")
        hub = self._context.inventory.hub_of(device.eui)
        if hub != chf:
            return _Drop(DropKind.WRONG_HUB, f"it came through hub {chf}, and {device.eui} is on hub {hub}")
        if device.type in (DeviceType.CHF, DeviceType.GPF) and message.header.recipient in self._context.dcc:
            if self._context.inventory.listed(chf).status != COMMISSIONED:
                return _Drop(DropKind.HUB_NOT_COMMISSIONED, f"its hub {chf} is not Commissioned")
        elif not self._context.inventory.enrolled(device.eui):
            why = f"no system of {device.eui} is enrolled: Device Alerts are accepted from enrolled systems only [138]"
            return _Drop(DropKind.NOT_ENROLLED, why)
        try:
            check_protection(message, self._context.keystore)
        except CommsHubError as error:
            return _Drop(DropKind.NOT_AUTHENTIC, f"not authentic: {error}")
        return None

    def _own_alert(self, chf: Eui64, message: Message, alert: Alert, octets: bytes) -> None:
        if isinstance(alert.content, WhitelistBackup):
            version = self._context.device_logs.keep(chf, alert.content, "CS14")
            self._record(message, alert, octets, AlertState.INTERNAL, f"device log copy of hub {chf} is version {version.version}")
            return
        if isinstance(alert.content, DeviceLogBackupAlert):
            kinds = DeviceType.__members__.values()
            known = {entry.device_id: DeviceType(entry.device_type) for entry in alert.content.entries if entry.device_type in kinds}
            self._context.device_logs.keep_gpf(message.header.originator, known)
            self._record(
                message, alert, octets, AlertState.INTERNAL, f"Device log of GPF {message.header.originator}: {len(known)} Devices"
            )
            return
        if isinstance(alert.content, FirmwareTransferAlert):
            self._bus.tell(FirmwareTransferred(alert.content))
            self._record(
                message, alert, octets, AlertState.INTERNAL, f"transfer to {alert.content.device_id} ended: {alert.content.outcome}"
            )
            return
        if isinstance(alert.content, FirmwareActivationAlert):
            self._bus.tell(FirmwareActivated(message.header.originator, alert.content))
            self._record(
                message, alert, octets, AlertState.INTERNAL, f"activation at {message.header.originator} ended: {alert.content.outcome}"
            )
            return
        if alert.alert_code in RESTORED:
            self.restored(chf, f"alert {alert.alert_code:04X}")
        parties = self.relevant(chf)
        if parties and message.header.originator == chf:
            self._forward(message, alert, octets, parties)
        else:
            self._record(message, alert, octets, AlertState.INTERNAL, "for the DCC itself; the DCC keeps no data of the Gas Proxy [191]")

    def _forward(self, message: Message, alert: Alert, octets: bytes, parties: tuple[Eui64, ...]) -> None:
        device, code = message.header.originator, f"{alert.alert_code:04X}"
        self._bus.tell(DeviceAlerted(device, code))
        count = 1 + self._table.count(device, code, self._context.clock.now() - self._context.profile.storm_window_s)
        over = count - int(self._context.profile.storm_threshold)
        one_in = int(self._context.profile.storm_one_in)
        if over > 0 and over % one_in:
            self._record(
                message,
                alert,
                octets,
                AlertState.THROTTLED,
                f"alert {count} of this code within {self._context.profile.storm_window_s:g} s: one in {one_in} is forwarded",
            )
            return
        sequence = over // one_in if over > 0 else None
        for index, party in enumerate(parties):
            number = self._record(
                message,
                alert,
                octets,
                AlertState.WAITING,
                f"for {party}",
                party=party,
                copy=index > 0,
                sequence=sequence,
                count=one_in if sequence else None,
            )
            self._hand_over(number)

    def _record(
        self,
        message: Message,
        alert: Alert | None,
        octets: bytes,
        state: AlertState,
        reason: str,
        *,
        party: Eui64 | None = None,
        copy: bool = False,
        sequence: int | None = None,
        count: int | None = None,
        drop: DropKind | None = None,
    ) -> int:
        now = self._context.clock.now()
        raised = now if alert is None or alert.at is None else (alert.at - EPOCH).total_seconds()
        stamp = min(now, raised if self._notified is None else self._notified)
        identifier = f"{message.header.identifier}>{party}" if copy else str(message.header.identifier)
        number = self._table.add(
            DEVICE_ALERT,
            "" if alert is None else f"{alert.alert_code:04X}",
            message.header.originator,
            state,
            reason,
            time=now,
            party=str(party) if party else None,
            identifier=identifier,
            clock_start=stamp,
            octets=octets,
            throttled_sequence=sequence,
            throttled_count=count,
        )
        name, shown = str(message.header.identifier), None if alert is None else f"{alert.alert_code:04X}"
        if drop is None:
            self._context.trace.emit("dcc", "alerts", "received", message=name, state=state.value, code=shown, reason=reason)
        else:
            self._context.trace.emit(
                "dcc", "alerts", "refused", message=name, state=state.value, code=shown, reason=reason, kind=drop.value
            )
        return number

    # DCC Alerts

    def raise_dcc_alert(self, code: str, device: Eui64, parties: tuple[Eui64, ...], **detail: str | float | None) -> None:
        """A DCC Alert to each of ``parties``; the meaning of ``code`` and how sure it is go along."""
        known = dcc_alert_codes()[code]
        content = {"meaning": known.meaning, "meaning_confidence": known.confidence, **detail}
        with self._context.store.transaction():
            for party in parties:
                number = self._table.add(
                    DCC_ALERT,
                    code,
                    device,
                    AlertState.WAITING,
                    f"for {party}",
                    time=self._context.clock.now(),
                    party=str(party),
                    clock_start=self._context.clock.now(),
                    detail=json.dumps(content),
                )
                self._hand_over(number)

    def meter_left(self, meter: Eui64, event: str) -> None:
        """A meter was decommissioned or withdrawn: its network operators are told as soon as practicable (INV-19, H6.10)."""
        mpxns, now = mpxns_of(self._context.inventory, self._context.inventory.listed(meter)), self._context.clock.now()
        found = (self._context.registration.party(mpxn, role, now) for mpxn in mpxns for role in sorted(NETWORK_OPERATORS))
        self.raise_dcc_alert("N1", meter, tuple(dict.fromkeys(party for party in found if party is not None)), event=event)

    def relevant(self, chf: Eui64) -> tuple[Eui64, ...]:
        """The registered users whom alerts about this hub concern, once each."""
        device = self._context.inventory.device(chf)
        mpxns = () if device is None else mpxns_of(self._context.inventory, device)
        found = (self._context.registration.party(mpxn, role, self._context.clock.now()) for mpxn in mpxns for role in OUTAGE_ROLES)
        return tuple(dict.fromkeys(party for party in found if party is not None))

    def _hand_over(self, number: int) -> None:
        one = self._table.find(number)
        if one is None or one.party is None:
            return
        delivery = Delivery(
            one.kind,
            self._context.clock.now(),
            one.code,
            one.device,
            one.octets,
            sequence=one.throttled_sequence,
            count=one.throttled_count,
            detail=one.detail,
        )
        if self._receivers.deliver(one.party, delivery):
            self._table.delivered(number, self._context.clock.now())
            self._context.trace.emit(
                "dcc",
                "alerts",
                "delivered",
                target=str(one.party),
                code=one.code,
                message=one.identifier,
                seconds=round(self._context.clock.now() - one.clock_start, 3),
            )

    def deliver_waiting(self, party: Eui64) -> None:
        """The user is there (again): hand over what waits for it."""
        for number in self._table.waiting(party):
            self._hand_over(number)

    def records(self, device: Eui64 | None = None) -> tuple[AlertRecord, ...]:
        """Every alert received or raised, or those about one Device, oldest first."""
        return self._table.all(device)

    # Power outages

    def _power_lost(self, lost: PowerLost) -> None:
        """A hub's last gasp: AD1 goes out unless the supply is back within the threshold (CH-11, ALERT A21)."""
        chf, began = lost.chf, lost.began
        now = self._context.clock.now()
        self._outages.lost(chf, began, now, max(now, began + self._context.profile.outage_threshold_s))
        self._context.trace.emit("dcc", "alerts", "received", target=str(chf), state="power lost", began=began)
        self._watch(chf)

    def restored(self, chf: Eui64, sign: str) -> None:
        """The hub is back, as ``sign`` shows."""
        if self._outages.restored(chf):
            self._context.trace.emit("dcc", "alerts", "received", target=str(chf), state="power restored", sign=sign)
        if (watch := self._watches.pop(chf, None)) is not None:
            watch.cancel()

    def watch_outages(self) -> None:
        """After a restart: go on watching the outages that were open."""
        for chf in self._outages.untold():
            self._watch(chf)

    def _watch(self, chf: Eui64) -> None:
        if (watch := self._watches.pop(chf, None)) is not None:
            watch.cancel()
        self._watches[chf] = supervised(
            outliving(lambda: self._tell_outage(chf), f"the outage of {chf}", self._context.clock, self._context.trace),
            f"the outage of {chf}",
            self._context.trace,
            area="dcc",
        )

    async def _tell_outage(self, chf: Eui64) -> None:
        while (outage := self._outages.of(chf)) is not None and not outage.told:
            if (early := outage.due - self._context.clock.now()) > 0:
                await self._context.clock.sleep(early)
                continue  # the hub may have come back, or have gone again, at another process
            with self._context.store.transaction():
                if self._outages.of(chf) == outage:
                    self._outages.told(chf)
                    self.raise_dcc_alert("AD1", chf, self.relevant(chf), began=outage.began, payload="PowerOutageEvent")
        self._watches.pop(chf, None)

    async def close(self) -> None:
        """Stop watching; open outages stay in the store."""
        watches = tuple(self._watches.values())
        self._watches.clear()
        for watch in watches:
            watch.cancel()
        for watch in watches:
            with contextlib.suppress(asyncio.CancelledError):
                await watch
