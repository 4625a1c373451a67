"""The checks on a received Command, in the order of the profile: which one fails, and why."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_emu.crypto import primitives
from firmware_emu.crypto.certificates import entity_of, public_key_of
from firmware_emu.crypto.roles import DeviceType, KeyUsage, RemotePartyRole
from firmware_emu.device.credentials import Cell, Credentials
from firmware_emu.device.profile import CommandCheck, Permission, PipelineProfile, permissions
from firmware_emu.errors import DecodeError, KeystoreError, ProtectionError
from firmware_emu.gbcs import protect
from firmware_emu.gbcs.envelope import Message, message_of
from firmware_emu.ids import CraFlag, Eui64

LARGEST_COUNTER = (1 << 63) - 1
"""Largest originator counter (reference gbcs-behaviour 4)."""
_BROKER = RemotePartyRole.ACCESS_CONTROL_BROKER


@dataclass(frozen=True, slots=True)
class Accepted:
    """By what right a Command is taken. ``partner``: it comes from a joined Device, not from a remote party."""

    permission: Permission
    partner: bool


class Refused(ProtectionError):
    """A Command that is not taken: the ``step`` that failed, and the message if its octets could be read."""

    def __init__(self, step: CommandCheck, reason: str) -> None:
        super().__init__(reason)
        self.step = step
        self.message: Message | None = None


class Checks:
    """The checks of one Device."""

    def __init__(self, eui64: Eui64, device_type: DeviceType, credentials: Credentials, profile: PipelineProfile) -> None:
        self._eui64 = eui64
        self._device_type = device_type
        self._credentials = credentials
        self._profile = profile

    def run(self, data: bytes) -> tuple[Message, Accepted]:
        """Read ``data`` and run every step of the profile. Raises Refused; changes nothing.

        A step that stands before authority in a profile finds the authority for itself: who may send the code decides
        which counter, which key and which protections are meant.
        """
        message = _decode(data)
        accepted: Accepted | None = None
        try:
            _check_form(message)
            for step in self._profile.order[1:]:
                if step is CommandCheck.ADDRESSED:
                    self._check_addressed(message)
                elif step is CommandCheck.SUPPORTED:
                    self._check_supported(message)
                else:
                    accepted = accepted or self._authority(message)
                    self._check_protection(step, message, accepted)
            return message, accepted or self._authority(message)
        except Refused as refused:
            refused.message = message
            raise

    def take_counter(self, message: Message, accepted: Accepted) -> None:
        """Store the counter of an accepted Command; one that may come again moves none, a token's only raises that of tokens."""
        header = message.header
        if header.message_code in self._profile.replayable_codes:
            return
        role = accepted.permission.role
        if role is not None and self._is_top_up(message):
            highest = max(header.counter, self._credentials.counter(role, top_up=True))
            self._credentials.set_counter(role, highest, top_up=True)
            return
        if role is None:
            self._credentials.set_partner_counter(header.originator, header.counter)
        else:
            self._credentials.set_counter(role, header.counter)

    def _check_addressed(self, message: Message) -> None:
        header = message.header
        if header.cra is not CraFlag.COMMAND:
            raise Refused(CommandCheck.ADDRESSED, f"it is a {header.cra.name.lower()}, expected a command")
        if header.recipient != self._eui64:
            raise Refused(CommandCheck.ADDRESSED, f"it is for {header.recipient}, this is {self._eui64}")

    def _check_supported(self, message: Message) -> None:
        code = message.message_code
        if code not in permissions(self._device_type) or code in self._profile.unknown_codes:
            raise Refused(CommandCheck.SUPPORTED, f"message code {code:04x} is not one of a {self._device_type.name}")

    def _check_protection(self, step: CommandCheck, message: Message, accepted: Accepted) -> None:
        if step is CommandCheck.COUNTER:
            self._check_counter(message, accepted)
        elif step is CommandCheck.MAC:
            self._check_mac(message, accepted)
        elif step is CommandCheck.SIGNATURE:
            self._check_signature(message, accepted)

    def _authority(self, message: Message) -> Accepted:
        header = message.header
        allowed = permissions(self._device_type).get(message.message_code, ())
        roles = self._credentials.roles_of(header.originator)
        for_another = header.other.supplementary_party is not None
        rights = [permission for permission in allowed if permission.for_another is for_another]
        # A party that stands in several cells speaks first as the broker: it may stand in those that were not handed over yet.
        for role in sorted(roles, key=lambda role: role is not _BROKER):
            for permission in rights:
                if permission.role is role:
                    return Accepted(permission, False)
        for permission in rights:
            if permission.role is None and self._credentials.partner(header.originator) is not None:
                return Accepted(permission, True)
        who = " and ".join(role.name.lower() for role in roles) or "no Known Remote Party"
        whom = f" for {header.other.supplementary_party}" if for_another else ""
        raise Refused(CommandCheck.AUTHORITY, f"{header.originator} ({who}) has no authority for {message.message_code:04x}{whom}")

    def _check_counter(self, message: Message, accepted: Accepted) -> None:
        """Protection Against Replay, where the use case has it. A token is held against the counters of those seen when it is used."""
        counter = message.header.counter
        role = accepted.permission.role
        if counter > LARGEST_COUNTER:
            raise Refused(CommandCheck.COUNTER, f"counter {counter} is above the largest of 2^63 - 1")
        if message.message_code in self._profile.replayable_codes or (role is not None and self._is_top_up(message)):
            return
        stored = self._credentials.partner_counter(message.header.originator) if role is None else self._credentials.counter(role)
        if counter <= stored:
            raise Refused(CommandCheck.COUNTER, f"counter {counter} is not above the stored {stored}")

    def _is_top_up(self, message: Message) -> bool:
        return message.message_code in self._profile.top_up_codes

    def _check_mac(self, message: Message, accepted: Accepted) -> None:
        if message.mac is None:
            if accepted.permission.mac:
                raise Refused(CommandCheck.MAC, "it carries no MAC")
            return
        try:
            sender = message.header.originator if accepted.partner else self._credentials.party(_BROKER)
            if sender is None:
                raise ProtectionError("no certificate of the access control broker is held")
            protect.check_mac(message, self._credentials.z(sender))
        except (ProtectionError, KeystoreError) as problem:
            raise Refused(CommandCheck.MAC, str(problem)) from problem

    def _check_signature(self, message: Message, accepted: Accepted) -> None:
        if not message.signature:
            if accepted.permission.signature:
                raise Refused(CommandCheck.SIGNATURE, "it carries no signature")
            return
        try:
            protect.check_signature(message, self._signer(message, accepted))
        except (ProtectionError, KeystoreError) as problem:
            raise Refused(CommandCheck.SIGNATURE, str(problem)) from problem

    def _signer(self, message: Message, accepted: Accepted) -> primitives.PublicKey:
        role, sender = accepted.permission.role, message.header.originator
        certificate = None if role is None else self._credentials.anchor(Cell(role, KeyUsage.DIGITAL_SIGNATURE))
        if certificate is None:
            raise ProtectionError(f"no digital signature certificate of {sender} is held")
        if (holder := entity_of(certificate)) != sender:  # a party of the role's other cells signs with nobody else's key
            raise ProtectionError(f"the digital signature certificate that is held is {holder}'s, not {sender}'s")
        return public_key_of(certificate)


def _decode(data: bytes) -> Message:
    try:
        return message_of(data)
    except DecodeError as problem:
        raise Refused(CommandCheck.WELL_FORMED, str(problem)) from problem


def _check_form(message: Message) -> None:
    """Refuse a header that no Command has (reference gbcs-messages 1.4; no command of the RTDS has a date-time)."""
    header = message.header
    if message.signature is None:
        raise Refused(CommandCheck.WELL_FORMED, "it ends after the payload, like a pre-command")
    if header.cra is not CraFlag.COMMAND:
        return
    if header.date_time:
        raise Refused(CommandCheck.WELL_FORMED, "its header carries a date-time, which responses and alerts alone do")
    other = header.other
    if other.supplementary_originator_counter is not None or (
        other.supplementary_party is not None and other.supplementary_counter is None
    ):
        raise Refused(
            CommandCheck.WELL_FORMED, "its other information has a length that is no command's, expected 2, 18 or that of a certificate"
        )
