"""Tap-off messages: what a supplier publishes to the gas meter the GPF keeps a copy of, for the Devices that read it on the HAN.

A Command to the meter passes through the hub unopened but for its message code; those of a few use cases carry nothing encrypted and
are remembered. When the meter's Response says that all of it was done, the published parts are taken over; a part for later is taken over
when the meter's alert tells that it acts (reference chts 5, gbcs-spec-notes 10.3). A failure is logged as 819E.
"""

from __future__ import annotations

from collections.abc import Callable

from firmware_emu.device.event_log import LogName
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.errors import DecodeError
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.gbz import Component, Gbz
from firmware_emu.han.zcl_port import Answer, Incoming, Reply
from firmware_emu.hub.gas_store import GasStore
from firmware_emu.ids import CraFlag, Eui64
from firmware_emu.zse import clusters
from firmware_emu.zse.clusters.calendar import CALENDAR
from firmware_emu.zse.clusters.device_management import DEVICE_MANAGEMENT
from firmware_emu.zse.clusters.messaging import MESSAGING
from firmware_emu.zse.clusters.price import PRICE
from firmware_emu.zse.declare import FieldValue
from firmware_emu.zse.zcl import ZclStatus

_ALWAYS = frozenset({0x006B, 0x006F, 0x0071, 0x007C, 0x007E, 0x0088, 0x00A3})
"""GCS01a, GCS05, GCS07, GCS23, GCS25, GCS44, GCS01b."""
_CLEAR_LOG = 0x0015
CODES = {"2.0": _ALWAYS | {_CLEAR_LOG}, "4.x": _ALWAYS | {0x00D8}}
"""Tap-off messages by version of GBCS: early ones have CS11 to the gas meter (10.3.4.1), late ones GCS25a (reference gbcs-text 4)."""
SERVED = (PRICE, CALENDAR, MESSAGING, DEVICE_MANAGEMENT)
_TAKEN = {
    PRICE.id: {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x09},
    CALENDAR.id: {0x00, 0x01, 0x02, 0x03, 0x04},
    MESSAGING.id: {0x00},
    DEVICE_MANAGEMENT.id: {0x01},
}
_GETS = {
    (PRICE.id, 0x03): 0x01,
    (PRICE.id, 0x04): 0x02,
    (PRICE.id, 0x05): 0x03,
    (PRICE.id, 0x06): 0x04,
    (PRICE.id, 0x07): 0x05,
    (PRICE.id, 0x08): 0x06,
    (PRICE.id, 0x0B): 0x09,
    **{(CALENDAR.id, command): command for command in range(5)},
    (MESSAGING.id, 0x00): 0x00,
    (DEVICE_MANAGEMENT.id, 0x01): 0x01,
}
"""A reader's command to the published one that answers it."""
_FAILED = 0x819E
_DONE_LATER, _LATER_ALERT = 0x8F66, 0x00CD
_DEFAULT_RESPONSE = 0x0B
_TYPES = {0xFFFFFFFF: 0, 0xFFFFFFFE: 3}
"""Wildcard calendar ids: the tariff's, and that of the non-disablement periods (reference chts 5)."""
_PARTS = ("day", "week")
_PENDING, _LATER, _COPY = "gpf/tap/pending/", "gpf/tap/later/", "gpf/tap/copy/"


class TapOff:
    """One GPF's. ``meter`` gives the gas meter whose messages are tapped; ``version`` of GBCS says which those are (:data:`CODES`)."""

    def __init__(self, device: GbcsDevice, meter: Callable[[], Eui64 | None], gas: GasStore, version: str) -> None:
        self._device = device
        self._gas = gas
        self._codes = CODES[version]
        self._store = device.store
        self._meter = meter

    # --- what passes

    def passes(self, message: Message) -> None:
        """A message that the hub routes on; inside the transaction of its receipt."""
        header, meter = message.header, self._meter()
        if meter is None or meter not in (header.originator, header.recipient):
            return
        if header.cra is CraFlag.COMMAND and header.recipient == meter and header.message_code in self._codes:
            self._store.put(_PENDING + _name(header.message_code, header.counter), message.payload)
        elif header.cra is CraFlag.RESPONSE and header.originator == meter and header.message_code in self._codes:
            self._answered(message)
        elif header.cra is CraFlag.ALERT and header.originator == meter and header.message_code == _LATER_ALERT:
            self._came_true(message.payload)

    def _answered(self, message: Message) -> None:
        key = _name(message.header.message_code, message.header.counter)
        command = self._store.get(_PENDING + key)
        if command is None:
            return
        self._store.delete(_PENDING + key)
        try:
            parts = Gbz.decode(command).components
            answers = Gbz.decode(message.payload, message.payload_offset).components
            if len(answers) != len(parts) or not all(map(_succeeded, answers)):
                raise DecodeError(message.payload_offset, "tapped response", "the meter did not do all of it")
            if message.header.message_code == _CLEAR_LOG:
                self._gas.meter_logs[LogName.EVENT].clear()
            for number, part in enumerate(parts):
                if part.command not in _TAKEN.get(part.cluster, ()) or not part.from_server:
                    continue
                if self._is_for_later(part):
                    self._store.put(f"{_LATER}{key}/{number:02d}", Gbz((part,)).encode())
                else:
                    self._take(part)
        except DecodeError as problem:
            self._device.log(_FAILED)
            self._device.trace.emit("hub", "gpf", "not tapped", code=key[:4], reason=str(problem))
            return
        self._device.trace.emit("hub", "gpf", "tapped", code=key[:4])

    def _is_for_later(self, part: Component) -> bool:
        fields = _fields(part)
        when = next((fields[name] for name in ("implementation", "start") if isinstance(fields.get(name), int)), 0)
        return part.cluster != MESSAGING.id and isinstance(when, int) and when > self._device.now()

    def _came_true(self, payload: bytes) -> None:
        """Alert 00CD names code, counter, cluster, frame control and command of the part that acts now (reference gbcs-messages 7.2)."""
        rest = payload[10:]
        if int.from_bytes(payload[3:5], "big") != _DONE_LATER or len(rest) < 14:
            return
        key = _name(int.from_bytes(rest[:2], "big"), int.from_bytes(rest[2:10], "big"))
        for name in self._store.keys(f"{_LATER}{key}/"):
            part = Gbz.decode(self._store.get(name) or b"").components[0]
            if (part.cluster, part.command) == (int.from_bytes(rest[10:12], "big"), rest[13]):
                self._store.delete(name)
                self._take(part)

    def _take(self, part: Component) -> None:
        fields = _fields(part)
        calendar = fields.get("calendar")
        index = ""
        if part.cluster == CALENDAR.id and isinstance(calendar, int):
            index = "/".join([f"{calendar:08x}", *(f"{fields[name]!r:0>3}" for name in _PARTS if name in fields)])
            if part.command == 0x00:
                self._store.put(f"{_COPY}in_force/{fields['calendar_type']!r}", calendar.to_bytes(4, "big"))
        self._store.put(f"{_COPY}{part.cluster:04x}/{part.command:02x}/{index}", part.payload)

    # --- what is read

    def read(self, incoming: Incoming) -> Answer:
        """A joined Device asks for what was published: the first part from the asked one on."""
        published = _GETS.get((incoming.cluster, incoming.frame.command))
        cluster = clusters.BY_ID.get(incoming.cluster)
        if published is None or cluster is None:
            return ZclStatus.UNSUP_CLUSTER_COMMAND
        asked = cluster.to_server[incoming.frame.command].decode(incoming.frame.payload)
        prefix = first = f"{_COPY}{incoming.cluster:04x}/{published:02x}/"
        if cluster is CALENDAR:
            octets = self._calendar(asked)
            if octets is None:
                return ZclStatus.NOT_FOUND
            prefix = first = f"{prefix}{octets.hex()}"
            place = asked.get("first_day", asked.get("first_week"))
            if isinstance(place, int):
                first = f"{prefix}/{place:03d}"
        keys = [key for key in self._store.keys(prefix) if key >= first]
        payload = self._store.get(keys[0]) if keys else None
        return ZclStatus.NOT_FOUND if payload is None else Reply(published, payload)

    def _calendar(self, asked: dict[str, FieldValue]) -> bytes | None:
        """The calendar that is asked for: by its id, or that in force by a wildcard or its type."""
        calendar, kind = asked.get("calendar"), asked.get("calendar_type")
        if isinstance(calendar, int):
            kind = _TYPES.get(calendar)
            if kind is None:
                return calendar.to_bytes(4, "big")
        return self._store.get(f"{_COPY}in_force/{kind!r}")


def _name(code: int, counter: int) -> str:
    return f"{code:04x}{counter:016x}"


def _succeeded(answer: Component) -> bool:
    return answer.command != _DEFAULT_RESPONSE or answer.payload[-1:] == bytes((ZclStatus.SUCCESS,))


def _fields(part: Component) -> dict[str, FieldValue]:
    """The declared fields of a published part. Raises DecodeError."""
    cluster = clusters.BY_ID.get(part.cluster)
    command = None if cluster is None else cluster.command(part.command, to_client=part.from_server)
    return {} if command is None else command.decode(part.payload)
