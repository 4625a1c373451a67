"""A raw pseudo-terminal for a virtual dongle, which knows of octets that the kernel has not handed over yet.

A host in the same process writes to the slave side; a kernel worker moves the octets to our side a moment later. A warp clock
that jumped in that moment would let the host's timers run out, so each write is noticed (inotify, in the same system call) and
the clock held until the octets are here. A host that closes the port is noticed in the same way: it will acknowledge nothing more.
A host on a thread of its own is not watched so closely: run it without one on a warp clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import logging
import os
import struct
import sys
import termios
import time
import tty
from collections.abc import Callable
from pathlib import Path

from firmware_emu.clock import Clock

LOGGER = logging.getLogger(__name__)
_CHUNK = 4096
_IN_MODIFY = 0x00000002
_IN_CLOSE_WRITE = 0x00000008
_EVENT = struct.Struct("iIII")
_IN_NONBLOCK = os.O_NONBLOCK
_MOVES_S = 0.05
"""Real seconds after which the kernel is taken to have something else to do; the clock's hold then keeps the time."""


class PtyPort:
    """One pseudo-terminal pair; the host opens :attr:`path`, any number of times."""

    def __init__(self, clock: Clock, receive: Callable[[bytes], None], hung_up: Callable[[], None]) -> None:
        """``hung_up`` is called when the host closes the port (on a warp clock only: elsewhere nothing waits for it)."""
        self._clock = clock
        self._receive = receive
        self._hung_up = hung_up
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = Path(os.ttyname(self._slave))
        self._unsent = bytearray()
        self._blocked = False
        self._hold: Callable[[], None] | None = None
        self._watch = _watch(self.path) if clock.warp else -1
        loop = asyncio.get_running_loop()
        loop.add_reader(self._master, self._look)
        if self._watch >= 0:
            loop.add_reader(self._watch, self._look)

    def write(self, octets: bytes) -> None:
        """Octets for the host."""
        self._unsent += octets
        self._flush()

    def _flush(self) -> None:
        before = _held(self._slave) if self._clock.warp else 0
        try:
            sent = os.write(self._master, self._unsent)
        except BlockingIOError:
            sent = 0
        if sent and self._clock.warp and not self._until_moved(lambda: _held(self._slave) >= before + sent):
            self._clock.stir()
        del self._unsent[:sent]
        if self._unsent and not self._blocked:
            asyncio.get_running_loop().add_writer(self._master, self._flush)
        elif self._blocked and not self._unsent:
            asyncio.get_running_loop().remove_writer(self._master)
        self._blocked = bool(self._unsent)

    def _look(self) -> None:
        """The host has written or closed, or its octets have come. What was written before now is told by the watch before now."""
        seen = self._events() if self._watch >= 0 else 0
        octets = b""
        with contextlib.suppress(BlockingIOError):
            octets = os.read(self._master, _CHUNK)
        if not octets and seen & _IN_MODIFY:
            self._until_moved(lambda: _held(self._master) > 0)
            with contextlib.suppress(BlockingIOError):
                octets = os.read(self._master, _CHUNK)
        if octets:
            self._release()
            self._receive(octets)
        elif seen & _IN_MODIFY and self._hold is None:
            self._hold = self._clock.take("octets of the host on the dongle's port")
        if seen & _IN_CLOSE_WRITE:
            self._release()
            self._hung_up()

    @staticmethod
    def _until_moved(moved: Callable[[], bool]) -> bool:
        """Give the kernel the moment it needs: what runs next on the loop must not hang on how soon it moves octets, or two runs differ.

        Whether it has moved them.
        """
        give_up = time.monotonic() + _MOVES_S
        while not (there := moved()) and time.monotonic() < give_up:
            os.sched_yield()
        return there

    def _events(self) -> int:
        """Events on the slave side since the last look, as a mask."""
        seen = 0
        with contextlib.suppress(BlockingIOError):
            for _, mask, _, _ in _EVENT.iter_unpack(os.read(self._watch, _EVENT.size * 64)):
                seen |= mask
        return seen

    def _release(self) -> None:
        if self._hold is not None:
            self._hold()
            self._hold = None

    def close(self) -> None:
        """The pair goes away; a host that has it open sees it hang up."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._master)
        loop.remove_writer(self._master)
        if self._watch >= 0:
            loop.remove_reader(self._watch)
            os.close(self._watch)
        self._release()
        os.close(self._master)
        os.close(self._slave)


def _held(descriptor: int) -> int:
    """Number of octets that can be read from a terminal now."""
    return int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)), sys.byteorder)


def _watch(path: Path) -> int:
    """A descriptor that becomes readable when ``path`` is written to; -1 where the system has no inotify."""
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        descriptor: int = libc.inotify_init1(_IN_NONBLOCK)
    except AttributeError:
        return -1
    if descriptor >= 0 and libc.inotify_add_watch(descriptor, os.fsencode(path), _IN_MODIFY | _IN_CLOSE_WRITE) < 0:
        os.close(descriptor)
        descriptor = -1
    if descriptor < 0:
        LOGGER.warning(
            "writes to %s cannot be watched (%s): a warp clock may run ahead of octets on a busy machine",
            path,
            os.strerror(ctypes.get_errno()),
        )
    return descriptor
