"""``chub inventory``: dongles, jig cables and supplies on this machine, whether each will serve, and the board file of a dongle.

The bus is read through libusb (pyusb; the library itself comes with ``libusb-package``); names and device nodes are those that the
Linux kernel keeps in ``/sys`` and udev in ``/dev/serial/by-id``, so that nothing is opened to be listed.
The only module of the project that imports ``usb``.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click
import libusb_package
import usb.core
from rich.console import Console
from rich.table import Column, Table

from firmware_emu.clock import Clock
from firmware_emu.errors import CommsHubError, NotAvailable
from hil.inventory.dongle_board import DongleVerdict, asked_pair, board_text, candidate, same_port, unlisted, verdict
from hil.inventory.instruments import asked
from hil.inventory.usb import FoundPort, UsbDevice, by_id, known_devices, port_state, read_text, table

_SYSFS = Path("/sys/bus/usb/devices")
_HUB = 0x09
_ORDER = ("dongle", "jig", "supply", "serial")


def bus() -> tuple[list[UsbDevice], str]:
    """Every device that is no hub, and a remark where libusb could not be asked."""
    try:
        devices = usb.core.find(find_all=True, backend=libusb_package.get_libusb1_backend())
        places = [_place(device) for device in devices if device.bDeviceClass != _HUB]
        remark = ""
    except usb.core.NoBackendError:
        places, remark = _places_in_sysfs(), "libusb is not here (Debian: apt-get install libusb-1.0-0): read from /sys alone"
    except usb.core.USBError as trouble:
        places, remark = _places_in_sysfs(), f"libusb cannot read the bus ({trouble.strerror}): read from /sys alone"
    places.sort(key=lambda place: [int(number) for number in re.findall(r"\d+", place[0].name)])
    return [_described(*place) for place in places], remark


def _place(device: usb.core.Device) -> tuple[Path, int, int, tuple[str, ...]]:
    """The device's folder in sysfs, vendor, product, and its interfaces."""
    numbers = ".".join(str(number) for number in device.port_numbers or ())
    interfaces = tuple(f"{one.bInterfaceClass:02x}:{one.bInterfaceSubClass:02x}" for settings in device for one in settings)
    return _SYSFS / f"{device.bus}-{numbers}", device.idVendor, device.idProduct, interfaces


def _places_in_sysfs() -> list[tuple[Path, int, int, tuple[str, ...]]]:
    found = []
    for folder in _SYSFS.glob("*-*"):
        vendor, product = read_text(folder / "idVendor"), read_text(folder / "idProduct")
        if vendor and product and read_text(folder / "bDeviceClass") != f"{_HUB:02x}":
            interfaces = tuple(
                f"{read_text(one / 'bInterfaceClass')}:{read_text(one / 'bInterfaceSubClass')}" for one in sorted(folder.glob("*:*"))
            )
            found.append((folder, int(vendor, 16), int(product, 16), interfaces))
    return found


def _described(folder: Path, vendor: int, product: int, interfaces: tuple[str, ...]) -> UsbDevice:
    nodes = [node for pattern in ("*:*/tty/*", "*:*/tty*/tty/*", "*:*/usbmisc/*") for node in folder.glob(pattern)]
    ports = tuple(f"/dev/{node.name}" for node in sorted(nodes) if node.name.startswith(("tty", "usbtmc")))
    maker, name, serial = (read_text(folder / word) for word in ("manufacturer", "product", "serial"))
    return UsbDevice(vendor, product, maker, name, serial, interfaces, ports)


def look() -> tuple[list[FoundPort], list[str]]:
    """Everything on this machine that belongs on a bench, and remarks on how it was looked for."""
    devices, remark = bus()
    found = [one for device in devices for one in _found(device)]
    for row in table()["soldered"]:
        port = str(row["port"])
        if os.path.exists(port):
            state, advice = port_state(port)
            found.append(FoundPort(str(row["what"]), "serial", "", "", "", "", port, state, advice, None))
    return sorted(found, key=lambda one: _ORDER.index(one.kind)), [remark] if remark else []


def _found(device: UsbDevice) -> Iterator[FoundPort]:
    known = next((row for row in known_devices() if row.fits(device)), None)
    if known is None and not any("tty" in port for port in device.ports):
        return
    what, kind = ("serial port", "serial") if known is None else (known.what, known.kind)
    identity = f"{device.vendor:04x}:{device.product:04x}"
    for port in device.ports or ("",):
        state, advice = port_state(port) if port else _without_port(kind)
        yield FoundPort(what, kind, identity, device.maker, device.name, device.serial, by_id(port), state, advice, known)


def _without_port(kind: str) -> tuple[str, str]:
    if kind == "supply":
        return "no port", "the kernel made no /dev/usbtmc for it: `sudo modprobe usbtmc`, or use it through its own USB library"
    return "no port", "the kernel made no serial port for it: unplug it and look at `dmesg`; cp210x, ch341, cdc_acm or ftdi_sio is missing"


def _plain(one: FoundPort, judged: DongleVerdict) -> Mapping[str, str]:
    row = {name: str(getattr(one, name)) for name in ("what", "kind", "usb", "maker", "name", "serial", "port", "state", "advice")}
    if one.kind in ("dongle", "serial"):
        row |= {"serves": judged.serves, "firmware": judged.why}
    if one.known is not None:
        row |= {"source": one.known.source, "confidence": one.known.confidence}
    return row


def _show(found: Sequence[tuple[FoundPort, DongleVerdict]]) -> None:
    shown = Table("what it is", "kind", "USB", "serial number", Column("port", overflow="fold"), "will serve", "state")
    for one, judged in found:
        recalled = " (by recollection)" if one.known is not None and one.known.confidence == "recalled" else ""
        serves = judged.serves if one.kind == "dongle" else ""
        shown.add_row(one.what + recalled, one.kind, one.usb, one.serial, one.port, serves, one.state)
    Console(width=None if Console().is_terminal else 180).print(shown)
    for one, judged in found:
        for sentence in (one.advice, judged.why if one.kind == "dongle" else ""):
            if sentence:
                click.echo(f"{one.port or one.what}: {sentence}")


@click.command()
@click.option("--probe", "probing", is_flag=True, help="Open every free dongle and ask what it runs; this resets it.")
@click.option(
    "--dongle", metavar="PORT", help="The dongle that the board is for, any path or URL; with --probe it is asked whatever it is."
)
@click.option(
    "--board-file",
    metavar="NAME",
    help="Ask the dongle for its address (this resets it) and write the board to NAME.toml in this folder, for `chub run demo --board "
    "NAME.toml`.",
)
@click.option("--meter", metavar="PORT", help="A second dongle, any path or URL: the board's electricity meter.")
@click.option(
    "--learn",
    "learnt",
    metavar="FILE",
    help="Ask the dongle for its sizes and policies (this resets it) and write them as a personality, for `chub ncp --personality FILE`.",
)
@click.option(
    "--instrument",
    "instruments",
    multiple=True,
    metavar="ADDRESS",
    help="Ask an instrument what it is, by VISA name or pyserial URL; repeatable. With --probe, serial supplies too.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def inventory(
    probing: bool,
    dongle: str | None,
    board_file: str | None,
    meter: str | None,
    learnt: str | None,
    instruments: tuple[str, ...],
    as_json: bool,
) -> None:
    """Find dongles, jig cables and supplies on this machine, and print the board of a dongle."""
    seen, remarks = look()
    seen += [unlisted(port) for port in (dongle, meter) if port is not None and not any(same_port(one, port) for one in seen)]
    if meter is not None and dongle is None:
        raise NotAvailable("--meter without --dongle", "name the hub's dongle too: --dongle PORT --meter PORT")
    found = [(one, verdict(one, probing, dongle if same_port(one, dongle) else meter)) for one in seen]
    serial_supplies = [f"ASRL{one.port}::INSTR" for one in seen if probing and one.kind == "supply" and one.free and "tty" in one.port]
    told = [*(asked(address) for address in instruments), *(_asked_if_there(address) for address in serial_supplies)]
    chosen = candidate(found, dongle)
    second = None if meter is None else candidate(found, meter)
    if board_file is not None or second is not None or learnt is not None:
        chosen, second = (pair if pair is None else asked_pair(*pair) for pair in (chosen, second))
    if board_file is not None and chosen is None:
        raise NotAvailable("a dongle for a board", "plug in one with EmberZNet NCP firmware, as a Sonoff ZBDongle-E or a Connect ZBT-1")
    file = None if board_file is None else Path(board_file if board_file.endswith(".toml") else f"{board_file}.toml")
    text = "" if chosen is None else board_text(*chosen, "found" if file is None else file.stem, second)
    if file is not None:
        _write(file, text)
    if learnt is not None:
        _learn(chosen, learnt)
    if as_json:
        rows = [_plain(*pair) for pair in found]
        click.echo(json.dumps({"found": rows, "instruments": told, "board": text, "remarks": remarks}, indent=2))
        return
    for remark in remarks:
        click.echo(remark, err=True)
    for row in told:
        use = f"{row['kind']} {row['model']}, dialect {row['dialect']}" if row["serves"] == "yes" else row["why"]
        click.echo(f"{row['address']}: {row.get('identity', 'no identity')}: {use}")
    if not found and told:
        return
    if not found:
        click.echo("nothing found: plug in a Zigbee dongle with EmberZNet NCP firmware, a serial cable for a jig, or a supply with USB")
        return
    _show(found)
    if file is not None:
        click.echo(f"written: {file}; next: chub run demo --board {file}")
    elif text:
        click.echo(f"\nBoard for {'' if chosen is None else chosen[0].port} (--board-file NAME writes it):\n\n{text}", nl=False)


def _asked_if_there(address: str) -> dict[str, str]:
    """A supply that nobody named: that it does not answer is no error."""
    try:
        return asked(address)
    except CommsHubError as trouble:
        return {"address": address, "serves": "no", "why": str(trouble)}


def _learn(chosen: tuple[FoundPort, DongleVerdict] | None, name: str) -> None:
    from hil.inventory.learn import learn  # brings bellows, which a list does not need

    if chosen is None or chosen[1].serves != "yes":
        why = "plug in one, or name it: --dongle PORT" if chosen is None else chosen[1].why
        raise NotAvailable("a dongle to learn from", why)
    one, judged = chosen
    clock = Clock()
    text = clock.run(learn(one.port, judged.family, judged.baudrate or 115200, clock, clock.datetime()))
    file = Path(name if name.endswith(".toml") else f"{name}.toml")
    _write(file, text)
    click.echo(f"written: {file}; next: chub ncp --personality {file}", err=True)


def _write(file: Path, text: str) -> None:
    try:
        with file.open("x", encoding="utf-8") as made:
            made.write(text)
    except FileExistsError:
        raise NotAvailable(f"the name {file}", "there is a file of that name: remove it or choose another") from None
