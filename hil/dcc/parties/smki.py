"""The Device certificates that came after enrolment, as the SMKI repository gives them to everybody (6.15.2; sec2-rules 4, GW-59).

A Device that has taken a new certificate signs, or agrees keys, with the key it certifies from then on: the DCC and every user take
it into their keystores. Kept in the DCC's store, so that the next DCC knows it too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from firmware_emu.crypto.certificate_profile import CertificateProfile, check_profile
from firmware_emu.crypto.certificates import check_path, entity_of, parse_certificate, usage_of
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.errors import DecodeError, ProtectionError
from firmware_emu.ids import Eui64
from hil.dcc.base.store import Bus, DccStore
from hil.dcc.duis import ServiceRequest
from hil.dcc.duis.request import Node


@dataclass(frozen=True, slots=True)
class CertificatePublished:
    """Told on the bus of every certificate that a Device has taken."""

    certificate: x509.Certificate


@dataclass(frozen=True, slots=True)
class Repository:
    """The certificates published since enrolment. ``keystore`` is the DCC's."""

    store: DccStore
    keystore: Keystore
    bus: Bus
    paths: bool = True
    """False: certificates are taken as they are, as the published test certificates need, whose authority nobody has."""

    def load(self) -> None:
        """After a restart: what was published before."""
        for certificate in self.published():
            self.keystore.add_certificate(certificate)

    def published(self) -> tuple[x509.Certificate, ...]:
        """Every certificate published since enrolment, oldest first."""
        return tuple(parse_certificate(row["der"]) for row in self.store.rows("SELECT der FROM device_certificates ORDER BY rowid"))

    def publish(self, certificate: x509.Certificate) -> None:
        """The Device has taken it: everybody uses it from now on."""
        der = certificate.public_bytes(Encoding.DER)
        self.store.execute(
            "INSERT OR REPLACE INTO device_certificates VALUES (?, ?, ?)", (str(entity_of(certificate)), usage_of(certificate).name, der)
        )
        self.store.tell(f"certificate {entity_of(certificate)}")
        self._use(certificate)

    def take_up_all(self) -> None:
        """Other processes may have published certificates of any Device."""
        for certificate in self.published():
            self._use(certificate)

    def take_up(self, device: Eui64) -> None:
        """Another process has published a certificate of this Device."""
        for row in self.store.rows("SELECT der FROM device_certificates WHERE device = ?", (str(device),)):
            self._use(parse_certificate(row["der"]))

    def _use(self, certificate: x509.Certificate) -> None:
        self.keystore.add_certificate(certificate)
        self.bus.tell(CertificatePublished(certificate))

    @contextmanager
    def as_if_taken(self, certificate: x509.Certificate) -> Iterator[None]:
        """Hold as if the Device had taken the certificate: the DCC's keystore with it, and without it again if an error ends this."""
        device, usage = entity_of(certificate), usage_of(certificate)
        before = self.keystore.certificate(device, usage)
        self.keystore.add_certificate(certificate)
        try:
            yield
        except BaseException:  # whatever ended it, the Device has not taken the certificate; the error goes on
            self.keystore.add_certificate(before)
            raise

    def certificate_in(self, request: ServiceRequest) -> x509.Certificate | None:
        """The certificate of its target that a 6.15.2 carries; None for another request, and for one that carries none, another Device's
        or one that no authority has issued: a Device that says yes to that proves nothing about it."""
        if request.service_reference_variant != "6.15.2":
            return None
        try:
            octets = Node(request.body).base64("DeviceCertificate")
            check_profile(octets, CertificateProfile.DEVICE)
            certificate = parse_certificate(octets)
            if self.paths:
                check_path(certificate, self.keystore.authorities(), None)
            return certificate if entity_of(certificate) == request.request_id.target else None
        except (ProtectionError, DecodeError):
            return None
