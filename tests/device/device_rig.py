"""A Device in one piece with a test PKI, and the parties that talk to it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import KeyUsage, RemotePartyRole
from firmware_emu.device.credentials import Credentials
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.device.standard import STANDARD
from firmware_emu.device.store import MemoryStore
from firmware_emu.gbcs import protect
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.use_cases import UseCase
from firmware_emu.ids import CraFlag, Eui64
from firmware_emu.trace import Record

RECOVERY = Eui64.parse("90b3d51f30000001")
ACB = Eui64.parse("90b3d51f30000002")
COS = Eui64.parse("90b3d51f30000004")
WAN_PROVIDER = Eui64.parse("90b3d51f30000007")
SUPPLIER = Eui64.parse("90b3d51f30010000")
SECOND_SUPPLIER = Eui64.parse("90b3d51f30030000")
NETWORK_OPERATOR = Eui64.parse("90b3d51f30020000")
ESME = Eui64.parse("00db1234567890a0")
GSME = Eui64.parse("00db1234567890a1")
PPMID = Eui64.parse("00db1234567890a4")

PARTIES = {
    RemotePartyRole.RECOVERY: RECOVERY,
    RemotePartyRole.ACCESS_CONTROL_BROKER: ACB,
    RemotePartyRole.TRANSITIONAL_COS: COS,
    RemotePartyRole.WAN_PROVIDER: WAN_PROVIDER,
    RemotePartyRole.SUPPLIER: SUPPLIER,
    RemotePartyRole.NETWORK_OPERATOR: NETWORK_OPERATOR,
}
NOW = 820_454_400.0
"""2026-01-01, bench seconds since 2000."""


class Recorder:
    """An executor that answers with a fixed payload and remembers what it was given."""

    def __init__(self) -> None:
        self.executed: list[int] = []
        self.answer = b"\x05\x00"
        self.crash: Exception | None = None

    def execute(self, use_case: UseCase, message: Message) -> bytes:
        if self.crash is not None:
            raise self.crash
        self.executed.append(message.header.counter)
        return self.answer


@dataclass
class Rig:
    """A Device, what it records, and a way to make Commands for it."""

    device: GbcsDevice
    keystore: Keystore
    executor: Recorder
    store: MemoryStore
    records: list[Record] = field(default_factory=list)
    now: float = NOW

    def command(
        self,
        code: int,
        payload: bytes,
        counter: int,
        *,
        originator: Eui64 = SUPPLIER,
        recipient: Eui64 | None = None,
        signed: bool = False,
        mac: bool = True,
        signer: Eui64 | None = None,
        other: OtherInformation | None = None,
        cra: CraFlag = CraFlag.COMMAND,
    ) -> bytes:
        target = recipient or self.device.eui64
        message = Message(GroupingHeader(cra, counter, originator, target, other or OtherInformation(code)), payload)
        if signed:
            message = protect.with_signature(message, self.keystore.private_key(signer or originator, KeyUsage.DIGITAL_SIGNATURE))
        if mac:
            message = replace(message, mac=protect.mac_of(message, self.keystore.shared_secret(ACB, target)))
        return message.encode()

    def ask(self, code: int, payload: bytes, counter: int, **options: object) -> Message:
        """Send a Command and return the response, its protection checked."""
        answers = self.device.receive(self.command(code, payload, counter, **options))  # type: ignore[arg-type]
        response = Message.decode(answers[0])
        assert response.header.cra is CraFlag.RESPONSE
        self.check(response)
        return response

    def check(self, message: Message) -> None:
        """Verify a message of the Device: signature if there is one, else its MAC."""
        if message.signature:
            protect.check_signature(message, self.keystore.public_key(self.device.eui64, KeyUsage.DIGITAL_SIGNATURE))
        else:
            protect.check_mac(message, self.keystore.shared_secret(self.device.eui64, message.header.recipient))

    def refusals(self) -> list[str]:
        return [str(record.detail["step"]) for record in self.records if record.event == "refused"]

    def restarted(self) -> GbcsDevice:
        """The same Device after a power cut."""
        credentials = Credentials(self.store, self.device.eui64, self.device.device_type)
        self.device = GbcsDevice(
            self.device.eui64,
            self.device.device_type,
            credentials,
            self.store,
            lambda: self.now,
            self.device.trace,
            STANDARD,
            self.executor,
        )
        return self.device
