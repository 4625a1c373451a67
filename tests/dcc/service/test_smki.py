"""The SMKI repository service: certificates by entity and by serial number, as DCC Boxed's key store asks."""

from __future__ import annotations

import base64

import httpx
import pytest
from cryptography import x509
from lxml import etree

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import KeyUsage
from hil.dcc.service.smki import SmkiRepository
from tests.dcc.far_end import ESME, SUPPLIER


async def ask(keystore: Keystore, address: str, body: str) -> httpx.Response:
    transport = httpx.ASGITransport(SmkiRepository(keystore).app())
    async with httpx.AsyncClient(transport=transport, base_url="http://smki") as client:
        headers = {"Content-Type": "application/xml"}
        return await client.post(f"/services/{address}", params={"apikey": "any"}, content=body, headers=headers)


async def test_a_device_s_certificates_are_found_and_each_is_retrieved_by_its_serial_number(keystore: Keystore) -> None:
    name = ESME.duis.lower()
    found = await ask(
        keystore,
        "certificatesearch",
        f"<CertificateSearchRequest><CertificateSubjectAltName>{name}</CertificateSubjectAltName></CertificateSearchRequest>",
    )
    assert found.headers["content-type"].startswith("application/xml")
    results = {one.findtext("CertificateUsage"): one for one in etree.fromstring(found.content).iter("Result")}
    assert set(results) == {"DS", "KA"}
    assert {one.findtext("CertificateStatus") for one in results.values()} == {"I"}
    serial = (results["KA"].findtext("CertificateSerial") or "").lower().lstrip("0")
    body = f"<CertificateDataRequest><CertificateSerial>{serial}</CertificateSerial></CertificateDataRequest>"
    told = etree.fromstring((await ask(keystore, "retrievecertificate", body)).content)
    der = base64.b64decode(told.findtext(".//CertificateBody") or "")
    assert x509.load_der_x509_certificate(der) == keystore.certificate(ESME, KeyUsage.KEY_AGREEMENT)
    assert told.find(".//CertificateSubjectName") is None


async def test_an_organisation_s_certificates_say_their_role(keystore: Keystore) -> None:
    body = f"<CertificateSearchRequest><CertificateSubjectName>{SUPPLIER.duis}</CertificateSubjectName></CertificateSearchRequest>"
    found = etree.fromstring((await ask(keystore, "certificatesearch", body)).content)
    assert {one.findtext("CertificateRole") for one in found.iter("Result")} == {"2", "135"}


@pytest.mark.parametrize(
    ("address", "body", "status"),
    [
        ("certificatesearch", "<CertificateSearchRequest/>", 401),
        ("certificatesearch", "nothing", 401),
        (
            "certificatesearch",
            "<CertificateSearchRequest><CertificateSubjectAltName>00-00-00-00-00-00-00-99</CertificateSubjectAltName></CertificateSearchRequest>",
            402,
        ),
        ("retrievecertificate", "<CertificateDataRequest><CertificateSerial>12</CertificateSerial></CertificateDataRequest>", 402),
        ("retrievecertificate", "<CertificateDataRequest><CertificateSerial>x</CertificateSerial></CertificateDataRequest>", 401),
    ],
)
async def test_what_is_not_found_and_what_cannot_be_looked_for_have_their_codes(
    keystore: Keystore, address: str, body: str, status: int
) -> None:
    assert (await ask(keystore, address, body)).status_code == status
