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
VARIANTS = {variant.name: variant for variant in (SINGLE_ELEMENT, TWIN_ELEMENT, POLYPHASE)}
