"""Fitness of a dongle, by its name or by its answers, and the board file that uses it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import tomlkit

from firmware_emu import extensions
from firmware_emu.clock import Clock
from firmware_emu.errors import CommsHubError, NotAvailable
from firmware_emu.han.family import family
from hil.inventory.usb import Found

_OTHER_FIRMWARE = {"deconz": "deCONZ", "zboss": "ZBOSS", "zigate": "ZiGate"}
_UNFIT = (
    "{}: this bench speaks EZSP and ZNP; flash EmberZNet NCP 7.4 (EZSP 13) if the dongle has an EFR32, Z-Stack 3.30 if it has a "
    "CC1352 or CC2652, else use one that has"
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Fitness of a dongle's firmware: ``yes``, ``no`` or ``not known``, and why.

    ``baudrate`` is where it answered, ``family`` the kind of radio that a board names it as.
    """

    serves: str
    why: str
    baudrate: int | None = None
    family: str = "ezsp"


def verdict_by_name(one: Found) -> Verdict:
    """The dongle's USB name suggests this verdict."""
    if one.known is None or one.known.firmware == "":
        return Verdict("not known", "name it with --probe --dongle PORT to have it asked")
    if one.known.firmware in extensions.names(extensions.RADIO):
        sold = family(one.known.firmware).firmware
        return Verdict("not known", f"sold with {sold} firmware: --probe asks it", family=one.known.firmware)
    return Verdict("no", _UNFIT.format(f"sold with {_OTHER_FIRMWARE[one.known.firmware]} firmware"))


def verdict_by_probe(port: str, first: int) -> Verdict:
    """The dongle's answers give this verdict. Raises NotAvailable or JigError where the port cannot be used."""
    # Here, because these import bellows and pyserial, which a list does not need.
    from hil.inventory.firmware_probe import probe, questions
    from ichis.port import SerialPort
    from ichis.uart import LineProfile

    async def ask() -> Verdict:
        line = LineProfile(inverted=False)
        link = SerialPort(port, clock, line=line, inverts=False)
        try:
            firmware = await probe(link, line, first)
        finally:
            link.close()
        if firmware is None:
            rates = ", ".join(str(rate) for rate in sorted(questions()))
            return Verdict(
                "no",
                f"no answer to EZSP, Z-Stack, OpenThread, CPC, a router or a boot loader at {rates} baud: unplug it and "
                "plug it in again, then flash EmberZNet NCP 7.4 (EZSP 13)",
            )
        if not firmware.family:
            return Verdict("no", _UNFIT.format(f"it runs {firmware}"))
        declared = family(firmware.family)
        judgement = declared.part(declared.judge)(firmware, port)
        return Verdict("yes", judgement.why, firmware.baudrate, declared.name) if judgement.serves else Verdict("no", judgement.why)

    clock = Clock()
    return clock.run(ask())


def verdict(one: Found, probing: bool, chosen: str | None) -> Verdict:
    """By the dongle's answer if it may be asked, else by its name."""
    asked = one.kind == "dongle" or _is(one, chosen)
    if not (probing and asked and one.free):
        return verdict_by_name(one)
    try:
        # The node itself: udev may take the by-id name away for a moment when a dongle resets.
        return verdict_by_probe(os.path.realpath(one.port), 115200 if one.known is None else one.known.baudrate)
    except CommsHubError as trouble:
        return Verdict("not known", str(trouble))


def _is(one: Found, chosen: str | None) -> bool:
    return chosen is not None and bool(one.port) and os.path.exists(chosen) and os.path.samefile(chosen, one.port)


def candidate(found: Sequence[tuple[Found, Verdict]], chosen: str | None) -> tuple[Found, Verdict] | None:
    """The dongle that a board is written for: the chosen one, else the first that may serve, free ones before others."""
    if chosen is not None:
        for pair in found:
            if _is(pair[0], chosen):
                return pair
        raise NotAvailable(f"--dongle {chosen}", "name a port that `chub inventory` lists")
    fit = [pair for pair in found if pair[0].kind == "dongle" and pair[0].port and pair[1].serves != "no"]
    return min(fit, key=lambda pair: (pair[1].serves != "yes", not pair[0].free, pair[1].family != "ezsp"), default=None)


def board_text(one: Found, judged: Verdict, name: str) -> str:
    """A board file that is ``simulated`` with this dongle."""
    document = tomlkit.document()
    document.add(tomlkit.comment(f"Found by chub inventory: {one.what}, serial number {one.serial or 'not told'}."))
    document["name"] = name
    document["description"] = f"the hub's radio is a {one.what}, all else as in simulated"
    document["extends"] = "simulated"
    radio = tomlkit.table()
    radio["kind"] = judged.family
    radio["path"] = one.port
    radio["baudrate"] = judged.baudrate or (115200 if one.known is None else one.known.baudrate)
    radio["flow_control"] = "none" if one.known is None else one.known.flow_control
    document["radio"] = radio
    return tomlkit.dumps(document)
