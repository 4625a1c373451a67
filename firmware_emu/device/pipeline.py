"""One pipeline for every GBCS Device: a message comes in, checks in a fixed order, execution, response and alerts go out.

Sans-IO and synchronous: :meth:`GbcsDevice.receive` takes octets and returns the messages to send. The order of the checks
and what follows a failed one are profile values (:mod:`firmware_emu.device.profile`); the counter of an accepted Command is
durable before anything is executed (reference gbcs-spec-notes 6.2 step 8).

The response to one Command: header, encryption for the party that reads it, protection (reference gbcs-messages 1, 2.4, 5.5).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

from cryptography import x509

from firmware_emu.clock import EPOCH
from firmware_emu.crypto.certificate_profile import CertificateProfile
from firmware_emu.crypto.certificates import entity_of, usage_of
from firmware_emu.crypto.roles import DeviceType, KeyUsage, RemotePartyRole
from firmware_emu.device import alerting
from firmware_emu.device.alerting import Originator
from firmware_emu.device.checks import Checks, Refused
from firmware_emu.device.credentials import Credentials, sound_certificate
from firmware_emu.device.event_log import AlertKind, EventLog, LogEntry, LogName, route
from firmware_emu.device.future import FutureAction, FutureActions
from firmware_emu.device.profile import Permission, PipelineProfile, standard_profile
from firmware_emu.device.store import Store
from firmware_emu.errors import CommsHubError, DecodeError, KeystoreError, ProtectionError, TooLong
from firmware_emu.gbcs import cosem_time, protect
from firmware_emu.gbcs.axdr import Data, Null
from firmware_emu.gbcs.dlms import AccessOutcome, AccessRequest, AccessResponse, AccessResult, Choice, Protected, ProtectionParameters
from firmware_emu.gbcs.envelope import MAX_LENGTH, GroupingHeader, Message, OtherInformation, message_of
from firmware_emu.gbcs.gbz import Component, Gbz
from firmware_emu.gbcs.use_cases import UseCase, by_code
from firmware_emu.ids import CraFlag, Eui64
from firmware_emu.trace import Trace

_SHOWN = 32
_DLMS_REQUEST = 0xD9
_GBZ_PROFILE = b"\x01\x09"
_DEFAULT_RESPONSE = 0x0B
_ZCL_FAILURE = 0x01
_NO_COMMAND = 0xFF
LONGEST_PAYLOAD = MAX_LENGTH - 256
"""Octets of payload that surely leave room for the rest of a response: header, signature and MAC take less than 256."""
_GAS = (DeviceType.GSME, DeviceType.GPF)


@dataclass(frozen=True, slots=True)
class Sealed:
    """Encrypted octets ``31 00000000 || ciphertext || tag`` and the protection parameters a DLMS answer writes beside them."""

    octets: bytes
    parameters: ProtectionParameters

    @property
    def item(self) -> Protected:
        """As a data item of an access response."""
        return Protected(self.parameters, self.octets)


class Responder(Originator, Protocol):
    """The Device that answers a Command."""

    profile: PipelineProfile
    clock_status: int


class ResponseDraft:
    """One response while its payload is being made."""

    def __init__(self, device: Responder, message: Message) -> None:
        self._device = device
        self._message = message
        self._supplementary_counter: int | None = None

    def seal(self, plaintext: bytes) -> Sealed:
        """Encrypt for the header's originator, or for the unknown party that sent its certificate along.

        Raises ProtectionError if no key agreement certificate of the reader is held or the one sent is not the reader's.
        """
        header = self._message.header
        other = header.other
        credentials = self._device.credentials
        if other.supplementary_party is None:
            reader, z, counter = header.originator, credentials.z(header.originator), header.counter
        else:
            reader = other.supplementary_party
            if other.supplementary_certificate is None:  # RTDS GCS61 and GCS15d: no counter of its own for a party it knows
                z, counter = credentials.z(reader), header.counter
            else:
                z = credentials.z_with(_sent_certificate(other.supplementary_certificate, reader))
                counter = self._reader_counter()
        octets = protect.encrypt(plaintext, z, originator=self._device.eui64, counter=counter, recipient=reader)
        return Sealed(octets, ProtectionParameters(header.counter, self._device.eui64, header.originator))

    def _reader_counter(self) -> int:
        """The counter under which a party that sent its certificate decrypts."""
        header = self._message.header
        if header.message_code in self._device.profile.no_reader_counter:
            return header.counter
        if self._supplementary_counter is None:
            self._supplementary_counter = self._device.credentials.next_counter()
        return self._supplementary_counter

    def build(self, payload: bytes, *, signed: bool) -> Message:
        """The response: the Command's counter and first 18 octets of other information, parties swapped, protected."""
        header = self._message.header
        other = OtherInformation(
            header.message_code,
            header.other.supplementary_party,
            header.other.supplementary_counter,
            self._supplementary_counter,
        )
        response = Message(
            GroupingHeader(CraFlag.RESPONSE, header.counter, self._device.eui64, header.originator, other, self._date_time()),
            payload,
        )
        return self._device.protect(response, signed=signed)

    def _date_time(self) -> bytes:
        """The Device's time where the use case wants it; only gas Devices state the clock status (reference 1.3)."""
        device = self._device
        code = self._message.message_code
        if code not in device.profile.date_time_codes:
            return b""
        states = device.device_type in _GAS and not 0x0100 <= code <= 0x0126
        status = device.clock_status if states else cosem_time.STATUS_NOT_STATED
        return cosem_time.encode_date_time(EPOCH + timedelta(seconds=device.now()), status)


def _sent_certificate(der: bytes, party: Eui64) -> x509.Certificate:
    certificate = sound_certificate(der, CertificateProfile.ORGANISATION)
    if entity_of(certificate) != party or usage_of(certificate) is not KeyUsage.KEY_AGREEMENT:
        raise ProtectionError(f"the certificate in the Command is not a key agreement certificate of {party}")
    return certificate


def failure_payload(message: Message, result: AccessResult = AccessResult.OTHER_REASON) -> bytes | None:
    """Answer to a Command whose execution broke down: every item failed, by ``result`` where it is an access request.

    None where no such answer is defined.
    """
    payload = message.payload
    try:
        if payload[:1] == bytes((_DLMS_REQUEST,)):
            request = AccessRequest.decode(payload)
            results = tuple(
                AccessOutcome(Choice.GET if item.choice is Choice.GET_WITH_SELECTION else item.choice, result)
                for item in request.specifications
            )
            return AccessResponse(request.invoke_id, tuple(Null() for _ in results), results).encode()
        if payload[:2] == _GBZ_PROFILE:
            return Gbz(tuple(default_response(part, _ZCL_FAILURE) for part in Gbz.decode(payload).components)).encode()
    except DecodeError:
        return None
    return ASN1_FAILURES.get(message.message_code)


def not_tried(part: Component) -> Component:
    """Answer to a component that follows a failed one (RTDS GCS01a, GCS15b ERROR: command FF, FAILURE)."""
    direction = 0x00 if part.from_server else 0x08
    return Component(part.cluster, direction, part.sequence, _DEFAULT_RESPONSE, bytes((_NO_COMMAND, _ZCL_FAILURE)))


def default_response(part: Component, status: int) -> Component:
    """ZCL Default Response to one component of a Command, from the other side of the cluster (reference gbcs-messages 7A)."""
    direction = 0x00 if part.from_server else 0x08
    return Component(part.cluster, direction, part.sequence, _DEFAULT_RESPONSE, bytes((part.command, status)))


ASN1_FAILURES: dict[int, bytes] = {
    0x000A: bytes.fromhex("020102"),  # key pair generation failed
    0x000B: bytes.fromhex("020106"),  # storage failed
    0x000C: bytes.fromhex("020103"),  # retrieval failure
    0x000D: bytes.fromhex("020105"),  # write failure
    0x000E: bytes.fromhex("020105"),
    0x000F: bytes.fromhex("020102"),  # other failure
    0x0010: bytes.fromhex("020102"),
    0x0013: bytes.fromhex("3003020101"),  # read failure, no list
    0x00AB: bytes.fromhex("020105"),
    0x00AF: bytes.fromhex("020105"),
}
"""Failure answers of the ASN.1 use cases that define one (reference gbcs-messages 6)."""


class Executor(Protocol):
    """Executor of a type of Device for accepted Commands; the use cases common to all Devices never get here."""

    def execute(self, use_case: UseCase, message: Message) -> bytes:
        """Act on ``message`` and return the response payload.

        Called inside a store transaction that is rolled back if this raises; the Device then answers a failure for
        every item. Anything refused item by item is part of the payload, with ``device.note_failure`` called.
        """
        ...


Handler = Callable[["GbcsDevice", Message], bytes]
"""One use case common to all Devices: the Device and the accepted Command to the response payload."""
Due = Callable[["GbcsDevice", FutureAction], None]
"""Does what was accepted for later when it falls due."""


@dataclass(frozen=True, slots=True)
class UseCases:
    """Use cases that a Device answers before its executor is asked, by message code, and its later work, by kind of action."""

    handlers: Mapping[int, Handler]
    due: Mapping[str, Due]

    def plus(self, handlers: Mapping[int, Handler] | None = None, due: Mapping[str, Due] | None = None) -> UseCases:
        """These and more."""
        return UseCases({**self.handlers, **(handlers or {})}, {**self.due, **(due or {})})


class GbcsDevice:
    """A Device that receives Commands, answers them and raises Alerts.

    ``clock_now`` gives bench time in seconds since 2000 (UTC). ``executor`` may be set after construction, since most
    executors want the Device. ``use_cases`` are those of :mod:`firmware_emu.device.standard`, or more. ``outgoing`` takes
    each message that is raised outside of :meth:`receive`.
    """

    def __init__(
        self,
        eui64: Eui64,
        device_type: DeviceType,
        credentials: Credentials,
        store: Store,
        clock_now: Callable[[], float],
        trace: Trace,
        use_cases: UseCases,
        executor: Executor | None = None,
        *,
        profile: PipelineProfile | None = None,
        outgoing: Callable[[bytes], None] | None = None,
    ) -> None:
        self.eui64 = eui64
        self.device_type = device_type
        self.credentials = credentials
        self.store = store
        self.now = clock_now
        self.trace = trace
        self.executor = executor
        self.logs_event: Callable[[int], bool] = lambda code: True
        """True for an event that goes into its log: a meter of which that is configured asks its settings."""
        self.taken_back: Callable[[], None] = lambda: None
        """Called when what a Command or a later action did was undone in the store: nothing of it that is only in memory counts."""
        self.handlers = use_cases.handlers
        self.profile = profile or standard_profile()
        self.checks = Checks(eui64, device_type, credentials, self.profile)
        self.prefix = f"device/{eui64}/"
        self.name = f"{device_type.name.lower()} {eui64}"
        self.clock_status = 0
        """Last octet of a date-time in a header where the Device states it: 0 reliable, 2 unreliable, 4 see reference 1.3."""
        self.logs = {name: EventLog(store, self.prefix, name) for name in LogName}
        self.future = FutureActions(store, self.prefix)
        self.joins_changed = True
        """True until what follows from a change of the log of joined Devices was done."""
        self.due = dict(use_cases.due)
        self.outgoing = outgoing
        self._held_back: list[bytes] | None = None
        self._failures: list[str] = []
        self._reply: ResponseDraft | None = None
        self._refusals: list[float] = []
        self._alerted: list[float] = []

    def keep_to(self, version: str) -> None:
        """Keep to that version of GBCS: what it does not have is not supported."""
        self.profile = standard_profile(version)
        self.checks = Checks(self.eui64, self.device_type, self.credentials, self.profile)

    # --- receipt

    def receive(self, data: bytes) -> list[bytes]:
        """Check and execute one message; the response (first, if there is one) and the alerts that it led to."""
        self._held_back = []
        try:
            response = self._receive(data)
            return ([] if response is None else [response]) + self._held_back
        finally:
            self._held_back = None

    def _receive(self, data: bytes) -> bytes | None:
        try:
            message, accepted = self.checks.run(data)
        except Refused as refused:
            self._refuse(refused, data)
            return None
        with self.store.transaction():  # durable before anything is executed: a crash must not open the door to a replay
            self.checks.take_counter(message, accepted)
        self.trace.emit("device", self.name, "verified", message=str(message.header.identifier), code=f"{message.message_code:04x}")
        return self._execute(message, accepted.permission)

    def _party(self, role: RemotePartyRole) -> Eui64:
        party = self.credentials.party(role)
        if party is None:
            raise ProtectionError(f"no certificate of a {role.name.lower()} is held")
        return party

    # --- refusal

    def _refuse(self, refused: Refused, data: bytes) -> None:
        message = refused.message
        consequence = self.profile.refusals[refused.step]
        self.trace.emit(
            "device",
            self.name,
            "refused",
            message=None if message is None else str(message.header.identifier),
            # What could not be read may be a secret's: only its first octets are shown.
            data=data[:_SHOWN] if message is None else None if message.carries_secret else data,
            step=refused.step.value,
            reason=refused.reason,
            clause=consequence.clause,
            ground=consequence.source,
        )
        now = self.now()
        if consequence.event:
            with self.store.transaction():
                self._log(consequence.event, b"")
            if consequence.alert and self._may_alert(now):
                self._queue_refusal_alert(consequence.event, message)
        self._refusals = [*(when for when in self._refusals if now - when <= self.profile.unusual_within_s), now]
        if len(self._refusals) >= self.profile.unusual_after:
            self._refusals.clear()
            with self.store.transaction():
                self._log(self.profile.unusual_event, b"")

    def _may_alert(self, now: float) -> bool:
        """True if one more alert of a refusal goes out: whoever sends rubbish does not decide how much the DCC gets."""
        profile = self.profile
        self._alerted = [when for when in self._alerted if 0 <= now - when <= profile.refusal_alerts_within_s]
        if len(self._alerted) >= profile.refusal_alerts:
            return False
        self._alerted.append(now)
        return True

    def _queue_refusal_alert(self, event: int, message: Message | None) -> None:
        try:
            if event == alerting.NOT_SUPPORTED and message is not None:
                self._queue(alerting.not_supported(self, message))
            else:
                self._queue(self.alert(event))
        except (KeystoreError, ProtectionError) as problem:
            self.trace.emit("device", self.name, "alert not sent", code=f"{event:04x}", reason=str(problem))

    # --- execution

    def _execute(self, message: Message, permission: Permission) -> bytes | None:
        identifier = str(message.header.identifier)
        self._failures = []
        self._reply = ResponseDraft(self, message)
        waiting = len(self._held_back or ())
        payload: bytes | None
        try:
            with self.store.transaction():
                payload = self._payload(message)
                if len(payload) > LONGEST_PAYLOAD:
                    raise TooLong("a response's payload", len(payload), LONGEST_PAYLOAD)
        except TooLong as problem:
            payload = self._undone(message, waiting, "too long", f"no message holds the response: {problem}", self.profile.too_long)
        except Exception as crash:  # nothing a Command does may stop a Device; the crash is told in the trace and the response
            reason = f"{type(crash).__name__}: {crash}" if isinstance(crash, CommsHubError) else type(crash).__name__
            payload = self._undone(message, waiting, "crashed", reason, AccessResult.OTHER_REASON)
        failed = bool(self._failures)
        with self.store.transaction():
            self._log(self.profile.failed_event if failed else self.profile.done_event, b"\x02" + message.message_code.to_bytes(2, "big"))
        self.trace.emit(
            "device",
            self.name,
            "executed",
            message=identifier,
            code=f"{message.message_code:04x}",
            success=not failed,
            reason="; ".join(self._failures) or None,
        )
        if payload is None:
            return None
        try:
            response = self._reply.build(payload, signed=permission.signed_response)
        except (KeystoreError, ProtectionError) as problem:
            self.trace.emit("device", self.name, "unanswered", message=identifier, reason=str(problem))
            return None
        return response.encode()

    def _undone(self, message: Message, waiting: int, event: str, reason: str, result: AccessResult) -> bytes | None:
        """The failure that answers a Command of which nothing took effect; its alerts, after the first ``waiting``, are not sent."""
        self.taken_back()
        if self._held_back is not None:
            del self._held_back[waiting:]
        self._reply = ResponseDraft(self, message)
        self.note_failure(reason)
        self.trace.emit(
            "device", self.name, event, message=str(message.header.identifier), code=f"{message.message_code:04x}", reason=reason
        )
        return failure_payload(message, result)

    def _payload(self, message: Message) -> bytes:
        handler = self.handlers.get(message.message_code)
        if handler is not None:
            return handler(self, message)
        if self.executor is None:
            raise CommsHubError(f"{self.name} has no executor")
        return self.executor.execute(by_code(message.message_code), message)

    def note_failure(self, reason: str) -> None:
        """Some part of the Command being executed did not succeed; the event log then says "not successfully actioned"."""
        self._failures.append(reason)

    def seal(self, plaintext: bytes) -> Sealed:
        """Encrypt ``plaintext`` for the party that reads the response under way (reference gbcs-messages 2.4)."""
        if self._reply is None:
            raise ProtectionError("there is no Command whose reader could be meant")
        return self._reply.seal(plaintext)

    # --- what was accepted for later

    def run_due(self) -> list[bytes]:
        """Do what has fallen due; the alerts that tell the outcomes. Call it when bench time passes ``future.next_due()``."""
        self._held_back = []
        try:
            for action in self.future.take_due(self.now()):
                execute = self.due.get(action.kind)
                if execute is None:
                    raise CommsHubError(f"{self.name} has stored a future action of kind {action.kind!r} that nobody executes")
                self._failures = []
                reason: str | None = None
                waiting = len(self._held_back)
                try:
                    with self.store.transaction():
                        execute(self, action)
                except CommsHubError as problem:
                    reason = str(problem)
                    del self._held_back[waiting:]  # they would tell of what was undone
                    self.taken_back()
                self.trace.emit(
                    "device",
                    self.name,
                    "activated" if reason is None else "not activated",
                    kind=action.kind,
                    key=action.key,
                    code=f"{action.message_code:04x}",
                    reason=reason,
                )
            return self._held_back
        finally:
            self._held_back = None

    # --- events and alerts

    def log(self, code: int, other: bytes = b"") -> None:
        """Write the log entries that the event table names for ``code``."""
        with self.store.transaction():
            self._log(code, other)

    def _log(self, code: int, other: bytes) -> None:
        if not self.logs_event(code):
            return
        for name in route(code, self.device_type).logs:
            self.logs[name].add(LogEntry(int(self.now()), code, other))

    def alert(
        self,
        code: int,
        extras: tuple[Data, ...] = (),
        *,
        message_code: int | None = None,
        payload: bytes | None = None,
        party: RemotePartyRole | None = None,
        recipient: Eui64 | None = None,
        supplementary_party: Eui64 | None = None,
    ) -> bytes:
        """Build one alert: signed if critical, else with a MAC, to the first party of the event table (or to ``party``, or
        to ``recipient`` by its entity id, as for the outcome of a future-dated Command).

        ``extras`` are DLMS items after code and time; ``payload`` replaces the whole payload and ``message_code`` the
        generic 1000/1001. Raises ProtectionError or KeystoreError if a certificate or key for it is not held.
        """
        found = route(code, self.device_type)
        role = party or (found.parties[0] if found.parties else self.profile.alert_party[self.device_type])
        signed = found.alert is not AlertKind.MAC
        request = alerting.AlertRequest(
            code,
            recipient or self._party(role),
            signed,
            extras,
            message_code,
            payload,
            supplementary_party,
        )
        return alerting.build(self, request)

    def raise_alert(
        self,
        code: int,
        extras: tuple[Data, ...] = (),
        *,
        other: bytes = b"",
        message_code: int | None = None,
        payload: bytes | None = None,
        party: RemotePartyRole | None = None,
        recipient: Eui64 | None = None,
    ) -> None:
        """Log the event and send its alert to every party of the event table that this Device knows.

        During :meth:`receive` the alert follows the response; otherwise it goes to ``outgoing``.
        """
        self.log(code, other)
        found = route(code, self.device_type)
        if found.alert is None and party is None:
            return
        roles = found.parties or (self.profile.alert_party[self.device_type],)
        if party is not None or recipient is not None:
            roles = (party or roles[0],)
        for role in roles:
            try:
                self._queue(self.alert(code, extras, message_code=message_code, payload=payload, party=role, recipient=recipient))
            except (KeystoreError, ProtectionError) as problem:
                self.trace.emit("device", self.name, "alert not sent", code=f"{code:04x}", reason=str(problem))

    def _queue(self, data: bytes) -> None:
        message = message_of(data)
        self.trace.emit("device", self.name, "alert", message=str(message.header.identifier), target=str(message.header.recipient))
        if self._held_back is not None:
            self._held_back.append(data)
        elif self.outgoing is not None:
            self.outgoing(data)

    def protect(self, message: Message, *, signed: bool) -> Message:
        """Sign or MAC one of this Device's own messages. Raises KeystoreError or ProtectionError if the key is not held."""
        if signed:
            return protect.with_signature(replace(message, signature=b"", mac=None), self.credentials.own_key(KeyUsage.DIGITAL_SIGNATURE))
        return protect.with_mac(message, self.credentials.z(message.header.recipient))
