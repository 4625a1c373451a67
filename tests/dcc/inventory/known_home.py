"""A hub, two meters for electricity, one for gas, a GPF and a PPMID for an inventory."""

from __future__ import annotations

from firmware_emu.crypto.roles import DeviceType
from firmware_emu.ids import Eui64
from hil.dcc.inventory.inventory import Inventory

ESME, GSME, CHF, GPF, PPMID = (Eui64.parse(f"00db1234567890a{digit}") for digit in "01234")
OTHER_ESME = Eui64.parse("00db1234567890f0")
KINDS = {
    ESME: DeviceType.ESME,
    GSME: DeviceType.GSME,
    CHF: DeviceType.CHF,
    GPF: DeviceType.GPF,
    PPMID: DeviceType.PPMID,
    OTHER_ESME: DeviceType.ESME,
}


def notify(inventory: Inventory, *devices: Eui64) -> None:
    """Certify their models and notify them: these Devices, or all."""
    for kind in set(KINDS.values()):
        inventory.certify(kind, "AB01", "M", "01")
    for eui in devices or KINDS:
        inventory.pre_notify(eui, KINDS[eui], manufacturer="AB01", model="M", firmware="01", gpf=GPF if eui == CHF else None)


def connect(inventory: Inventory) -> None:
    """The hub is commissioned; a meter of each fuel and the PPMID are joined, the GPF is connected."""
    inventory.move(CHF, "first SM WAN contact", reason="test")
    for eui in (ESME, GSME, PPMID):
        inventory.associate(eui, "chf", CHF)
        inventory.move(eui, "joined", reason="test")
    inventory.move(GPF, "hub connected", reason="test")
