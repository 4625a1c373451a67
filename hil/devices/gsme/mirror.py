"""Mirroring of a gas meter to the GPF (reference zigbee-han 6): RequestMirror, ConfigureMirror, Report Attributes.

Each half hour the meter reports what has changed since the mirror took it; everything once a day and to a new mirror.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import ClassVar, Protocol

from firmware_emu.device.event_log import LogName
from firmware_emu.device.zcl_event_log import without_length
from firmware_emu.errors import RadioError
from firmware_emu.gbcs.gbz import Component
from firmware_emu.han.base import SimpleDescriptor
from firmware_emu.han.zcl_port import Answer, Incoming, Reply
from firmware_emu.ids import Eui64
from firmware_emu.zse.clusters.basic import BASIC
from firmware_emu.zse.clusters.events import EVENTS
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from firmware_emu.zse.zcl import BY_NAME, AttributeRecord, Value, ZclStatus
from hil.devices.gsme.model import LOGS, GsmeModel
from hil.devices.gsme.part import GsmePart

REPORTING_INTERVAL_S = 1800
_SCHEME_B = 2
_NO_MIRROR = 0xFFFF
_REQUEST_MIRROR, _CONFIGURE_MIRROR, _MIRROR_RESPONSE, _REPORT_RESPONSE = 0x01, 0x08, 0x01, 0x09
_GET_NOTIFIED_MESSAGE = 0x0B
_PUBLISH_EVENT = 0x00
_REPORTING_STATUS = 0xFFFE
_PENDING, _COMPLETE = 0, 1
_NEW_FIRMWARE, _CHANNEL_CHANGE = 1 << 0, 1 << 26
"""Functional notification flag (reference zigbee-han 6)."""
_QUESTIONS = {
    0x0000: {1 << 22: (METERING.id, 0x06), 1 << 23: (METERING.id, 0x08)},
    0x0003: {1 << 6: (PREPAYMENT.id, 0x07), 1 << 7: (PREPAYMENT.id, 0x08), 1 << 9: (PREPAYMENT.id, 0x0A)},
}
"""Attribute of notification flags to those of its bits that announce a question of the GPF, and the question's cluster and command:
GetSnapshot, GetSampledData, GetPrepaySnapshot, GetTopUpLog, GetDebtRepaymentLog."""
_SCHEME_B_FLAGS = (0x0000, 0x0001, 0x0002, 0x0003, 0x0004)
_GENERAL = 1
"""Cause of a midnight's snapshot."""
_QUESTIONS_S = 30.0
"""Seconds for which the meter stays awake for a question that it has fetched. The bench's own figure."""
_RECORDS_A_FRAME = 4
"""Attributes a report frame: keeps a report in one APS frame of 61 octets. The bench's own figure."""
_TOTAL = (METERING.id, 0x0000)
"""Pushed each time, though no gas flowed: the proxy makes its half hours of it (GBCS 10.4)."""
_ALL_EVERY = 48
"""Everything is pushed once in so many wakes, changed or not. The bench's own figure."""


class Mirrored(GsmePart, Protocol):
    """A gas meter that the GPF mirrors."""

    descriptors: ClassVar[tuple[SimpleDescriptor, ...]]
    model: GsmeModel


class MirrorPusher:
    """The mirror as its meter sees it. ``flags`` are the notification flags last told by the GPF."""

    def __init__(self, gsme: Mirrored) -> None:
        self._gsme = gsme
        self._endpoint: int | None = None
        self._pushes = 0
        self._held: dict[tuple[int, int], Value] = {}
        """Values that the mirror holds, by cluster and attribute."""
        self.flags: tuple[int, ...] = ()
        self._open: set[tuple[int, int]] = set()
        """Questions that were fetched and are not wholly answered."""
        self._answered = asyncio.Event()

    @property
    def told_of_firmware(self) -> bool:
        """True if the flags say that the hub holds an image for this meter."""
        return bool(self.flags and self.flags[0] & _NEW_FIRMWARE)

    @property
    def told_of_channel(self) -> bool:
        """True if the flags say that the hub is about to go to another channel."""
        return bool(self.flags and self.flags[0] & _CHANNEL_CHANGE)

    def serve(self) -> None:
        """Take the GPF's answers to reports, which carry the notification flags."""
        gsme = self._gsme
        endpoint = gsme.descriptors[0].endpoint
        gsme.zcl.serve(endpoint, METERING.id, self._from_gpf)
        gsme.zcl.serve(endpoint, PREPAYMENT.id, self._from_gpf)

    def _from_gpf(self, incoming: Incoming) -> Answer:
        if incoming.partner != self._gsme.coordinator:
            return ZclStatus.NOT_AUTHORIZED
        if any((incoming.cluster, incoming.frame.command) in questions.values() for questions in _QUESTIONS.values()):
            return self._answer(incoming) if self._gsme.knows_gpf() else ZclStatus.NOT_AUTHORIZED
        if (incoming.cluster, incoming.frame.command) != (METERING.id, _REPORT_RESPONSE):
            return ZclStatus.UNSUP_CLUSTER_COMMAND
        groups = METERING.to_server[_REPORT_RESPONSE].decode(incoming.frame.payload)["flags"]
        if isinstance(groups, tuple):
            self.flags = tuple(value for group in groups if isinstance(value := group["value"], int))
        return ZclStatus.SUCCESS

    def _answer(self, incoming: Incoming) -> Answer:
        """A question of the GPF about the logs, answered as a Command's would be."""
        question = incoming.cluster, incoming.frame.command
        part = Component(incoming.cluster, 0x01, 0, incoming.frame.command, incoming.frame.payload)
        found = self._gsme.model.zcl.commands[*question, False](part)
        if self._last(question, incoming.frame.payload, None if isinstance(found, ZclStatus) else found[0].payload):
            self._open.discard(question)
            self._answered.set()
        return found if isinstance(found, ZclStatus) else Reply(found[0].command, found[0].payload)

    @staticmethod
    def _last(question: tuple[int, int], asked: bytes, answer: bytes | None) -> bool:
        """True if there is no more to ask: fewer samples than asked for, the last of the midnights' snapshots, which are asked for last, or
        a whole log. ``answer`` None: nothing was found."""
        cluster = METERING if question[0] == METERING.id else PREPAYMENT
        fields = cluster.to_server[question[1]].decode(asked)
        if "cause" not in fields:
            return answer is None or question != (METERING.id, 0x08) or METERING.to_client[0x07].decode(answer)["count"] != fields["count"]
        cause, offset = fields["cause"], fields["offset"]
        if not isinstance(cause, int) or not isinstance(offset, int) or not cause & _GENERAL:
            return False
        found = None if answer is None else cluster.to_client[0x06 if cluster is METERING else 0x01].decode(answer)["total_found"]
        return not isinstance(found, int) or offset + 1 >= found

    async def answer_questions(self) -> None:
        """Fetch what the flags of the last push announced, and stay awake until it is answered. Raises RadioError."""
        gsme = self._gsme
        for attribute, value in zip(_SCHEME_B_FLAGS, self.flags, strict=False):
            self._open = {question for bit, question in _QUESTIONS.get(attribute, {}).items() if value & bit}
            if not self._open or gsme.coordinator is None or self._endpoint is None:
                continue
            bits = sum(bit for bit in _QUESTIONS[attribute] if value & bit)
            fetch = METERING.to_client[_GET_NOTIFIED_MESSAGE].encode({"scheme": _SCHEME_B, "flag_attribute": attribute, "flags": bits})
            await gsme.zcl.request(gsme.coordinator, self._endpoint, METERING.id, _GET_NOTIFIED_MESSAGE, fetch, to_server=False)
            with contextlib.suppress(TimeoutError):
                while self._open:
                    self._answered.clear()
                    async with asyncio.timeout(_QUESTIONS_S):
                        await self._answered.wait()
        flags = zip(_SCHEME_B_FLAGS, self.flags, strict=False)
        self.flags = tuple(value & ~sum(_QUESTIONS.get(attribute, ())) for attribute, value in flags)

    async def publish(self) -> None:
        """Hand on what the logs have for the GPF: billing snapshots, top-ups, payments of debt. Raises RadioError."""
        gsme = self._gsme
        waiting = gsme.model.logs.to_publish
        while self._endpoint is not None and gsme.coordinator is not None and (first := waiting.first()) is not None:
            key, octets = first
            cluster, command = int.from_bytes(octets[:2], "big"), octets[2]
            answer = await gsme.zcl.request(gsme.coordinator, self._endpoint, cluster, command, octets[3:], to_server=False)
            if answer.default_response is not None and answer.default_response.status != ZclStatus.SUCCESS:
                status = answer.default_response.status
                raise RadioError(f"the mirror refused what was published on cluster {cluster:04x}", f"ZCL 0x{status:02X}")
            waiting.done(key)
        if self._endpoint is not None and gsme.coordinator is not None and gsme.knows_gpf():
            for log, name in LOGS.items():
                await self._publish_log(gsme.coordinator, self._endpoint, log, name)

    async def _publish_log(self, hub: Eui64, endpoint: int, log: int, name: LogName) -> None:
        """Hand on what this log has gained; the GPF keeps a copy of it (log ids 6 and 7)."""
        gsme = self._gsme
        entries, newest = gsme.gbcs.logs[name].after(self._handed_on(name))
        for number, entry in entries:
            payload = EVENTS.to_client[_PUBLISH_EVENT].encode(
                {"log": log, "event": entry.code, "time": entry.time, "control": 0, "data": without_length(entry.other)}
            )
            answer = await gsme.zcl.request(hub, endpoint, EVENTS.id, _PUBLISH_EVENT, payload, to_server=False)
            if answer.default_response is not None and answer.default_response.status != ZclStatus.SUCCESS:
                raise RadioError("the mirror refused an event", f"ZCL 0x{answer.default_response.status:02X}")
            self._note_handed_on(name, number)
        self._note_handed_on(name, newest)

    def _handed_on(self, name: LogName) -> int:
        return int.from_bytes(self._gsme.store.get(self._handed_on_key(name)) or b"", "big")

    def _note_handed_on(self, name: LogName, number: int) -> None:
        if number != self._handed_on(name):
            self._gsme.store.put(self._handed_on_key(name), number.to_bytes(8, "big"))

    def _handed_on_key(self, name: LogName) -> str:
        return f"{self._gsme.gbcs.prefix}log/handed_on/{name.value}"

    def pushed(self, cluster: int, attribute: int) -> Value | None:
        """Value of an attribute in the mirror; None if it was never reported."""
        return self._held.get((cluster, attribute))

    def forget(self) -> None:
        """Another hub has taken over: it has no mirror of this meter yet, and what the old one's flags told is void."""
        self._endpoint, self.flags, self._pushes = None, (), 0
        for name in LOGS.values():
            self._note_handed_on(name, 0)

    async def push(self) -> None:
        """Report to the mirror, asking for it first where none is held. Raises RadioError."""
        if self._endpoint is None:
            self._held.clear()
            self._endpoint = await self._request()
        if self._endpoint is None:
            self._gsme.trace.emit("han", self._gsme.name, "no mirror")
            return
        clusters = [METERING.id, PREPAYMENT.id] if self._gsme.knows_gpf() else []
        if self._pushes % _ALL_EVERY == 0:
            self._held.clear()
            clusters.insert(0, BASIC.id)
        for cluster in clusters:
            await self._report(self._endpoint, cluster)
        self._pushes += 1

    async def _request(self) -> int | None:
        gsme = self._gsme
        coordinator = gsme.coordinator
        if coordinator is None:
            return None
        endpoint = (await gsme.node.match_descriptors(coordinator, METERING.id, server=False) or (None,))[0]
        if endpoint is None:
            return None
        answer = await gsme.zcl.request(coordinator, endpoint, METERING.id, _REQUEST_MIRROR, to_server=False)
        if answer.default_response is not None:
            return None
        mirror = METERING.to_server[_MIRROR_RESPONSE].decode(answer.payload)["endpoint"]
        if not isinstance(mirror, int) or mirror == _NO_MIRROR:
            return None
        configure = METERING.to_client[_CONFIGURE_MIRROR].encode(
            {
                "event": int(gsme.now()),
                "reporting_interval": REPORTING_INTERVAL_S,
                "notification_reporting": True,
                "scheme": _SCHEME_B,
            }
        )
        await gsme.zcl.request(coordinator, endpoint, METERING.id, _CONFIGURE_MIRROR, configure, to_server=False)
        gsme.trace.emit("han", gsme.name, "mirror", target=str(coordinator), endpoint=mirror)
        return mirror

    async def _report(self, endpoint: int, cluster: int) -> None:
        gsme = self._gsme
        coordinator = gsme.coordinator
        if coordinator is None:
            return
        records = [
            record
            for record in gsme.model.records(cluster)
            if (cluster, record.attribute) == _TOTAL or self._held.get((cluster, record.attribute)) != record.value
        ]
        chunks = [records[first : first + _RECORDS_A_FRAME] for first in range(0, len(records), _RECORDS_A_FRAME)]
        for number, chunk in enumerate(chunks, start=1):
            status = _COMPLETE if number == len(chunks) else _PENDING
            marked = [*chunk, AttributeRecord(_REPORTING_STATUS, BY_NAME["enum8"], status)]
            code = await gsme.zcl.report_attributes(coordinator, endpoint, cluster, marked, source_endpoint=gsme.descriptors[0].endpoint)
            if code != ZclStatus.SUCCESS:
                self._endpoint = None
                raise RadioError(f"the mirror refused a report on cluster {cluster:04x}", f"ZCL 0x{code:02X}")
            self._held.update(((cluster, record.attribute), record.value) for record in chunk)
        gsme.trace.emit("han", gsme.name, "mirrored", target=str(coordinator), cluster=f"{cluster:04x}", attributes=len(records))
