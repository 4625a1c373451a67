"""USB devices described for umockdev, and ``chub inventory`` run where the machine seems to have exactly these.

umockdev gives the program another /sys and other nodes in /dev; libusb underneath pyusb is the real one and reads those. Every serial
port is a pseudo-terminal of umockdev's unless ``shell`` puts something else in its place.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.patience import PATIENCE_S

_LINE = "import os; was = os.path.realpath; os.path.realpath = lambda name: '{}' if str(name).startswith('/dev/') else was(name); "
"""umockdev 0.17 does not let the ioctls of a serial line through: the line behind a port has to be one that needs none."""
SETPRIV = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
"""Root without the right to open what its permissions forbid."""
_HUB = """\
P: /devices/pci0000:00/0000:00:14.0/usb1
N: bus/usb/001/001
E: DEVNAME=/dev/bus/usb/001/001
E: DEVTYPE=usb_device
E: SUBSYSTEM=usb
A: busnum=1\\n
A: devnum=1\\n
A: speed=480\\n
A: idVendor=1d6b\\n
A: idProduct=0002\\n
A: bDeviceClass=09\\n
A: bConfigurationValue=1\\n
H: descriptors=12010002090001406B1D020006060302010109021900010100E0000904000001090000000705810304000C

"""


@dataclass(frozen=True)
class Plugged:
    """A device as it tells itself. ``interface``: class, subclass; ``nodes``: the ports that its driver makes, as ``ttyUSB0``."""

    usb: str
    maker: str
    name: str
    serial: str
    nodes: tuple[str, ...]
    by_id: tuple[str, ...] = ()
    interface: tuple[int, int] = (0xFF, 0x00)

    def describe(self, number: int) -> str:
        vendor, product = self.usb.split(":")
        bus_id, folder = f"1-{number}", f"/devices/pci0000:00/0000:00:14.0/usb1/1-{number}"
        address = f"{number + 1:03}"
        lines = [
            f"P: {folder}",
            f"N: bus/usb/001/{address}",
            f"E: DEVNAME=/dev/bus/usb/001/{address}",
            "E: DEVTYPE=usb_device",
            "E: SUBSYSTEM=usb",
            "A: busnum=1\\n",
            f"A: devnum={number + 1}\\n",
            "A: speed=12\\n",
            f"A: idVendor={vendor}\\n",
            f"A: idProduct={product}\\n",
            "A: bDeviceClass=00\\n",
            "A: bConfigurationValue=1\\n",
            f"A: manufacturer={self.maker}\\n",
            f"A: product={self.name}\\n",
            f"A: serial={self.serial}\\n",
            f"H: descriptors={self.descriptors().hex().upper()}",
            "",
            f"P: {folder}/{bus_id}:1.0",
            "E: DEVTYPE=usb_interface",
            "E: SUBSYSTEM=usb",
            f"A: bInterfaceClass={self.interface[0]:02x}\\n",
            f"A: bInterfaceSubClass={self.interface[1]:02x}\\n",
            "",
        ]
        for node, link in zip(self.nodes, self.by_id or ("",) * len(self.nodes), strict=True):
            below = f"{node}/tty/{node}" if node.startswith("ttyUSB") else f"tty/{node}" if node.startswith("tty") else f"usbmisc/{node}"
            subsystem = "tty" if node.startswith("tty") else "usbmisc"
            lines += [f"P: {folder}/{bus_id}:1.0/{below}", f"N: {node}", f"E: DEVNAME=/dev/{node}", f"E: SUBSYSTEM={subsystem}"]
            lines += [f"S: serial/by-id/{link}", ""] if link else [""]
        return "\n".join(lines) + "\n"

    def descriptors(self) -> bytes:
        """Device, configuration and one interface with two bulk endpoints."""
        vendor, product = (bytes.fromhex(part)[::-1] for part in self.usb.split(":"))
        device = bytes((18, 1, 0x10, 0x01, 0, 0, 0, 64)) + vendor + product + bytes((0, 1, 1, 2, 3, 1))
        interface = bytes((9, 4, 0, 0, 2, *self.interface, 0, 0))
        endpoints = bytes((7, 5, 0x81, 2, 64, 0, 0, 7, 5, 0x01, 2, 64, 0, 0))
        return device + bytes((9, 2, 9 + len(interface + endpoints), 0, 1, 1, 0, 0x80, 50)) + interface + endpoints


def chub_inventory(
    folder: Path,
    devices: Sequence[Plugged],
    *options: str,
    shell: str = "",
    before: str = "",
    line: str = "",
    launcher: Sequence[str] = (),
) -> subprocess.CompletedProcess[str]:
    """Run ``chub inventory`` with these devices plugged in.

    In the mocked machine, ``shell`` runs first, then the Python statements ``before``; ``launcher`` is the command around it all.
    ``line`` (``socket://HOST:PORT``) is what is behind every port when it is opened.
    """
    if line:
        before += _LINE.format(line)
    umockdev = shutil.which("umockdev-run")
    assert umockdev is not None
    described = folder / "bus.umockdev"
    described.write_text(_HUB + "".join(device.describe(number) for number, device in enumerate(devices, 1)))
    script = f'{shell}\nexec "$0" -c "{before}from firmware_emu.cli import main; main()" inventory "$@"'
    command = [*launcher, umockdev, "-d", str(described), "--", "sh", "-c", script, sys.executable, *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False, cwd=folder)


def found(folder: Path, devices: Sequence[Plugged], *options: str, **more: Any) -> dict[str, Any]:
    """The JSON of :func:`chub_inventory`."""
    done = chub_inventory(folder, devices, "--json", *options, **more)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@contextmanager
def chub_ncp(*options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """``chub ncp`` in a process of its own, and the name of its port, which it holds itself."""
    command = [sys.executable, "-c", "from firmware_emu.cli import main; main()", "ncp", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip(), process
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE_S)
