"""TI's Z-Stack ZNP, declared once."""

from __future__ import annotations

from firmware_emu.han.family import DongleFamily

ZNP = DongleFamily(
    name="znp",
    firmware="Z-Stack ZNP",
    dongle="firmware_emu.han.znp_dongle:ZnpDongle",
    virtual="hil.radio.znp.server:ZnpServer",
    ask="hil.inventory.firmware_probe:ask_znp",
    judge="hil.inventory.firmware_probe:judge_znp",
    rates=(115200,),
    order=20,
    extra="znp",
    tells_refusals=False,
)
