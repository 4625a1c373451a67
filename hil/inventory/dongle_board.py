"""Fitness of a dongle, by its name or by its answers, and the board file that uses it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass

import tomlkit
import tomlkit.items

from firmware_emu import extensions
from firmware_emu.clock import Clock
from firmware_emu.errors import CommsHubError, NotAvailable
from firmware_emu.han.family import family
from firmware_emu.ids import Eui64
from hil.inventory.usb import FoundPort, is_serial, port_state

_OTHER_FIRMWARE = {"deconz": "deCONZ", "zboss": "ZBOSS", "zigate": "ZiGate"}
_UNFIT = (
    "{}: this bench speaks EZSP and ZNP; flash EmberZNet NCP 7.4 (EZSP 13) if the dongle has an EFR32, Z-Stack 3.30 if it has a "
    "CC1352 or CC2652, else use one that has"
)


@dataclass(frozen=True, slots=True)
class DongleVerdict:
    """Fitness of a dongle's firmware: ``yes``, ``no`` or ``not known``, and why.

    ``baudrate`` is where it answered, ``family`` the kind of radio that a board names it as, ``eui64`` its address, where it was asked.
    """

    serves: str
    why: str
    baudrate: int | None = None
    family: str = "ezsp"
    eui64: Eui64 | None = None


def verdict_by_name(one: FoundPort) -> DongleVerdict:
    """The dongle's USB name suggests this verdict."""
    if one.known is None or one.known.firmware == "":
        return DongleVerdict("not known", "name it with --probe --dongle PORT to have it asked")
    if one.known.firmware in extensions.names(extensions.RADIO):
        sold = family(one.known.firmware).firmware
        return DongleVerdict("not known", f"sold with {sold} firmware: --probe asks it", family=one.known.firmware)
    return DongleVerdict("no", _UNFIT.format(f"sold with {_OTHER_FIRMWARE[one.known.firmware]} firmware"))


def verdict_by_probe(port: str, first: int) -> DongleVerdict:
    """The dongle's answers give this verdict. Raises NotAvailable or JigError where the port cannot be used."""
    # Here, because these import bellows and pyserial, which a list does not need.
    from hil.inventory.firmware_probe import probe, questions
    from ichis.instrument.lease import Lease
    from ichis.port import SerialPort
    from ichis.uart import LineProfile

    async def ask() -> DongleVerdict:
        line = LineProfile(inverted=False)
        with contextlib.closing(Lease(port)):
            link = SerialPort(port, clock, line=line, inverts=False)
            try:
                firmware = await probe(link, line, first)
            finally:
                link.close()
        if firmware is None:
            rates = ", ".join(str(rate) for rate in sorted(questions()))
            return DongleVerdict(
                "no",
                f"no answer to EZSP, Z-Stack, OpenThread, CPC, a router or a boot loader at {rates} baud: unplug it and "
                "plug it in again, then flash EmberZNet NCP 7.4 (EZSP 13)",
            )
        if not firmware.family:
            return DongleVerdict("no", _UNFIT.format(f"it runs {firmware}"))
        declared = family(firmware.family)
        judgement = declared.part(declared.judge)(firmware, port)
        if not judgement.serves:
            return DongleVerdict("no", judgement.why)
        return DongleVerdict("yes", judgement.why, firmware.baudrate, declared.name, firmware.eui64)

    clock = Clock()
    return clock.run(ask())


def verdict(one: FoundPort, probing: bool, chosen: str | None) -> DongleVerdict:
    """By the dongle's answer if it may be asked, else by its name."""
    asked = one.kind == "dongle" or same_port(one, chosen)
    if not (probing and asked and one.free):
        return verdict_by_name(one)
    try:
        # The node itself: udev may take the by-id name away for a moment when a dongle resets.
        port = one.port if is_url(one.port) else os.path.realpath(one.port)
        return verdict_by_probe(port, 115200 if one.known is None else one.known.baudrate)
    except CommsHubError as trouble:
        return DongleVerdict("not known", str(trouble))


def is_url(port: str) -> bool:
    """True for a pyserial URL, as ``socket://HOST:PORT``, in place of a device."""
    return "://" in port


def unlisted(port: str) -> FoundPort:
    """A port that no USB device of this machine has: a pseudo-terminal, a soldered port, a dongle on the network."""
    if is_url(port):
        return FoundPort("port on the network", "serial", "", "", "", "", port, "free", "", None)
    state, advice = port_state(port)
    if state == "gone":
        raise NotAvailable(f"the port {port}", "name a serial device that is there, or a URL, as socket://HOST:PORT")
    if not is_serial(port):
        raise NotAvailable(f"a dongle at {port}", "it is no serial device: name one, as /dev/ttyUSB0, or a URL, as socket://HOST:PORT")
    if state == "in use" and os.path.realpath(port).startswith("/dev/pts/"):  # its maker holds the other end, and ours too
        state, advice = "free", ""
    return FoundPort("port", "serial", "", "", "", "", port, state, advice, None)


def same_port(one: FoundPort, chosen: str | None) -> bool:
    """True if ``chosen`` names the port of ``one``, by whatever path."""
    if chosen is None or not one.port:
        return False
    return chosen == one.port or (os.path.exists(chosen) and os.path.exists(one.port) and os.path.samefile(chosen, one.port))


def candidate(found: Sequence[tuple[FoundPort, DongleVerdict]], chosen: str | None) -> tuple[FoundPort, DongleVerdict] | None:
    """The dongle that a board is written for: the chosen one, else the first that may serve, free ones before others."""
    if chosen is not None:
        for pair in found:
            if same_port(pair[0], chosen):
                return pair
        raise NotAvailable(f"--dongle {chosen}", "name a port that `chub inventory` lists")
    fit = [pair for pair in found if pair[0].kind == "dongle" and pair[0].port and pair[1].serves != "no"]
    return min(fit, key=lambda pair: (pair[1].serves != "yes", not pair[0].free, pair[1].family != "ezsp"), default=None)


def asked_pair(one: FoundPort, judged: DongleVerdict) -> tuple[FoundPort, DongleVerdict]:
    """The dongle and its answers, which a board needs its address of; by its name alone where it may not be opened now."""
    return one, (judged if judged.eui64 is not None or not one.free else verdict(one, True, one.port))


METER_CODE = "0102030405060708090A0B0C0D0E0F10"
"""Install code of a meter that a second dongle plays: a value of this bench, as in the board ``simulated``."""


def board_text(one: FoundPort, judged: DongleVerdict, name: str, meter: tuple[FoundPort, DongleVerdict] | None = None) -> str:
    """A board file of a hub on this dongle, and of an electricity meter on a second one. What else ``simulated`` has cannot hear them."""
    document = tomlkit.document()
    document.add(tomlkit.comment(f"Found by chub inventory: {one.what}, serial number {one.serial or 'not told'}."))
    document["name"] = name
    document["description"] = f"a hub on a {one.what}" + ("" if meter is None else f", an ESME on a {meter[0].what}")
    document["extends"] = "simulated"
    if meter is None:
        document["device"] = tomlkit.array()
    if judged.eui64 is not None:
        document["hub"] = tomlkit.table().add("gpf", judged.eui64.duis)
    radio = tomlkit.table()
    radio["kind"] = judged.family
    radio["path"] = one.port
    radio["baudrate"] = judged.baudrate or (115200 if one.known is None else one.known.baudrate)
    radio["flow_control"] = "none" if one.known is None else one.known.flow_control
    document["radio"] = radio
    if meter is not None:
        document["device"] = tomlkit.aot()
        document["device"].append(_meter_row(*meter))
    return tomlkit.dumps(document)


def _meter_row(one: FoundPort, judged: DongleVerdict) -> tomlkit.items.Table:
    """Raises NotAvailable for a dongle that cannot play a meter."""
    if judged.family != "ezsp" or judged.eui64 is None:
        raise NotAvailable(f"a meter on {one.port}", f"a meter's dongle speaks EZSP and tells its address: {judged.why}")
    row = tomlkit.table()
    row["name"], row["type"], row["eui"] = "esme", "ESME", judged.eui64.duis
    row["install_code"], row["mpxn"], row["node"] = METER_CODE, "1200012345678", one.port
    return row
