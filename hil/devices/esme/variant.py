"""The kinds of electricity meter that there are (reference smets 11: 5 single element, 5.13 twin element, 5.18 polyphase)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EsmeVariant:
    """``letter`` is the meter variant that ECS26e tells: A, B or C (reference smets 7)."""

    name: str
    letter: str
    elements: int
    phases: int


SINGLE_ELEMENT = EsmeVariant("single element", "A", 1, 1)
TWIN_ELEMENT = EsmeVariant("twin element", "B", 2, 1)
POLYPHASE = EsmeVariant("polyphase", "C", 1, 3)
SECOND_ELEMENT_OBJECTS = ("0-0:19.20.5", "0-0:94.44.128.30", "0-0:13.0.1", "0-0:11.0.1", "0-1:11.0.1", "0-0:94.44.1.8")
"""Objects of a twin element meter alone (reference smets 11: 5.13)."""
FURTHER_PHASES_OBJECTS = tuple(
    f"1-0:{phase}.{place}" for phase in (52, 72) for place in ("31.0.4", "32.0.4", "35.0.4", "36.0.4", "24.0.255")
)
"""Objects of a polyphase meter alone (reference smets 11: 5.18, 5.19)."""
VARIANTS = {variant.name: variant for variant in (SINGLE_ELEMENT, TWIN_ELEMENT, POLYPHASE)}
