"""Identity of a GBCS Device and of those it knows: trust anchor cells, its own keys, and the counters.

Everything lives in the :class:`~firmware_emu.device.store.Store` under ``device/<entity id>/``, so a power cut loses
nothing and a rolled-back transaction takes all of it back. Reference gbcs-spec-notes 13.1 (cells), 4.3 (counters).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key

from firmware_emu.crypto import primitives
from firmware_emu.crypto.certificate_profile import CertificateProfile, check_profile
from firmware_emu.crypto.certificates import entity_of, public_key_of
from firmware_emu.crypto.certificates import parse_certificate as read_certificate
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import NO_ENTITY, CellUsage, DeviceType, KeyUsage, RemotePartyRole
from firmware_emu.device.store import Store
from firmware_emu.errors import DecodeError, KeystoreError, ProtectionError
from firmware_emu.ids import Eui64


@dataclass(frozen=True, slots=True)
class Cell:
    """One Trust Anchor Cell: {remote party role, key usage, cell usage} (reference gbcs-behaviour 2)."""

    role: RemotePartyRole
    usage: KeyUsage
    cell: CellUsage = CellUsage.MANAGEMENT

    @property
    def key(self) -> str:
        """Name of the cell in the store."""
        return _cell_key(self)


@cache
def _cell_key(cell: Cell) -> str:
    return f"{cell.role.name.lower()}/{cell.usage.name.lower()}/{cell.cell.name.lower()}"


@cache
def cells_of(device_type: DeviceType) -> tuple[Cell, ...]:
    """The cells that a Device of this type has, in a fixed order (``trust_anchor_cells.csv`` names each source)."""
    text = resources.files("firmware_emu.device").joinpath("trust_anchor_cells.csv").read_text(encoding="utf-8")
    return tuple(
        Cell(RemotePartyRole[row["role"]], KeyUsage[row["usage"]], CellUsage[row["cell"]])
        for row in csv.DictReader(text.splitlines())
        if row["device"] == device_type.name
    )


@lru_cache(maxsize=4096)
def parse_certificate(der: bytes) -> x509.Certificate:
    """A DER certificate as an object, parsed once. Raises ProtectionError if it is none."""
    try:
        return read_certificate(der)
    except DecodeError as problem:
        raise ProtectionError(f"{len(der)} octets that are no DER certificate") from problem


def sound_certificate(der: bytes, profile: CertificateProfile) -> x509.Certificate:
    """A certificate that was sent, if it keeps ``profile``. Raises ProtectionError, whatever the octets are."""
    check_profile(der, profile)
    return parse_certificate(der)


@lru_cache(maxsize=4096)
def _entity(der: bytes) -> Eui64:
    """Entity that a certificate speaks for, looked up once."""
    return entity_of(parse_certificate(der))


@lru_cache(maxsize=1024)
def _private_key(der: bytes) -> primitives.PrivateKey:
    key = load_der_private_key(der, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise KeystoreError("the Device's store", "a private key that is not on an elliptic curve")
    return key


def _agree(private_der: bytes, certificate_der: bytes) -> bytes:
    return primitives.agree(_private_key(private_der), public_key_of(parse_certificate(certificate_der)))


_SECRETS_KEPT = 64
"""Shared secrets that a Device remembers, the latest; it has 16 cells at most, and joined Devices. Own limit."""


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


class Credentials:
    """The credentials and counters of one Device, read from and written to its store."""

    def __init__(self, store: Store, eui64: Eui64, device_type: DeviceType) -> None:
        self.eui64 = eui64
        self.device_type = device_type
        self._store = store
        self._prefix = f"device/{eui64}/"
        self._agreed = lru_cache(maxsize=_SECRETS_KEPT)(_agree)
        """Shared secrets by the octets that they were agreed from: each Device keeps its own, however many there are in one process."""

    @classmethod
    def from_keystore(
        cls,
        store: Store,
        keystore: Keystore,
        eui64: Eui64,
        device_type: DeviceType,
        parties: Mapping[RemotePartyRole, Eui64],
    ) -> Credentials:
        """A Device as it leaves the factory: own keys and one certificate in each cell whose role is in ``parties``.

        A store that was provisioned before is left as it is, so what commands have changed since survives a restart.
        A cell for which the key store has no certificate stays empty; a missing prepayment certificate is replaced
        by the party's management certificate, as the RTDS handover examples show for a GPF.
        """
        credentials = cls(store, eui64, device_type)
        if store.get(credentials._prefix + "provisioned") is not None:
            return credentials
        with store.transaction():
            for usage in (KeyUsage.DIGITAL_SIGNATURE, KeyUsage.KEY_AGREEMENT):
                if keystore.has_private_key(eui64, usage):
                    credentials.set_own(usage, keystore.certificate(eui64, usage), keystore.private_key(eui64, usage))
            for cell in cells_of(device_type):
                party = parties.get(cell.role, NO_ENTITY if cell.role is RemotePartyRole.ROOT else None)
                if party is None:
                    continue
                certificate = _find_certificate(keystore, party, cell)
                if certificate is not None:
                    credentials.set_anchor(cell, certificate)
            store.put(credentials._prefix + "provisioned", b"\x01")
        return credentials

    # --- trust anchors

    @property
    def cells(self) -> tuple[Cell, ...]:
        """The cells this Device has, filled or not."""
        return cells_of(self.device_type)

    def anchor(self, cell: Cell) -> x509.Certificate | None:
        """The certificate in ``cell``, None if it is empty or the Device has no such cell."""
        der = self._anchor_der(cell)
        return None if der is None else parse_certificate(der)

    def _anchor_der(self, cell: Cell) -> bytes | None:
        return self._store.get(f"{self._prefix}anchor/{cell.key}")

    def _holder(self, cell: Cell) -> Eui64 | None:
        """Entity that stands in ``cell``."""
        der = self._anchor_der(cell)
        return None if der is None else _entity(der)

    def set_anchor(self, cell: Cell, certificate: x509.Certificate) -> None:
        """Put ``certificate`` into ``cell``, replacing what was there."""
        self._store.put(f"{self._prefix}anchor/{cell.key}", _der(certificate))

    def party(self, role: RemotePartyRole) -> Eui64 | None:
        """Entity that stands in the cells of ``role``; None if all are empty. Root has no entity id (reference gbcs-spec-notes 13.2)."""
        if role is RemotePartyRole.ROOT:
            return None
        for cell in self.cells:
            if cell.role is role and (holder := self._holder(cell)) is not None:
                return holder
        return None

    def roles_of(self, party: Eui64) -> tuple[RemotePartyRole, ...]:
        """The roles in whose cells ``party`` stands; empty for a party that is not a Known Remote Party."""
        roles: list[RemotePartyRole] = []
        for cell in self.cells:
            if cell.role in roles or cell.role is RemotePartyRole.ROOT:
                continue
            if self._holder(cell) == party:
                roles.append(cell.role)
        return tuple(roles)

    # --- own certificates and keys

    def own_certificate(self, usage: KeyUsage) -> x509.Certificate | None:
        """This Device's own certificate for ``usage``."""
        der = self._store.get(f"{self._prefix}own/{usage.name.lower()}/certificate")
        return None if der is None else parse_certificate(der)

    def own_key(self, usage: KeyUsage) -> primitives.PrivateKey:
        """This Device's private key for ``usage``. Raises KeystoreError if it holds none."""
        return _private_key(self._own_key_der(usage))

    def set_own(self, usage: KeyUsage, certificate: x509.Certificate, key: primitives.PrivateKey) -> None:
        """Install own certificate and private key for ``usage``, replacing the pair that was in use."""
        folder = f"{self._prefix}own/{usage.name.lower()}/"
        self._store.put(folder + "certificate", _der(certificate))
        self._store.put(folder + "key", key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))

    def pending_key(self, usage: KeyUsage) -> primitives.PrivateKey | None:
        """The key made by CS02c that waits for its certificate; the old pair stays in use until CS02d."""
        der = self._store.get(f"{self._prefix}own/{usage.name.lower()}/pending")
        return None if der is None else _private_key(der)

    def set_pending_key(self, usage: KeyUsage, key: primitives.PrivateKey | None) -> None:
        """Keep ``key`` as the pending one, or forget the pending one (None)."""
        name = f"{self._prefix}own/{usage.name.lower()}/pending"
        if key is None:
            self._store.delete(name)
        else:
            self._store.put(name, key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))

    # --- other Devices (GSME and PPMID know each other's key agreement certificate, reference gbcs-behaviour 6)

    def partner(self, device: Eui64) -> x509.Certificate | None:
        """Key agreement certificate of a joined Device, None if none was given."""
        der = self._store.get(f"{self._prefix}partner/{device}")
        return None if der is None else parse_certificate(der)

    def set_partner(self, device: Eui64, certificate: x509.Certificate | None) -> None:
        """Remember (or forget) the key agreement certificate of a joined Device."""
        name = f"{self._prefix}partner/{device}"
        if certificate is None:
            self._store.delete(name)
        else:
            self._store.put(name, _der(certificate))

    # --- shared secrets

    def z(self, other: Eui64, cell: CellUsage = CellUsage.MANAGEMENT) -> bytes:
        """Shared secret (32 octets) of this Device's key agreement key and ``other``'s certificate held here.

        Raises ProtectionError if no key agreement certificate of ``other`` is held.
        """
        for anchor in self.cells:
            if anchor.usage is KeyUsage.KEY_AGREEMENT and anchor.cell is cell:
                der = self._anchor_der(anchor)
                if der is not None and _entity(der) == other:
                    return self._agreed(self._own_key_der(KeyUsage.KEY_AGREEMENT), der)
        partner = self.partner(other)
        if partner is None:
            raise ProtectionError(f"no key agreement certificate of {other} is held")
        return self.z_with(partner)

    def z_with(self, certificate: x509.Certificate) -> bytes:
        """Shared secret with the holder of ``certificate``, as for a party that sent its own in the command."""
        return self._agreed(self._own_key_der(KeyUsage.KEY_AGREEMENT), _der(certificate))

    def _own_key_der(self, usage: KeyUsage) -> bytes:
        der = self._store.get(f"{self._prefix}own/{usage.name.lower()}/key")
        if der is None:
            raise KeystoreError(f"store of {self.eui64}", f"no private key for {usage.name.lower()} is installed")
        return der

    # --- counters

    def counter(self, role: RemotePartyRole, *, top_up: bool = False) -> int:
        """Highest originator counter taken from a party of ``role``; prepayment top-ups are counted apart."""
        return self._read_counter(_counter_name(role, top_up))

    def set_counter(self, role: RemotePartyRole, value: int, *, top_up: bool = False) -> None:
        """Store the counter of an accepted command, or the floor that a replaced credential brings."""
        self._write_counter(_counter_name(role, top_up), value)

    def partner_counter(self, device: Eui64) -> int:
        """Highest originator counter taken from a joined Device (PPMID to GSME)."""
        return self._read_counter(f"partner/{device}")

    def set_partner_counter(self, device: Eui64, value: int) -> None:
        """Store the counter of an accepted command of a joined Device."""
        self._write_counter(f"partner/{device}", value)

    def next_counter(self) -> int:
        """A fresh originator counter of this Device's own; durable before it is returned, so never used twice.

        Raises ProtectionError at the end of its 64 bits.
        """
        with self._store.transaction():  # read inside it too: whoever else has this store open then sees the value as taken
            value = self._read_counter("own") + 1
            if value >= 1 << 64:
                raise ProtectionError("its own originator counter is at the end of its 64 bits: it can say nothing new any more")
            self._write_counter("own", value)
        return value

    def _read_counter(self, name: str) -> int:
        octets = self._store.get(f"{self._prefix}counter/{name}")
        return 0 if octets is None else int.from_bytes(octets, "big")

    def _write_counter(self, name: str, value: int) -> None:
        self._store.put(f"{self._prefix}counter/{name}", value.to_bytes(8, "big"))


def _counter_name(role: RemotePartyRole, top_up: bool) -> str:
    return f"{role.name.lower()}/top_up" if top_up else role.name.lower()


def _find_certificate(keystore: Keystore, party: Eui64, cell: Cell) -> x509.Certificate | None:
    for usage in dict.fromkeys((cell.cell, CellUsage.MANAGEMENT)):
        try:
            return keystore.certificate(party, cell.usage, usage)
        except KeystoreError:
            continue
    return None
