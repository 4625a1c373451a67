"""A Device's yes to a new certificate proves a certificate of its own that an authority has issued, and nothing else."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from firmware_emu.ids import Eui64
from hil.dcc.duis import ServiceRequest
from tests.dcc.certificates import held, self_made
from tests.dcc.far_end import CHF, ESME, FarEnd


def asks(far_end: FarEnd, target: Eui64, certificate: x509.Certificate) -> ServiceRequest:
    return far_end.dcc.request(far_end.supplier, "6.15.2", target, {"DeviceCertificate": certificate.public_bytes(Encoding.DER)})


def test_the_certificate_of_the_target_that_its_authority_issued_is_published(far_end: FarEnd) -> None:
    certificate = held(far_end, ESME)
    assert far_end.dcc.repository.certificate_in(asks(far_end, ESME, certificate)) == certificate


@pytest.mark.parametrize("of", [ESME, CHF])
def test_a_certificate_of_another_device_or_of_no_authority_is_not(far_end: FarEnd, of: Eui64) -> None:
    """A Device that its owner has in hand could speak for every other one else."""
    bad = held(far_end, CHF) if of == CHF else self_made(held(far_end, ESME))
    assert far_end.dcc.repository.certificate_in(asks(far_end, ESME, bad)) is None
