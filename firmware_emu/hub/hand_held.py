"""The hub's side of a hand-held terminal: let onto the HAN for a while after power-on, then put out (requirements CH-21).

For 60 minutes from power-on (reference chts 3) a terminal may agree a key with the hub by inter-PAN key establishment, which proves that
it holds a certificate of the HAN's authority for its EUI-64, and tell its identity and install code under that key. It is put into the
CHF Device Log and joins as any Device does. How the two are told is profile-supplied (:mod:`firmware_emu.han.introduction`); that the
terminal then opens a tunnel to the hub and speaks GET and PUT as a gas meter does is profile-supplied too.

A terminal is transport: what it hands over is a Command whose own protection decides, for the hub or a Device of its log; nothing of it
goes to the SM WAN. At the end of the window, when it leaves, and at the next power-on it is put out: it leaves the log without a trace in
the historic one (reference chts 1), and Responses that it has not fetched go over the SM WAN instead of being lost (chosen here).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

from firmware_emu.clock import Clock
from firmware_emu.crypto.aes_mmo import install_code_link_key
from firmware_emu.crypto.ecqv import CbkeCredentials
from firmware_emu.device.store import Store
from firmware_emu.errors import DecodeError, ProtectionError, RadioError
from firmware_emu.han.base import SMART_ENERGY, HanEvent, HanEventKind, HanRadio, SimpleDescriptor
from firmware_emu.han.inter_pan import InterPanFrame, InterPanSender
from firmware_emu.han.inter_pan_port import ENDPOINT, InterPanPort, InterPanRadio
from firmware_emu.han.introduction import Admission, Introduction
from firmware_emu.han.key_establishment import KeyEstablishmentServer
from firmware_emu.han.zcl_port import ZclPort
from firmware_emu.hub.chf import REMOVALS
from firmware_emu.hub.delivery import Mailbox
from firmware_emu.hub.device_log import DeviceLog, ListedDevice, RegisteredType
from firmware_emu.hub.profile import HubConfig
from firmware_emu.hub.routing import LocalCommands
from firmware_emu.ids import Eui64
from firmware_emu.supervised import called_back
from firmware_emu.trace import Trace
from firmware_emu.zse.clusters.key_establishment import KEY_ESTABLISHMENT

_BASIS = "profile-supplied: no source states how a terminal tells its identity and install code"
_ESI = 0x0500


class HandHeld:
    """The window of one power-on. ``now`` is the hub's own time; ``changed`` is called when the radio has something to catch up with,
    ``gone`` when a terminal has no tunnel any more, ``send`` takes what goes over the SM WAN."""

    def __init__(
        self,
        radio: HanRadio,
        config: HubConfig,
        credentials: CbkeCredentials,
        log: DeviceLog,
        mailbox: Mailbox,
        local: LocalCommands,
        store: Store,
        clock: Clock,
        trace: Trace,
        now: Callable[[], float],
        *,
        changed: Callable[[], None],
        gone: Callable[[Eui64], None],
        send: Callable[[bytes], None],
        spawn: Callable[[Coroutine[object, object, None]], asyncio.Task[None]],
    ) -> None:
        self._radio = radio
        self._config = config
        self._credentials = credentials
        self._log = log
        self._mailbox = mailbox
        self._local = local
        self._store = store
        self._clock = clock
        self._trace = trace
        self._now = now
        self._changed = changed
        self._gone = gone
        self._send = send
        self._spawn = spawn
        self._closes: float | None = None
        """When the window ends on the loop's time; None while it is closed."""
        self._agreed: tuple[Eui64, bytes] | None = None
        self._to_tell: list[tuple[InterPanSender, bytes]] = []
        self._port: InterPanPort | None = None

    async def run(self) -> None:
        """The window of this power-on, from its beginning to its end."""
        radio, seconds = self._radio, self._config.profile.hand_held_window_s
        self._put_all_out("the hub was switched on anew")
        if not isinstance(radio, InterPanRadio):
            return
        port = self._port = InterPanPort(self._config.gpf, radio.send_inter_pan)
        zcl = ZclPort(port, self._clock, trace=self._trace, source="hub")
        zcl.add_endpoint(SimpleDescriptor(ENDPOINT, _ESI, servers=(KEY_ESTABLISHMENT.id,)))
        server = KeyEstablishmentServer(zcl, self._credentials, self._established, endpoint=ENDPOINT, on_failed=self._not_established)
        radio.inter_pan_receiver = called_back(self._received)
        self._closes = asyncio.get_running_loop().time() + seconds
        try:
            await self._clock.sleep(seconds)
        finally:
            self._closes = self._agreed = None
            server.close()
            await zcl.close()
        self._put_all_out("the window is over")

    # --- what comes by inter-PAN

    def _received(self, sender: InterPanSender, frame: InterPanFrame) -> None:
        if (reason := self._objection(sender, frame)) is not None:
            self._refuse(sender.eui64, reason, None)
        elif frame.cluster == self._config.profile.hand_held_cluster:
            self._introduced(sender, frame.payload)
        elif self._port is None or not self._port.received(sender, frame):
            self._refuse(sender.eui64, "it is no message of key establishment", frame.payload)

    def _objection(self, sender: InterPanSender, frame: InterPanFrame) -> str | None:
        minutes = self._config.profile.hand_held_window_s // 60
        if self._closes is None:
            return f"a hand-held terminal may come in the first {minutes} minutes from power-on"
        if frame.profile != SMART_ENERGY or sender.broadcast:
            return "an inter-PAN frame to all, or of another profile"
        entry = self._log.get(sender.eui64)
        if sender.eui64 in (self._config.chf, self._config.gpf) or (
            entry is not None and entry.registered_type is not RegisteredType.HAND_HELD
        ):
            return "a Device of this HAN is no hand-held terminal"
        others = sum(one.device != sender.eui64 for one in self.terminals())
        if others >= self._config.profile.hand_held_at_once:
            return "another hand-held terminal is on the HAN"
        return None

    def _refuse(self, sender: Eui64, reason: str, data: bytes | None) -> None:
        """Nothing is answered: whoever sent it need not even exist."""
        self._trace.emit("han", "chf", "refused", target=str(sender), data=data, reason=reason, way="inter-PAN")

    async def _established(self, terminal: Eui64, key: bytes) -> None:
        self._agreed = terminal, key
        self._trace.emit("han", "chf", "established", target=str(terminal), way="inter-PAN")

    def _not_established(self, terminal: Eui64, reason: str) -> None:
        self._trace.emit("han", "chf", "key establishment failed", target=str(terminal), reason=reason, way="inter-PAN")

    def _introduced(self, sender: InterPanSender, payload: bytes) -> None:
        if self._agreed is None or self._agreed[0] != sender.eui64:
            self._refuse(sender.eui64, "it introduces itself before key establishment", None)
            return
        key = self._agreed[1]
        try:
            introduction = Introduction.unseal(key, sender.eui64, payload)
        except (DecodeError, ProtectionError) as error:  # anybody may have sent it: the key stays for the terminal itself
            self._refuse(sender.eui64, str(error), None)
            return
        self._agreed = None
        seconds = self._let_in(introduction)
        if seconds is None:
            self._refuse(sender.eui64, "the CHF Device Log is full", None)
            return
        self._trace.emit("hub", "chf", "hand-held terminal let in", target=str(sender.eui64), seconds=seconds, basis=_BASIS)
        self._to_tell.append((sender, Admission(seconds).seal(key, sender.eui64)))
        self._changed()

    def _let_in(self, introduction: Introduction) -> int | None:
        """Into the log with what it said, for the rest of the window: how many seconds; None if the log is full."""
        terminal = introduction.terminal
        seconds = 0 if self._closes is None else int(self._closes - asyncio.get_running_loop().time())
        if self._log.get(terminal) is not None:
            self._put_out(terminal, "it introduces itself anew")
        with self._store.transaction():
            entry = ListedDevice(
                terminal,
                RegisteredType.HAND_HELD,
                install_code_link_key(introduction.install_code),
                window_opened=int(self._now()),
                window_s=seconds,
            )
            if not self._log.add(entry):
                return None
            self._store.delete(REMOVALS + str(terminal))
        return seconds

    def permits_made(self) -> None:
        """The radio lets in whom the log has: terminals that wait for it are told."""
        waiting, self._to_tell = self._to_tell, []
        for sender, answer in waiting:
            self._spawn(self._tell(sender, answer))

    async def _tell(self, sender: InterPanSender, answer: bytes) -> None:
        assert isinstance(self._radio, InterPanRadio), "an introduction came by inter-PAN"
        try:
            await self._radio.send_inter_pan(sender.eui64, sender.pan, InterPanFrame(self._config.profile.hand_held_cluster, answer))
        except RadioError as error:
            self._trace.emit("han", "chf", "not told", target=str(sender.eui64), reason=str(error), way="inter-PAN")

    # --- putting out

    def terminals(self) -> tuple[ListedDevice, ...]:
        """Those in the log."""
        return tuple(entry for entry in self._log.entries() if entry.registered_type is RegisteredType.HAND_HELD)

    def on_event(self, event: HanEvent) -> None:
        """A terminal that leaves has no more to do here."""
        entry = self._log.get(event.device)
        if event.kind is HanEventKind.LEFT and entry is not None and entry.registered_type is RegisteredType.HAND_HELD:
            self._put_out(event.device, "it left")

    def _put_all_out(self, reason: str) -> None:
        for entry in self.terminals():
            self._put_out(entry.device, reason)

    def _put_out(self, terminal: Eui64, reason: str) -> None:
        with self._store.transaction():
            for waiting in self._mailbox.all_for(terminal):
                self._mailbox.delivered(waiting)
                self._send(waiting.message)
            self._local.forget(terminal)
            self._log.remove(terminal, remember=False)
            self._store.put(REMOVALS + str(terminal), b"")
        self._trace.emit("hub", "chf", "hand-held terminal put out", target=str(terminal), reason=reason)
        self._gone(terminal)
        self._changed()
