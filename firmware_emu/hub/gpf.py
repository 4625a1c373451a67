"""The Gas Proxy Function: a second GBCS Device in the hub, which answers gas reads from its mirror (reference chts 5).

Its own Device log (CS03B, CS03C, CS04, CS07) decides who reads the mirror on the HAN; each change of it sends GCS62 to the
ACB, and GCS59 restores it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import timedelta

from firmware_emu.clock import EPOCH
from firmware_emu.device import asn1_io, joins
from firmware_emu.device.event_log import LogName
from firmware_emu.device.gbz_server import GbzServer, LiveAttribute, ZclAnswer, ZclModel
from firmware_emu.device.pipeline import GbcsDevice, Handler
from firmware_emu.device.standard import STANDARD
from firmware_emu.device.zcl_event_log import EVENT_LOG, METER_EVENT_LOG, METER_SECURITY_LOG, SECURITY_LOG, asked_log
from firmware_emu.device.zcl_event_log import answer as log_answer
from firmware_emu.gbcs.asn1_types import DeviceLogBackupAlert, RestoreDeviceLogCommand, RestoreDeviceLogResponse, RestoreOutcome
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.gbz import Component
from firmware_emu.gbcs.use_cases import UseCase
from firmware_emu.han.zcl_port import Answer, Incoming, Reply, ZclPort
from firmware_emu.hub.billing_log import BillingLog
from firmware_emu.hub.delivery import Mailbox
from firmware_emu.hub.device_log import DeviceLog
from firmware_emu.hub.gas_store import HALF_HOUR_S, GasStore
from firmware_emu.hub.mirror import MIRRORED, Mirror
from firmware_emu.hub.profile import HubConfig
from firmware_emu.hub.tap_off import TapOff
from firmware_emu.ids import Eui64
from firmware_emu.zse.clusters.device_management import DEVICE_MANAGEMENT
from firmware_emu.zse.clusters.events import EVENTS
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from firmware_emu.zse.clusters.price import PRICE
from firmware_emu.zse.declare import Cluster, FieldValue, number
from firmware_emu.zse.zcl import ZclStatus

LOG_CHANGED = 0x8071
LOG_BACKUP_ALERT = 0x00B2
"""GCS62."""
RESTORE_LOG = 0x008C
"""GCS59."""
_JOINS = (0x000E, 0x00AF, 0x000F, 0x0010)
_METHOD_B = 2
_LOGS = {EVENT_LOG: LogName.EVENT, SECURITY_LOG: LogName.SECURITY}
_COPIES = {METER_EVENT_LOG: LogName.EVENT, METER_SECURITY_LOG: LogName.SECURITY}
_LOG_CLEARED = 0x8F52
_TENANCY = "gpf/change_of_tenancy"
_PROFILE_SAMPLES, _DAILY_SAMPLES = 0, 1
_DAILY_INTERVAL = 0xFFFF
"""Sample ids and the interval of daily samples as in RTDS GCS17 and GCS61."""
_METERING_PAYLOAD, _PREPAYMENT_PAYLOAD = 6, 0


_PRICES = {
    (PRICE.id, attribute): LiveAttribute(declared.type, lambda value=value: value)  # type: ignore[misc]
    for attribute, value in ((0x0616, 826), (0x0617, 0x50))
    if (declared := PRICE.attribute(attribute)) is not None
}
"""Currency and trailing digits of prices, which a meter does not mirror (RTDS GCS14 asks the GPF for them): pounds and five decimals."""


def _backing_up(handler: Handler) -> Handler:
    def handle(device: GbcsDevice, message: Message) -> bytes:
        before = joins.entries(device)
        answer = handler(device, message)
        if joins.entries(device) != before:
            _log_changed(device)
        return answer

    return handle


def _log_changed(device: GbcsDevice) -> None:
    at = EPOCH + timedelta(seconds=int(device.now()))
    payload = asn1_io.write("DeviceLogBackupAlert", DeviceLogBackupAlert(LOG_CHANGED, at, tuple(joins.entries(device))))
    device.raise_alert(LOG_CHANGED, payload=payload, message_code=LOG_BACKUP_ALERT)


def _restore(device: GbcsDevice, message: Message) -> bytes:
    """GCS59: each entry as if joined by method B; one result an entry."""
    command = asn1_io.read(message, RestoreDeviceLogCommand)
    outcomes = tuple(RestoreOutcome(entry, joins.add(device, entry.device_id, entry.device_type, _METHOD_B)) for entry in command.entries)
    for outcome in outcomes:
        if outcome.join_code:
            device.note_failure(f"{outcome.entry.device_id}: join response code {outcome.join_code}")
    if any(outcome.join_code == 0 for outcome in outcomes):
        _log_changed(device)
    return asn1_io.write("RestoreDeviceLogResponse", RestoreDeviceLogResponse(outcomes))


USE_CASES = STANDARD.plus({code: _backing_up(STANDARD.handlers[code]) for code in _JOINS} | {RESTORE_LOG: _restore})
"""Use cases of a GPF besides its GBZ ones: those of every Device, with its log told to the DCC after each change (reference chts 4)."""


class Gpf:
    """The GPF as Device, with its mirror. ``device`` has :data:`USE_CASES`.

    ``spawn`` starts a task in the hub's own group; ``has_image`` says if firmware waits."""

    def __init__(
        self,
        device: GbcsDevice,
        zcl: ZclPort,
        log: DeviceLog,
        mailbox: Mailbox,
        config: HubConfig,
        spawn: Callable[[Coroutine[object, object, None]], object],
        *,
        has_image: Callable[[Eui64], bool],
    ) -> None:
        self.device = device
        self.gas = GasStore(device.store, config.profile)
        self._billing = BillingLog(self.gas)
        self.mirror = Mirror(zcl, self.gas, log, mailbox, device.store, device.now, device.trace, spawn, self._read_on_han, has_image)
        self.tap_off = TapOff(device, lambda: self.mirror.owner, self.gas, config.gbcs)
        self.model = ZclModel()
        self.model.commands.update(
            {
                (METERING.id, 0x08, False): self._sampled_data,
                (METERING.id, 0x06, False): self._snapshot,
                (PREPAYMENT.id, 0x07, False): self._prepayment_snapshot,
                (EVENTS.id, 0x00, False): self._event_log,
                (EVENTS.id, 0x01, False): self._clear_event_log,
                (DEVICE_MANAGEMENT.id, 0x00, True): self._change_of_tenancy,
            }
        )
        self._server = GbzServer(device, self.model)
        device.executor = self
        self.sync()

    def execute(self, use_case: UseCase, message: Message) -> bytes:
        """A GBZ Command, answered from the mirror as it stands."""
        self.model.attributes = dict(_PRICES) | {
            (cluster.id, record.attribute): LiveAttribute(record.type, lambda record=record: record.value)  # type: ignore[misc]
            for cluster in MIRRORED
            for record in self.gas.attributes(cluster.id).values()
        }
        return self._server.execute(message)

    def sync(self) -> None:
        """Open the mirror to those Devices that the GPF is joined with."""
        self.mirror.open_to({entry.device_id for entry in joins.entries(self.device)})

    # --- reads of logs

    def _read_on_han(self, incoming: Incoming) -> Answer:
        """A joined Device reads a log over the HAN: nothing from before the change of tenancy is shown (GCS09)."""
        frame, since = incoming.frame, self.visible_from
        part = Component(incoming.cluster, 0x01, 0, frame.command, frame.payload)
        if (incoming.cluster, frame.command) == (METERING.id, 0x08):
            found = self._sampled_data(part, since)
        elif (incoming.cluster, frame.command) == (METERING.id, 0x06):
            found = self._snapshot(part, since)
        elif (incoming.cluster, frame.command) == (PREPAYMENT.id, 0x07):
            found = self._prepayment_snapshot(part, since)
        elif (incoming.cluster, frame.command) == (EVENTS.id, 0x00):
            found = self._event_log(part, since)
        elif (incoming.cluster, frame.command) == (PREPAYMENT.id, 0x08):
            found = self._top_ups(part, since)
        elif (incoming.cluster, frame.command) == (PREPAYMENT.id, 0x0A):
            found = self._debt_payments(part, since)
        else:
            return self.tap_off.read(incoming)
        return found if isinstance(found, ZclStatus) else Reply(found[0].command, found[0].payload)

    def _sampled_data(self, part: Component, since: int = 0) -> ZclStatus | list[ZclAnswer]:
        fields = METERING.to_server[0x08].decode(part.payload)
        sample, earliest, count = number(fields, "sample"), max(since, number(fields, "earliest")), number(fields, "count")
        rings = {_PROFILE_SAMPLES: (self.gas.profile_data, HALF_HOUR_S), _DAILY_SAMPLES: (self.gas.daily_consumption, _DAILY_INTERVAL)}
        if sample not in rings:
            return ZclStatus.NOT_FOUND
        ring, interval = rings[sample]
        found = self.gas.samples(ring, earliest, count)
        if not found:
            return ZclStatus.NOT_FOUND
        return [
            ZclAnswer(
                0x07,
                METERING.to_client[0x07].encode(
                    {
                        "sample": sample,
                        "start": found[0].start,
                        "sample_type": number(fields, "sample_type"),
                        "interval": interval,
                        "count": len(found),
                        "samples": tuple({"value": one.volume} for one in found),
                    }
                ),
            )
        ]

    def _snapshot(self, part: Component, since: int = 0) -> ZclStatus | list[ZclAnswer]:
        fields = METERING.to_server[0x06].decode(part.payload)
        return self._snapshots(METERING, 0x06, fields, since)

    def _prepayment_snapshot(self, part: Component, since: int = 0) -> ZclStatus | list[ZclAnswer]:
        return self._snapshots(PREPAYMENT, 0x01, PREPAYMENT.to_server[0x07].decode(part.payload), since)

    def _snapshots(self, cluster: Cluster, command: int, fields: dict[str, FieldValue], since: int) -> ZclStatus | list[ZclAnswer]:
        """The snapshot at the asked offset, oldest first; commands ask for one offset a component (RTDS GCS16)."""
        start, end, offset = max(since, number(fields, "from")), number(fields, "to"), number(fields, "offset")
        metering = cluster is METERING
        found = [one for one in self._billing.snapshots(metering=metering, causes=number(fields, "cause")) if start <= one[0] <= end]
        if offset >= len(found):
            return ZclStatus.NOT_FOUND
        time, cause, body = found[offset]
        head = cluster.to_client[command].encode(
            {
                "snapshot": offset,
                "time": time,
                "total_found": len(found),
                "command_index": 0,
                "command_count": 1,
                "cause": cause,
                "payload_type": _METERING_PAYLOAD if metering else _PREPAYMENT_PAYLOAD,
            }
        )
        return [ZclAnswer(command, head + body)]

    def _top_ups(self, part: Component, since: int) -> ZclStatus | list[ZclAnswer]:
        fields = PREPAYMENT.to_server[0x08].decode(part.payload)
        found = self._billing.top_ups(since, number(fields, "latest_end"), number(fields, "count"))
        return ZclStatus.NOT_FOUND if found is None else [ZclAnswer(0x05, found)]

    def _debt_payments(self, part: Component, since: int) -> ZclStatus | list[ZclAnswer]:
        fields = PREPAYMENT.to_server[0x0A].decode(part.payload)
        found = self._billing.debt_payments(since, number(fields, "latest_end"), number(fields, "count"), number(fields, "debt_type"))
        return ZclStatus.NOT_FOUND if found is None else [ZclAnswer(0x06, found)]

    def _event_log(self, part: Component, since: int = 0) -> ZclStatus | list[ZclAnswer]:
        """The GPF's own logs, and its copies of the gas meter's."""
        asked = asked_log(part.payload)
        if asked in _LOGS:
            return log_answer(part.payload, self.device.logs[_LOGS[asked]].entries(), since)
        if asked in _COPIES:
            return log_answer(part.payload, self.gas.meter_logs[_COPIES[asked]].entries(), since)
        return ZclStatus.NOT_FOUND

    def _clear_event_log(self, part: Component) -> ZclStatus | list[ZclAnswer]:
        asked = number(EVENTS.to_server[0x01].decode(part.payload), "log")
        if asked != EVENT_LOG:  # a security log cannot be cleared remotely (reference chts 5)
            return [ZclAnswer(0x02, EVENTS.to_client[0x02].encode({"cleared": 0}))]
        self.device.logs[LogName.EVENT].clear()
        self.device.log(_LOG_CLEARED)
        return [ZclAnswer(0x02, EVENTS.to_client[0x02].encode({"cleared": 1 << EVENT_LOG}))]

    # --- tenancy

    def _change_of_tenancy(self, part: Component) -> ZclStatus:
        """GCS09: from this date on the consumer does not see what was recorded before it; until then what was hidden stays so."""
        fields = DEVICE_MANAGEMENT.to_client[0x00].decode(part.payload)
        dates = [self.visible_from, number(fields, "implementation") or int(self.device.now())]
        self.device.store.put(_TENANCY, b"".join(date.to_bytes(4, "big") for date in dates))
        return ZclStatus.SUCCESS

    @property
    def visible_from(self) -> int:
        """The start of what a consumer's Device may see of the logs, seconds since 2000; 0: everything."""
        octets = self.device.store.get(_TENANCY) or b""
        dates = [int.from_bytes(octets[place : place + 4], "big") for place in range(0, len(octets), 4)]
        return max((date for date in dates if date <= self.device.now()), default=0)
