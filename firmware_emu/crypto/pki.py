"""A public key infrastructure of the bench's own: authorities, organisations, Devices, key establishment, SM WAN TLS, in one folder.

Certificates follow the SMKI profile (:mod:`firmware_emu.crypto.certificates`); the files are those of
:mod:`firmware_emu.crypto.keystore_files` and :mod:`firmware_emu.crypto.tls_credentials`. Nothing made here is worth anything elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from firmware_emu.crypto import ecqv, primitives, tls_credentials
from firmware_emu.crypto import keystore_files as files
from firmware_emu.crypto.certificates import (
    DEVICE_POLICY,
    NEVER_EXPIRES,
    ORGANISATION_POLICY,
    Issuer,
    Validity,
    authority_certificate,
    device_certificate,
    organisation_certificate,
)
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import XML_SIGNING_DCC, XML_SIGNING_USER, CellUsage, DeviceType, KeyUsage, RemotePartyRole
from firmware_emu.errors import KeystoreError
from firmware_emu.ids import Eui64

DEFAULT_ORGANISATIONS: Final[Mapping[str, tuple[RemotePartyRole, Eui64]]] = {
    "recovery": (RemotePartyRole.RECOVERY, Eui64.parse("90b3d51f30000001")),
    "access-control-broker": (RemotePartyRole.ACCESS_CONTROL_BROKER, Eui64.parse("90b3d51f30000002")),
    "transitional-cos": (RemotePartyRole.TRANSITIONAL_COS, Eui64.parse("90b3d51f30000004")),
    "wan-provider": (RemotePartyRole.WAN_PROVIDER, Eui64.parse("90b3d51f30000007")),
    "supplier": (RemotePartyRole.SUPPLIER, Eui64.parse("90b3d51f30010000")),
    "load-controller": (RemotePartyRole.LOAD_CONTROLLER, Eui64.parse("90b3d51f30010008")),
    "network-operator": (RemotePartyRole.NETWORK_OPERATOR, Eui64.parse("90b3d51f30020000")),
    "second-supplier": (RemotePartyRole.SUPPLIER, Eui64.parse("90b3d51f30030000")),
    "other-user": (RemotePartyRole.OTHER, Eui64.parse("90b3d51f30040000")),
}
"""Identities of the Reference Test Data Set (reference gbcs-messages 1.6); the other user's is the bench's own."""

DEFAULT_DEVICES: Final[Mapping[Eui64, DeviceType]] = {
    Eui64.parse("00db1234567890a0"): DeviceType.ESME,
    Eui64.parse("00db1234567890a1"): DeviceType.GSME,
    Eui64.parse("00db1234567890a2"): DeviceType.CHF,
    Eui64.parse("00db1234567890a3"): DeviceType.GPF,
    Eui64.parse("00db1234567890a4"): DeviceType.PPMID,
    Eui64.parse("00db1234567890a5"): DeviceType.HCALCS,
    Eui64.parse("00db1234567890b0"): DeviceType.TYPE_2,
}
"""Identities of the Reference Test Data Set (reference gbcs-messages 1.6); the Type 2 Device's is the bench's own."""

VALID_FROM: Final = datetime(2015, 1, 1, tzinfo=UTC)
"""Start of every certificate: the instant the Reference Test Data Set is built around, so that a bench may run at any later time."""

ORGANISATION_YEARS: Final = 25
"""Life of an organisation's and an authority's certificate: the bench's own choice, that of the published test issuing authority.
Published test role certificates live 10 years and have run out (reference dcc-side 7)."""

XML_YEARS: Final = 100
"""Life of a certificate that signs XML (reference dcc-side 7)."""

CBKE_ISSUER: Final = Eui64(b"CHUBTEST")
"""Issuer identifier in the key establishment certificates of the bench's own authority."""

_DEVICE_AUTHORITY: Final = "BENCH-DCA"

_DS: Final = (KeyUsage.DIGITAL_SIGNATURE, CellUsage.MANAGEMENT)
_KA: Final = (KeyUsage.KEY_AGREEMENT, CellUsage.MANAGEMENT)
_TOP_UP: Final = (KeyUsage.KEY_AGREEMENT, CellUsage.PREPAYMENT_TOP_UP)

_PAIRS: Final[Mapping[RemotePartyRole, tuple[tuple[KeyUsage, CellUsage], ...]]] = {
    RemotePartyRole.RECOVERY: (_DS,),
    RemotePartyRole.SUPPLIER: (_DS, _KA, _TOP_UP),
    RemotePartyRole.NETWORK_OPERATOR: (_DS, _KA),
    RemotePartyRole.ACCESS_CONTROL_BROKER: (_DS, _KA),
    RemotePartyRole.TRANSITIONAL_COS: (_DS,),
    RemotePartyRole.WAN_PROVIDER: (_DS, _KA),
    RemotePartyRole.LOAD_CONTROLLER: (_DS, _KA),
    RemotePartyRole.OTHER: (_DS, _KA),
}
"""Key pairs of each role, as published with the RTDS; its WAN provider's key agreement pair is misfiled there, and is made here."""

_USERS: Final = frozenset(
    {RemotePartyRole.SUPPLIER, RemotePartyRole.NETWORK_OPERATOR, RemotePartyRole.LOAD_CONTROLLER, RemotePartyRole.OTHER}
)


def make_pki(
    directory: Path,
    *,
    organisations: Mapping[str, tuple[RemotePartyRole, Eui64]] | None = None,
    devices: Mapping[Eui64, DeviceType],
    force: bool = False,
) -> Keystore:
    """Make a PKI in ``directory`` and return it as a keystore that holds every private key.

    ``organisations`` by name, with role and identity (None: DEFAULT_ORGANISATIONS); ``devices`` by identity. Made are: root and issuing
    authority of organisations and of Devices; each organisation's pairs; a pair for signing XML for each user (OU 87) and, filed under
    the access control broker, for the DCC (OU 89); a signature and a key agreement pair for each Device but those of type 2, which have
    none; suite 2 key establishment credentials for every Device; TLS credentials of the SM WAN for its server and each CHF. Files 0600,
    folder 0700. Raises KeystoreError where the folder already holds a keystore and not ``force``, or where two parties share an EUI-64.
    """
    parties = DEFAULT_ORGANISATIONS if organisations is None else organisations
    _check_identities(parties, devices)
    _make_room(directory, force)
    store = issue(parties, devices, str(directory))
    store.save(directory)
    tls = tls_credentials.make_authority(directory, _years(ORGANISATION_YEARS))
    tls_credentials.issue_hubs(directory, tls, _hubs(devices), _years(ORGANISATION_YEARS))
    return store


def issue(organisations: Mapping[str, tuple[RemotePartyRole, Eui64]], devices: Mapping[Eui64, DeviceType], source: str) -> Keystore:
    """The same PKI as a keystore alone, without files and without TLS credentials; ``source`` names it in errors. Raises KeystoreError
    where two parties share an EUI-64."""
    _check_identities(organisations, devices)
    store = Keystore(source)
    authority = _authority(
        store, "BENCH-OCA", RemotePartyRole.ISSUING_AUTHORITY, _authority(store, "BENCH-ROOT", RemotePartyRole.ROOT, None)
    )
    for name, (role, entity) in organisations.items():
        _add_organisation(store, authority, name, role, entity)
    device_authority = _authority(store, _DEVICE_AUTHORITY, None, _authority(store, "BENCH-DEVICE-ROOT", None, None))
    store.add_cbke_authority(ecqv.ImplicitAuthority.generate(CBKE_ISSUER))
    for entity, device_type in devices.items():
        _add_device(store, device_authority, entity, device_type)
    return store


def add_devices(directory: Path, devices: Mapping[Eui64, DeviceType]) -> Keystore:
    """Issue certificates and credentials to more Devices in a PKI made here; what is there stays. Raises KeystoreError."""
    store = Keystore.load(directory)
    there = [str(entity) for entity in devices if entity in store.entities()]
    if there:
        raise KeystoreError(str(directory), f"holds {', '.join(there)} already: name other EUI-64s")
    found = [cert for cert in store.authorities() if files.authority_stem(cert).startswith(f"authority-{_DEVICE_AUTHORITY.lower()}-")]
    if not found:
        raise KeystoreError(str(directory), f"holds no authority {_DEVICE_AUTHORITY}: expected a folder made by `chub pki make`")
    issuer = Issuer(found[0], store.authority_key(found[0]))
    for entity, device_type in devices.items():
        _add_device(store, issuer, entity, device_type)
    store.subset(*devices, private=devices).save(directory)
    hubs = _hubs(devices)
    if hubs:
        tls_credentials.issue_hubs(directory, tls_credentials.load_authority(directory), hubs, _years(ORGANISATION_YEARS))
    return store


def _hubs(devices: Mapping[Eui64, DeviceType]) -> list[Eui64]:
    return [entity for entity, device_type in devices.items() if device_type is DeviceType.CHF]


def _years(count: int) -> Validity:
    return Validity(VALID_FROM, VALID_FROM.replace(year=VALID_FROM.year + count))


def _check_identities(parties: Mapping[str, tuple[RemotePartyRole, Eui64]], devices: Mapping[Eui64, DeviceType]) -> None:
    named: dict[Eui64, str] = {entity: f"the {device_type.name} {entity}" for entity, device_type in devices.items()}
    for name, (role, entity) in parties.items():
        if role not in _PAIRS:
            raise KeystoreError(f"organisation {name}", f"role {role.name} is an authority's: it is made without being asked for")
        if entity in named:
            raise KeystoreError(f"organisation {name}", f"has the EUI-64 of {named[entity]}: each party needs its own")
        named[entity] = f"organisation {name}"


def _make_room(directory: Path, force: bool) -> None:
    if directory.exists() and not directory.is_dir():
        raise KeystoreError(str(directory), "is a file: expected a folder, or a name not yet used")
    held = [path for path in directory.iterdir() if files.is_keystore_file(path)] if directory.is_dir() else []
    tls_folder = directory / tls_credentials.FOLDER
    held += [path for path in tls_folder.iterdir() if path.suffix in (".pem", ".key")] if tls_folder.is_dir() else []
    if held and not force:
        raise KeystoreError(
            str(directory), f"holds {len(held)} keys and certificates already: use another folder, or --force to replace them"
        )
    for path in held:
        path.unlink()


def _authority(store: Keystore, name: str, role: RemotePartyRole | None, issuer: Issuer | None) -> Issuer:
    key = primitives.generate()
    policy = DEVICE_POLICY if role is None else ORGANISATION_POLICY
    cert = authority_certificate(name, role, key, issuer, _years(ORGANISATION_YEARS), policy=policy)
    store.add_authority_key(cert, key)
    return Issuer(cert, key)


def _add_organisation(store: Keystore, issuer: Issuer, name: str, role: RemotePartyRole, entity: Eui64) -> None:
    for usage, cell in _PAIRS[role]:
        key = primitives.generate()
        cert = organisation_certificate(entity, role, usage, key.public_key(), issuer, _years(ORGANISATION_YEARS), name)
        store.add_certificate(cert, cell)
        store.add_private_key(entity, usage, key, cell)
    unit = XML_SIGNING_USER if role in _USERS else XML_SIGNING_DCC if role is RemotePartyRole.ACCESS_CONTROL_BROKER else None
    if unit is not None:
        key = primitives.generate()
        valid = _years(XML_YEARS)
        store.add_certificate(organisation_certificate(entity, unit, KeyUsage.DIGITAL_SIGNATURE, key.public_key(), issuer, valid, name))
        store.add_xml_signing_key(entity, key)


def _add_device(store: Keystore, issuer: Issuer, entity: Eui64, device_type: DeviceType) -> None:
    if device_type is not DeviceType.TYPE_2:  # Type 2 Devices have no GBCS key pairs (reference gbcs-behaviour 2)
        for usage in (KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT):
            key = primitives.generate()
            store.add_certificate(device_certificate(entity, usage, key.public_key(), issuer, Validity(VALID_FROM, NEVER_EXPIRES)))
            store.add_private_key(entity, usage, key)
    valid_from = int(VALID_FROM.timestamp())
    store.add_cbke(entity, ecqv.issue(store.cbke_authority(), entity, valid_from=valid_from))
