"""Routing of a message by its envelope alone (GBCS messages pass unaltered, requirements CH-15), the way of local Commands included.

Commands that came through a hand-held terminal are noted, so that their Responses go back to it (sec2-rules LC-01, LC-03 [193]). No
source states where the Response of a local Command goes. Chosen here: to the terminal that handed the Command over, if it is still
on the HAN, and else over the SM WAN; over both where the same Command has come over both.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from firmware_emu.clock import EPOCH
from firmware_emu.crypto.roles import RemotePartyRole
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.device.store import Store
from firmware_emu.errors import DecodeError
from firmware_emu.gbcs.alerts import DELIVERY_FAILURE, DeliveryFailure
from firmware_emu.gbcs.cosem_time import encode_generalized
from firmware_emu.gbcs.envelope import GroupingHeader, Message, message_of
from firmware_emu.hub.delivery import Mailbox, Waiting, fetches
from firmware_emu.hub.device_log import DeviceLog, ListedDevice, RegisteredType
from firmware_emu.hub.profile import HubConfig
from firmware_emu.ids import CraFlag, Eui64, MessageIdentifier
from firmware_emu.trace import Trace

_NOTES = "hub/local/"
_NOTES_KEPT = 100
_WAN_KEPT = 100
"""Local Commands without a Response, and Commands that came over the SM WAN, that the hub remembers. Chosen here."""


@dataclass(frozen=True, slots=True)
class Way:
    """Destination of a Response."""

    terminal: Eui64 | None
    wan: bool


class LocalCommands:
    """Notes in the hub's store; each call is inside the transaction of the message."""

    def __init__(self, store: Store, log: DeviceLog) -> None:
        self._store = store
        self._log = log
        self._over_wan: deque[MessageIdentifier] = deque(maxlen=_WAN_KEPT)

    def came_over_wan(self, command: MessageIdentifier) -> None:
        """A Command for a Device has come over the SM WAN."""
        self._over_wan.append(command)

    def came_from(self, terminal: Eui64, command: MessageIdentifier) -> bool:
        """A terminal has handed over a Command for a Device; False (and nothing is noted) when too many are without Response."""
        if len(self._store.keys(_NOTES)) >= _NOTES_KEPT:
            return False
        self._store.put(f"{_NOTES}{command}", terminal.octets)
        return True

    def way_of(self, response: GroupingHeader) -> Way:
        """Destination of a Device's message that is for nobody on the HAN; the note of a Response has served then."""
        if response.cra is not CraFlag.RESPONSE:
            return Way(None, True)
        command = MessageIdentifier(response.recipient, response.originator, CraFlag.COMMAND, response.counter)
        noted = self._store.get(f"{_NOTES}{command}")
        if noted is None:
            return Way(None, True)
        self._store.delete(f"{_NOTES}{command}")
        entry = self._log.get(Eui64(noted))
        if entry is None or entry.registered_type is not RegisteredType.HAND_HELD:
            return Way(None, True)
        return Way(entry.device, command in self._over_wan)

    def forget(self, terminal: Eui64) -> None:
        """A terminal is gone."""
        for key in self._store.keys(_NOTES):
            if self._store.get(key) == terminal.octets:
                self._store.delete(key)


NOT_DELIVERED = 0x8F84
NOT_RETRIEVED = 0x819D
_STAMPS = "hub/alert/"
_STAMPS_KEPT = 100
"""Alerts whose time of notification the hub remembers. Chosen here."""
LONGEST = 10_240
"""Octets of a message to a Device. A tunnel carries what is longer than one transfer in blocks, so the figure is the bench's own: no
reference message is longer than 3,986 octets (reference gbcs-messages 8A)."""


class Router:
    """Takes every message that reaches the hub. Each method is called inside, or opens, the transaction of what it does."""

    def __init__(
        self,
        config: HubConfig,
        chf: GbcsDevice,
        gpf: GbcsDevice,
        log: DeviceLog,
        mailbox: Mailbox,
        store: Store,
        now: Callable[[], float],
        trace: Trace,
        *,
        send: Callable[[bytes], None],
        wake: Callable[[Eui64], None],
        executed: Callable[[], None],
        tap: Callable[[Message], None],
        local: LocalCommands,
        discards: Callable[[Eui64, MessageIdentifier], bool],
    ) -> None:
        """``discards`` says whether a message from the DCC is thrown away, for its Device's band.

        ``tap`` sees every message to or from a gas meter, before it goes on; ``local`` keeps what came through a terminal."""
        self._local = local
        self._discards = discards
        self._executed = executed
        self._tap = tap
        self._own = {config.chf: chf, config.gpf: gpf}
        self._mailbox_capacity = config.profile.mailbox_capacity
        self._chf = chf
        self._log = log
        self._mailbox = mailbox
        self._store = store
        self._now = now
        self._trace = trace
        self._send = send
        self._wake = wake

    def from_wan(self, data: bytes) -> None:
        """A message from the DCC."""
        with self._store.transaction():
            self._route(data, "wan")

    def from_han(self, device: Eui64, data: bytes) -> None:
        """A message of ``device``. An alert is stamped with the time at which the CHF was notified of it (requirements CH-10)."""
        entry = self._log.get(device)
        with self._store.transaction():
            if entry is not None and entry.registered_type is RegisteredType.HAND_HELD:
                self._from_terminal(device, data)
            else:
                self._route(data, str(device), entry)

    def _route(self, data: bytes, source: str, sender: ListedDevice | None = None) -> None:
        try:
            message = message_of(data)
        except DecodeError as error:
            self._trace.emit("hub", "hub", "refused", target=source, data=data, reason=str(error))
            return
        header = message.header
        identifier, recipient = header.identifier, header.recipient
        shown = None if message.carries_secret else data
        self._trace.emit("hub", "hub", "received", target=source, message=str(identifier), data=shown, code=f"{header.message_code:04x}")
        if source != "wan" and header.cra is CraFlag.ALERT:
            self._stamp(identifier)
        own = self._own.get(recipient)
        if own is not None:
            for answer in own.receive(data):
                self._answer(answer, source)
            self._executed()
            return
        entry = self._log.get(recipient)
        self._pass_by_the_gas_proxy(message, entry, sender)
        if entry is not None and len(data) > LONGEST:  # kept, it would bar the way of every message after it
            self._refuse(identifier, None, f"{len(data)} octets for {recipient}: the hub keeps at most {LONGEST}")
        elif entry is not None and entry.registered_type.gets_gbcs:
            if source == "wan" and self._discards(recipient, identifier):
                self._trace.emit("hub", "hub", "refused", message=str(identifier), reason=f"duty cycle: {recipient} is not sent to now")
                return
            if source == "wan" and header.cra is CraFlag.COMMAND:
                self._local.came_over_wan(identifier)
            self._queue(recipient, identifier, data)
        elif entry is not None:
            self._refuse(identifier, shown, f"{recipient} is a Type 2 Device, which gets no GBCS messages")
        elif source != "wan":
            way = self._local.way_of(header) if source == str(header.originator) else Way(None, True)
            if way.terminal is not None:
                self._queue(way.terminal, identifier, data)
            if way.wan:
                self._send(data)
        else:
            self._refuse(identifier, shown, f"{recipient} is neither this hub nor in the CHF Device Log", kind="no recipient")

    def _pass_by_the_gas_proxy(self, message: Message, *ends: ListedDevice | None) -> None:
        if any(end is not None and end.registered_type is RegisteredType.GSME for end in ends):
            self._tap(message)

    def _queue(self, device: Eui64, identifier: MessageIdentifier, data: bytes) -> None:
        if self._mailbox.count(device) >= self._mailbox_capacity:
            self._refuse(identifier, None, f"{self._mailbox_capacity} messages wait for {device} already")
            return
        self._mailbox.put(device, data, int(self._now()))
        self._trace.emit("hub", "hub", "queued", target=str(device), message=str(identifier))
        self._wake(device)

    def _from_terminal(self, terminal: Eui64, data: bytes) -> None:
        """Take what a hand-held terminal hands over: a Command for the hub or a Device of its log, whose protection decides. Anything else
        is refused without an answer, and nothing goes to the SM WAN."""
        try:
            message = message_of(data)
        except DecodeError as error:
            self._trace.emit("hub", "hub", "refused", target=str(terminal), reason=str(error))
            return
        header = message.header
        identifier, recipient = header.identifier, header.recipient
        self._trace.emit(
            "hub",
            "hub",
            "received",
            target=str(terminal),
            message=str(identifier),
            data=None if message.carries_secret else data,
            code=f"{header.message_code:04x}",
            way="hand-held terminal",
        )
        own, entry, kind = self._own.get(recipient), self._log.get(recipient), None
        if header.cra is not CraFlag.COMMAND:
            reason = f"a hand-held terminal hands over Commands, and this is of kind {header.cra.name}"
        elif own is not None:
            for answer in own.receive(data):
                made = message_of(answer).header
                if made.cra is CraFlag.RESPONSE:
                    self._queue(terminal, made.identifier, answer)
                else:
                    self._send(answer)
            self._executed()
            return
        elif entry is None or not entry.registered_type.gets_gbcs:
            reason, kind = f"{recipient} is neither this hub nor a Device in the CHF Device Log that gets messages", "no recipient"
        elif len(data) > LONGEST:
            reason = f"{len(data)} octets for {recipient}: the hub keeps at most {LONGEST}"
        elif not self._local.came_from(terminal, identifier):
            reason = "too many local Commands are without a Response"
        else:
            self._pass_by_the_gas_proxy(message, entry)
            self._queue(recipient, identifier, data)
            return
        self._trace.emit("hub", "hub", "refused", target=str(terminal), message=str(identifier), reason=reason, kind=kind)

    def _answer(self, data: bytes, source: str) -> None:
        """An answer of the CHF or GPF: to a Device that asked over the HAN, else to the DCC."""
        recipient = message_of(data).header.recipient
        if source != "wan" and self._log.get(recipient) is not None:
            self._mailbox.put(recipient, data, int(self._now()))
            self._wake(recipient)
        else:
            self._send(data)

    def _refuse(self, identifier: MessageIdentifier, data: bytes | None, reason: str, *, kind: str | None = None) -> None:
        self._trace.emit("hub", "hub", "refused", message=str(identifier), data=data, reason=reason, kind=kind)
        self._not_delivered(identifier)

    def undelivered(self, entry: ListedDevice, waiting: Waiting) -> None:
        """A message that was given up: 0x819D for one that a GSME did not fetch, 0x8F84 for the others (reference chts 4)."""
        identifier = message_of(waiting.message).header.identifier
        self._trace.emit(
            "hub", "hub", "given up", target=str(entry.device), message=str(identifier), waited_s=int(self._now()) - waiting.stored
        )
        if fetches(entry):
            self._chf.raise_alert(NOT_RETRIEVED, party=RemotePartyRole.ACCESS_CONTROL_BROKER)
        else:
            self._not_delivered(identifier)

    def _not_delivered(self, identifier: MessageIdentifier) -> None:
        """0x8F84 with message code 00D5, to the ACB (recipient profile-supplied; the layout is the published parser's)."""
        at = encode_generalized(EPOCH + timedelta(seconds=int(self._now())))
        payload = DeliveryFailure(NOT_DELIVERED, at, identifier).encode()
        self._chf.raise_alert(NOT_DELIVERED, message_code=DELIVERY_FAILURE, payload=payload, party=RemotePartyRole.ACCESS_CONTROL_BROKER)

    # --- the time an alert reached the CHF

    def _stamp(self, identifier: MessageIdentifier) -> None:
        number = int.from_bytes(self._store.get("hub/alerts") or b"", "big")
        self._store.put("hub/alerts", (number + 1).to_bytes(8, "big"))
        self._store.put(f"{_STAMPS}{number % _STAMPS_KEPT:03d}", int(self._now() * 1000).to_bytes(8, "big") + bytes(identifier))
        self._trace.emit("hub", "chf", "alert notified", message=str(identifier), at=self._now())

    def alert_stamps(self) -> dict[MessageIdentifier, float]:
        """When the CHF was notified of each of the last alerts from Devices, seconds since 2000."""
        found: dict[MessageIdentifier, float] = {}
        for key in self._store.keys(_STAMPS):
            octets = self._store.get(key) or b""
            identifier = MessageIdentifier(
                Eui64(octets[8:16]), Eui64(octets[16:24]), CraFlag(octets[24]), int.from_bytes(octets[25:], "big")
            )
            found[identifier] = int.from_bytes(octets[:8], "big") / 1000
        return found
