"""ZCL transactions over any :class:`~firmware_emu.han.base.ApsPort`: many in flight, answers matched, requests served.

The port knows which clusters need the link key (:mod:`firmware_emu.zse.clusters`), answers an unsecured command on one of them
with FAILURE and ignores it (ZSE 5.4.6 through reference gbcs-spec-notes 10.5), answers what nobody serves with the ZCL's own
"unsupported" status, and sends default responses. Late and repeated answers find no transaction and are dropped.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from firmware_emu.clock import Clock
from firmware_emu.errors import CommsHubError, DecodeError, RadioError
from firmware_emu.han.attributes import AttributeServer, Refusing, answer_general
from firmware_emu.han.base import SMART_ENERGY, ApsFrame, ApsPort, SimpleDescriptor
from firmware_emu.ids import Eui64
from firmware_emu.supervised import supervised, tell_fault
from firmware_emu.trace import Trace
from firmware_emu.zse import clusters
from firmware_emu.zse.zcl import (
    GENERAL_ANSWER_TO,
    GENERAL_ANSWERS,
    AttributeRecord,
    DefaultResponse,
    GeneralCommand,
    ReadRecord,
    Value,
    WriteStatus,
    ZclFrame,
    ZclStatus,
    decode_read_response,
    decode_records,
    decode_write_response,
    encode_attribute_ids,
    encode_records,
    status_name,
)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A command that arrived: who from, which of our endpoints and clusters, and whether the link key protected it."""

    partner: Eui64
    endpoint: int
    partner_endpoint: int
    cluster: int
    frame: ZclFrame
    secured: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """A cluster command that answers: sent in the opposite direction with the same sequence number and security."""

    command: int
    payload: bytes = b""


Answer: TypeAlias = Reply | ZclStatus | None
"""Result of a handler: a reply; a status, sent as default response; None: nothing is sent (the handler does it itself)."""

Handler: TypeAlias = Callable[[Incoming], Answer | Awaitable[Answer]]
ReportHandler: TypeAlias = Callable[[Incoming, tuple[AttributeRecord, ...]], ZclStatus]


@dataclass(slots=True)
class Pending:
    """A transaction in flight. ``commands``: cluster commands that answer it, None: any; ``general``: the general one that does."""

    cluster: int
    command: int
    to_client: bool
    secured: bool
    commands: frozenset[int] | None
    general: int | None
    answer: asyncio.Future[ZclFrame]

    def takes(self, aps: ApsFrame, frame: ZclFrame) -> bool:
        if aps.cluster != self.cluster or frame.to_client == self.to_client or self.answer.done():
            return False
        if self.secured and not aps.secured:
            return False
        if frame.is_cluster_command:
            return self.general is None and (self.commands is None or frame.command in self.commands)
        if frame.command == GeneralCommand.DEFAULT_RESPONSE:
            return frame.payload[:1] == bytes([self.command])
        return frame.command == self.general


@dataclass(frozen=True, slots=True)
class ServedCluster:
    handler: Handler | None
    attributes: AttributeServer | None
    reports: ReportHandler | None


LOGGER = logging.getLogger(__name__)

ANSWER_TIMEOUT_S = 10.0
"""Waiting time for an answer where the caller does not say. Our own value: no source states one for every cluster."""

BROADCAST_ENDPOINT = 0xFF


class ZclPort:
    """ZCL on one radio. Sets itself as the port's receiver.

    ``source`` names this end in the trace (default: its EUI-64); without ``trace`` nothing is recorded.
    """

    def __init__(self, port: ApsPort, clock: Clock, *, trace: Trace | None = None, source: str | None = None) -> None:
        self.port = port
        self.clock = clock
        self._trace = trace
        self._source = source
        self.on_fault: Callable[[str], None] | None = None
        """Told of a handler's own fault, which the port outlives."""
        self._sequence = 0
        self._descriptors: dict[int, SimpleDescriptor] = {}
        self._pending: dict[tuple[Eui64, int], Pending] = {}
        self._services: dict[tuple[int, int, bool, Eui64 | None], ServedCluster] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        port.receiver = self._received

    @property
    def eui64(self) -> Eui64:
        """This radio's own address."""
        return self.port.eui64

    def add_endpoint(self, descriptor: SimpleDescriptor) -> None:
        """Register an endpoint, before the radio starts or joins."""
        self._descriptors[descriptor.endpoint] = descriptor
        self.port.add_endpoint(descriptor)

    def endpoint_for(self, cluster: int, *, server: bool) -> int:
        """Our first endpoint that serves (or uses) ``cluster``. Raises RadioError where none does."""
        for descriptor in self._descriptors.values():
            if cluster in (descriptor.servers if server else descriptor.clients):
                return descriptor.endpoint
        side = "serves" if server else "uses"
        raise RadioError(f"no endpoint of {self.eui64} {side} cluster 0x{cluster:04X}: add one before the radio starts")

    async def find_endpoint(self, partner: Eui64, cluster: int, *, server: bool = True) -> int:
        """The first endpoint of ``partner`` that serves (or uses) ``cluster``, by Match_Desc. Raises RadioError where none does."""
        found = await self.port.match_descriptors(partner, cluster, server=server)
        if not found:
            raise RadioError(f"{partner} has no endpoint that {'serves' if server else 'uses'} cluster 0x{cluster:04X}", "NOT_FOUND")
        return found[0]

    # -- asking ----------------------------------------------------------------------------------------------------------------

    async def request(
        self,
        partner: Eui64,
        endpoint: int,
        cluster: int,
        command_id: int,
        payload: bytes = b"",
        *,
        source_endpoint: int | None = None,
        to_server: bool = True,
        secured: bool | None = None,
        timeout_s: float = ANSWER_TIMEOUT_S,
        general: bool = False,
        manufacturer: int | None = None,
        no_default_response: bool = False,
    ) -> ZclFrame:
        """Send a command and wait for its answer: the reply the cluster declares, or a default response.

        ``to_server``: we are the client. ``secured`` None: as the cluster needs. ``timeout_s``: bench seconds for sending and
        answer together; give a sleepy partner its wake-up interval. ``no_default_response`` is set in the frame control: the
        partner then answers a command without a declared reply only when it fails.

        Raises RadioError: not delivered, or no answer in time (status TIMEOUT). A refusal is returned, not raised: see
        ``answer.default_response``.
        """
        secured = cluster in clusters.NEEDS_LINK_KEY if secured is None else secured
        declared = clusters.BY_ID.get(cluster)
        known = declared.command(command_id, to_client=not to_server) if declared is not None and not general else None
        make = ZclFrame.general if general else ZclFrame.of_cluster
        with self._transaction(partner) as sequence:
            pending = Pending(
                cluster,
                command_id,
                not to_server,
                secured,
                None if known is None else frozenset(known.answered_by),
                GENERAL_ANSWER_TO.get(GeneralCommand(command_id)) if general else None,
                asyncio.get_running_loop().create_future(),
            )
            self._pending[partner, sequence] = pending
            frame = make(
                command_id,
                payload,
                sequence=sequence,
                to_client=not to_server,
                no_default_response=no_default_response,
                manufacturer=manufacturer,
            )
            try:
                async with asyncio.timeout(timeout_s):
                    await self._send(partner, endpoint, source_endpoint, cluster, frame, secured)
                    return await pending.answer
            except TimeoutError:
                raise RadioError(
                    f"{partner} did not answer command 0x{command_id:02X} of cluster 0x{cluster:04X} within {timeout_s:g} s", "TIMEOUT"
                ) from None

    async def command(
        self,
        partner: Eui64,
        endpoint: int,
        cluster: int,
        command_id: int,
        payload: bytes = b"",
        *,
        source_endpoint: int | None = None,
        to_server: bool = True,
        secured: bool | None = None,
        sequence: int | None = None,
    ) -> None:
        """Send a cluster command that nobody waits for (default response only on failure). Raises RadioError when not delivered."""
        secured = cluster in clusters.NEEDS_LINK_KEY if secured is None else secured
        frame = ZclFrame.of_cluster(
            command_id,
            payload,
            sequence=self._next_sequence() if sequence is None else sequence,
            to_client=not to_server,
            no_default_response=True,
        )
        await self._send(partner, endpoint, source_endpoint, cluster, frame, secured)

    def notify(
        self,
        partner: Eui64,
        endpoint: int,
        cluster: int,
        command_id: int,
        payload: bytes = b"",
        *,
        source_endpoint: int | None = None,
        to_server: bool = True,
        secured: bool | None = None,
    ) -> None:
        """As :meth:`command`, without waiting: a failure is logged only."""
        self._spawn(
            self.command(
                partner,
                endpoint,
                cluster,
                command_id,
                payload,
                source_endpoint=source_endpoint,
                to_server=to_server,
                secured=secured,
            ),
            partner,
            cluster,
        )

    async def read_records(
        self,
        partner: Eui64,
        endpoint: int,
        cluster: int,
        ids: Iterable[int],
        *,
        source_endpoint: int | None = None,
        to_server: bool = True,
        secured: bool | None = None,
        timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> tuple[ReadRecord, ...]:
        """Read attributes, each with its status. Raises RadioError: no answer, or a default response instead of one."""
        answer = await self.request(
            partner,
            endpoint,
            cluster,
            GeneralCommand.READ_ATTRIBUTES,
            encode_attribute_ids(ids),
            general=True,
            source_endpoint=source_endpoint,
            to_server=to_server,
            secured=secured,
            timeout_s=timeout_s,
        )
        _raise_refusal(partner, cluster, answer)
        return decode_read_response(answer.payload)

    async def read_attributes(
        self,
        partner: Eui64,
        endpoint: int,
        cluster: int,
        ids: Iterable[int],
        *,
        source_endpoint: int | None = None,
        to_server: bool = True,
        secured: bool | None = None,
        timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> dict[int, Value]:
        """Values of the attributes that the partner has; one it refuses is absent. Raises as :meth:`read_records`."""
        records = await self.read_records(
            partner,
            endpoint,
            cluster,
            ids,
            source_endpoint=source_endpoint,
            to_server=to_server,
            secured=secured,
            timeout_s=timeout_s,
        )
        return {record.attribute: record.value for record in records if record.status == ZclStatus.SUCCESS}

    async def write_attributes(
        self,
        partner: Eui64,
        endpoint: int,
        cluster: int,
        records: Iterable[AttributeRecord],
        *,
        source_endpoint: int | None = None,
        to_server: bool = True,
        secured: bool | None = None,
        timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> tuple[WriteStatus, ...]:
        """Write attributes; returns those that failed. Raises RadioError: no answer, or a default response instead of one."""
        answer = await self.request(
            partner,
            endpoint,
            cluster,
            GeneralCommand.WRITE_ATTRIBUTES,
            encode_records(records),
            general=True,
            source_endpoint=source_endpoint,
            to_server=to_server,
            secured=secured,
            timeout_s=timeout_s,
        )
        _raise_refusal(partner, cluster, answer)
        return decode_write_response(answer.payload)

    async def report_attributes(
        self,
        partner: Eui64,
        endpoint: int,
        cluster: int,
        records: Iterable[AttributeRecord],
        *,
        source_endpoint: int | None = None,
        from_server: bool = True,
        secured: bool | None = None,
        timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> int:
        """Report attributes and wait for the default response; returns its status. Raises RadioError."""
        answer = await self.request(
            partner,
            endpoint,
            cluster,
            GeneralCommand.REPORT_ATTRIBUTES,
            encode_records(records),
            general=True,
            source_endpoint=source_endpoint,
            to_server=not from_server,
            secured=secured,
            timeout_s=timeout_s,
        )
        return DefaultResponse.decode(answer.payload).status

    # -- serving ---------------------------------------------------------------------------------------------------------------

    def serve(
        self,
        endpoint: int,
        cluster: int,
        handler: Handler | None,
        *,
        server: bool = True,
        partner: Eui64 | None = None,
        attributes: AttributeServer | None = None,
        reports: ReportHandler | None = None,
    ) -> Callable[[], None]:
        """Answer commands that arrive for one side of a cluster; returns the function that ends it.

        ``server`` False: the client side, where a server's commands arrive. ``partner``: only what this partner sends (before a
        service for everyone). ``attributes`` answers reads, writes and discovery; ``reports`` takes attribute reports.
        """
        key = (endpoint, cluster, server, partner)
        service = self._services[key] = ServedCluster(handler, attributes, reports)

        def end() -> None:
            if self._services.get(key) is service:
                del self._services[key]

        return end

    async def close(self) -> None:
        """Stop receiving, cancel handlers under way; transactions in flight end by their timeouts."""
        self.port.receiver = None
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- below -----------------------------------------------------------------------------------------------------------------

    def _next_sequence(self) -> int:
        self._sequence = (self._sequence + 1) % 256
        return self._sequence

    @contextmanager
    def _transaction(self, partner: Eui64) -> Iterator[int]:
        for _ in range(256):
            sequence = self._next_sequence()
            if (partner, sequence) not in self._pending:
                break
        else:
            raise RadioError(f"256 requests to {partner} are in flight: expected fewer", "BUSY")
        try:
            yield sequence
        finally:
            self._pending.pop((partner, sequence), None)

    async def _send(
        self,
        partner: Eui64,
        endpoint: int,
        source_endpoint: int | None,
        cluster: int,
        frame: ZclFrame,
        secured: bool,
    ) -> None:
        if source_endpoint is None:
            source_endpoint = self.endpoint_for(cluster, server=frame.to_client)
        self._record("sent", partner, cluster, frame, secured)
        await self.port.send(partner, ApsFrame(cluster, frame.encode(), source_endpoint, endpoint, secured=secured))

    def _record(self, event: str, partner: Eui64, cluster: int, frame: ZclFrame, secured: bool) -> None:
        if self._trace is None or not self._trace.heard:
            return
        declared = clusters.BY_ID.get(cluster)
        named: str | None = None
        if not frame.is_cluster_command:
            named = GeneralCommand(frame.command).name if frame.command in GeneralCommand._value2member_map_ else None
        elif declared is not None and (command := declared.command(frame.command, to_client=frame.to_client)) is not None:
            named = command.name
        self._trace.emit(
            "han",
            self._source or str(self.eui64),
            event,
            target=str(partner),
            data=frame.encode(),
            cluster=f"0x{cluster:04X}" if declared is None else declared.name,
            command=named or f"0x{frame.command:02X}",
            sequence=frame.sequence,
            secured=secured,
        )

    def _received(self, partner: Eui64, aps: ApsFrame) -> None:
        if aps.profile != SMART_ENERGY:
            return
        try:
            frame = ZclFrame.decode(aps.payload)
        except DecodeError as error:
            LOGGER.info("a ZCL frame of %s is not readable: %s", partner, error)
            return
        self._record("received", partner, aps.cluster, frame, aps.secured)
        pending = self._pending.get((partner, frame.sequence))
        if pending is not None and pending.takes(aps, frame):
            pending.answer.set_result(frame)
            return
        incoming = Incoming(partner, aps.destination_endpoint, aps.source_endpoint, aps.cluster, frame, aps.secured)
        if not frame.is_cluster_command and (frame.command == GeneralCommand.DEFAULT_RESPONSE or frame.command in GENERAL_ANSWERS):
            return
        if aps.cluster in clusters.NEEDS_LINK_KEY and not aps.secured and aps.destination_endpoint != BROADCAST_ENDPOINT:
            self._answer(incoming, ZclStatus.FAILURE)
            return
        self._dispatch(incoming)

    def _service(self, incoming: Incoming) -> ServedCluster | None:
        server = not incoming.frame.to_client
        for partner in (incoming.partner, None):
            service = self._services.get((incoming.endpoint, incoming.cluster, server, partner))
            if service is not None:
                return service
        return None

    def _dispatch(self, incoming: Incoming) -> None:
        service = self._service(incoming)
        frame = incoming.frame
        try:
            if not frame.is_cluster_command:
                self._dispatch_general(incoming, service)
                return
            if service is None or service.handler is None:
                declared = clusters.BY_ID.get(incoming.cluster)
                if declared is None or not declared.is_answer(frame.command, to_client=frame.to_client):
                    standard = frame.manufacturer is None
                    self._answer(incoming, ZclStatus.UNSUP_CLUSTER_COMMAND if standard else ZclStatus.UNSUP_MANUFACTURER_CLUSTER_COMMAND)
                return
            answer = service.handler(incoming)
        except CommsHubError as error:
            self._failed(incoming, error)
            return
        except Exception as fault:  # the handler's own: the frame is let go of and named, and the port serves on
            what = f"a frame of {incoming.partner} on cluster 0x{incoming.cluster:04X}, command 0x{frame.command:02X}, was let go of"
            tell_fault(what, fault, self._trace, "han", self.on_fault)
            self._answer(incoming, ZclStatus.FAILURE)
            return
        if inspect.isawaitable(answer):
            self._spawn(self._answer_later(incoming, answer), incoming.partner, incoming.cluster)
        else:
            self._answer(incoming, answer)

    def _dispatch_general(self, incoming: Incoming, service: ServedCluster | None) -> None:
        frame = incoming.frame
        if frame.command == GeneralCommand.REPORT_ATTRIBUTES and service is not None and service.reports is not None:
            self._answer(incoming, service.reports(incoming, decode_records(frame.payload)))
            return
        attributes = None if service is None else service.attributes
        if service is None and self._declares(incoming):
            attributes = Refusing()
        answer = answer_general(frame, attributes)
        if isinstance(answer, ZclStatus):
            self._answer(incoming, answer)
        elif answer is not None:
            self._reply(incoming, answer)

    def _declares(self, incoming: Incoming) -> bool:
        """True if the endpoint has the cluster, though not for this partner."""
        descriptor = self._descriptors.get(incoming.endpoint)
        if descriptor is None:
            return False
        return incoming.cluster in (descriptor.clients if incoming.frame.to_client else descriptor.servers)

    async def _answer_later(self, incoming: Incoming, answer: Awaitable[Answer]) -> None:
        try:
            self._answer(incoming, await answer)
        except CommsHubError as error:
            self._failed(incoming, error)

    def _failed(self, incoming: Incoming, error: CommsHubError) -> None:
        malformed = isinstance(error, DecodeError)
        why = "is malformed" if malformed else "was not carried out"
        LOGGER.info("a command of %s on cluster 0x%04X %s: %s", incoming.partner, incoming.cluster, why, error)
        self._answer(incoming, ZclStatus.MALFORMED_COMMAND if malformed else ZclStatus.FAILURE)

    def _answer(self, incoming: Incoming, answer: Answer) -> None:
        frame = incoming.frame
        if isinstance(answer, Reply):
            self._reply(incoming, frame.answered_by(answer.command, answer.payload))
        elif (
            answer is not None
            and incoming.endpoint != BROADCAST_ENDPOINT
            and (answer is not ZclStatus.SUCCESS or not frame.no_default_response)
        ):
            default = DefaultResponse(frame.command, answer).encode()
            self._reply(incoming, frame.answered_by(GeneralCommand.DEFAULT_RESPONSE, default, general=True))

    def _reply(self, incoming: Incoming, frame: ZclFrame) -> None:
        self._spawn(
            self._send(
                incoming.partner,
                incoming.partner_endpoint,
                incoming.endpoint,
                incoming.cluster,
                frame,
                incoming.secured,
            ),
            incoming.partner,
            incoming.cluster,
        )

    def _spawn(self, work: Coroutine[Any, Any, None], partner: Eui64, cluster: int) -> None:
        """Run ``work`` for ``partner`` by itself; a failure of the radio is logged, any other is told."""

        async def sent() -> None:
            try:
                await work
            except CommsHubError as error:
                LOGGER.info("a frame to %s on cluster 0x%04X was not delivered: %s", partner, cluster, error)

        what = f"work for {partner} on cluster 0x{cluster:04X}"
        task = supervised(sent(), what, self._trace, area="han", told=self.on_fault)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: work.close())  # cancelled before its first step, nobody has awaited it


def _raise_refusal(partner: Eui64, cluster: int, answer: ZclFrame) -> None:
    refusal = answer.default_response
    if refusal is not None:
        raise RadioError(f"{partner} refused command 0x{refusal.command:02X} of cluster 0x{cluster:04X}", status_name(refusal.status))
