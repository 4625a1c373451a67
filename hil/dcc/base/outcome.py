"""Outcome of one service request: verdict, code, the hop that stopped it, times of every leg, the messages themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from firmware_emu.ids import Eui64

if TYPE_CHECKING:
    from hil.parse_correlate import Parsed


class Verdict(StrEnum):
    """End of a request."""

    SUCCESS = "success"
    FAILED = "failed"
    """The Device answered, and its answer says no."""
    REFUSED = "refused"
    QUARANTINED = "quarantined"
    NO_ANSWER = "no answer"
    RETURNED = "returned"
    """A Command for local delivery was given to the user (GW-16)."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a hop went no further.

    ``check`` names it (``CK-3 device status``), ``rule`` is the rule in words with its source, ``value`` what was read,
    ``next_step`` what to try; ``code`` the response code where a source gives one. ``name`` is its key in ``refusals.toml``: the only
    part that a decision may read. Never holds a secret.
    """

    hop: str
    check: str
    rule: str
    value: str
    next_step: str
    code: str | None = None
    name: str = ""

    def __str__(self) -> str:
        code = f" [{self.code}]" if self.code else ""
        return f"at {self.hop}, {self.check}{code}: {self.value}. Rule: {self.rule}. Next: {self.next_step}"


@dataclass(frozen=True, slots=True)
class LegMessage:
    """One message of the exchange: its type letter of sec2-rules 3 (a to j), who to whom, and its octets."""

    kind: str
    name: str
    octets: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one request.

    ``legs`` are milliseconds per leg in order; ``target_s`` the target response time and ``within_target`` whether the
    DCC's legs together (the user's thinking time left out, sec2-rules RT-07) kept it, None where the clock does not apply.
    ``started`` and ``finished`` are bench seconds since 2000 at the gateway.
    """

    verdict: Verdict
    request: str
    variant: str
    response_code: str | None
    hop: str
    reason: str
    parsed: Parsed | None = None
    refusal: Refusal | None = None
    messages: tuple[LegMessage, ...] = ()
    legs: Mapping[str, float] = field(default_factory=dict)
    started: float = 0.0
    finished: float = 0.0
    target_s: float | None = None
    within_target: bool | None = None
    result: Mapping[str, object] = field(default_factory=dict)
    """Result of a service that the DCC itself executed (8.2, 12.2 ...)."""

    @property
    def ok(self) -> bool:
        """True if the request did what it asked."""
        return self.verdict in (Verdict.SUCCESS, Verdict.RETURNED)

    @property
    def why(self) -> str:
        """One paragraph: the hop, the rule with its clause and the next thing to try; for a success, what happened."""
        return str(self.refusal) if self.refusal is not None else f"{self.verdict} at {self.hop}: {self.reason}"

    def as_json(self) -> dict[str, object]:
        """For ``--json``; octets as hex."""
        return {
            "verdict": str(self.verdict),
            "request": self.request,
            "variant": self.variant,
            "response_code": self.response_code,
            "hop": self.hop,
            "reason": self.reason,
            "why": self.why,
            "parsed": self.parsed.as_json() if self.parsed is not None else None,
            "messages": [{"kind": one.kind, "name": one.name, "octets": one.octets.hex()} for one in self.messages],
            "legs_ms": {name: round(ms, 3) for name, ms in self.legs.items()},
            "started": self.started,
            "finished": self.finished,
            "target_s": self.target_s,
            "within_target": self.within_target,
            "result": dict(self.result),
        }


@dataclass(frozen=True, slots=True)
class Delivery:
    """Something the DCC pushed to the user. ``kind`` is the type letter of sec2-rules 3: h service response, i Device alert,
    j DCC alert. A DCC alert has no ``octets`` but ``detail``. ``late`` is a response after the DCC had reported none.
    ``sequence`` and ``count`` are those of a throttled alert."""

    kind: str
    time: float
    code: str
    device: Eui64
    octets: bytes | None = None
    request: str | None = None
    late: bool = False
    sequence: int | None = None
    count: int | None = None
    detail: Mapping[str, object] = field(default_factory=dict)
