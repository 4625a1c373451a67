"""The keystore: certificates and private keys by whom they speak for and what they are for.

It files every certificate under the identity the certificate itself carries; a file name that says otherwise is noted in ``warnings``.
File layouts: :mod:`firmware_emu.crypto.keystore_files`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from firmware_emu.crypto import keystore_files as files
from firmware_emu.crypto import primitives
from firmware_emu.crypto.certificates import entity_of, key_id_of, name_of, organisational_unit, public_key_of, role_of, usage_of
from firmware_emu.crypto.ecqv import CbkeCredentials, ImplicitAuthority
from firmware_emu.crypto.entropy import SYSTEM, Entropy
from firmware_emu.crypto.primitives import PrivateKey, PublicKey
from firmware_emu.crypto.roles import NO_ENTITY, XML_SIGNING_DCC, XML_SIGNING_USER, CellUsage, KeyUsage, RemotePartyRole
from firmware_emu.errors import KeystoreError
from firmware_emu.ids import Eui64

_MANAGEMENT: Final = CellUsage.MANAGEMENT
_XML: Final = "xml"
_XML_UNITS: Final = frozenset({XML_SIGNING_USER, XML_SIGNING_DCC})
_SUFFIX: Final = {
    (KeyUsage.DIGITAL_SIGNATURE, CellUsage.MANAGEMENT): "ds",
    (KeyUsage.KEY_AGREEMENT, CellUsage.MANAGEMENT): "ka",
    (KeyUsage.KEY_AGREEMENT, CellUsage.PREPAYMENT_TOP_UP): "pp-ka",
}
_PURPOSE: Final = {"ds": "digital signature", "ka": "key agreement", "pp-ka": "prepayment key agreement", _XML: "signing of XML"}

_Kept = TypeVar("_Kept")
_Slot = tuple[Eui64, str]  # whose pair, and which: a suffix of the file names


def _suffix(usage: KeyUsage, cell: CellUsage) -> str:
    suffix = _SUFFIX.get((usage, cell))
    if suffix is None:
        raise KeystoreError(f"{usage.name.lower()} in cell {cell.name.lower()}", "no party holds such a pair: ask for one of ds, ka, pp-ka")
    return suffix


def _slot_of(cert: x509.Certificate, cell: CellUsage) -> _Slot:
    """Place of a certificate, by what it carries; ``cell`` tells a supplier's two key agreement pairs apart."""
    usage = usage_of(cert)
    if organisational_unit(cert) in _XML_UNITS:
        return entity_of(cert), _XML
    return entity_of(cert), _suffix(usage, cell if usage is KeyUsage.KEY_AGREEMENT else _MANAGEMENT)


class Keystore:
    """Certificates, private keys and key establishment credentials of a set of parties.

    ``source`` names where it was read, for error sentences. ``repr`` shows counts only. Pairs that sign XML are kept apart: their
    certificates (OU 87 and 89) carry the same EUI-64 and usage as the party's GBCS signature pair. Authorities name no entity and are
    found by role or issuer.
    """

    def __init__(self, source: str = "this keystore") -> None:
        self.source = source
        self.warnings: list[str] = []
        """Sentences about what did not fit: a certificate filed under another's name, a key without its certificate."""
        self._certificates: dict[_Slot, x509.Certificate] = {}
        self._public: dict[_Slot, PublicKey] = {}
        self._private: dict[_Slot, PrivateKey] = {}
        self._roles: dict[Eui64, RemotePartyRole] = {}
        self._authorities: dict[bytes, x509.Certificate] = {}  # by subject key identifier
        self._authority_keys: dict[bytes, PrivateKey] = {}
        self._cbke: dict[Eui64, CbkeCredentials] = {}
        self._cbke_authority: ImplicitAuthority | None = None
        self._secrets: dict[Eui64, dict[tuple[Eui64, CellUsage], bytes]] = {}
        """Of each party with each other: what is forgotten of one is found without looking at all others."""
        self.entropy: Entropy = SYSTEM
        """Source of the fresh keys that the holder of this keystore draws."""

    def __repr__(self) -> str:
        return f"Keystore({len(self._certificates)} certificates, {len(self._private)} private keys, {len(self._authorities)} authorities)"

    def drawing_from(self, entropy: Entropy) -> Keystore:
        """The same keystore, whose holder draws fresh keys from ``entropy``: for a bench where every part is simulated."""
        view = copy.copy(self)
        view.entropy = entropy
        return view

    # Files

    @classmethod
    def load(cls, path: Path) -> Keystore:
        """Read a folder of PEM files or a JSON file. Raises KeystoreError naming the file and what to do.

        A certificate whose file names another identity is filed under the one it carries, unless a rightly named one is there.
        """
        contents = files.read(path)
        store = cls(str(path))
        store.warnings += contents.warnings
        store._cbke.update(contents.cbke)
        store._cbke_authority = contents.cbke_authority
        misnamed = []
        for filed in contents.certificates:
            if store._is_misnamed(filed):
                misnamed.append(filed)
            else:
                store.add_certificate(filed.certificate, filed.cell)
        for filed in misnamed:
            store._file_misnamed(filed)
        slots: dict[bytes, list[_Slot]] = {}
        for slot, public in store._public.items():
            slots.setdefault(_point(public), []).append(slot)
        for filed_key in contents.keys:
            store._file_key(filed_key, slots)
        return store

    @staticmethod
    def _is_misnamed(filed: files.FiledCertificate) -> bool:
        label, cert = filed.label, filed.certificate
        if label is None:
            return False
        return usage_of(cert) is KeyUsage.KEY_CERT_SIGN or _slot_of(cert, filed.cell) != (label.entity, label.suffix)

    def _file_misnamed(self, filed: files.FiledCertificate) -> None:
        label = filed.label
        assert label is not None
        carried = name_of(filed.certificate)
        if usage_of(filed.certificate) is not KeyUsage.KEY_CERT_SIGN:
            entity, suffix = slot = _slot_of(filed.certificate, filed.cell)
            carried = f"{entity}'s for {_PURPOSE[suffix]}"
            if slot in self._certificates:
                self._warn(filed.where, f"named as {label.entity}-{label.suffix} but is {carried}; left out, one is there already")
                return
        self.add_certificate(filed.certificate, filed.cell)
        self._warn(filed.where, f"named as {label.entity}-{label.suffix} but is {carried}; filed as that")

    def _file_key(self, filed: files.FiledKey, slots: dict[bytes, list[_Slot]]) -> None:
        point = _point(filed.key.public_key())
        owners = slots.get(point, [])
        authorities = [key_id for key_id, cert in self._authorities.items() if _point(public_key_of(cert)) == point]
        for slot in owners:
            self._private[slot] = filed.key
        for key_id in authorities:
            self._authority_keys[key_id] = filed.key
        if owners or authorities:
            return
        if filed.label is None:
            self._warn(filed.where, "left out: no certificate here holds its public key")
            return
        slot = (filed.label.entity, filed.label.suffix)
        if slot in self._certificates:
            self._warn(filed.where, f"left out: it does not fit the certificate of {slot[0]} for {_PURPOSE[slot[1]]}")
            return
        self._private[slot] = filed.key
        self._warn(filed.where, "no certificate here holds its public key; filed by its name")

    def _warn(self, where: str, what: str) -> None:
        self.warnings.append(f"{where}: {what}")

    def save(self, path: Path) -> None:
        """Write everything to a folder that :meth:`load` reads: files 0600, folder 0700. Files of the same names are replaced."""
        files.make_directory(path)
        for (entity, suffix), cert in self._certificates.items():
            files.write_private(path / f"{entity}-{suffix}.pem", files.certificate_text(cert))
        for (entity, suffix), key in self._private.items():
            files.write_private(path / f"{entity}-{suffix}.key", files.key_text(key))
        for key_id, cert in self._authorities.items():
            stem = files.authority_stem(cert)
            files.write_private(path / f"{stem}.pem", files.certificate_text(cert))
            if key_id in self._authority_keys:
                files.write_private(path / f"{stem}.key", files.key_text(self._authority_keys[key_id]))
        for entity, credentials in self._cbke.items():
            files.write_private(path / f"{entity}-cbke.json", files.cbke_text(credentials))
        if self._cbke_authority is not None:
            files.write_private(path / files.CBKE_AUTHORITY, files.cbke_authority_text(self._cbke_authority))

    # Adding

    def add_certificate(self, cert: x509.Certificate, cell: CellUsage = CellUsage.MANAGEMENT) -> None:
        """File a certificate under what it carries, in place of an earlier one. Raises KeystoreError where it does not say enough.

        A private key that no longer fits is dropped, and so are shared secrets of that party.
        """
        public = public_key_of(cert)
        if usage_of(cert) is KeyUsage.KEY_CERT_SIGN:
            self._authorities[key_id_of(cert)] = cert
            return
        slot = _slot_of(cert, cell)
        self._certificates[slot] = cert
        self._public[slot] = public
        held = self._private.get(slot)
        if held is not None and _point(held.public_key()) != _point(public):
            del self._private[slot]
        role = role_of(cert)
        if role is not None and slot[1] != _XML:
            self._roles[slot[0]] = role
        self._forget_secrets(slot[0])

    def add_private_key(self, eui: Eui64, usage: KeyUsage, key: PrivateKey, cell: CellUsage = CellUsage.MANAGEMENT) -> None:
        """Add a private key. Raises KeystoreError where a certificate is held that it does not fit."""
        self._add_private((eui, _suffix(usage, cell)), key)

    def add_xml_signing_key(self, eui: Eui64, key: PrivateKey) -> None:
        """Add the private key of the pair with which ``eui`` signs XML. Raises KeystoreError where it does not fit the certificate."""
        self._add_private((eui, _XML), key)

    def _add_private(self, slot: _Slot, key: PrivateKey) -> None:
        public = self._public.get(slot)
        if public is not None and _point(public) != _point(key.public_key()):
            raise KeystoreError(
                f"{slot[0]} {_PURPOSE[slot[1]]}", "the private key does not fit the certificate held: add its certificate first"
            )
        self._private[slot] = key
        self._forget_secrets(slot[0])

    def adopt(self, eui: Eui64, other: Keystore) -> None:
        """Take a party's certificates and private keys from ``other``, in place of those held for the same purposes.

        A user that signs XML with its digital signature pair there does so here."""
        signs_otherwise = eui in other.entities() and not other.has_xml_signing_certificate(eui)
        if signs_otherwise and self.role(eui) is not RemotePartyRole.ACCESS_CONTROL_BROKER:
            self._certificates.pop((eui, _XML), None)
            self._public.pop((eui, _XML), None)
            self._private.pop((eui, _XML), None)
        for (entity, suffix), certificate in other._certificates.items():
            if entity == eui:
                slot = (entity, suffix)
                self._private.pop(slot, None)
                self.add_certificate(certificate, files.SUFFIXES[suffix][1])
                if slot in other._private:
                    self._add_private(slot, other._private[slot])

    def fingerprints(self, euis: Iterable[Eui64]) -> list[str]:
        """A line for each certificate of these parties, which tells it from every other."""
        wanted = set(euis)
        held = ((slot, certificate) for slot, certificate in self._certificates.items() if slot[0] in wanted)
        return sorted(f"{entity}-{suffix} {certificate.serial_number:x}" for (entity, suffix), certificate in held)

    def add_authority_key(self, cert: x509.Certificate, key: PrivateKey) -> None:
        """Add an authority with its private key. Raises KeystoreError where the two do not fit."""
        if usage_of(cert) is not KeyUsage.KEY_CERT_SIGN or _point(public_key_of(cert)) != _point(key.public_key()):
            raise KeystoreError(name_of(cert), "is no authority's certificate with this key: expected key usage certificate signing")
        self.add_certificate(cert)
        self._authority_keys[key_id_of(cert)] = key

    def add_cbke_authority(self, authority: ImplicitAuthority) -> None:
        """Add or replace the authority that issues implicit certificates for key establishment."""
        self._cbke_authority = authority

    def add_cbke(self, eui: Eui64, credentials: CbkeCredentials) -> None:
        """Add or replace the key establishment credentials of a Device."""
        self._cbke[eui] = credentials

    def _forget_secrets(self, eui: Eui64) -> None:
        for other, cell in self._secrets.pop(eui, {}):
            self._secrets.get(other, {}).pop((eui, cell), None)

    # Asking

    def certificate(self, eui: Eui64, usage: KeyUsage, cell: CellUsage = CellUsage.MANAGEMENT) -> x509.Certificate:
        """A party's certificate; NO_ENTITY with KEY_CERT_SIGN gives the root. Raises KeystoreError naming what is missing."""
        if usage is KeyUsage.KEY_CERT_SIGN and eui == NO_ENTITY:
            return self.authority(RemotePartyRole.ROOT)
        return self._held(self._certificates, (eui, _suffix(usage, cell)), "certificate")

    def public_key(self, eui: Eui64, usage: KeyUsage, cell: CellUsage = CellUsage.MANAGEMENT) -> PublicKey:
        """The public key of a party's certificate. Raises KeystoreError."""
        return self._held(self._public, (eui, _suffix(usage, cell)), "certificate")

    def private_key(self, eui: Eui64, usage: KeyUsage, cell: CellUsage = CellUsage.MANAGEMENT) -> PrivateKey:
        """A party's private key. Raises KeystoreError naming the party, the usage and what to do."""
        return self._held(self._private, (eui, _suffix(usage, cell)), "private key")

    def has_certificate(self, eui: Eui64, usage: KeyUsage, cell: CellUsage = CellUsage.MANAGEMENT) -> bool:
        """True if a certificate is held."""
        return (eui, _suffix(usage, cell)) in self._certificates

    def has_private_key(self, eui: Eui64, usage: KeyUsage, cell: CellUsage = CellUsage.MANAGEMENT) -> bool:
        """True if a private key is held."""
        return (eui, _suffix(usage, cell)) in self._private

    def xml_signing_certificate(self, eui: Eui64) -> x509.Certificate:
        """The certificate of the pair with which a user or the DCC signs XML (OU 87 or 89). Raises KeystoreError."""
        return self._held(self._certificates, (eui, _XML), "certificate")

    def xml_signing_key(self, eui: Eui64) -> PrivateKey:
        """The private key of that pair. Raises KeystoreError."""
        return self._held(self._private, (eui, _XML), "private key")

    def has_xml_signing_certificate(self, eui: Eui64) -> bool:
        """True if a certificate for signing XML is held."""
        return (eui, _XML) in self._certificates

    def has_xml_signing_key(self, eui: Eui64) -> bool:
        """True if a private key for signing XML is held."""
        return (eui, _XML) in self._private

    def _held(self, kept: dict[_Slot, _Kept], slot: _Slot, what: str) -> _Kept:
        found = kept.get(slot)
        if found is None:
            raise self._missing(slot, what)
        return found

    def _missing(self, slot: _Slot, what: str) -> KeystoreError:
        entity, suffix = slot
        ending = "pem" if what == "certificate" else "key"
        others = ", ".join(sorted(_PURPOSE[kind] for held, kind in self._certificates if held == entity))
        known = f"certificates held for it: {others}" if others else "nothing is held for it"
        return KeystoreError(
            self.source, f"no {what} of {entity} for {_PURPOSE[suffix]} ({known}): put {entity}-{suffix}.{ending} there, or make a test PKI"
        )

    def authority(self, role: RemotePartyRole) -> x509.Certificate:
        """The root or an issuing authority of the organisations, by role. Raises KeystoreError."""
        for cert in self._authorities.values():
            if role_of(cert) is role:
                return cert
        raise KeystoreError(self.source, f"no certificate of the {role.name.lower().replace('_', ' ')}: put its PEM file there")

    def authorities(self) -> tuple[x509.Certificate, ...]:
        """All authorities' certificates, of organisations and of Devices: the ``issuers`` of ``certificates.check_path``."""
        return tuple(self._authorities.values())

    def authority_key(self, cert: x509.Certificate) -> PrivateKey:
        """The private key of an authority held here. Raises KeystoreError."""
        key = self._authority_keys.get(key_id_of(cert))
        if key is None:
            raise KeystoreError(self.source, f"no private key of {name_of(cert)}: only who made the PKI can issue certificates")
        return key

    def has_authority_key(self, cert: x509.Certificate) -> bool:
        """True if the private key of an authority is held."""
        return key_id_of(cert) in self._authority_keys

    def shared_secret(self, a: Eui64, b: Eui64, cell: CellUsage = CellUsage.MANAGEMENT) -> bytes:
        """Z of two parties' key agreement pairs, 32 octets (reference gbcs-messages 2.3), remembered per pair.

        The private key of either side will do, ``a``'s first. ``cell`` applies to an organisation's side: a Device has one pair. Raises
        KeystoreError where neither private key, or the other's certificate, is held.
        """
        known = self._secrets.get(a, {}).get((b, cell))
        if known is None:
            own, other = (a, self._agreement_cell(a, cell)), (b, self._agreement_cell(b, cell))
            if not self.has_private_key(own[0], KeyUsage.KEY_AGREEMENT, own[1]) and self.has_private_key(
                other[0], KeyUsage.KEY_AGREEMENT, other[1]
            ):
                own, other = other, own
            private = self.private_key(own[0], KeyUsage.KEY_AGREEMENT, own[1])
            known = primitives.agree(private, self.public_key(other[0], KeyUsage.KEY_AGREEMENT, other[1]))
            self._secrets.setdefault(a, {})[b, cell] = self._secrets.setdefault(b, {})[a, cell] = known
        return known

    def _agreement_cell(self, eui: Eui64, cell: CellUsage) -> CellUsage:
        return cell if eui in self._roles else _MANAGEMENT

    def entities(self) -> tuple[Eui64, ...]:
        """Every party with a certificate, a private key or key establishment credentials here, sorted."""
        slots = [entity for entity, _ in (*self._certificates, *self._private)]
        return tuple(sorted({*slots, *self._cbke}))

    def role(self, eui: Eui64) -> RemotePartyRole | None:
        """The role of an organisation; None for a Device and for the unknown."""
        return self._roles.get(eui)

    def certificates_of(self, eui: Eui64) -> tuple[x509.Certificate, ...]:
        """Every certificate of a party or Device, of each purpose one."""
        held = (self._certificates.get((eui, suffix)) for suffix in files.SUFFIXES)
        return tuple(certificate for certificate in held if certificate is not None)

    def certificate_of_serial(self, serial: int) -> x509.Certificate | None:
        """The certificate of that serial number, None where none is held."""
        return next((certificate for certificate in self._certificates.values() if certificate.serial_number == serial), None)

    def find(self, role: RemotePartyRole) -> tuple[Eui64, ...]:
        """Every organisation of a role, sorted. An authority is NO_ENTITY."""
        if role in (RemotePartyRole.ROOT, RemotePartyRole.ISSUING_AUTHORITY):
            return (NO_ENTITY,) if any(role_of(cert) is role for cert in self._authorities.values()) else ()
        return tuple(sorted(eui for eui, held in self._roles.items() if held is role))

    def cbke(self, eui: Eui64) -> CbkeCredentials:
        """A Device's key establishment credentials. Raises KeystoreError."""
        found = self._cbke.get(eui)
        if found is None:
            raise KeystoreError(self.source, f"no key establishment credentials of {eui}: put {eui}-cbke.json there, or make a test PKI")
        return found if self.entropy is SYSTEM else replace(found, entropy=self.entropy.stream(f"cbke {eui}"))

    def cbke_authority(self) -> ImplicitAuthority:
        """The authority that issues implicit certificates. Raises KeystoreError where its private key is not held here."""
        if self._cbke_authority is None:
            raise KeystoreError(self.source, f"no {files.CBKE_AUTHORITY}: only who made the PKI can issue key establishment certificates")
        return self._cbke_authority

    def has_cbke(self, eui: Eui64) -> bool:
        """True if key establishment credentials of a Device are held."""
        return eui in self._cbke

    def subset(self, *euis: Eui64, private: Iterable[Eui64]) -> Keystore:
        """Holdings of one party: the certificates of ``euis`` (of all where none is named) and of the authorities, and of ``private`` alone
        the private keys and key establishment credentials. The private keys of authorities of either kind stay behind.
        """
        owners = frozenset(private)
        wanted = frozenset((*euis, *owners)) if euis else None
        part = Keystore(self.source)
        part._certificates = {slot: cert for slot, cert in self._certificates.items() if wanted is None or slot[0] in wanted}
        part._public = {slot: self._public[slot] for slot in part._certificates}
        part._private = {slot: key for slot, key in self._private.items() if slot[0] in owners}
        part._roles = {eui: role for eui, role in self._roles.items() if wanted is None or eui in wanted}
        part._authorities = dict(self._authorities)
        part._cbke = {eui: credentials for eui, credentials in self._cbke.items() if eui in owners}
        return part


def _point(key: PublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
