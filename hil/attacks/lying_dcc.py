"""A DCC that lies: pre-commands wrong in one chosen thing, and what whoever sits at the other end makes of them.

The other end is a user of this bench, a program of a supplier's own, or a client of the transform service over HTTP (reference
duis-gateway 1). Each request is answered with the truth once, so that refusing everything earns nothing.
"""

from __future__ import annotations

import random
import shlex
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.errors import CommsHubError, NotAvailable, in_words
from firmware_emu.gbcs.explain import fields_of
from hil.dcc.base.services import UserRole
from hil.dcc.duis import ServiceRequest, write_request
from hil.dcc.parties.users import NotCorrelated, User

_CRASHED_FROM = 2
_WAIT_S = 60


class Reaction(StrEnum):
    """Reaction of the other end to a pre-command."""

    NOTICED = "noticed"
    SIGNED = "signed anyway"
    CRASHED = "crashed"
    TRUE_SIGNED = "signed the truth"
    TRUE_REFUSED = "refused the truth"


@dataclass(frozen=True, slots=True)
class Lie:
    """A pre-command to give out: ``what`` is wrong in it, nothing for the truth."""

    octets: bytes
    what: str = ""

    @property
    def true(self) -> bool:
        return not self.what


@dataclass(slots=True)
class Score:
    """Reactions counted; ``told`` has a row for each lie that was not noticed and each truth that was refused."""

    reactions: Counter[str] = field(default_factory=Counter)
    told: list[dict[str, str]] = field(default_factory=list)

    def add(self, request: str, lie: Lie, reaction: Reaction, detail: str = "") -> None:
        self.reactions[reaction.value] += 1
        if reaction not in (Reaction.NOTICED, Reaction.TRUE_SIGNED):
            self.told.append({"request": request, "lie": lie.what or "the truth", "reaction": reaction.value, "detail": detail})

    @property
    def clean(self) -> bool:
        """Every lie noticed and every truth signed."""
        return not self.told

    def as_json(self) -> dict[str, object]:
        return {"reactions": dict(self.reactions), "told": self.told}


def lies_in_fields(pre_command: bytes, name: str) -> list[Lie]:
    """One lie for each field whose path holds ``name``: its last octet is one bit off. Raises NotAvailable where there is none."""
    fields = fields_of(pre_command)
    chosen = [found for found in fields if name.lower() in found[0].lower()]
    if not chosen:
        raise NotAvailable(f"a field {name!r}", f"this pre-command has {len(fields)} others: --field list shows them")
    return [_flipped(pre_command, 8 * (offset + size) - 1, f"{path}, last bit") for path, offset, size in chosen]


def lie_in_bit(pre_command: bytes, bit: int) -> Lie:
    """One bit flipped, counted from the first octet's highest. Raises NotAvailable beyond the end."""
    if not 0 <= bit < 8 * len(pre_command):
        raise NotAvailable(f"bit {bit}", f"this pre-command has bits 0 to {8 * len(pre_command) - 1}")
    return _flipped(pre_command, bit, f"bit {bit}, in {_field_at(pre_command, bit // 8)}")


def random_lies(pre_command: bytes, count: int, chooser: random.Random) -> list[Lie]:
    """Bits flipped at random."""
    return [lie_in_bit(pre_command, chooser.randrange(8 * len(pre_command))) for _ in range(count)]


def _flipped(octets: bytes, bit: int, what: str) -> Lie:
    changed = bytearray(octets)
    changed[bit // 8] ^= 0x80 >> bit % 8
    return Lie(bytes(changed), what)


def _field_at(pre_command: bytes, octet: int) -> str:
    return next((path for path, offset, size in fields_of(pre_command) if offset <= octet < offset + size), "an octet")


class OtherEnd(Protocol):
    """Whoever is given a pre-command."""

    def __call__(self, request: ServiceRequest, pre_command: bytes) -> tuple[Reaction, str]:
        """SIGNED, NOTICED or CRASHED, with a detail."""


def bench_user(keystore: Keystore, now: datetime) -> OtherEnd:
    """The user of this bench who sent the request: correlates and signs with its own keys."""

    def react(request: ServiceRequest, pre_command: bytes) -> tuple[Reaction, str]:
        user = User(request.request_id.originator, UserRole.IS, keystore)
        try:
            user.answer(request, pre_command, now=now)
        except NotCorrelated as noticed:
            return Reaction.NOTICED, str(noticed)
        except CommsHubError as trouble:
            return Reaction.CRASHED, str(trouble)
        return Reaction.SIGNED, ""

    return react


def program(command: str) -> OtherEnd:
    """A supplier's own program: ``{request}`` and ``{precommand}`` in its command line become files (XML, hexadecimal).

    Exit code 0 means that it would sign, 1 that it would not; anything else, or no end within a minute, is a crash."""

    def react(request: ServiceRequest, pre_command: bytes) -> tuple[Reaction, str]:
        with tempfile.TemporaryDirectory() as folder:
            files = {"request": Path(folder) / "request.xml", "precommand": Path(folder) / "precommand.hex"}
            files["request"].write_bytes(write_request(request))
            files["precommand"].write_text(pre_command.hex())
            words = [word.format(**files) for word in shlex.split(command)]
            try:
                done = subprocess.run(words, capture_output=True, text=True, timeout=_WAIT_S, check=False)
            except subprocess.TimeoutExpired:
                return Reaction.CRASHED, f"no end within {_WAIT_S} s"
            except OSError as trouble:
                raise NotAvailable(words[0], f"it cannot be started: {in_words(trouble)}") from trouble
        crashed = done.returncode >= _CRASHED_FROM or done.returncode < 0 or "Traceback" in done.stderr
        detail = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or [""]
        return (Reaction.CRASHED if crashed else Reaction.NOTICED if done.returncode else Reaction.SIGNED), detail[0][:200]

    return react


def confront(cases: Sequence[tuple[str, ServiceRequest, Sequence[Lie]]], end: OtherEnd, progress: Callable[[], None]) -> Score:
    """Give every lie, and the truth, to the other end and count its reactions."""
    score = Score()
    for name, request, given in cases:
        for lie in given:
            reaction, detail = end(request, lie.octets)
            score.add(name, lie, judged(lie, reaction), detail)
            progress()
    return score


def judged(lie: Lie, reaction: Reaction) -> Reaction:
    """A reaction to the truth has names of its own."""
    if not lie.true or reaction is Reaction.CRASHED:
        return reaction
    return Reaction.TRUE_SIGNED if reaction is Reaction.SIGNED else Reaction.TRUE_REFUSED
