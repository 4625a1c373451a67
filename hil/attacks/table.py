"""The table of attacks: Markdown, HTML and JSON of the same results."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import asdict

from hil.attacks.arena import AttackResult

_HEAD = ("layer", "target", "attack", "sent", "outcome", "what it said", "held")
_STYLE = "body{font:14px sans-serif}td,th{border:1px solid #999;padding:3px 6px;vertical-align:top}table{border-collapse:collapse}"


def _row(result: AttackResult) -> tuple[str, ...]:
    said = "; ".join(result.evidence[:2]) if result.held else "; ".join(result.wrong)
    return (
        result.layer,
        result.target,
        f"{result.name}: {result.how}",
        str(result.sent),
        ", ".join(result.outcomes),
        said,
        "yes" if result.held else "NO",
    )


def as_json(results: Sequence[AttackResult]) -> str:
    """Everything of each result."""
    rows = [{**asdict(result), "outcomes": [str(outcome) for outcome in result.outcomes], "held": result.held} for result in results]
    return json.dumps({"attacks": len(rows), "held": sum(result.held for result in results), "results": rows}, indent=2) + "\n"


def as_markdown(results: Sequence[AttackResult]) -> str:
    """A table, and a line of totals."""
    lines = ["| " + " | ".join(_HEAD) + " |", "|" + " --- |" * len(_HEAD)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in _row(result)) + " |" for result in results]
    return "\n".join([*lines, "", totals(results), ""])


def as_html(results: Sequence[AttackResult]) -> str:
    """One file, without anything from elsewhere."""

    def cells(tag: str, row: Sequence[str]) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in row) + "</tr>"

    body = "".join(cells("td", _row(result)) for result in results)
    return (
        f"<!doctype html><meta charset=utf-8><title>Attacks</title><style>{_STYLE}</style><h1>Attacks, targets, outcomes</h1>"
        f"<p>{html.escape(totals(results))}</p><table>{cells('th', _HEAD)}{body}</table>\n"
    )


def totals(results: Sequence[AttackResult]) -> str:
    """Totals: attacks, messages sent, attacks held."""
    sent, held = sum(result.sent for result in results), sum(result.held for result in results)
    targets = len({result.target for result in results})
    return f"{len(results)} attacks on {targets} targets, {sent} messages; {held} held, {len(results) - held} did not."
