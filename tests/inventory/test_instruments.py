"""Instruments are recognised by what they answer to *IDN?."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_emu.errors import NotAvailable
from hil.commands.inventory import inventory
from hil.inventory.instruments import asked
from ichis.served_jig import Serving, serve


async def test_a_served_instrument_is_recognised_and_what_is_not_there_is_told(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with serve(tmp_path, 0, Serving(supply="siglent-spd3303x", tcp=True)) as table:
        row = await loop.run_in_executor(None, asked, table["supply"])
        assert (row["kind"], row["model"], row["dialect"]) == ("supply", "siglent-spd3303x", "siglent-spd")


@pytest.mark.parametrize(
    "words",
    [
        ("--instrument", "ASRL/dev/none-such::INSTR"),
        ("--instrument", "NONSENSE"),
        ("--dongle", "{file}"),
        ("--dongle", "/dev/null"),
        ("--meter", "{file}", "--dongle", "{file}"),
    ],
)
def test_a_name_of_nothing_that_can_be_opened_is_refused_in_a_line(tmp_path: Path, words: Sequence[str]) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("no dongle", encoding="utf-8")
    with pytest.raises(NotAvailable, match=re.escape(words[-1].format(file=file))):
        CliRunner().invoke(inventory, [word.format(file=file) for word in words], catch_exceptions=False)
