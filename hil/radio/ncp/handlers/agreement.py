"""Key establishment in the dongle, suite 2 (283k1), where the firmware has the library and a certificate is written: reference ncp-real 8.

Not modelled: suite 1, whose library no firmware here has; signing and verifying (dsaSign, dsaVerify).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from firmware_emu.crypto import ecmqv
from firmware_emu.crypto.binary_curve import SECT283K1
from firmware_emu.crypto.ecqv import CERTIFICATE_LENGTH, CbkeCredentials, ImplicitCertificate, extract_public_key
from firmware_emu.errors import CommsHubError, DecodeError
from firmware_emu.ids import Eui64
from hil.radio.ncp.ezsp import CUSTOM_EUI, Handler, Ncp, Reply
from hil.radio.ncp.handlers.registry import register_in
from hil.radio.port.dongle_server import Fields
from hil.radio.stack.status import Status

HANDLERS: dict[str, Handler] = {}
handles = register_in(HANDLERS)

LIBRARY = "cbke"
"""Trait of a firmware that has the library."""
SUITE = 2
CURVE_S = 0.2
"""One operation on the curve; a value of this bench."""
CERTIFICATE, AUTHORITY, PRIVATE = "cbke:certificate", "cbke:authority", "cbke:private"
_VALUES = {0x1A: (CERTIFICATE, CERTIFICATE_LENGTH[SUITE]), 0x1B: (AUTHORITY, 37), 0x1C: (PRIVATE, 36)}
"""Values by which a host hands over what savePreinstalledCbkeData283k1 writes."""


@dataclass(slots=True)
class Temporary:
    """Data of one agreement, until they are cleared."""

    private: int
    public: bytes
    partner: Eui64 | None = None
    key: bytes = b""


def write(ncp: Ncp, credentials: CbkeCredentials) -> None:
    """Write certificate and keys into the dongle, whose EUI-64 becomes that of the certificate. Raises DecodeError for another suite."""
    subject = ImplicitCertificate.decode(credentials.certificate, SUITE).subject
    data = ncp.stack.tokens.data
    data[CERTIFICATE], data[AUTHORITY] = credentials.certificate, credentials.ca_public_key
    data[PRIVATE] = credentials.private_key.to_bytes(36, "big")
    if ncp.stack.tokens.eui64 != subject:
        data[CUSTOM_EUI] = subject.zigbee
    ncp.stack.tokens.save()
    ncp.reset()


def _missing(ncp: Ncp) -> bool:
    return not ncp.personality.has(LIBRARY)


@handles("getCertificate", "generateCbkeKeys", "calculateSmacs", "clearTemporaryDataMaybeStoreLinkKey", "setPreinstalledCbkeData")
def no_library(ncp: Ncp, fields: Fields) -> Reply:
    """As common dongle images answer: key establishment is the host's (reference ezsp-ncp 4)."""
    return {"status": Status.LIBRARY_NOT_PRESENT}


@handles("getCertificate283k1")
def certificate(ncp: Ncp, fields: Fields) -> Reply:
    if _missing(ncp):
        return no_library(ncp, fields)
    written = ncp.stack.tokens.data.get(CERTIFICATE)
    return {"status": Status.FATAL} if written is None else {"status": Status.SUCCESS, "certificate": written}


@handles("savePreinstalledCbkeData283k1")
def save(ncp: Ncp, fields: Fields) -> Reply:
    """Once; a certificate for another EUI-64 changes that of the node, which has no network then."""
    data, tokens = ncp.stack.tokens.data, ncp.stack.tokens
    if _missing(ncp):
        return no_library(ncp, fields)
    if CERTIFICATE in data:
        return {"status": Status.FLASH_WRITE_INHIBITED}
    handed = {name: ncp.values.get(value, b"") for value, (name, _) in _VALUES.items()}
    if any(len(handed[name]) != length for name, length in _VALUES.values()):
        return {"status": Status.BAD_ARGUMENT}
    try:
        subject = ImplicitCertificate.decode(handed[CERTIFICATE], SUITE).subject
    except DecodeError:
        return {"status": Status.BAD_ARGUMENT}
    if subject != tokens.eui64:
        if ncp.stack.running:
            return {"status": Status.INVALID_CALL}
        data[CUSTOM_EUI] = subject.zigbee
    data.update(handed)
    tokens.save()
    return {"status": Status.SUCCESS}


def _started(ncp: Ncp) -> Status | None:
    """Status that refuses an operation on the curve; None where it begins."""
    if _missing(ncp):
        return Status.LIBRARY_NOT_PRESENT
    if ncp.curve_busy:
        return Status.INVALID_CALL
    return Status.FATAL if CERTIFICATE not in ncp.stack.tokens.data else None


@handles("generateCbkeKeys283k1")
def generate(ncp: Ncp, fields: Fields) -> Reply:
    if (refused := _started(ncp)) is not None:
        return {"status": refused}
    ncp.drawn += 1
    private = 1 + ncp.stack.air.random(f"{ncp.stack.tokens.eui64} ephemeral {ncp.life} {ncp.drawn}").randrange(SECT283K1.n - 1)
    point = SECT283K1.multiply(private, SECT283K1.generator)
    assert point is not None, "0 < private < n"
    made = Temporary(private, SECT283K1.compress(point))
    ncp.agreement = made
    _later(ncp, "generateCbkeKeysHandler283k1", {"status": Status.SUCCESS, "public": made.public})
    return {"status": Status.OPERATION_IN_PROGRESS}


@handles("calculateSmacs283k1")
def calculate(ncp: Ncp, fields: Fields) -> Reply:
    if (refused := _started(ncp)) is not None:
        return {"status": refused}
    held = ncp.agreement
    if not isinstance(held, Temporary):
        return {"status": Status.INVALID_CALL}
    initiator, theirs, point = bool(fields.u("initiator")), fields.octets("certificate"), fields.octets("public")
    data, own = ncp.stack.tokens.data, ncp.stack.tokens.eui64
    try:
        held.partner = ImplicitCertificate.decode(theirs, SUITE).subject
        static = extract_public_key(theirs, data[AUTHORITY], SUITE)
        z = ecmqv.agree(SUITE, int.from_bytes(data[PRIVATE], "big"), held.private, held.public, static, point)
    except CommsHubError:
        _later(ncp, "calculateSmacsHandler283k1", {"status": Status.FATAL})
        return {"status": Status.OPERATION_IN_PROGRESS}
    mac_key, held.key = ecmqv.derive(z)
    ends = (own, held.partner, held.public, point) if initiator else (held.partner, own, point, held.public)
    macs = ecmqv.confirm_macs(mac_key, ends[0].octets, ends[1].octets, ends[2], ends[3])
    _later(ncp, "calculateSmacsHandler283k1", {"status": Status.SUCCESS, "initiator": macs[0], "responder": macs[1]})
    return {"status": Status.OPERATION_IN_PROGRESS}


def _later(ncp: Ncp, callback: str, values: Reply) -> None:
    """The end of an operation on the curve, unless the dongle has been reset meanwhile."""
    ncp.curve_busy, life = True, ncp.life

    def end() -> None:
        if ncp.life == life:
            ncp.curve_busy = False
            ncp.callback(callback, values)

    asyncio.get_running_loop().call_later(CURVE_S, end)


@handles("clearTemporaryDataMaybeStoreLinkKey283k1")
def clear(ncp: Ncp, fields: Fields) -> Reply:
    """Keep the key where the host found the confirmations right; without storing the answer is always a failure."""
    if _missing(ncp):
        return no_library(ncp, fields)
    held, ncp.agreement = ncp.agreement, None
    if not fields.u("store") or not isinstance(held, Temporary) or held.partner is None or not held.key:
        return {"status": Status.FATAL}
    ncp.stack.keep_link_key(held.partner, held.key)
    return {"status": Status.SUCCESS}
