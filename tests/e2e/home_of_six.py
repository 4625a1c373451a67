"""A home of one hub and six Devices on the simulated bench, brought to where all of them are joined and commissioned."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from firmware_emu.board import Board, load_board
from firmware_emu.errors import CommsHubError
from firmware_emu.hub.hub import PowerState
from firmware_emu.ids import Eui64
from hil.bench.dcc_board import addition, certify, list_hub, notification, supplier_of
from hil.bench.station import Station
from hil.dcc.base.results import Outcome
from hil.dcc.duis.document import Content
from hil.dcc.parties.users import User
from hil.devices.base.han_device import HanDevice

JOIN_TIME_S = 3600
ANSWER_S = 3 * 3600.0
_BOARD = """
name = "six"
extends = "simulated"

[[device]]
name = "esme"
type = "ESME"
eui = "02-E5-3E-00-00-00-00-01"
install_code = "0102030405060708090A0B0C0D0E0F10"
mpxn = "1200012345678"

[[device]]
name = "gsme"
type = "GSME"
eui = "02-65-3E-00-00-00-00-01"
install_code = "1112131415161718191A1B1C1D1E1F20"
mpxn = "7400012345"

[[device]]
name = "ppmid"
type = "PPMID"
eui = "02-99-1D-00-00-00-00-01"
install_code = "2122232425262728292A2B2C2D2E2F30"

[[device]]
name = "ihd"
type = "IHD"
eui = "02-1D-D0-00-00-00-00-01"
install_code = "3132333435363738393A3B3C3D3E3F40"

[[device]]
name = "hcalcs"
type = "HCALCS"
eui = "02-CA-1C-00-00-00-00-01"
install_code = "4142434445464748494A4B4C4D4E4F50"

[[device]]
name = "cad"
type = "IHD"
eui = "02-1D-D0-00-00-00-00-02"
install_code = "5152535455565758595A5B5C5D5E5F60"
"""


def board_of_six(folder: Path) -> Board:
    """ESME, GSME, PPMID, HCALCS and two Type 2 Devices, everything virtual."""
    path = folder / "six.toml"
    path.write_text(_BOARD, encoding="utf-8")
    return load_board(str(path))


class HomeOfSix:
    """Somebody who installs the home; every question is asked by the supplier that the target holds."""

    def __init__(self, station: Station) -> None:
        self.station = station
        self.chf, self.gpf = station.board.hub.chf, station.board.hub.gpf

    def eui(self, name: str) -> Eui64:
        return self.station.board.find(name).eui

    def user_for(self, target: Eui64) -> User:
        users = {user.eui64: user for user in (self.station.supplier, self.station.gas_supplier)}
        return users[supplier_of(self.station.board, target)]

    async def ask(self, variant: str, target: Eui64, body: dict[str, Content] | None = None) -> Outcome:
        outcome = await self.station.ask(self.user_for(target), variant, target, body, wait_s=ANSWER_S)
        assert outcome.ok, f"{variant} to {target}: {outcome.why}"
        return outcome

    async def bring_up(self) -> None:
        """Supply on, HAN formed, everybody in the log."""
        station = self.station
        list_hub(station.dcc, station.board)
        await station.host.power_up()
        await station.until("the hub's boot", lambda: station.hub is not None and station.hub.status.power is PowerState.RUNNING)
        await station.until("the SM WAN connection", lambda: station.dcc.head_end.connected(self.chf))
        await station.until("the HAN", lambda: station.hub is not None and station.hub.status.network is not None)
        for row in station.board.device:
            certify(station.dcc, row)
            outcome = await station.ask(self.user_for(row.eui), "12.2", None, notification(row))
            assert outcome.ok, outcome.why
            await self.ask("8.11", self.chf, addition(row, JOIN_TIME_S))

    async def join(self) -> int:
        """Everybody joins; an installer tries again. Returns the failed tries."""
        failed = 0
        for device in self.station.devices.values():
            while True:
                try:
                    await device.join()
                    break
                except CommsHubError as problem:
                    self.station.trace.emit("han", device.name, "not joined", reason=str(problem))
                    failed += 1
                    await self.station.clock.sleep(5)
        return failed

    async def commission(self) -> None:
        """The meters take the time and are joined with those that read them."""
        await self.station.until("the joins at the DCC", lambda: all(self._joined(device) for device in self.station.devices.values()), 600)
        for name in ("esme", "gsme"):
            await self.ask(
                "8.1.1", self.eui(name), {"CurrentDateTime": self.station.clock.datetime() - timedelta(minutes=1), "TolerancePeriod": 7200}
            )
        for variant, target, other in (
            ("8.7.1", "esme", "ppmid"),
            ("8.7.1", "ppmid", "esme"),
            ("8.7.1", "esme", "hcalcs"),
            ("8.7.1", "hcalcs", "esme"),
            ("8.7.2", "esme", "ihd"),
            ("8.7.2", "esme", "cad"),
        ):
            await self.ask(variant, self.eui(target), {"OtherDeviceID": self.eui(other)})
        await self.ask("8.7.2", self.eui("gsme"), {"OtherDeviceID": self.gpf})

    def _joined(self, device: HanDevice) -> bool:
        found = self.station.dcc.inventory.device(device.eui64)
        return found is not None and str(found.status) == "InstalledNotCommissioned"
