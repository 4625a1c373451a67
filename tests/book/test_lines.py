"""Every line of the book is one that the console knows, with a service request's body as DUIS has it: read, not said."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from firmware_emu.console.frames import attributes, commands
from firmware_emu.errors import CommsHubError
from firmware_emu.ids import Eui64
from hil.bench.deeds import DEEDS
from hil.book.judge import Kept
from hil.book.rows import BookRow, load_book
from hil.dcc.duis import new_request
from hil.dcc.duis.document import Content

USER, TARGET = Eui64.parse("02d0000000000010"), Eui64.parse("02e53e0000000001")
NAMES = ("esme", "gsme", "ppmid", "ihd", "hcalcs", "second")
OTHER_DEVICE = {"OtherDeviceID", "DeviceID"}
NOT_THE_BODYS = {"by", "counter", "json"}


def lines() -> Iterator[tuple[BookRow, list[str]]]:
    """The words of every line, with something in place of what is kept."""
    for row in load_book().rows.values():
        kept = Kept(lambda: datetime(2026, 1, 5, 8, tzinfo=UTC))
        steps = [*row.steps, *(step for variant in row.variants for step in variant.steps)]
        for step in steps:
            kept.values.update(dict.fromkeys(step.keep, 11111111111111111111))
        for line in (*(step.line for step in steps), *row.undo):
            yield row, shlex.split(kept.fill(line))


def test_every_body_is_as_duis_has_it() -> None:
    wrong = []
    for row, words in lines():
        if words[:2] != ["dcc", "send"]:
            continue
        named = dict(word.split("=", 1) for word in words[3:] if "=" in word)
        body: dict[str, Content] = {**json.loads(named.get("json", "{}"))}
        body |= {name: TARGET if name in OTHER_DEVICE else text for name, text in named.items() if name not in NOT_THE_BODYS}
        try:
            new_request(words[2], USER, TARGET, 1000, body)
        except CommsHubError as problem:
            wrong.append(f"row {row.number}: {problem}")
    assert wrong == []


def test_every_attribute_command_and_deed_is_one_that_there_is() -> None:
    known = {"read": attributes(), "do": DEEDS, "send": commands()}
    for row, words in lines():
        if words[0] in NAMES and words[1] in known:
            assert words[2] in known[words[1]], f"row {row.number}: {' '.join(words)}"


@pytest.mark.parametrize("number", [51, 74, 81])
def test_rows_of_the_audit_keep_their_numbers(number: int) -> None:
    assert f"behaviour-audit {number}" in load_book().rows[number].source
