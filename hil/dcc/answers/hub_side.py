"""Contact of hubs with the DCC: that they are there, and the GBCS messages they carry (sec2-rules 7; INV-08 [170, 185])."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_emu.errors import DecodeError
from firmware_emu.gbcs.envelope import Message
from firmware_emu.ids import CraFlag
from hil.dcc.answers.alerts import Alerts
from hil.dcc.answers.answers import Answers, Responses, StrayKind
from hil.dcc.base.bus import Bus
from hil.dcc.gateway.context import GatewayContext
from hil.dcc.inventory.hub_contacts import HubContacts
from hil.dcc.wan.headend import HubGreeted, HubMessage


@dataclass(frozen=True, slots=True)
class HubReceiver:
    """Listens to what the head end tells of its hubs."""

    context: GatewayContext
    bus: Bus
    alerts: Alerts
    answers: Answers
    responses: Responses

    def __post_init__(self) -> None:
        self.bus.on(HubGreeted, self.greeted)
        self.bus.on(HubMessage, self.message)

    def greeted(self, told: HubGreeted) -> None:
        """A hub has connected: the one event that makes it Commissioned."""
        hello = told.hello
        with self.context.store.transaction():
            HubContacts(self.context.store).greeted(hello.chf, hello.gpf, hello.boot_count, self.context.clock.now())
            self.alerts.restored(hello.chf, "the hub is connected again")
            if self.context.inventory.device(hello.chf) is None:
                self.context.trace.emit(
                    "dcc", "inventory", "refused", target=str(hello.chf), reason="an unlisted hub connected: pre-notify it (12.2)"
                )
                return
            if self.context.inventory.may_move(hello.chf, "first SM WAN contact"):
                self.context.inventory.move(hello.chf, "first SM WAN contact", reason="the hub connected to the SM WAN [170, 185]")
            if self.context.inventory.device(hello.gpf) is not None:
                self.context.inventory.associate(hello.gpf, "chf", hello.chf)
                if self.context.inventory.may_move(hello.gpf, "hub connected"):
                    self.context.inventory.move(hello.gpf, "hub connected", reason=f"its hub {hello.chf} connected [fn17]")

    def message(self, told: HubMessage) -> None:
        """One GBCS message from a hub; nothing it holds may stop the channel, so what cannot be used becomes a stray."""
        chf, octets = told.chf, told.octets
        try:
            message = Message.decode(octets)
        except DecodeError as error:
            self.responses.stray(chf, StrayKind.UNREADABLE, None, octets, str(error))
            return
        self.context.trace.emit("wan", f"chf {chf}", "received", target="dcc", message=str(message.header.identifier), data=octets)
        match message.header.cra:
            case CraFlag.RESPONSE:
                self.answers.take(chf, message, octets)
            case CraFlag.ALERT:
                self.alerts.take(chf, message, octets, told.notified)
            case CraFlag.COMMAND:
                self.responses.stray(chf, StrayKind.COMMAND, message, octets, "a hub sends no Commands to the DCC")
