"""EmberZNet NCP, declared once."""

from __future__ import annotations

from firmware_emu.han.family import DongleFamily

EZSP = DongleFamily(
    name="ezsp",
    firmware="EmberZNet NCP",
    dongle="firmware_emu.han.ezsp_dongle:EzspDongle",
    virtual="hil.radio.ncp.server:NcpServer",
    ask="hil.inventory.firmware_probe:ask_ezsp",
    judge="hil.inventory.firmware_probe:judge_ezsp",
    rates=(115200, 460800, 230400, 57600),
    order=0,
)
