"""Stands between a hub and the serial port of a real dongle, and lets somebody hear what goes through.

Not modelled: modem lines and hardware flow control do not go through; a break does not either.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import termios
import tty
from collections.abc import Callable
from pathlib import Path

from firmware_emu.clock import Clock
from firmware_emu.errors import NotAvailable, in_words
from hil.radio.port.dongle_server import PtyPort

_CHUNK = 4096


class SerialRelay:
    """Opens ``port`` and a pseudo-terminal, :attr:`path`, for the hub; ``heard`` gets ``host`` or ``dongle`` and octets."""

    def __init__(self, port: str, baudrate: int, clock: Clock, heard: Callable[[str, bytes], None]) -> None:
        """Raises NotAvailable."""
        speed = getattr(termios, f"B{baudrate}", None)
        if speed is None:
            raise NotAvailable(f"a relay at {baudrate} baud", "take a rate that terminals have: 57600, 115200, 230400 or 460800")
        try:
            self._port = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            tty.setraw(self._port)
            settings = termios.tcgetattr(self._port)
            settings[4] = settings[5] = speed
            termios.tcsetattr(self._port, termios.TCSANOW, settings)
        except (OSError, termios.error) as wrong:
            raise NotAvailable(f"the port {port}", f"{in_words(wrong)}: plug the dongle in, and close what has it open") from wrong
        self._heard = heard
        self._unsent = bytearray()
        self._host = PtyPort(clock, self._from_host, lambda: None)
        self.path: Path = self._host.path
        asyncio.get_running_loop().add_reader(self._port, self._from_dongle)

    def _from_host(self, octets: bytes) -> None:
        self._heard("host", octets)
        self._unsent += octets
        self._flush()

    def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(BlockingIOError):
            sent = os.write(self._port, self._unsent)
            del self._unsent[:sent]
        if self._unsent:
            loop.add_writer(self._port, self._flush)
        else:
            loop.remove_writer(self._port)

    def _from_dongle(self) -> None:
        try:
            octets = os.read(self._port, _CHUNK)
        except BlockingIOError:
            return
        except OSError:  # the dongle was pulled: the hub hears nothing more, as it would without the relay
            asyncio.get_running_loop().remove_reader(self._port)
            return
        self._heard("dongle", octets)
        self._host.write(octets)

    def close(self) -> None:
        """Let go of the port."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._port)
        loop.remove_writer(self._port)
        os.close(self._port)
        self._host.close()
