"""Instruments are recognised by what they answer to *IDN?."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hil.inventory.instruments import asked
from ichis.served_jig import Serving, serve


async def test_a_served_instrument_is_recognised_and_what_is_not_there_is_told(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with serve(tmp_path, 0, Serving(supply="siglent-spd3303x", tcp=True)) as table:
        row = await loop.run_in_executor(None, asked, table["supply"])
        assert (row["kind"], row["model"], row["dialect"]) == ("supply", "siglent-spd3303x", "siglent-spd")
    gone = await loop.run_in_executor(None, asked, "ASRL/dev/none-such::INSTR")
    assert gone["serves"] == "no"
