"""The folder a run leaves behind: board, seed, versions, trace, capture, report.

``runs/<time>-<name>/`` under the present folder, or where ``CHUB_RUNS`` points. The capture's key file is written only
when the run was asked to export keys, and the report says so.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from importlib import metadata
from pathlib import Path

from firmware_emu.board import Board, told
from firmware_emu.errors import NotAvailable
from firmware_emu.han.capture import CaptureWriter, KeyFile
from firmware_emu.trace import JsonLines, Record, Scalar
from hil.radio.air.air import Air

_LIBRARIES = ("commshub", "bellows", "zigpy", "cryptography")


def versions() -> dict[str, str]:
    """Versions that the run ran on: Python and the libraries that shape its bytes."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in _LIBRARIES}}


class RunFolder:
    """An open run: a trace sink and the places of its files."""

    def __init__(self, name: str, board: Board, seed: int) -> None:
        """Raises NotAvailable where the folder cannot be made."""
        base = Path(os.environ.get("CHUB_RUNS", "runs"))
        stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
        self.path = base / f"{stamp}-{name}"
        number = 1
        try:
            base.mkdir(parents=True, exist_ok=True)
            while True:
                try:
                    self.path.mkdir()
                    break
                except FileExistsError:
                    number += 1
                    self.path = base / f"{stamp}-{name}-{number}"
        except OSError as wrong:
            raise NotAvailable(f"a run folder in {base}", f"{wrong.strerror}; point CHUB_RUNS at a folder that can be written") from wrong
        self.facts: dict[str, Scalar] = {
            "board": board.name,
            "seed": seed,
            "clock": "warp" if board.warp else "wall",
            "radio": f"{board.radio.kind} on {board.radio.path}",
            **versions(),
        }
        self.records: list[Record] = []
        self._lines = JsonLines(self.path / "trace.jsonl")
        (self.path / "board.json").write_text(json.dumps(told(board), default=str, indent=2) + "\n", encoding="utf-8")

    def __call__(self, record: Record) -> None:
        """The trace sink."""
        self.records.append(record)
        self._lines(record)

    @contextlib.contextmanager
    def capture(self, air: Air) -> Iterator[None]:
        """While in the context every MAC frame of ``air`` goes into ``han.pcapng``."""
        with CaptureWriter(self.path / "han.pcapng") as writer:
            leave = air.capture(writer)
            try:
                yield
            finally:
                leave()

    def export_keys(self, keys: Mapping[str, bytes]) -> None:
        """Write the keys that open ``han.pcapng`` beside it, as Wireshark reads them: secrets, asked for by the caller, mode 0600."""
        file = KeyFile(self.path / "zigbee_pc_keys")
        for label, key in keys.items():
            file.add(key, label)

    def write_requests(self, requests: Iterable[tuple[str, bytes]], *, secrets: bool) -> None:
        """Service requests as signed XML, ``requests/01_12.2.xml`` ... in their order, mode 0600.

        Those that carry an install code are left out unless ``secrets``; the numbers stay.
        """
        folder = self.path / "requests"
        folder.mkdir(mode=0o700)
        for number, (variant, xml) in enumerate(requests, 1):
            if secrets or b"InstallCode>" not in xml:
                path = folder / f"{number:02d}_{variant}.xml"
                path.touch(mode=0o600)
                path.write_bytes(xml)

    def write_json(self, name: str, value: Mapping[str, object]) -> None:
        (self.path / name).write_text(json.dumps(value, indent=2, default=str) + "\n", encoding="utf-8")

    def close(self) -> None:
        self._lines.close()
