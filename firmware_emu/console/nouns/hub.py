"""``hub``: the hub's firmware, seen from inside."""

from __future__ import annotations

from firmware_emu.console.core import Noun
from firmware_emu.console.declare import WordError, verb
from firmware_emu.console.result import Result
from firmware_emu.hub.hub import Hub as Firmware
from firmware_emu.hub.hub import HubStatus, PowerState


class HubNoun(Noun):
    """The hub's firmware."""

    name = "hub"
    about = "the hub's firmware: form its HAN, look into it, reset it"

    @verb()
    async def form(self) -> Result:
        """Switch the supply on and wait until the hub is commissioned and its HAN formed."""
        station = self.bench.station
        if station.hub is None:
            await station.host.power_up()
        await station.until("the hub's boot", lambda: station.hub is not None and station.hub.status.power is PowerState.RUNNING)
        await station.until("the CHF's status commissioned", lambda: station.hub is not None and station.hub.status.commissioned)
        await station.until("the HAN", lambda: station.hub is not None and station.hub.status.network is not None)
        network = self._status().network
        assert network is not None
        return Result(
            f"HAN formed on channel {network.channel}",
            {"extended PAN id": network.extended_pan_id, "PAN id": f"{network.pan_id:04x}", "channel": network.channel},
            raw=network,
        )

    @verb(looks=True)
    async def status(self) -> Result:
        """Tell what the hub is doing: power, WAN, HAN, what waits."""
        status = self._status()
        network = status.network
        return Result(
            f"hub {status.power.value}",
            {
                "boots": status.boots,
                "last boot": status.boot_reason.value,
                "commissioned": status.commissioned,
                "WAN connected": status.wan_connected,
                "waiting for the WAN": status.wan_waiting,
                "set aside": len(status.set_aside),
                "faults outlived": len(status.faults),
                "last failure": None if status.failure is None else status.failure.reason,
                "channel": None if network is None else network.channel,
                "Devices in the log": len(status.device_log),
                "tunnels": [self.device_name(device) for device in status.tunnels],
                "mailbox": {self.device_name(device): count for device, count in status.mailbox.items()},
                "mirror of": None if status.mirror_owner is None else self.device_name(status.mirror_owner),
            },
            raw=status,
        )

    @verb(looks=True)
    async def log(self) -> Result:
        """Show the CHF Device Log."""
        rows = [
            (self.device_name(entry.device), str(entry.device), entry.membership.value, entry.key_hash.hex() if entry.key_hash else None)
            for entry in self._status().device_log
        ]
        return Result(f"{len(rows)} Devices in the CHF Device Log", columns=("Device", "EUI-64", "membership", "key hash"), rows=rows)

    @verb()
    async def reset(self) -> Result:
        """Put the hub back as it left the factory: log, keys, counters and mailbox are gone."""
        await self.firmware().factory_reset()
        return Result("the hub is as it left the factory")

    def firmware(self) -> Firmware:
        """The running hub. Raises WordError while it has no power."""
        hub = self.bench.station.hub
        if hub is None:
            raise WordError("the hub has no power: `hub form` switches it on")
        return hub

    def _status(self) -> HubStatus:
        return self.firmware().status

    def device_name(self, device: object) -> str:
        """The board's name of a Device, or its EUI-64."""
        return next((row.name for row in self.bench.board.device if row.eui == device), str(device))
