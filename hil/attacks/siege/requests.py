"""Signed service requests at the gateway's door: whatever is changed, what verifies says what was signed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.errors import CommsHubError
from firmware_emu.ids import Eui64
from hil.attacks.siege.search import Mutation, octets_changed
from hil.dcc.duis import new_request, read_request, sign_request, verify_request, write_request
from hil.dcc.duis.document import Content


class SignedRequests:
    """Signed requests: whatever is changed, what verifies says what was signed."""

    _INSERTS: Final = (b"<!---->", b"<!--9-->", b"<?x y?>", b"<![CDATA[9]]>", b"&#57;", b"9", b" ", b"<sr:X/>", b"\n")
    kinds = ("insert", "value", "drop", "repeat", "attribute", "wrap", "splice", "octet")

    def __init__(self, keystore: Keystore, user: Eui64, hub: Eui64, meter: Eui64) -> None:
        body: dict[str, Content] = {
            "DeviceID": meter,
            "RequestType": "Add",
            "AddDeviceToCHFWhitelist": {"JoinTimePeriod": 600, "InstallCode": bytes(16)},
        }
        self._certificate = keystore.certificate(user, KeyUsage.DIGITAL_SIGNATURE)
        key = keystore.private_key(user, KeyUsage.DIGITAL_SIGNATURE)
        self._octets = write_request(sign_request(new_request("8.11", user, hub, 1001, body), key, self._certificate))
        read = new_request("4.1.1", user, meter, 1002)
        self._other = write_request(sign_request(read, key, self._certificate))
        self._proven = (self._said(self._octets), self._said(self._other))

    def _said(self, octets: bytes) -> tuple[str, tuple[tuple[str, str], ...]]:
        request = verify_request(read_request(octets), self._certificate).value
        values = tuple((str(one.tag), one.text or "") for one in request.body.iter() if isinstance(one.tag, str) and not len(one))
        return str(request.request_id), values

    def judge(self, changes: Sequence[Mutation]) -> str | None:
        octets = self._octets
        for change in changes:
            octets = self._changed(octets, change)
        try:
            said = self._said(octets)
        except CommsHubError:
            return None
        return None if said in self._proven else f"a changed request verifies and says {said}"[:300]

    def _changed(self, octets: bytes, change: Mutation) -> bytes:
        at = int(change.place * len(octets))
        if change.kind == "insert":
            inserts = self._INSERTS
            return octets[:at] + inserts[change.number % len(inserts)] + octets[at:]
        if change.kind == "value":  # inside a value, where a comment splits it
            values = [found.start() + 2 for found in re.finditer(rb">[^<>\s]{2,}</", octets)]
            at = values[change.number % len(values)] if values else at
            return octets[:at] + self._INSERTS[int(change.place * len(self._INSERTS))] + octets[at:]
        if change.kind == "octet":
            return octets_changed(octets, Mutation(("set", "flip", "drop", "put")[change.number >> 8 & 3], change.place, change.number))
        if change.kind in ("wrap", "splice"):
            return self._signed_by_another(octets, change)
        elements = list(re.finditer(rb"<(sr:\w+)>[^<]*</\1>", octets))
        if not elements:
            return octets
        found = elements[change.number % len(elements)]
        if change.kind == "drop":
            return octets[: found.start()] + octets[found.end() :]
        if change.kind == "repeat":
            return octets[: found.end()] + found[0] + octets[found.end() :]
        return octets.replace(b'URI=""', (b'URI="#x"', b"", b'Id="x" URI=""')[change.number % 3], 1)

    def _signed_by_another(self, octets: bytes, change: Mutation) -> bytes:
        """Under a signature that was made over something else of the same user, or with something else beside what was signed."""
        own, other = octets.find(b"<ds:Signature"), self._other.find(b"<ds:Signature")
        if own < 0:
            return octets
        if change.kind == "splice":
            return octets[:own] + self._other[other:] if change.number % 2 else self._other[:other] + octets[own:]
        inside = (b"<ds:Object/>", b'<ds:Object Id="x">' + self._other[self._other.find(b"<sr:Request") :] + b"</ds:Object>")
        match change.number % 4:
            case 0 | 1 as which:
                return octets.replace(b"</ds:Signature>", inside[which] + b"</ds:Signature>", 1)
            case 2:
                return b"<w>" + octets[octets.find(b"<sr:") :] + b"</w>"
            case _:
                return octets.replace(b'schemaVersion="', b'schemaVersion="9', 1)
