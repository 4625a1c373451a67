"""Findings of a correlation: fields that differ with both values, and fields that nothing here can prove."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

from ..message.envelope import Entity

Meaning: TypeAlias = "str | int | bool | bytes | Sequence[Meaning] | Mapping[str, Meaning] | None"
"""A value in terms of the request: plain, so that both sides can be compared field by field."""
MATCH, DIFFERS, NOT_CHECKED = "match", "differs", "not checked"
GSME, ESME, CHF, GPF, HCALCS, PPMID, TYPE_2 = range(7)
"""Device types (reference gbcs-messages 6)."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that does not agree: what the request asks and what the pre-command says."""

    field: str
    requested: str
    stated: str

    def __str__(self) -> str:
        return f"{self.field}: requested {self.requested}, the pre-command says {self.stated}"


@dataclass(frozen=True, slots=True)
class NotChecked:
    """One field that the inputs cannot prove: what the pre-command says, and what is missing to decide it."""

    field: str
    stated: str
    missing: str

    def __str__(self) -> str:
        return f"{self.field} ({self.stated}): {self.missing}"


@dataclass(frozen=True, slots=True)
class Correlation:
    """``differences`` are proven; ``not_checked`` is what stays open where nothing differs."""

    differences: tuple[Difference, ...]
    not_checked: tuple[NotChecked, ...]

    @property
    def match(self) -> bool:
        """True if nothing differs; ``not_checked`` may hold fields all the same."""
        return not self.differences

    @property
    def verdict(self) -> str:
        """``match``, ``differs``, or ``not checked`` where nothing differs and something stays open."""
        return DIFFERS if self.differences else NOT_CHECKED if self.not_checked else MATCH

    def as_text(self) -> str:
        """One line a finding; the first word is the verdict."""
        open_ = [f"not checked: {one}" for one in self.not_checked]
        if self.differences:
            return "\n".join((*(f"differs: {one}" for one in self.differences), *open_))
        return "\n".join(("match" if not open_ else "match of all that could be checked", *open_))


def _no_types(_: Entity) -> int | None:
    return None


def _no_certificates(_: Entity) -> Sequence[bytes]:
    return ()


@dataclass(frozen=True, slots=True)
class Known:
    """Knowledge of a signatory besides the request; each fact closes a field that the request does not hold.

    ``created``: the creation time a gas command must carry, give or take ``created_within``. ``originator`` and ``counter``: who commands
    with which counter where it is not the sender of the request (change of supplier). ``device_type_of``: type of a Device, as a number.
    ``certificates_of``: key agreement certificates (DER) of a Device. ``elements``: measuring elements of the meter."""

    created: datetime | None = None
    originator: Entity | None = None
    counter: int | None = None
    device_type_of: Callable[[Entity], int | None] = _no_types
    certificates_of: Callable[[Entity], Sequence[bytes]] = _no_certificates
    created_within: timedelta = timedelta()
    elements: int | None = None


class Unreadable(Exception):
    """A value of the pre-command that is not what its place demands; becomes a difference."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"expected {expected}, found {found}")
        self.expected = expected
        self.found = found


@dataclass(slots=True)
class Comparison:
    """Collects what differs and what is not checked."""

    differences: list[Difference] = field(default_factory=list)
    not_checked: list[NotChecked] = field(default_factory=list)

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

    def open(self, name: str, stated: str, missing: str) -> None:
        """Note a field that cannot be decided."""
        self.not_checked.append(NotChecked(name, stated, missing))

    def result(self) -> Correlation:
        return Correlation(tuple(self.differences), tuple(self.not_checked))


def _is_list(value: Meaning) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _shown(value: Meaning) -> str:
    if value is None:
        return "nothing"
    return value.hex() if isinstance(value, bytes) else str(value)
