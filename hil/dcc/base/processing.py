"""The processing of a request, written out of :data:`hil.dcc.base.requests.LIFE`: the text of ``hil/dcc/processing.md``.

A walk is what one kind of request meets, in order. A hop is a trace record; where it is also a step of the table, it names that step, and
a walk whose steps do not follow one another in the table is not written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hil.dcc.base.requests import LIFE, STANDING, LifeStep, RequestEvent, RequestState, step_of
from hil.dcc.base.services import Service


@dataclass(frozen=True, slots=True)
class WalkLine:
    """One numbered line: what happens, the trace record that it leaves (source, event), and the event of the table it is."""

    text: str
    source: str
    event: str
    step: RequestEvent | None = None


_SIGN = WalkLine("The user signs the request with the key of its role and sends it", "user", "requested")
_TRANSFORM = WalkLine("The request is transformed to the Device's form", "transform", "transformed")
_PROTECT = WalkLine("The Access Control Broker adds the Message Authentication Code; that makes it a Command", "acb", "protected")
_WAY_BACK = (
    WalkLine("The Command goes to the hub over the SM WAN", "dcc", "sent", RequestEvent.POST),
    WalkLine("The hub's answer comes in", "chf", "received"),
    WalkLine("The DCC matches it with the Command and proves what it can", "responses", "verified", RequestEvent.RESPOND),
    WalkLine("The Device's octets go to the user unchanged", "gateway", "delivered", RequestEvent.DELIVER),
    WalkLine("The user verifies, decrypts and reads them", "user", "parsed"),
)

_NOT_CRITICAL, _CRITICAL, _OF_THE_DCC = "A service that is not critical", "A critical service", "A service of the DCC itself"
WALKS: Mapping[str, tuple[WalkLine, ...]] = {
    _NOT_CRITICAL: (
        _SIGN,
        WalkLine(
            "The gateway runs the checks of section 4 in their order, stops at the first that fails, and acknowledges",
            "gateway",
            "acknowledged",
            RequestEvent.ACCEPT,
        ),
        _TRANSFORM,
        _PROTECT,
        *_WAY_BACK,
    ),
    _CRITICAL: (
        _SIGN,
        WalkLine("The gateway runs the checks of section 4 and acknowledges", "gateway", "acknowledged", RequestEvent.ACCEPT),
        _TRANSFORM,
        WalkLine("The pre-command is remembered and returned to the user", "gateway", "returned", RequestEvent.GIVE_PRE_COMMAND),
        WalkLine("The user compares it with its request, and signs it if it means the same", "user", "signed"),
        WalkLine(
            "The signed pre-command passes the checks again, and must be the one returned, but for the signature",
            "gateway",
            "acknowledged",
            RequestEvent.TAKE_SIGNED,
        ),
        _PROTECT,
        *_WAY_BACK,
    ),
    _OF_THE_DCC: (
        _SIGN,
        WalkLine(
            "The gateway runs the checks that apply to services without a Device, and acknowledges",
            "gateway",
            "acknowledged",
            RequestEvent.ACCEPT,
        ),
        WalkLine("The DCC carries it out and answers in the same exchange", "gateway", "executed", RequestEvent.EXECUTE),
    ),
}

_HEAD = """# How a request is processed, step by step

This page is written by `chub dcc life --markdown` from the table in `hil/dcc/base/requests.py`; change the table, not the page.

What users and DCC do with one service request, in order (sec2-rules 4 and 5; paragraphs 130, 148, 153 to 156 of the SEC stage 2
consultation). Each step leaves the trace record named at its end, source and event, which `chub dcc send --trace FILE` writes and the
console's ladder draws. A step that goes no further leaves `refused` in its place, with check, rule, value and what comes next
(`chub dcc refusals`).
"""


def steps_of(walk: tuple[WalkLine, ...]) -> tuple[LifeStep, ...]:
    """The steps of the table that a walk takes. Raises WrongEvent where one does not follow from the one before."""
    state, taken = RequestState.NEW, []
    for hop in walk:
        if hop.step is not None:
            taken.append(step_of("of the walk", state, hop.step))
            state = taken[-1].to
    return tuple(taken)


def walk_of(service: Service) -> tuple[WalkLine, ...]:
    """The walk that requests of this service take."""
    return WALKS[_OF_THE_DCC if not service.device_service else _CRITICAL if service.critical else _NOT_CRITICAL]


def states_along(seen: Sequence[tuple[str, str]], walk: Sequence[WalkLine]) -> tuple[tuple[int, RequestState], ...]:
    """Trace records of one request (source, event), in their order, that change its state: their number and the state after them."""
    found, state, lines = [], RequestState.NEW, list(walk)
    for index, record in enumerate(seen):
        if lines and record == (lines[0].source, lines[0].event):
            line = lines.pop(0)
            if line.step is not None:
                before, state = state, step_of("of the walk", state, line.step).to
                if state is not before:
                    found.append((index, state))
    return tuple(found)


def document() -> str:
    """The page, as Markdown."""
    parts = [_HEAD]
    for title, walk in WALKS.items():
        states = [RequestState.NEW, *(step.to for step in steps_of(walk))]
        path = " -> ".join(dict.fromkeys(states))
        lines = [f"{number}. {hop.text}: `{hop.source} {hop.event}`" for number, hop in enumerate(walk, 1)]
        parts.append(f"## {title}\n\n" + "\n".join(lines) + f"\n\nIts states: {path}.\n")
    rows = [f"| {step.state} | {step.event} | {step.to} | {'; '.join(step.effects)} |" for step in LIFE]
    parts.append(
        "## Every step there is\n\nAn event that has no row for the request's state changes nothing.\n\n"
        "| state | event | next state | what follows |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
    )
    rows = [f"| {state} | {one.waits_for} | {one.next} | {one.resume} |" for state, one in STANDING.items()]
    parts.append("## Every state\n\n| state | waits for | to do | a DCC that starts |\n|---|---|---|---|\n" + "\n".join(rows) + "\n")
    arrows = dict.fromkeys(f"    {_id(step.state)} --> {_id(step.to)}: {step.event}" for step in LIFE)
    parts.append("## As a picture\n\n```mermaid\nstateDiagram-v2\n" + "\n".join(arrows) + "\n```\n")
    return "\n".join(parts)


def _id(state: RequestState) -> str:
    return "[*]" if state is RequestState.NEW else state.value.replace("-", "_")
