"""tshark as a judge of a capture: fields of the frames that a filter lets through, read with the keys that open them."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from firmware_emu.errors import NotAvailable
from firmware_emu.han.capture import KeyFile

_PROGRAM = "tshark"


def installed() -> bool:
    """True if tshark can be run here."""
    return shutil.which(_PROGRAM) is not None


async def fields(capture: Path, keys: Mapping[str, bytes], filtered: str, names: Sequence[str]) -> list[list[str]]:
    """The fields ``names`` of each frame that ``filtered`` (a display filter) lets through; ``keys`` by label.

    The keys are on the disk, for their owner alone, only until tshark has ended. Raises NotAvailable where it fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = KeyFile(Path(folder))
        for label, key in keys.items():
            file.add(key, label)
        wanted = [part for one in names for part in ("-e", one)]
        done = await asyncio.to_thread(
            subprocess.run,
            (_PROGRAM, "-r", str(capture), "-Y", filtered, "-T", "fields", *wanted),
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "WIRESHARK_CONFIG_DIR": folder},
        )
    if done.returncode:
        raise NotAvailable("tshark's reading of the capture", (done.stderr.strip().splitlines() or ["it gave no reason"])[-1])
    return [line.split("\t") for line in done.stdout.splitlines()]
