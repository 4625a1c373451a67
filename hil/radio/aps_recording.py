"""Messages of the HAN at the APS level, recorded beside what goes over the dongle's line: alike for every family of dongle.

JSON lines: a head (format, version, kind ``aps``), then one line for each message, whole and as the hub sends or gets it: time in seconds,
sender, destination (none: everybody), profile, cluster, endpoints, whether it came under a link key, octets. It is read by ``chub log``;
a dongle it cannot play, for it does not hold what a dongle answers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from firmware_emu.clock import Clock
from firmware_emu.console.explain_zcl import zcl_nodes
from firmware_emu.errors import DecodeError, NotAvailable, in_words
from firmware_emu.gbcs.tree import Cursor
from firmware_emu.han.base import ApsFrame
from firmware_emu.ids import Eui64
from firmware_emu.zse import clusters
from firmware_emu.zse.zcl import ZclFrame
from hil.radio.recording import FORMAT, VERSION, RecordingError

KIND = "aps"


def beside(path: Path) -> Path:
    """The file for the messages beside a recording of the line: ``field.jsonl`` has ``field.aps.jsonl``."""
    return path.with_suffix(f".{KIND}{path.suffix or '.jsonl'}")


class ApsRecorder:
    """Writes the messages as they pass. :meth:`heard` is the tap of a hub's radio."""

    def __init__(self, path: Path, clock: Clock) -> None:
        """Raises NotAvailable where the file cannot be written."""
        try:
            self._file: TextIO = path.open("w", encoding="utf-8")
        except OSError as wrong:
            raise NotAvailable(f"a recording in {path}", f"{wrong.strerror}: name a file that can be written") from wrong
        self._clock = clock
        self._began = clock.now()
        self._write({"format": FORMAT, "version": VERSION, "kind": KIND})

    def _write(self, row: dict[str, object]) -> None:
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()

    def heard(self, sender: Eui64, destination: Eui64 | None, frame: ApsFrame) -> None:
        """One message."""
        row: dict[str, object] = {"t": round(self._clock.now() - self._began, 6), "from": str(sender)}
        row["to"] = None if destination is None else str(destination)
        row |= {"profile": frame.profile, "cluster": frame.cluster, "endpoints": [frame.source_endpoint, frame.destination_endpoint]}
        self._write(row | {"secured": frame.secured, "payload": frame.payload.hex()})

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True, slots=True)
class RecordedMessage:
    """One recorded message; ``time`` in seconds since the recording began."""

    time: float
    sender: str
    destination: str | None
    frame: ApsFrame

    @property
    def name(self) -> str:
        """Its cluster."""
        known = clusters.BY_ID.get(self.frame.cluster) if self.frame.profile else None
        return "ZDO" if not self.frame.profile else f"cluster {self.frame.cluster:04x}" if known is None else known.name

    @property
    def text(self) -> str:
        """Its ZCL frame in words, its octets where it is none."""
        try:
            title, _ = zcl_nodes(Cursor(self.frame.payload), ZclFrame.decode(self.frame.payload), self.frame.cluster, lambda inner: ())
        except DecodeError:
            title = self.frame.payload.hex()
        return f"{title}, {len(self.frame.payload)} octets{', under the link key' if self.frame.secured else ''}"


def load_messages(path: Path) -> list[RecordedMessage]:
    """Read such a recording. Raises RecordingError."""
    number = 1
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        head = json.loads(lines[0])
        if (head.get("format"), head.get("version"), head.get("kind")) != (FORMAT, VERSION, KIND):
            raise RecordingError(f"{path}: line 1: expected the head of a {FORMAT} of kind {KIND}, version {VERSION}, read {lines[0][:80]}")
        found = []
        for number, line in enumerate(lines[1:], 2):  # noqa: B007
            row = json.loads(line)
            source, target = row["endpoints"]
            frame = ApsFrame(row["cluster"], bytes.fromhex(row["payload"]), source, target, row["secured"], row["profile"])
            found.append(RecordedMessage(float(row["t"]), row["from"], row["to"], frame))
        return found
    except (OSError, UnicodeDecodeError) as wrong:
        raise RecordingError(f"{path}: cannot be read: {in_words(wrong)}") from wrong
    except (IndexError, KeyError, ValueError, AttributeError, TypeError) as wrong:
        raise RecordingError(f"{path}: line {number}: expected a line of a recording of kind {KIND}: {wrong}") from wrong
