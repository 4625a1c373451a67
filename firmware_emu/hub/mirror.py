"""The GPF's mirror of the sleepy gas meter on the HAN (reference zigbee-han 6).

The GSME asks for a mirror, configures it and reports Basic, Metering and Prepayment attributes to it; each finished report is
answered with the notification flags (scheme B), of which functional flag 21 says that a tunnel message waits. Devices that
the GPF is joined with read the copy; nobody else does.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine

from firmware_emu.device.event_log import LogEntry, LogName
from firmware_emu.device.store import Store
from firmware_emu.device.zcl_event_log import EVENT_LOG, SECURITY_LOG
from firmware_emu.errors import CommsHubError, DecodeError
from firmware_emu.han.zcl_port import Answer, Handler, Incoming, Reply, ZclPort
from firmware_emu.hub.back_fill import FLAGS_4, FUNCTIONAL_FLAGS, BackFill
from firmware_emu.hub.billing_log import BillingLog
from firmware_emu.hub.delivery import Mailbox, fetches
from firmware_emu.hub.device_log import DeviceLog, RegisteredType
from firmware_emu.hub.endpoints import ESI_ENDPOINT, MIRROR_ENDPOINT
from firmware_emu.hub.gas_store import GasStore
from firmware_emu.hub.tap_off import SERVED
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace
from firmware_emu.zse.clusters.basic import BASIC
from firmware_emu.zse.clusters.events import EVENTS
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from firmware_emu.zse.zcl import AttributeRecord, DataType, TypedValue, Value, ZclStatus

MIRRORED = (BASIC, METERING, PREPAYMENT)
NO_MIRROR = 0xFFFF
PREDEFINED_SCHEME_B = 2
"""Functional flags and NotificationFlags 2 to 5 (reference zigbee-han 6)."""
NEW_FIRMWARE, TIME_SYNC, NETWORK_KEY_ACTIVE = 1 << 0, 1 << 2, 1 << 15
TUNNEL_MESSAGE_PENDING = 1 << 21
PUSH_STATIC = {BASIC.id: 1 << 12, METERING.id: 1 << 13, PREPAYMENT.id: 1 << 14}
_REQUEST_MIRROR, _REQUEST_MIRROR_RESPONSE, _CONFIGURE_MIRROR, _REPORT_RESPONSE = 0x01, 0x01, 0x08, 0x09
_GET_NOTIFIED_MESSAGE = 0x0B
_PUBLISH_EVENT = 0x00
_REPORTING_STATUS, _PENDING = 0xFFFE, 0
_OWNER, _CONFIGURATION = "gpf/mirror/owner", "gpf/mirror/configuration"


class _Copy:
    """The mirrored attributes of one cluster as an attribute server; ``open`` False refuses every read."""

    def __init__(self, gas: GasStore, cluster: int, *, open: bool) -> None:
        self._gas = gas
        self._cluster = cluster
        self._open = open

    def ids(self) -> tuple[int, ...]:
        return tuple(sorted(self._gas.attributes(self._cluster))) if self._open else ()

    def read(self, attribute: int) -> TypedValue | ZclStatus:
        if not self._open:
            return ZclStatus.NOT_AUTHORIZED
        record = self._gas.attributes(self._cluster).get(attribute)
        return ZclStatus.UNSUPPORTED_ATTRIBUTE if record is None else TypedValue(record.type, record.value)

    def write(self, attribute: int, type: DataType, value: Value) -> ZclStatus:
        return ZclStatus.READ_ONLY if self._open else ZclStatus.NOT_AUTHORIZED


class Mirror:
    """Serves the GSME's mirror and those who read it.

    ``now``: the hub's time, seconds since 2000. ``read_log`` answers cluster commands of the Devices that may read.
    ``has_image`` says whether firmware waits for the meter (functional flag 0).
    """

    def __init__(
        self,
        zcl: ZclPort,
        gas: GasStore,
        log: DeviceLog,
        mailbox: Mailbox,
        store: Store,
        now: Callable[[], float],
        trace: Trace,
        spawn: Callable[[Coroutine[object, object, None]], object],
        read_log: Handler,
        has_image: Callable[[Eui64], bool],
    ) -> None:
        self._zcl = zcl
        self._gas = gas
        self._log = log
        self._mailbox = mailbox
        self._store = store
        self._now = now
        self._trace = trace
        self._spawn = spawn
        self._read_log = read_log
        self._has_image = has_image
        self.more_flags: Callable[[], int] = lambda: 0
        """Functional flags of other parts of the hub."""
        self.on_notified: Callable[[], None] = lambda: None
        """Called when the meter has taken its flags."""
        self._news = 0
        self._billing = BillingLog(gas)
        self._back_fill = BackFill(zcl, gas, self._billing, now, trace)
        self._readers: dict[Eui64, list[Callable[[], None]]] = {}
        for endpoint in (ESI_ENDPOINT, MIRROR_ENDPOINT):
            zcl.serve(endpoint, METERING.id, self._from_meter, server=False, reports=self._report)
            for cluster in (METERING, PREPAYMENT):
                zcl.serve(endpoint, cluster.id, None, attributes=_Copy(gas, cluster.id, open=False))
        zcl.serve(MIRROR_ENDPOINT, BASIC.id, None, server=False, reports=self._report)
        zcl.serve(MIRROR_ENDPOINT, PREPAYMENT.id, self._published, server=False, reports=self._report)
        zcl.serve(MIRROR_ENDPOINT, BASIC.id, None, attributes=_Copy(gas, BASIC.id, open=True))
        zcl.serve(MIRROR_ENDPOINT, EVENTS.id, self._event, server=False)

    @property
    def owner(self) -> Eui64 | None:
        """The gas meter that has the mirror."""
        stored = self._store.get(_OWNER)
        return None if stored is None else Eui64(stored)

    def open_to(self, devices: set[Eui64]) -> None:
        """Let exactly these Devices read the copy."""
        for device in set(self._readers) - devices:
            for end in self._readers.pop(device):
                end()
        for device in devices - set(self._readers):
            self._readers[device] = [
                self._zcl.serve(endpoint, cluster.id, self._read_log, partner=device, attributes=_Copy(self._gas, cluster.id, open=True))
                for endpoint in (ESI_ENDPOINT, MIRROR_ENDPOINT)
                for cluster in (METERING, PREPAYMENT)
            ] + [self._zcl.serve(ESI_ENDPOINT, cluster.id, self._read_log, partner=device) for cluster in (*SERVED, EVENTS)]

    def _may_mirror(self, device: Eui64) -> bool:
        entry = self._log.get(device)
        return entry is not None and (fetches(entry) or entry.registered_type is RegisteredType.UNKNOWN)

    def _from_meter(self, incoming: Incoming) -> Answer:
        """A command of the meter's Metering server to its client here."""
        if incoming.frame.command == _REQUEST_MIRROR:
            return self._request(incoming.partner)
        if incoming.partner != self.owner:
            return ZclStatus.NOT_AUTHORIZED
        if incoming.frame.command == _CONFIGURE_MIRROR:
            fields = METERING.to_client[_CONFIGURE_MIRROR].decode(incoming.frame.payload)
            if fields["scheme"] != PREDEFINED_SCHEME_B:
                return ZclStatus.INVALID_FIELD
            self._store.put(_CONFIGURATION, bytes([bool(fields["notification_reporting"])]))
            return ZclStatus.SUCCESS
        if incoming.frame.command == _GET_NOTIFIED_MESSAGE:
            fields = METERING.to_client[_GET_NOTIFIED_MESSAGE].decode(incoming.frame.payload)
            attribute, bits = fields["flag_attribute"], fields["flags"]
            if isinstance(attribute, int) and isinstance(bits, int):
                self._spawn(self._back_fill.ask(incoming.partner, incoming.partner_endpoint, attribute, bits))
            return ZclStatus.SUCCESS
        return self._published(incoming)

    def _published(self, incoming: Incoming) -> ZclStatus:
        """An entry of the billing data log that the meter hands on."""
        if incoming.partner != self.owner:
            return ZclStatus.NOT_AUTHORIZED
        return self._billing.take(incoming.cluster, incoming.frame.command, incoming.frame.payload)

    def _event(self, incoming: Incoming) -> ZclStatus:
        """One entry of the meter's event or security log, published as it was made."""
        if incoming.partner != self.owner:
            return ZclStatus.NOT_AUTHORIZED
        if incoming.frame.command != _PUBLISH_EVENT:
            return ZclStatus.UNSUP_CLUSTER_COMMAND
        fields = EVENTS.to_client[_PUBLISH_EVENT].decode(incoming.frame.payload)
        log, code, time, data = fields["log"], fields["event"], fields["time"], fields["data"]
        name = {EVENT_LOG: LogName.EVENT, SECURITY_LOG: LogName.SECURITY}.get(log) if isinstance(log, int) else None
        if name is None or not isinstance(code, int) or not isinstance(time, int) or not isinstance(data, bytes):
            return ZclStatus.INVALID_FIELD
        self._gas.meter_logs[name].add(LogEntry(time, code, data))
        return ZclStatus.SUCCESS

    def _request(self, meter: Eui64) -> Reply:
        owner = self.owner
        entry = None if owner is None else self._log.get(owner)
        if not self._may_mirror(meter) or (entry is not None and owner != meter):
            endpoint = NO_MIRROR
            reason = "no mirror: it is no gas meter of the log, or another has it"
            self._trace.emit("han", "gpf", "refused", target=str(meter), reason=reason)
        else:
            endpoint = MIRROR_ENDPOINT
            self._store.put(_OWNER, meter.octets)
            self._trace.emit("han", "gpf", "mirror given", target=str(meter), endpoint=endpoint)
        return Reply(_REQUEST_MIRROR_RESPONSE, METERING.to_server[_REQUEST_MIRROR_RESPONSE].encode({"endpoint": endpoint}))

    def _report(self, incoming: Incoming, records: tuple[AttributeRecord, ...]) -> ZclStatus:
        if incoming.partner != self.owner:
            return ZclStatus.NOT_AUTHORIZED
        status = next((record.value for record in records if record.attribute == _REPORTING_STATUS), None)
        kept = [record for record in records if record.attribute != _REPORTING_STATUS]
        try:
            self._gas.report(incoming.cluster, kept, int(self._now()))
        except ValueError as error:
            raise DecodeError(0, "attribute report", str(error)) from error
        self._trace.emit("hub", "gpf", "mirrored", target=str(incoming.partner), cluster=f"0x{incoming.cluster:04X}", attributes=len(kept))
        if status != _PENDING and self._store.get(_CONFIGURATION) == b"\x01":
            self._spawn(self._notify(incoming))
        return ZclStatus.SUCCESS

    def flags(self, meter: Eui64) -> int:
        """The functional notification flags for ``meter`` now."""
        flags = TUNNEL_MESSAGE_PENDING if self._mailbox.count(meter) else 0
        if self._has_image(meter):
            flags |= NEW_FIRMWARE
        for cluster, flag in PUSH_STATIC.items():
            if not self._gas.attributes(cluster):
                flags |= flag
        return flags | self._news | self._back_fill.flags(FUNCTIONAL_FLAGS) | self.more_flags()

    def announce(self, flag: int) -> None:
        """Raise a functional flag until the meter has taken it: TIME_SYNC or NETWORK_KEY_ACTIVE. The sources name these flags and do not
        say when they are raised: as the hub's clock is set and as a new network key comes into use is the hub's own choice."""
        self._news |= flag

    async def _notify(self, incoming: Incoming) -> None:
        flags = (self.flags(incoming.partner), 0, 0, self._back_fill.flags(FLAGS_4), 0)
        payload = METERING.to_server[_REPORT_RESPONSE].encode(
            {
                "scheme": PREDEFINED_SCHEME_B,
                "flags": tuple({"value": value} for value in flags),
            }
        )
        try:
            await self._zcl.command(
                incoming.partner, incoming.partner_endpoint, METERING.id, _REPORT_RESPONSE, payload, source_endpoint=MIRROR_ENDPOINT
            )
        except CommsHubError as error:  # the meter has gone to sleep: it is told again after its next report
            self._trace.emit("han", "gpf", "not delivered", target=str(incoming.partner), reason=str(error))
        else:
            self._news &= ~flags[0]
            self.on_notified()
