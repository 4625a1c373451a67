"""Critical requests whose values somebody changed before they were signed: what the DCC makes of one says what another reader reads in it.

The other reader is Parse and Correlate, which shares no code with the transform.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType, KeyUsage, RemotePartyRole
from firmware_emu.errors import CommsHubError
from firmware_emu.ids import Eui64
from hil.attacks.siege.search import Mutation, octets_changed
from hil.dcc.duis import new_request, read_request, sign_request, verify_request, write_request
from hil.dcc.duis.document import Content
from hil.dcc.parties.users import HeldKeys
from hil.dcc.transform import transform
from hil.dcc.transform.check import CREATED, Checker, ReferenceDevice
from hil.parse_correlate import Entity, Known, correlate

_REQUESTS: Final[tuple[tuple[str, dict[str, Content]], ...]] = (
    ("1.5", {"PrepaymentMode": {"AdjustMeterBalance": 1_200_000}}),
    ("1.6", {"ExecutionDateTime": "2030-01-15T09:00:00.00Z", "Credit": None}),
    ("7.2", {}),
    ("6.11", {"CurrentDateTime": "2030-01-15T09:00:00.00Z", "TolerancePeriod": 10}),
)
_VALUES: Final = tuple(
    text.encode()
    for text in (
        *("", "0", "-0", "+7", "007", "-1", " 9 ", "9\n", "1e3", "0x10", "1_000", "9.0", "２", "٣", "9\u00a0", "true", "NaN"),
        *("2147483647", "2147483648", "-2147483648", "-2147483649", "4294967296", "9" * 19, "9" * 60),
        *("2030-01-15T09:00:00Z", "2030-01-15T09:00:00+00:00", "2030-01-15T24:00:00Z", "2030-02-30T09:00:00Z", "2030-01-15T09:00:00"),
        *("2030-01-15T09:00:60Z", "2030-01-15T09:00:00.999Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2030-01-15T09:00:00+14:00"),
        *("<!---->", "<![CDATA[9]]>", "&#57;", "9<!---->0"),
    )
)


class Meanings:
    """Requests that are signed as they are changed."""

    kinds = ("value", "octet", "gone", "twice", "swapped", "request")

    def __init__(self, keystore: Keystore, user: Eui64, meter: Eui64) -> None:
        self._user = user
        self._meter = meter
        self._key = keystore.private_key(user, KeyUsage.DIGITAL_SIGNATURE)
        self._certificate = keystore.certificate(user, KeyUsage.DIGITAL_SIGNATURE)
        device = ReferenceDevice(DeviceType.ESME, parties=(user, *keystore.find(RemotePartyRole.NETWORK_OPERATOR)))
        self._checker = Checker(keystore, {meter: device}, names=False)
        self._held = HeldKeys(keystore)
        self._honest = [write_request(new_request(variant, user, meter, 1001, body)) for variant, body in _REQUESTS]

    def judge(self, changes: Sequence[Mutation]) -> str | None:
        which = next((change.number for change in changes if change.kind == "request"), 0)
        octets = self._honest[which % len(self._honest)]
        for change in changes:
            octets = _changed(octets, change)
        try:
            signed = write_request(sign_request(read_request(octets), self._key, self._certificate))
            request = verify_request(read_request(signed), self._certificate).value
            if request.request_id.originator != self._user:
                return None  # the gateway takes the certificate of whom the request names
            made = transform(request, self._checker.context(request, 6001)).encode()
        except CommsHubError:
            return None
        header = request.request_id
        known = Known(CREATED, Entity(header.originator.octets), header.counter, self._type_of, self._held.agreement_certificates)
        verdict = correlate(signed, made, known=known)
        if verdict.match:
            return None
        return f"the DCC makes of a signed request what says another thing: {'; '.join(map(str, verdict.differences))}"[:300]

    def _type_of(self, entity: Entity) -> int | None:
        return int(DeviceType.ESME) if entity.octets == self._meter.octets else None


def _changed(octets: bytes, change: Mutation) -> bytes:
    elements = list(re.finditer(rb"<(sr:\w+)>([^<]*)</\1>|<(sr:\w+)/>", octets))
    if not elements:
        return octets
    found = elements[int(change.place * len(elements))]
    match change.kind:
        case "value" if found[1]:
            return octets[: found.start(2)] + _VALUES[change.number % len(_VALUES)] + octets[found.end(2) :]
        case "octet" if found[2]:
            inside = octets_changed(found[2], Mutation(("set", "flip", "drop", "put")[change.number >> 8 & 3], change.place, change.number))
            return octets[: found.start(2)] + inside + octets[found.end(2) :]
        case "gone":
            return octets[: found.start()] + octets[found.end() :]
        case "twice":
            return octets[: found.end()] + found[0] + octets[found.end() :]
        case "swapped":
            first, other = sorted((found, elements[change.number % len(elements)]), key=lambda one: one.start())
            between = octets[first.end() : other.start()]
            return octets if first is other else octets[: first.start()] + other[0] + between + first[0] + octets[other.end() :]
        case _:
            return octets
