"""What a correlation finds: fields with both values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

from firmware_emu.crypto.roles import DeviceType
from firmware_emu.ids import Eui64

Meaning: TypeAlias = "str | int | bool | bytes | Sequence[Meaning] | Mapping[str, Meaning] | None"
"""A value in terms of the request: plain, so that both sides can be compared field by field."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that does not agree: what the request asks and what the pre-command says."""

    field: str
    requested: str
    stated: str

    def __str__(self) -> str:
        return f"{self.field}: requested {self.requested}, the pre-command says {self.stated}"


@dataclass(frozen=True, slots=True)
class Correlation:
    """The verdict: ``match`` where no field differs."""

    match: bool
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What a signatory knows besides the request; each fact closes a field that the request does not hold.

    ``created``: the creation time a gas command must carry, give or take ``created_within`` (without it all creation times in the message
    must agree; they must in any case). ``originator``: who
    commands where it is not the sender of the request (change of supplier). ``device_type_of`` and ``certificate_of``: type and key
    agreement certificate (DER) of the other Device of a join."""

    created: datetime | None = None
    originator: Eui64 | None = None
    device_type_of: Callable[[Eui64], DeviceType | None] | None = None
    certificate_of: Callable[[Eui64], bytes | None] | None = None
    created_within: timedelta = timedelta()


class Unreadable(Exception):
    """A value of the pre-command that is not what its place demands; becomes a difference."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"expected {expected}, found {found}")
        self.expected = expected
        self.found = found


@dataclass(slots=True)
class Comparison:
    """Collects differences."""

    differences: list[Difference] = field(default_factory=list)

    def equal(self, name: str, requested: Meaning, stated: Meaning) -> None:
        """Compare one value, or a nested one field by field."""
        if isinstance(requested, Mapping) and isinstance(stated, Mapping):
            for key in [*requested, *(key for key in stated if key not in requested)]:
                self.equal(f"{name}/{key}" if name else key, requested.get(key), stated.get(key))
        elif _is_list(requested) and _is_list(stated):
            assert isinstance(requested, Sequence)
            assert isinstance(stated, Sequence)
            if len(requested) != len(stated):
                self.add(name, f"{len(requested)} entries", f"{len(stated)} entries")
            for number, (left, right) in enumerate(zip(requested, stated, strict=False), 1):
                self.equal(f"{name}[{number}]", left, right)
        elif type(requested) is not type(stated) or requested != stated:
            self.add(name, _shown(requested), _shown(stated))

    def add(self, name: str, requested: str, stated: str) -> None:
        self.differences.append(Difference(name, requested, stated))

    def result(self) -> Correlation:
        return Correlation(not self.differences, tuple(self.differences))


def _is_list(value: Meaning) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _shown(value: Meaning) -> str:
    if value is None:
        return "nothing"
    return value.hex() if isinstance(value, bytes) else str(value)
