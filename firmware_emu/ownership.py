"""One owner for what can have only one: a store, a console's socket, a served port, a serial port, an instrument.

The owner holds a lock (``flock``) on a small file for as long as it lives, and has written into it who it is. The lock ends with the
process, however that ends; the file stays, because removing it would let two processes lock two files of the same name.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import socket
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from firmware_emu.errors import NotAvailable

_LOOKS, _LOOK_S = 25, 0.01
"""A lock that is free at one of so many looks has no owner: a process that is ended loses its pseudo-terminal, whose number the next one
gets, an instant before its lock, and :func:`held_places` looks at a lock by sharing it. Real seconds between two looks: on a busy machine
they are longer, and so is that instant."""


_TERMINALS = "/dev/pts/"


class OwnedElsewhere(NotAvailable):
    """Another process has it: ``pid`` and ``command`` say which (0 and nothing where the owner has not written them yet)."""

    def __init__(self, what: str, pid: int, command: str) -> None:
        super().__init__(
            what, f"process {pid or 'unknown'} has it ({command or 'no command line known'}): end that process, or name another"
        )
        self.pid = pid
        self.command = command


@dataclass(frozen=True, slots=True)
class Held:
    """A thing that a process has, in that process's words, and since when (local time)."""

    what: str
    process: int
    command: str
    since: str


def _told(file: int) -> Held:
    """The owner as it wrote itself down; process 0 and no words where it has not yet."""
    pid, command, what = (*os.pread(file, 4096, 0).decode("utf-8", "replace").splitlines(), "", "", "")[:3]
    since = datetime.fromtimestamp(os.fstat(file).st_mtime)
    return Held(what, int(pid) if pid.isdecimal() else 0, command, f"{since:%Y-%m-%d %H:%M:%S}")


def _held(file: int) -> Held | None:
    """The owner of an open lock; None where nobody holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _told(file)
    return None


def places() -> Path:
    """The folder of this user's short-lived files. It may not be there, or may be another user's: see :func:`own_places`."""
    return Path(tempfile.gettempdir()) / f"chub-{os.getuid()}"


def own_places(what: str) -> Path:
    """The same, made where it was not; ``what`` needs it. Raises NotAvailable where another user has made it, to be in between."""
    folder = places()
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid() or folder.stat().st_mode & 0o022:
        raise NotAvailable(what, f"{folder} is open to other users: remove it")
    return folder


def held_places() -> list[Held]:
    """Serial lines, dongles, instruments and ports that processes of this user have now."""
    found = []
    for path in sorted(places().glob("*.owner")):
        with contextlib.suppress(FileNotFoundError), path.open("rb") as lock:  # that of a terminal goes with its owner
            if (told := _held(lock.fileno())) is not None:
                found.append(told)
    return found


def _lock(file: int) -> None:
    """Raises BlockingIOError where another process keeps it."""
    for left in reversed(range(_LOOKS)):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not left:
                raise
            time.sleep(_LOOK_S)
        else:
            return


def _is_at(lock: Path, file: int) -> bool:
    try:
        return os.stat(lock, follow_symlinks=False).st_ino == os.fstat(file).st_ino
    except FileNotFoundError:
        return False


def _place(place: str, what: str) -> Path:
    return own_places(what) / (re.sub(r"[^A-Za-z0-9.-]", "_", place)[-200:] + ".owner")


class Owner:
    """Files that this process owns, until :meth:`release`."""

    def __init__(self, file: int, passing: Path | None = None) -> None:
        self._file: int | None = file
        self._passing = passing

    @classmethod
    def take(cls, lock: Path, what: str, *, passing: bool = False) -> Self:
        """Own ``what`` by the file ``lock``, which goes with its owner where what it stands for is ``passing``.

        Raises OwnedElsewhere where another process does, NotAvailable where no lock can be made."""
        while True:
            try:
                file = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            except OSError as wrong:
                raise NotAvailable(what, f"its lock {lock} cannot be opened ({wrong.strerror}): name a writable place") from wrong
            try:
                _lock(file)
            except OSError as wrong:
                told = _told(file)
                os.close(file)
                raise OwnedElsewhere(what, told.process, told.command) from wrong
            if not passing or _is_at(lock, file):
                break
            os.close(file)  # its owner has taken it away since it was opened
        os.ftruncate(file, 0)
        lines = (str(os.getpid()), " ".join(sys.argv), what)
        os.pwrite(file, "".join(" ".join(line.splitlines()) + "\n" for line in lines).encode(), 0)
        return cls(file, lock if passing else None)

    @classmethod
    def of_file(cls, path: Path, what: str) -> Self:
        """Own a file: its lock lies beside it."""
        return cls.take(path.with_name(path.name + ".owner"), what)

    @classmethod
    def of_place(cls, place: str, what: str) -> Self:
        """Own what is no file of ours, as a serial port or a TCP port; its lock lies among this user's short-lived files."""
        return cls.take(_place(place, what), what)

    @classmethod
    def of_line(cls, address: str, what: str) -> Self:
        """Own a serial port or an instrument's line by its pyserial URL or VISA name, as :func:`line_name` knows it."""
        name = line_name(address)
        return cls.take(_place(name, what), what, passing=name.startswith(_TERMINALS))

    @staticmethod
    def holder(path: Path) -> tuple[int, str] | None:
        """Pid and command line of the process that owns a file; None where none does."""
        try:
            lock = path.with_name(path.name + ".owner").open("rb")
        except OSError:
            return None
        with lock:
            told = _held(lock.fileno())
        return None if told is None else (told.process, told.command)

    def release(self) -> None:
        """Let go; a second time does nothing."""
        if self._file is not None:
            if self._passing is not None:
                self._passing.unlink(missing_ok=True)
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = None


def local_port(path: Path) -> socket.socket:
    """A local socket bound at ``path``, which its user alone may reach from its making on. Raises OSError.

    The mask of files is the whole process's: nothing else runs while it is another.
    """
    port = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        port.bind(str(path))
    except OSError:
        port.close()
        raise
    finally:
        os.umask(before)
    return port


def line_name(address: str) -> str:
    """One name of a serial port or an instrument's line under all of its names.

    A pseudo-terminal is known by its making too: its number is another's soon, and its owner may not have noticed that it went."""
    plain = address.removeprefix("ASRL").partition("::")[0]
    if not plain.startswith("/"):
        return address
    name = os.path.realpath(plain)
    if name.startswith(_TERMINALS):
        with contextlib.suppress(OSError):
            name += f"-{os.stat(name).st_ctime_ns}"
    return name


class ServedPort:
    """A TCP port that this process listens at: its bound ``socket`` for whichever server answers there, and its :class:`Owner`.

    ``port`` 0 takes one that is free. Raises OwnedElsewhere where another process of this project listens there, NotAvailable where
    something else does or the address is not this machine's.
    """

    def __init__(self, host: str, port: int, what: str) -> None:
        self._owner: Owner | None = None
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
            self.socket = socket.socket(family, kind, protocol)
        except OSError as wrong:
            raise NotAvailable(what, f"cannot listen at {host}:{port} ({wrong.strerror}): name an address of this machine") from wrong
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind(address)
            self.socket.listen()
            self.port: int = self.socket.getsockname()[1]
            self._owner = Owner.of_place(f"tcp-{host}-{self.port}", f"{what} at {host}:{self.port}")
        except OSError as wrong:
            self.close()
            if wrong.errno == errno.EADDRINUSE:
                Owner.of_place(f"tcp-{host}-{port}", f"{what} at {host}:{port}").release()  # one of ours is named by this
            why = f"cannot listen at {host}:{port} ({wrong.strerror})"
            raise NotAvailable(what, f"{why}: name another port, 0 for a free one; `ss -ltnp` names the process that has it") from wrong
        except NotAvailable:
            self.close()
            raise

    def close(self) -> None:
        """Let go, after the server that answers there has closed."""
        self.socket.close()
        if self._owner is not None:
            self._owner.release()
