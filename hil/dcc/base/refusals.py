"""Every refusal that the gateway and the DCC can give, as data (``refusals.toml``): what failed, by which rule, what was read, what next.

Code gives a refusal by its name and fills in the words; nothing else makes one, so that ``chub dcc refusals`` lists them all::

    refused("ck2-role", role="OU", service="7.2 Disable Supply", allowed="IS or GS")
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from string import Formatter

from firmware_emu.errors import CommsHubError
from hil.dcc.base.results import Refusal

_SOURCE = re.compile(r"\[[^]]+\]|\([^()]*choice\)")


@dataclass(frozen=True, slots=True)
class RefusalEntry:
    """One refusal of the list; ``value`` and ``next_step`` hold words in braces, which ``example`` fills."""

    name: str
    hop: str
    check: str
    rule: str
    value: str
    next_step: str
    code: str | None
    example: Mapping[str, object]

    @property
    def words(self) -> frozenset[str]:
        """The words to be filled in."""
        return frozenset(word for text in (self.rule, self.value, self.next_step) for _, word, _, _ in Formatter().parse(text) if word)

    def fill(self, values: Mapping[str, object]) -> Refusal:
        """The refusal with its words filled in. Raises KeyError for a word without a value."""
        return Refusal(
            self.hop,
            self.check,
            self.rule.format(**values),
            self.value.format(**values),
            self.next_step.format(**values),
            self.code,
            self.name,
        )

    def as_json(self) -> dict[str, object]:
        """For ``--json``: the declaration, and the sentence of its example."""
        return {
            "name": self.name,
            "hop": self.hop,
            "check": self.check,
            "code": self.code,
            "rule": self.rule,
            "message": self.value,
            "next": self.next_step,
            "example": str(self.fill(self.example)),
        }


@cache
def catalogue() -> dict[str, RefusalEntry]:
    """The list, by name, in the order of the checks."""
    tables = tomllib.loads(resources.files(__package__).joinpath("refusals.toml").read_text(encoding="utf-8"))
    return {
        name: RefusalEntry(name, row["hop"], row["check"], row["rule"], row["value"], row["next"], row.get("code"), row["example"])
        for name, row in tables.items()
    }


def refused(name: str, /, **values: object) -> Refusal:
    """The refusal ``name`` of the list with its words."""
    return catalogue()[name].fill(values)


class RefusalReason(str):
    """One of several reasons: what, next and source in one line; ``next_step`` and the refusal's ``name`` by themselves."""

    next_step: str
    name: str

    def __new__(cls, refusal: Refusal) -> RefusalReason:
        source = _SOURCE.findall(refusal.rule)
        made = super().__new__(cls, f"{refusal.value}: {refusal.next_step}" + (f" {source[-1]}" if source else ""))
        made.next_step = refusal.next_step
        made.name = refusal.name
        return made


def because(name: str, /, **values: object) -> RefusalReason:
    """The refusal ``name`` as one of several reasons."""
    return RefusalReason(refused(name, **values))


class OwnServiceRefused(CommsHubError):
    """The DCC does not carry a service out. ``refusal`` says why."""

    def __init__(self, name: str, /, **values: object) -> None:
        self.refusal = refused(name, **values)
        super().__init__(self.refusal.value)

    @classmethod
    def of(cls, refusal: Refusal) -> OwnServiceRefused:
        """With a refusal that a check gave."""
        made = cls.__new__(cls)
        made.refusal = refusal
        CommsHubError.__init__(made, refusal.value)
        return made
