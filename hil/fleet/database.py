"""A PostgreSQL server of one's own for as long as it is needed, from Debian's package, reached by a socket in its own folder."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from firmware_emu.errors import NotAvailable

_USER = "postgres"


def programs() -> Path | None:
    """The folder of PostgreSQL's own programs, the newest that Debian's package has; None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda one: float(one.parts[-3]))
    if found:
        return found[-1].parent
    elsewhere = shutil.which("postgres")
    return None if elsewhere is None else Path(elsewhere).resolve().parent


@contextlib.contextmanager
def own_database(*, durable: bool = True) -> Iterator[str]:
    """The address of a new, empty database. ``durable`` False: what it holds need not outlive a power cut (for tests). Raises
    NotAvailable where PostgreSQL is not here or does not start."""
    folder = programs()
    if folder is None:
        raise NotAvailable("PostgreSQL", "its programs are not here (Debian: apt-get install postgresql)")
    root = os.geteuid() == 0
    user = _USER if root else None
    if root:
        try:
            owner = pwd.getpwnam(_USER)
        except KeyError as none:
            raise NotAvailable("PostgreSQL", f"it does not run as root, and there is no user {_USER}") from none
    place = Path(tempfile.mkdtemp(prefix="chub-pg-"))  # its socket's path has room for 107 octets
    data = place / "data"
    try:
        if root:
            os.chown(place, owner.pw_uid, owner.pw_gid)
        _run([str(folder / "initdb"), "-D", str(data), "-U", "chub", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"], user, place)
        options = f"-k {place} -c listen_addresses='' -c max_connections=100" + ("" if durable else " -c fsync=off -c full_page_writes=off")
        _run([str(folder / "pg_ctl"), "-D", str(data), "-w", "-t", "120", "-l", str(place / "log"), "-o", options, "start"], user, place)
        try:
            yield f"postgresql://chub@{quote(str(place), safe='')}/postgres"
        finally:
            _run([str(folder / "pg_ctl"), "-D", str(data), "-w", "-m", "immediate", "stop"], user, place)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _run(command: list[str], user: str | None, place: Path) -> None:
    done = subprocess.run(
        command, user=user, group=user, cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise NotAvailable("PostgreSQL", f"{Path(command[0]).name}: {said}")
