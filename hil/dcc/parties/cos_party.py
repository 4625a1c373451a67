"""The CoS Party: the DCC's separated function that signs a change of supplier, with its own identity and keys.

The main DCC systems hold none of its private keys and cannot sign as it (sec2-rules COS-01 [142]); it confirms each request
by its own checks (COS-03 [144]) and correlates before it signs (COS-04 [145, 146]). The main DCC knows it as a
:class:`hil.dcc.parties.cos_signer.CosSigner` alone.
"""

from __future__ import annotations

from firmware_emu.clock import Clock
from firmware_emu.crypto.certificate_profile import CertificateProfile, check_profile
from firmware_emu.crypto.certificates import check_path, entity_of, parse_certificate, role_of
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import KeyUsage, RemotePartyRole
from firmware_emu.errors import DecodeError, IdentifierError, KeystoreError, ProtectionError
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.protect import with_signature
from firmware_emu.ids import Eui64
from hil.dcc.base.refusals import refused
from hil.dcc.base.results import Refusal
from hil.dcc.duis import ServiceRequest, verify_request
from hil.dcc.duis.request import Node
from hil.dcc.parties.users import signing_certificate
from hil.parse_correlate import Entity, Known, correlate

_REPLACED = ("DigitalSigningCertificate", "KeyAgreementCertificate", "KeyAgreementTopUpCertificate")


class CosParty:
    """The CoS Party of the interim arrangement. ``keystore`` may hold more: only its own private keys are kept."""

    def __init__(self, eui: Eui64, keystore: Keystore, clock: Clock) -> None:
        self.eui = eui
        self._keystore = keystore.subset(*keystore.entities(), private=(eui,))
        self._clock = clock

    def confirm(self, request: ServiceRequest) -> Refusal | None:
        """The request is signed by the gaining supplier, and every credential it carries is that supplier's, valid now."""
        sender = request.request_id.originator
        try:
            body = Node(verify_request(request, signing_certificate(self._keystore, sender)).value.body)
            for element in _REPLACED:
                path = f"SupplierReplacementCertificates/{element}"
                if not body.has(path):
                    continue
                octets = body.base64(path)
                check_profile(octets, CertificateProfile.ORGANISATION)
                certificate = parse_certificate(octets)
                if entity_of(certificate) != sender or role_of(certificate) is not RemotePartyRole.SUPPLIER:
                    return refused("cos-other-credentials", element=element, entity=entity_of(certificate), sender=sender)
                check_path(certificate, self._keystore.authorities(), self._clock.datetime())
        except (ProtectionError, KeystoreError, IdentifierError, DecodeError, ValueError) as error:
            return refused("cos-invalid", problem=error)
        return None

    def sign(self, request: ServiceRequest, pre_command: bytes) -> Message | Refusal:
        """Sign the pre-command if it says what the octets of the request ask that its sender signed. Raises KeystoreError without the
        signing key."""
        try:
            proven = verify_request(request, signing_certificate(self._keystore, request.request_id.originator))
        except (ProtectionError, KeystoreError) as error:
            return refused("cos-invalid", problem=error)
        correlation = correlate(proven.octets, pre_command, known=Known(originator=Entity(self.eui.octets)))
        if not correlation.match:
            return refused("cos-does-not-correlate", differences="; ".join(map(str, correlation.differences)))
        return with_signature(Message.decode(pre_command), self._keystore.private_key(self.eui, KeyUsage.DIGITAL_SIGNATURE))
