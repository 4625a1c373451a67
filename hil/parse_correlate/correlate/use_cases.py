"""Which message codes a critical service request can become, by its content (``use_cases.csv``; the correlator's own table)."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files

from ..request import ServiceRequest


@cache
def _rows() -> tuple[tuple[str, str, frozenset[int]], ...]:
    text = (files(__package__) / "use_cases.csv").read_text(encoding="utf-8")
    return tuple(
        (row["variant"], row["content"], frozenset(int(code, 16) for code in row["codes"].split()))
        for row in csv.DictReader(text.splitlines())
    )


def codes_for(request: ServiceRequest) -> frozenset[int]:
    """Message codes that can stand for this request; more than one where the type of the Device or its GBCS version decides."""
    body = request.body
    for variant, content, codes in _rows():
        path, _, value = content.partition("=")
        if variant != request.variant:
            continue
        if not content or any(not value or node.word() == value for node in body.nodes(path)):
            return codes
    return frozenset()
