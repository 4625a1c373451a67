"""Leases of instruments: one run at a time has an instrument, and whoever comes second is told who has it and since when.

A lease is a locked file of this machine, so it ends with the process that has it, however that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import re
import sys
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from firmware_emu.errors import NotAvailable
from firmware_emu.ownership import OwnedElsewhere, Owner, line_name


@dataclass(frozen=True, slots=True)
class Holder:
    """Whoever has an instrument. ``since`` is local time."""

    address: str
    user: str
    process: int
    command: str
    since: str

    def __str__(self) -> str:
        return f"{self.user} since {self.since}, process {self.process} ({self.command})"


def lease_folder() -> Path:
    """The folder of leases: one a machine, for every user of it."""
    return Path(os.environ.get("CHUB_LEASES", Path(tempfile.gettempdir()) / "commshub-leases"))


class Lease:
    """One instrument or serial line, from now until :meth:`close` or the end of the process; a device is one under any of its names,
    also for the hub that has it as its dongle. Raises OwnedElsewhere."""

    def __init__(self, address: str) -> None:
        self._line = Owner.of_line(address, f"the instrument {address}") if address.startswith(("/", "ASRL")) else None
        try:
            self._file = self._lease(address)
        except NotAvailable:
            self._give_back_line()
            raise

    @staticmethod
    def _lease(address: str) -> IO[str]:
        folder = lease_folder()
        try:
            with contextlib.suppress(FileExistsError):
                folder.mkdir(parents=True)
                folder.chmod(0o777)  # by chmod, since a umask takes from what mkdir and open are given
            path = folder / (re.sub(r"[^A-Za-z0-9.-]+", "_", line_name(address)).strip("_") + ".json")
            file: IO[str] = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW), "r+", encoding="utf-8")
            with contextlib.suppress(PermissionError):  # another user made it, and did this
                os.fchmod(file.fileno(), 0o666)
        except OSError as wrong:
            raise NotAvailable(f"the lease of {address}", f"{wrong.strerror}: point CHUB_LEASES at a folder that can be written") from wrong
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _read(file)
            file.close()
            process, told = (0, "") if holder is None else (holder.process, f"{holder.command}, {holder.user} since {holder.since}")
            raise OwnedElsewhere(f"the instrument {address}", process, told) from None
        command = Path(sys.argv[0]).name + "".join(f" {word}" for word in sys.argv[1:3])
        row = {
            "address": address,
            "user": getpass.getuser(),
            "process": os.getpid(),
            "command": command,
            "since": f"{datetime.now():%Y-%m-%d %H:%M:%S}",
        }
        file.seek(0)
        file.truncate()
        json.dump(row, file)
        file.flush()
        return file

    def close(self) -> None:
        """Give the instrument back."""
        self._file.close()
        self._give_back_line()

    def _give_back_line(self) -> None:
        if self._line is not None:
            self._line.release()


def _read(file: IO[str]) -> Holder | None:
    try:
        file.seek(0)
        return Holder(**json.load(file))
    except (ValueError, TypeError):
        return None


def holders() -> list[Holder]:
    """Everybody who has an instrument now."""
    found = []
    for path in sorted(lease_folder().glob("*.json")):
        with path.open(encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = _read(file)
                found += [] if holder is None else [holder]
    return found
