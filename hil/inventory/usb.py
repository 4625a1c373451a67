"""USB devices of a bench: the table of known ones, and who may open or holds a port now."""

from __future__ import annotations

import grp
import os
import re
import stat
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

_BY_ID = Path("/dev/serial/by-id")


@dataclass(frozen=True, slots=True)
class UsbIdentity:
    """A row of ``usb.toml``; ``confidence`` is "recalled" where no source that is held states it."""

    usb: str
    text: str
    what: str
    kind: str
    firmware: str
    baudrate: int
    flow_control: str
    source: str
    confidence: str

    def fits(self, device: UsbDevice) -> bool:
        """True if the row describes the device."""
        if self.usb.startswith("class:"):
            fits = self.usb.removeprefix("class:") in device.interfaces
        else:
            vendor, _, product = self.usb.partition(":")
            fits = int(vendor, 16) == device.vendor and (product == "*" or int(product, 16) == device.product)
        return fits and re.search(self.text, f"{device.maker} {device.name}", re.IGNORECASE) is not None


@dataclass(frozen=True, slots=True)
class UsbDevice:
    """A device on the bus as it describes itself. ``interfaces``: class and subclass of each, as ``fe:03``; ``ports``: device nodes."""

    vendor: int
    product: int
    maker: str
    name: str
    serial: str
    interfaces: tuple[str, ...]
    ports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FoundPort:
    """One port of a device, or a device without any. ``port`` is the name to use: by-id where there is one."""

    what: str
    kind: str
    usb: str
    maker: str
    name: str
    serial: str
    port: str
    state: str
    advice: str
    known: UsbIdentity | None

    @property
    def free(self) -> bool:
        """True if the port may be opened now."""
        return self.state == "free"


@cache
def table() -> dict[str, list[dict[str, object]]]:
    """``usb.toml`` as it stands: ``known`` and ``soldered`` rows."""
    text = resources.files(__package__).joinpath("usb.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def known_devices() -> tuple[UsbIdentity, ...]:
    """The rows of the table, most particular first."""
    rows = []
    for row in table()["known"]:
        baudrate = row.get("baudrate", 115200)
        assert isinstance(baudrate, int)
        words = {name: str(row.get(name, "")) for name in ("usb", "text", "what", "kind", "firmware", "source", "confidence")}
        rows.append(UsbIdentity(**words, baudrate=baudrate, flow_control=str(row.get("flow_control", "none"))))
    return tuple(rows)


def by_id(port: str) -> str:
    """The name of the port that stays when devices are plugged in another order."""
    if port and _BY_ID.is_dir():
        for link in sorted(_BY_ID.iterdir()):
            if link.exists() and link.samefile(port):
                return str(link)
    return port


def port_state(port: str) -> tuple[str, str]:
    """``free``, ``in use``, ``no permission`` or ``gone``, and what to do about it."""
    try:
        node = os.stat(port)
    except OSError:
        return "gone", f"{port} is not there any more: plug it in again"
    if not os.access(port, os.R_OK | os.W_OK):
        group = _group(node.st_gid)
        return "no permission", f"your user may not open {port}: `sudo usermod -aG {group} $USER`, then log in again"
    holders = _holders(node)
    if holders:
        return "in use", f"stop {', '.join(holders)}: a port serves one program at a time"
    return "free", ""


def is_serial(port: str) -> bool:
    """True for a serial device or a pseudo-terminal; it is not opened for that, which would reset some dongles."""
    node = os.stat(port)
    kind = Path(f"/sys/dev/char/{os.major(node.st_rdev)}:{os.minor(node.st_rdev)}/subsystem")  # a pseudo-terminal has none
    return stat.S_ISCHR(node.st_mode) and (not kind.exists() or kind.resolve().name == "tty")


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return "dialout"


def _holders(node: os.stat_result) -> list[str]:
    """Programs that have the port open: all for root, else those of the same user."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        if process.name != str(os.getpid()) and _has_open(process, node):
            found.append(f"{read_text(process / 'comm') or 'a program'} (process {process.name})")
    return sorted(found)


def _has_open(process: Path, node: os.stat_result) -> bool:
    try:
        for descriptor in os.scandir(process / "fd"):
            try:
                if os.path.samestat(os.stat(descriptor.path), node):
                    return True
            except OSError:  # closed meanwhile
                continue
    except OSError:  # ended meanwhile, or another user's
        return False
    return False


def read_text(file: Path) -> str:
    """The text of a file of the kernel's, empty where there is none."""
    try:
        return file.read_text("utf-8", "replace").strip()
    except OSError:  # a device need not have a maker, a product or a serial number
        return ""
