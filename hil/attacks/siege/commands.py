"""Commands whose MAC holds: a Device executes what the table of rights grants to who sent it, each counter once
where the use case is protected against replay."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType, KeyUsage, RemotePartyRole
from firmware_emu.device.credentials import Credentials
from firmware_emu.device.pipeline import GbcsDevice
from firmware_emu.device.profile import permissions, standard_profile
from firmware_emu.device.standard import STANDARD
from firmware_emu.device.store import MemoryStore
from firmware_emu.errors import DecodeError
from firmware_emu.gbcs import protect
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.use_cases import UseCase
from firmware_emu.ids import CraFlag, Eui64
from firmware_emu.trace import Trace
from hil.attacks.siege.search import Mutation, octets_changed

LARGEST: Final = (1 << 64) - 1
STRANGER: Final = Eui64.parse("02bad00000000001")


class CommandRecorder:
    """An executor that remembers what it was given."""

    def __init__(self) -> None:
        self.executed: list[Message] = []

    def execute(self, use_case: UseCase, message: Message) -> bytes:
        self.executed.append(message)
        return b"\x05\x00"


@dataclass
class Commands:
    """Commands whose MAC holds: a Device executes what the table of rights grants to who sent it, each counter once
    where the use case is protected against replay."""

    keystore: Keystore
    meter: Eui64
    parties: dict[RemotePartyRole, Eui64]
    kinds: tuple[str, ...] = ("code", "originator", "another", "counter", "date", "again", "older", "bit", "octet", "sign", "bare")
    _senders: list[Eui64] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._senders = [*self.parties.values(), STRANGER]

    def judge(self, changes: Sequence[Mutation]) -> str | None:
        store, recorder = MemoryStore(), CommandRecorder()
        credentials = Credentials.from_keystore(store, self.keystore, self.meter, DeviceType.ESME, self.parties)
        trace = Trace(lambda: 0.0)
        device = GbcsDevice(self.meter, DeviceType.ESME, credentials, store, lambda: 820_454_400.0, trace, STANDARD, recorder)
        header = GroupingHeader(CraFlag.COMMAND, 1000, self.parties[RemotePartyRole.SUPPLIER], self.meter, OtherInformation(0x0044))
        counters, octet, signer, bare = [0], None, None, False
        codes = sorted(permissions(DeviceType.ESME))
        for change in changes:
            code = header.other.message_code
            match change.kind:
                case "code":
                    header = replace(header, other=replace(header.other, message_code=codes[change.number % len(codes)]))
                case "originator":
                    header = replace(header, originator=self._senders[change.number % len(self._senders)])
                case "another":
                    other = OtherInformation(code, STRANGER, change.number, change.number if change.place > 0.8 else None)
                    header = replace(header, other=other)
                    if change.number % 2 == 0:  # as the broker speaks for a party that the Device does not know
                        header = replace(header, originator=self.parties[RemotePartyRole.ACCESS_CONTROL_BROKER])
                case "counter":
                    header = replace(header, counter=(change.number << int(change.place * 48)) & LARGEST)
                case "date":
                    header = replace(header, date_time=bytes.fromhex("07ea010105000000ff800000"))
                case "again":
                    counters.append(0)
                case "older":
                    counters.append(1 + change.number % 3)
                case "sign":
                    signer = self._senders[change.number % (len(self._senders) - 1)]  # the stranger has no key
                case "bare":
                    bare = True
                case "bit":
                    header = self._bit_changed(header, change)
                case _:
                    octet = change
        for back in counters:
            octets = self._protected(replace(header, counter=max(0, header.counter - back)), signer, bare)
            device.receive(octets if octet is None else octets_changed(octets, replace(octet, kind="flip")))
        return self._broken(credentials, recorder.executed, signer)

    def _protected(self, header: GroupingHeader, signer: Eui64 | None, bare: bool) -> bytes:
        """Signed by ``signer``, and with the broker's MAC unless it is ``bare``."""
        message = Message(header, b"", b"")
        if signer is not None:
            message = protect.with_signature(message, self.keystore.private_key(signer, KeyUsage.DIGITAL_SIGNATURE))
        if bare:
            return message.encode()
        z = self.keystore.shared_secret(self.parties[RemotePartyRole.ACCESS_CONTROL_BROKER], self.meter)
        return replace(message, mac=protect.mac_of(message, z)).encode()

    def _bit_changed(self, header: GroupingHeader, change: Mutation) -> GroupingHeader:
        """The header with one bit of its octets flipped before the MAC is made, where it still is a header."""
        octets = Message(header, b"", b"").encode()
        with contextlib.suppress(DecodeError):
            return Message.decode(octets_changed(octets, replace(change, kind="flip"))).header
        return header

    def _broken(self, credentials: Credentials, executed: list[Message], signer: Eui64 | None) -> str | None:
        unprotected = standard_profile().replayable_codes | standard_profile().top_up_codes
        counters = [message.header.counter for message in executed if message.header.message_code not in unprotected]
        if len(set(counters)) != len(counters):
            return f"counter {counters[0]} was executed twice"
        if counters != sorted(counters):
            return f"counter {counters[-1]} was executed after {counters[0]}"
        for message in executed:
            header = message.header
            roles, another = credentials.roles_of(header.originator), header.other.supplementary_party is not None
            rights = permissions(DeviceType.ESME).get(header.message_code, ())
            proven = signer == header.originator  # a signature by anybody else is none
            if header.cra is CraFlag.COMMAND and message.signature and not proven:
                return f"{header.message_code:04x} of {header.originator} was executed with a signature by {signer}"
            if message.mac is None:
                return f"{header.message_code:04x} of {header.originator} was executed without a MAC"
            if not any(right.role in roles and right.for_another is another and (proven or not right.signature) for right in rights):
                return f"{header.message_code:04x} of {header.originator} was executed without a right to it"
            if header.cra is not CraFlag.COMMAND or header.recipient != self.meter:
                return f"a message of kind {header.cra.name.lower()} to {header.recipient} was executed"
            if header.date_time:
                return f"{header.message_code:04x} with a date-time in its header was executed"
        return None
