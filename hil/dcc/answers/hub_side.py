"""What hubs tell the DCC: that they are there, and the GBCS messages they carry (sec2-rules 7; INV-08 [170, 185])."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_emu.clock import Clock
from firmware_emu.errors import DecodeError
from firmware_emu.gbcs.envelope import Message
from firmware_emu.ids import CraFlag, Eui64
from firmware_emu.trace import Trace
from firmware_emu.wan.channel import Hello
from hil.dcc.answers.alerts import Alerts
from hil.dcc.answers.answers import Answers
from hil.dcc.answers.responses import Responses
from hil.dcc.base.store import DccStore
from hil.dcc.inventory.inventory import Inventory


@dataclass(frozen=True, slots=True)
class HubSide:
    """Where the head end's frames go."""

    store: DccStore
    inventory: Inventory
    alerts: Alerts
    answers: Answers
    responses: Responses
    clock: Clock
    trace: Trace

    def hello(self, hello: Hello) -> None:
        """A hub has connected: the one event that makes it Commissioned."""
        now = self.clock.now()
        with self.store.transaction():
            self.store.execute(
                "INSERT INTO hubs VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (chf) DO UPDATE SET gpf = excluded.gpf, boots = excluded.boots, "
                "last_contact = excluded.last_contact",
                (str(hello.chf), str(hello.gpf), hello.boot_count, now, now),
            )
            self.alerts.restored(hello.chf, "the hub is connected again")
            if self.inventory.device(hello.chf) is None:
                self.trace.emit(
                    "dcc", "inventory", "refused", target=str(hello.chf), reason="an unlisted hub connected: pre-notify it (12.2)"
                )
                return
            if self.inventory.may_move(hello.chf, "first SM WAN contact"):
                self.inventory.move(hello.chf, "first SM WAN contact", reason="the hub connected to the SM WAN [170, 185]")
            if self.inventory.device(hello.gpf) is not None:
                self.inventory.associate(hello.gpf, "chf", hello.chf)
                if self.inventory.may_move(hello.gpf, "hub connected"):
                    self.inventory.move(hello.gpf, "hub connected", reason=f"its hub {hello.chf} connected [fn17]")

    def message(self, chf: Eui64, octets: bytes, notified: float | None = None) -> None:
        """One GBCS message from a hub; nothing it holds may stop the channel, so what cannot be used becomes a stray.

        ``notified``: when the CHF was notified of it, for an alert of another Device (requirements CH-10).
        """
        try:
            message = Message.decode(octets)
        except DecodeError as error:
            self.responses.stray(chf, "unreadable", None, octets, str(error))
            return
        self.trace.emit("wan", f"chf {chf}", "received", target="dcc", message=str(message.header.identifier), data=octets)
        match message.header.cra:
            case CraFlag.RESPONSE:
                self.answers.take(chf, message, octets)
            case CraFlag.ALERT:
                self.alerts.take(chf, message, octets, notified)
            case CraFlag.COMMAND:
                self.responses.stray(chf, "command", message, octets, "a hub sends no Commands to the DCC")
