"""The feed: files of the registration data providers come in signed and numbered; gaps, repeats and disorder are noticed.

Rules: sec2-rules RG-02 to RG-08 [78, 84, 86-91, 389, 390].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from firmware_emu.clock import EPOCH
from firmware_emu.crypto import primitives
from firmware_emu.crypto.certificates import check_path
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.primitives import PublicKey
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.errors import KeystoreError, ProtectionError
from firmware_emu.ids import Eui64
from hil.dcc.base.store import DccStore
from hil.dcc.base.store import Row as StoredRow
from hil.dcc.base.tables import create_tables
from hil.dcc.parties.users import EnteredUsers
from hil.dcc.registration.counts import NonDomestic
from hil.dcc.registration.disputes import Disputes
from hil.dcc.registration.files import FileError, Fuel, RegistrationFile, Row, decode, row_errors
from hil.dcc.registration.incidents import RegistrationIncidents
from hil.dcc.registration.refreshes import Refreshes
from hil.dcc.registration.register import Registration
from hil.dcc.registration.settings import FeedSettings, feed_settings


@dataclass(frozen=True, slots=True)
class Receipt:
    """Receipt of a file. ``state``: taken, held (an earlier one is missing), repeated, rejected, malformed, overload.

    ``signature`` is the DCC's, over :attr:`octets`, so that the provider knows who answered (mutual authentication [389]).
    """

    sequence: int
    state: str
    problems: tuple[str, ...]
    taken_rows: int
    file_digest: str
    signature: bytes = b""

    @property
    def octets(self) -> bytes:
        return "\n".join((self.file_digest, str(self.sequence), self.state, str(self.taken_rows), *self.problems)).encode("utf-8")

    def prove(self, dcc: PublicKey) -> None:
        """Check the DCC's signature, as the provider does. Raises ProtectionError."""
        primitives.verify(dcc, self.signature, self.octets)


class RegistrationFeed:
    """The DCC's end of both registration interfaces. ``dcc`` signs the receipts; ``keystore`` has its key and providers' certificates."""

    def __init__(
        self,
        store: DccStore,
        registration: Registration,
        keystore: Keystore,
        dcc: Eui64,
        now: Callable[[], float],
        settings: FeedSettings | None = None,
    ) -> None:
        create_tables(store, "hil.dcc.registration")
        self._store = store
        self._registration = registration
        self._keystore = keystore
        self._dcc = dcc
        self._now = now
        self.settings = settings or feed_settings()
        self.incidents = RegistrationIncidents(store, now, self.settings)
        self.disputes = Disputes(store, registration, now, self.settings)
        self.refreshes = Refreshes(store, now, self.settings)
        self._non_domestic = NonDomestic(store, self.settings)

    # Providers

    def nominate(self, operator: Eui64, fuel: Fuel, provider: Eui64) -> None:
        """A network operator names its provider; one provider may serve several operators, an operator has one (RG-02 [84])."""
        with self._store.transaction():
            self._store.execute("INSERT OR REPLACE INTO rdp_nominations VALUES (?, ?, ?)", (str(operator), fuel.value, str(provider)))
            self._store.execute("INSERT OR IGNORE INTO rdp_feeds VALUES (?, ?, 0, ?)", (str(provider), fuel.value, self._now()))

    def provider_of(self, operator: Eui64) -> Eui64 | None:
        """Provider that a network operator named."""
        row = self._store.row("SELECT provider FROM rdp_nominations WHERE operator = ?", (str(operator),))
        return None if row is None else Eui64.parse(row["provider"])

    def operators_of(self, provider: Eui64) -> tuple[Eui64, ...]:
        """Which network operators a provider serves."""
        rows = self._store.rows("SELECT operator FROM rdp_nominations WHERE provider = ? ORDER BY operator", (str(provider),))
        return tuple(Eui64.parse(row["operator"]) for row in rows)

    def overdue(self) -> tuple[tuple[Eui64, Fuel, float], ...]:
        """Feeds from which no file was taken for longer than the settings allow, with the seconds since the last one."""
        now = self._now()
        rows = self._store.rows("SELECT * FROM rdp_feeds ORDER BY provider, fuel")
        return tuple(
            (Eui64.parse(row["provider"]), Fuel(row["fuel"]), now - row["heard"])
            for row in rows
            if now - row["heard"] > self.settings.overdue_after_s
        )

    # Files

    def receive(self, octets: bytes, signature: bytes) -> Receipt:
        """Take a file: who sent it, whether it may, whether it is the next one, and then row by row. Never raises for bad files."""
        digest = sha256(octets).hexdigest()
        try:
            file = decode(octets)
        except FileError as error:
            return self._signed(Receipt(0, "malformed", error.problems, 0, digest))
        with self._store.transaction():
            if (problem := self._unwelcome(file, octets, signature)) is not None:
                return self._signed(self._noted(file, octets, Receipt(file.sequence, "rejected", (problem,), 0, digest)))
            if (problem := self._overload(file)) is not None:
                return self._signed(self._noted(file, octets, Receipt(file.sequence, "overload", (problem,), 0, digest)))
            expected = self._sequence(file) + 1
            if file.sequence < expected:
                text = f"sequence {file.sequence} was taken before, expected {expected}"
                return self._signed(self._noted(file, octets, Receipt(file.sequence, "repeated", (text,), 0, digest)))
            if file.sequence > expected and not file.refresh:
                missing = self.missing(file.provider, file.fuel, file.sequence)
                text = f"sequence {file.sequence} came before {', '.join(map(str, missing))}: held until they come, or a refresh"
                return self._signed(self._noted(file, octets, Receipt(file.sequence, "held", (text,), 0, digest)))
            receipt = self._take(file, octets, digest)
            self._release_held(file)
            return self._signed(receipt)

    def missing(self, provider: Eui64, fuel: Fuel, up_to: int) -> tuple[int, ...]:
        """Sequence numbers under ``up_to`` that are neither taken nor held."""
        held = {row["sequence"] for row in self._files(provider, fuel, "held")}
        last = self._last(provider, fuel)
        return tuple(number for number in range(last + 1, up_to) if number not in held)

    def _unwelcome(self, file: RegistrationFile, octets: bytes, signature: bytes) -> str | None:
        row = self._store.row("SELECT 1 FROM rdp_feeds WHERE provider = ? AND fuel = ?", (str(file.provider), file.fuel.value))
        if row is None:
            return f"{file.provider} is nominated by no network operator for {file.fuel} [84]: have it nominated"
        try:
            certificate = self._keystore.certificate(file.provider, KeyUsage.DIGITAL_SIGNATURE)
            check_path(certificate, self._keystore.authorities(), EPOCH + timedelta(seconds=self._now()))
            primitives.verify(self._keystore.public_key(file.provider, KeyUsage.DIGITAL_SIGNATURE), signature, octets)
        except (KeystoreError, ProtectionError) as error:
            return f"its credentials do not hold [78, 389]: {error}"
        return None

    def _overload(self, file: RegistrationFile) -> str | None:
        if len(file.rows) > self.settings.rows_per_file:
            return f"{len(file.rows)} rows, at most {self.settings.rows_per_file} in a file [390]: send it in parts"
        average, peak = self.load(file.provider)
        if average >= self.settings.files_per_window:
            limit = self.settings.files_per_window
            return f"{average} files in {self.settings.window_s:g} s, at most {limit} [390]: send fewer, larger files"
        if peak >= self.settings.peak_files:
            return f"{peak} files in {self.settings.peak_s:g} s, a peak of {self.settings.peak_files} at most [390]: wait"
        return None

    def load(self, provider: Eui64) -> tuple[int, int]:
        """Files taken from a provider in the window of the average and in that of the peak [390]."""
        counts = []
        for seconds in (self.settings.window_s, self.settings.peak_s):
            row = self._store.row(
                "SELECT count(*) AS n FROM rdp_files WHERE provider = ? AND time > ? AND state IN ('taken', 'held')",
                (str(provider), self._now() - seconds),
            )
            counts.append(0 if row is None else int(row["n"]))
        return counts[0], counts[1]

    def _take(self, file: RegistrationFile, octets: bytes, digest: str) -> Receipt:
        errors = row_errors(file, {str(one.eui): one.role.value for one in EnteredUsers(self._store).all()})
        sound = [row for number, row in enumerate(file.rows, 2) if number not in errors]
        if file.refresh:
            self._forget(file)
        for row in sound:
            self._register(file, row)
        self._store.execute(
            "UPDATE rdp_feeds SET sequence = ?, heard = ? WHERE provider = ? AND fuel = ?",
            (file.sequence, self._now(), str(file.provider), file.fuel.value),
        )
        if file.refresh:
            self.refreshes.given(file.provider, file.fuel)
        problems = tuple(f"line {number}: {problem}" for number, problem in errors.items())
        return self._noted(file, octets, Receipt(file.sequence, "taken", problems, len(sound), digest))

    def _register(self, file: RegistrationFile, row: Row) -> None:
        if row.profile_class is not None or row.marker:
            self._non_domestic.note(row.mpxn, row.profile_class, row.marker or None)
        if not self.disputes.holds_back(row):
            self._registration.register(row.mpxn, row.role, row.user, row.begins)

    def _forget(self, file: RegistrationFile) -> None:
        """A refresh replaces what its provider said before, of the same MPxNs and roles, and not what is disputed."""
        for mpxn, role in {(row.mpxn, row.role) for row in file.rows}:
            if not self.disputes.open_on(mpxn, role):
                self._registration.forget(mpxn, role)

    def _release_held(self, file: RegistrationFile) -> None:
        while (held := self._held(file.provider, file.fuel)) is not None:
            number, octets = held
            self._store.execute("UPDATE rdp_files SET state = 'released' WHERE number = ?", (number,))
            self._take(decode(octets), octets, sha256(octets).hexdigest())

    def _held(self, provider: Eui64, fuel: Fuel) -> tuple[int, bytes] | None:
        due = self._last(provider, fuel) + 1
        self._store.execute(
            "UPDATE rdp_files SET state = 'overtaken' WHERE provider = ? AND fuel = ? AND state = 'held' AND sequence < ?",
            (str(provider), fuel.value, due),
        )
        for row in self._files(provider, fuel, "held"):
            if row["sequence"] == due:
                return int(row["number"]), bytes(row["octets"])
        return None

    def _files(self, provider: Eui64, fuel: Fuel, state: str) -> Sequence[StoredRow]:
        return self._store.rows(
            "SELECT * FROM rdp_files WHERE provider = ? AND fuel = ? AND state = ? ORDER BY sequence", (str(provider), fuel.value, state)
        )

    def _noted(self, file: RegistrationFile, octets: bytes, receipt: Receipt) -> Receipt:
        self._store.insert(
            "rdp_files",
            time=self._now(),
            provider=str(file.provider),
            fuel=file.fuel.value,
            sequence=file.sequence,
            kind="refresh" if file.refresh else "change",
            rows=len(file.rows),
            octets=octets,
            state=receipt.state,
            reason="; ".join(receipt.problems),
        )
        return receipt

    def _signed(self, receipt: Receipt) -> Receipt:
        key = self._keystore.private_key(self._dcc, KeyUsage.DIGITAL_SIGNATURE)
        return Receipt(
            receipt.sequence, receipt.state, receipt.problems, receipt.taken_rows, receipt.file_digest, primitives.sign(key, receipt.octets)
        )

    def _sequence(self, file: RegistrationFile) -> int:
        return self._last(file.provider, file.fuel)

    def _last(self, provider: Eui64, fuel: Fuel) -> int:
        row = self._store.row("SELECT sequence FROM rdp_feeds WHERE provider = ? AND fuel = ?", (str(provider), fuel.value))
        return 0 if row is None else int(row["sequence"])
