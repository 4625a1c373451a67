"""A registration data file: a signed, numbered set of rows of one fuel from one registration data provider (RDP).

The published file formats are not here, so the format is this bench's own (``chub-registration-1``): a header line

    chub-registration-1,<provider EUI-64>,<electricity|gas>,<change|refresh>,<sequence>,<rows>

and one line a row: ``mpxn,role,user EUI-64,begins (ISO 8601 UTC),profile class or empty,domestic|non-domestic or empty``. A
detached ECDSA P-256 signature of the provider goes with the octets.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from firmware_emu.clock import EPOCH
from firmware_emu.crypto import primitives
from firmware_emu.crypto.primitives import PrivateKey
from firmware_emu.errors import CommsHubError, IdentifierError
from firmware_emu.ids import Eui64, Mpxn
from hil.dcc.base.services import UserRole
from hil.dcc.registration.settings import feed_settings


class Fuel(StrEnum):
    """Which of the two interfaces a file is for [78]."""

    ELECTRICITY = "electricity"
    GAS = "gas"


ROLES = {
    Fuel.ELECTRICITY: frozenset({UserRole.IS, UserRole.ES, UserRole.ED, UserRole.RSA}),
    Fuel.GAS: frozenset({UserRole.GS, UserRole.GT, UserRole.RSA}),
}
"""Roles that a file of each fuel may register (choice: by what each role does)."""
_COLUMNS = 6


class FileError(CommsHubError):
    """A file that cannot be read at all. ``problems`` names each finding with its line."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("the registration file is malformed: " + "; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Row:
    """One registration: ``user`` is in ``role`` for ``mpxn`` from ``begins`` (seconds since 2000) on."""

    mpxn: str
    role: UserRole
    user: Eui64
    begins: float
    profile_class: int | None = None
    marker: str = ""

    def line(self) -> tuple[str, ...]:
        begins = (EPOCH + timedelta(seconds=self.begins)).strftime("%Y-%m-%dT%H:%M:%SZ")
        return (self.mpxn, self.role.value, str(self.user), begins, str(self.profile_class or ""), self.marker)


@dataclass(frozen=True, slots=True)
class RegistrationFile:
    """One file as it was read. ``refresh`` is a whole new copy of what the provider holds, else the rows that changed."""

    provider: Eui64
    fuel: Fuel
    refresh: bool
    sequence: int
    rows: tuple[Row, ...]

    def encode(self) -> bytes:
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        kind = "refresh" if self.refresh else "change"
        writer.writerow((feed_settings().format, self.provider, self.fuel.value, kind, self.sequence, len(self.rows)))
        writer.writerows(row.line() for row in self.rows)
        return out.getvalue().encode("utf-8")

    def sign(self, key: PrivateKey) -> tuple[bytes, bytes]:
        """The octets and the provider's signature on them."""
        octets = self.encode()
        return octets, primitives.sign(key, octets)


def decode(octets: bytes) -> RegistrationFile:
    """Read a file. Raises FileError with every problem found, line by line."""
    try:
        lines = list(csv.reader(io.StringIO(octets.decode("utf-8")), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise FileError((f"no lines of comma separated text: {error}",)) from None
    header = lines[0] if lines else []
    if len(header) != _COLUMNS or header[0] != feed_settings().format:
        raise FileError((f"line 1: read {','.join(header)[:80]!r}, expected {feed_settings().format},provider,fuel,kind,sequence,rows",))
    _, provider, fuel, kind, sequence, count = header
    try:
        who, which = Eui64.parse(provider), Fuel(fuel)
    except (IdentifierError, ValueError) as error:
        raise FileError((f"line 1: {error}",)) from None
    if kind not in ("change", "refresh") or not sequence.isdecimal() or not count.isdecimal():
        raise FileError((f"line 1: read {kind}, {sequence}, {count}, expected change or refresh, a sequence number, a number of rows",))
    problems: list[str] = [] if int(count) == len(lines) - 1 else [f"line 1: {count} rows announced, {len(lines) - 1} found"]
    rows: list[Row] = []
    for number, line in enumerate(lines[1:], 2):
        try:
            rows.append(_row(line))
        except (CommsHubError, ValueError) as error:
            problems.append(f"line {number}: {error}")
    if problems:
        raise FileError(tuple(problems))
    return RegistrationFile(who, which, kind == "refresh", int(sequence), tuple(rows))


def _row(line: list[str]) -> Row:
    if len(line) != _COLUMNS:
        raise ValueError(f"read {len(line)} columns, expected {_COLUMNS}")
    mpxn, role, user, begins, profile_class, marker = line
    Mpxn(mpxn)
    if profile_class and profile_class not in "12345678":
        raise ValueError(f"read profile class {profile_class!r}, expected 1 to 8 or nothing")
    if marker not in ("", "domestic", "non-domestic"):
        raise ValueError(f"read marker {marker!r}, expected domestic, non-domestic or nothing")
    moment = datetime.fromisoformat(begins)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return Row(mpxn, UserRole.parse(role), Eui64.parse(user), (moment - EPOCH).total_seconds(), int(profile_class or 0) or None, marker)


def row_errors(file: RegistrationFile, known_users: dict[str, str]) -> dict[int, str]:
    """Rows that cannot be taken, by line number, each with what was read and expected [389].

    ``known_users`` are the users' roles by identifier. The check digit of an MPAN is not checked: its rule is in no source here.
    """
    errors: dict[int, str] = {}
    seen: set[tuple[str, UserRole, float]] = set()
    for number, row in enumerate(file.rows, 2):
        electricity = len(row.mpxn) == 13
        if electricity is not (file.fuel is Fuel.ELECTRICITY):
            errors[number] = f"MPxN {row.mpxn} is of {'electricity' if electricity else 'gas'}, expected {file.fuel}"
        elif row.role not in ROLES[file.fuel]:
            errors[number] = f"role {row.role}, expected {' or '.join(sorted(ROLES[file.fuel]))} in a file of {file.fuel}"
        elif known_users.get(str(row.user)) != row.role.value:
            errors[number] = f"{row.user} is {known_users.get(str(row.user)) or 'no user'}, expected a user in role {row.role}"
        elif (row.mpxn, row.role, row.begins) in seen:
            errors[number] = f"{row.mpxn} {row.role} from the same moment stands in the file twice, expected once"
        seen.add((row.mpxn, row.role, row.begins))
    return errors
