"""A prepayment token that arrives by command (CS01a, CS01b): is it well-formed, fresh, and made for this meter by its supplier?

Reference gbcs-spec-notes 14 (order, cache of 100 counters, events) and gbcs-messages 8 (the token).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING

from firmware_emu.crypto.roles import CellUsage, RemotePartyRole
from firmware_emu.errors import IdentifierError, KeystoreError, ProtectionError
from firmware_emu.gbcs.utrn import check_utrn, read_utrn
from firmware_emu.ids import Eui64

if TYPE_CHECKING:
    from firmware_emu.device.pipeline import GbcsDevice

CACHE = 100
"""Token counters remembered, the oldest overwritten (reference gbcs-spec-notes 14)."""
MILLIPENCE = 1000
_BITS = 0x3FF
"""Low bits of the counter's upper half that a token carries (reference gbcs-messages 8)."""
DUPLICATE, _NOT_AUTHENTIC, _ADDED = 0x8F51, 0x8F63, 0x810E
ENTRY_SUSPENDED, LOCKED_OUT = 0x81C4, 0x81C5
"""Too many wrong tokens were typed in; a token typed in while that lasts (reference smets 3)."""
_MOMENT = struct.Struct(">I")


class TopUpResult(IntEnum):
    """Why a token was taken or not; the value is the result of the ZCL top up response (0 and 1 by the RTDS, the rest recalled from
    ZigBee D.7.2.3.3)."""

    ACCEPTED = 0
    INVALID = 1
    DUPLICATE = 2
    MAXIMUM_CREDIT_REACHED = 4
    ENTRY_LOCKED_OUT = 5
    VALUE_TOO_LARGE = 6


def check(device: GbcsDevice, utrn: str, counter: int) -> tuple[TopUpResult, int]:
    """Check a token sent under the originator counter ``counter``; returns the result and the value in millipence.

    A good token's counter is remembered, so that the same token is a duplicate from then on.
    """
    supplier = device.credentials.party(RemotePartyRole.SUPPLIER)
    try:
        read_utrn(utrn)
    except IdentifierError:  # its text would hold the token, which is worth money
        device.note_failure("the token is not 20 digits with a right check digit")
        return TopUpResult.INVALID, 0
    if counter in _seen(device):
        device.log(DUPLICATE)
        device.note_failure("the token was entered before")
        return TopUpResult.DUPLICATE, 0
    try:
        if supplier is None:
            raise ProtectionError("no supplier is held")
        z = device.credentials.z(supplier, CellUsage.PREPAYMENT_TOP_UP)
        token = check_utrn(utrn, z, supplier=supplier, meter=device.eui64, counter=counter)
    except (ProtectionError, KeystoreError) as problem:
        device.log(_NOT_AUTHENTIC)
        device.note_failure(str(problem))
        return TopUpResult.INVALID, 0
    _remember(device, counter)
    device.log(_ADDED)
    return TopUpResult.ACCEPTED, token.pence * MILLIPENCE


def check_entered(device: GbcsDevice, utrn: str, tell: Callable[[int], None] | None = None) -> tuple[TopUpResult, int]:
    """As :func:`check` for a token that comes without its counter, from a keypad or a PPMID.

    The token carries ten bits of the counter; the rest is taken from the highest top-up counter known, its neighbours included. After
    several wrong ones none is looked at for a while. ``tell`` takes the events of that; without it they are logged.
    """
    tell, now, name = tell or device.log, int(device.now()), device.prefix + "token/"
    if now < int.from_bytes(device.store.get(name + "suspended") or b"", "big"):
        tell(LOCKED_OUT)
        device.note_failure("entry of tokens is suspended")
        return TopUpResult.ENTRY_LOCKED_OUT, 0
    result, value = _check_entered(device, utrn)
    if result is TopUpResult.ACCEPTED:
        device.store.delete(name + "wrong")
    elif result is TopUpResult.INVALID:
        profile = device.profile
        wrong = [moment for (moment,) in _MOMENT.iter_unpack(device.store.get(name + "wrong") or b"")]
        wrong = [*(moment for moment in wrong if now - moment <= profile.wrong_tokens_within_s), now]
        if len(wrong) >= profile.wrong_tokens:
            wrong.clear()
            device.store.put(name + "suspended", _MOMENT.pack(now + profile.tokens_suspended_s))
            tell(ENTRY_SUSPENDED)
        device.store.put(name + "wrong", b"".join(map(_MOMENT.pack, wrong)))
    return result, value


def _check_entered(device: GbcsDevice, utrn: str) -> tuple[TopUpResult, int]:
    try:
        bits = read_utrn(utrn).counter_bits
    except IdentifierError:
        device.note_failure("the token is not 20 digits with a right check digit")
        return TopUpResult.INVALID, 0
    known = [device.credentials.counter(RemotePartyRole.SUPPLIER, top_up=True), *_seen(device)]
    highest = max(known) >> 32
    candidates = [(highest & ~_BITS) + bits + step for step in (0, _BITS + 1, -_BITS - 1)]
    supplier = device.credentials.party(RemotePartyRole.SUPPLIER)
    for candidate in candidates:
        if candidate >= 0 and supplier is not None and _authentic(device, supplier, utrn, candidate << 32):
            return check(device, utrn, candidate << 32)
    return check(device, utrn, candidates[0] << 32)


def _authentic(device: GbcsDevice, supplier: Eui64, utrn: str, counter: int) -> bool:
    try:
        z = device.credentials.z(supplier, CellUsage.PREPAYMENT_TOP_UP)
        check_utrn(utrn, z, supplier=supplier, meter=device.eui64, counter=counter)
    except (ProtectionError, KeystoreError):
        return False
    return True


def _seen(device: GbcsDevice) -> set[int]:
    values = (device.store.get(key) for key in device.store.keys(device.prefix + "token/slot/"))
    return {int.from_bytes(value, "big") for value in values if value is not None}


def _remember(device: GbcsDevice, counter: int) -> None:
    name = device.prefix + "token/written"
    written = int.from_bytes(device.store.get(name) or b"", "big")
    device.store.put(f"{device.prefix}token/slot/{written % CACHE:03d}", counter.to_bytes(8, "big"))
    device.store.put(name, (written + 1).to_bytes(4, "big"))
