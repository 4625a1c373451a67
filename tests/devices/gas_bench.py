"""A gas meter without a radio: real, protected Commands in, verified and decrypted answers out, on a clock that is set by hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.device.store import MemoryStore, Store
from firmware_emu.gbcs import protect
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.gbz import Component, Gbz, numbered
from firmware_emu.gbcs.use_cases import by_code
from firmware_emu.ids import CraFlag, Eui64, InstallCode
from firmware_emu.trace import Record, Trace
from firmware_emu.zse.clusters.device_management import DEVICE_MANAGEMENT
from firmware_emu.zse.declare import Cluster, FieldValue
from hil.devices import Gsme
from hil.devices.metering.registers import LoadProfile
from tests.devices.device_home import ACB, PARTIES, SUPPLIER
from tests.devices.hub_in_memory import MemoryHan
from tests.devices.meter_bench import Hand

GSME = Eui64.parse("00db1234567890a1")


@dataclass
class GasBench:
    """One meter, no gas flowing unless a load says so."""

    keystore: Keystore
    load: LoadProfile = field(default=lambda half_hour: 0)
    store: Store = field(default_factory=MemoryStore)
    start: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    counter: int = 1 << 32

    def __post_init__(self) -> None:
        self.clock = Hand(self.start)
        self.records: list[Record] = []
        self.build()

    def build(self) -> None:
        """The meter, anew on the same store."""
        trace = Trace(self.clock.now)
        trace.subscribe(self.records.append)
        self.gsme = Gsme(
            GSME,
            InstallCode(bytes(16)),
            self.keystore,
            MemoryHan(GSME).node(GSME),
            self.clock,
            trace,
            PARTIES,
            store=self.store,
            load=self.load,
        )

    def go(self, seconds: float, step: float | None = None) -> None:
        """Let time pass; the meter looks at its clock each ``step`` seconds, or at the end."""
        end = self.clock.now() + seconds
        while self.clock.now() < end:
            self.clock.moved += min(step or seconds, end - self.clock.now())
            self.gsme.update()

    def command(self, code: int, parts: Iterable[Component], originator: Eui64 = SUPPLIER) -> Message:
        """A Command as the DCC sends it, signed if its use case is critical; that of a party the meter does not know comes from the ACB."""
        self.counter += 1 << 32
        known = originator == SUPPLIER
        other = OtherInformation(code) if known else OtherInformation(code, originator, self.counter)
        header = GroupingHeader(CraFlag.COMMAND, self.counter, originator if known else ACB, GSME, other)
        message = Message(header, numbered(tuple(parts)).encode())
        if by_code(code).critical:
            message = protect.with_signature(message, self.keystore.private_key(originator, KeyUsage.DIGITAL_SIGNATURE))
        return replace(message, mac=protect.mac_of(message, self.keystore.shared_secret(ACB, GSME)))

    def ask(self, code: int, parts: Iterable[Component], originator: Eui64 = SUPPLIER) -> list[Component]:
        """The components of the answer to a Command, decrypted; its protection is checked."""
        command = self.command(code, parts, originator)
        self.gsme.update()
        first, *more = self.gsme.gbcs.receive(command.encode())
        for alert in more:
            self.gsme.send(alert)
        response = Message.decode(first)
        header = response.header
        assert (header.cra, header.counter) == (CraFlag.RESPONSE, command.header.counter)
        if response.signature:
            protect.check_signature(response, self.keystore.public_key(GSME, KeyUsage.DIGITAL_SIGNATURE))
        else:
            protect.check_mac(response, self.keystore.shared_secret(GSME, header.recipient))
        z = self.keystore.shared_secret(GSME, originator)
        opened = []
        for part in Gbz.decode(response.payload).components:
            if part.encrypted:
                plain = protect.decrypt(part.payload, z, originator=GSME, counter=header.counter, recipient=originator)
                part = Component(part.cluster, part.frame_control, part.sequence, part.command, plain)
            opened.append(part)
        return opened

    def alerts(self) -> list[int]:
        """Codes of the alerts that wait to be sent, taken out."""
        found = []
        while (waiting := self.gsme.outbox.first()) is not None:
            self.gsme.outbox.done(waiting[0])
            found.append(int.from_bytes(Message.decode(waiting[1]).payload[3:5], "big"))
        return found


def part(cluster: Cluster, name: str, /, **fields: FieldValue) -> Component:
    command = cluster.command_named(name)
    from_server = cluster.to_client.get(command.id) is command
    return Component(cluster.id, 0x09 if from_server else 0x01, 0, command.id, command.encode(fields))


def tell(bench: GasBench, *codes: int) -> None:
    """GCS20: these events are logged and go to the WAN."""
    events: FieldValue = tuple({"event": code} for code in codes)
    bench.ask(
        0x00AD,
        [
            part(
                DEVICE_MANAGEMENT, "SetEventConfiguration", event=1, start=0, configuration=0x0F, control=0, count=len(codes), events=events
            )
        ],
    )
