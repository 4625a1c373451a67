"""One seeded defect for each check: in the modelled connector and input stage, in the hub's firmware, or in the board."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from firmware_emu.crypto.roles import RemotePartyRole
from firmware_emu.device.alerting import date_time
from firmware_emu.hub.hub import RESTORED_LONG, RESTORED_LONG_ALERT, RESTORED_SHORT, Hub
from firmware_emu.hub.power import Outage, PowerEvent, PowerState
from firmware_emu.hub.running import RunningHub
from hil.conformance.station import ConformanceStation
from ichis.bad_units import BAD_HUBS
from ichis.condition import Condition


@dataclass(frozen=True)
class Defect:
    """A seeded defect. ``board``: settings laid over the board; ``hub``: another firmware; ``station``: called once a station is up."""

    condition: Condition = field(default_factory=Condition)
    board: tuple[str, ...] = ()
    hub: type[Hub] = Hub
    station: Callable[[ConformanceStation], None] | None = None


def _raise(running: RunningHub, code: int, outage: Outage, extra_s: int = 0) -> None:
    long = code == RESTORED_LONG
    times = (date_time(outage.start), date_time(outage.end + extra_s)) if long else ()
    running.chf.raise_alert(code, times, message_code=RESTORED_LONG_ALERT if long else None, party=RemotePartyRole.ACCESS_CONTROL_BROKER)


class RepeatsShortAlert(Hub):
    """Tells a short outage twice when it was of about 20 s and a minute of running came before."""

    @staticmethod
    def _alert(running: RunningHub, outage: Outage, long: bool) -> None:
        Hub._alert(running, outage, long)
        if 15 < outage.seconds < 30 and outage.warned and outage.start - _last_end[0] > 50:
            _raise(running, RESTORED_SHORT, outage)
        _last_end[0] = outage.end


_last_end = [0]
_ends: list[int] = []


class WrongLength(Hub):
    """Long alerts of five minutes carry a wrong end."""

    @staticmethod
    def _alert(running: RunningHub, outage: Outage, long: bool) -> None:
        if 295 < outage.seconds < 305:
            _raise(running, RESTORED_LONG, outage, 60)
        else:
            Hub._alert(running, outage, long)


class SilentAboutSurprises(Hub):
    """Says nothing of a loss of supply that came without AC Lost."""

    @staticmethod
    def _alert(running: RunningHub, outage: Outage, long: bool) -> None:
        if outage.warned:
            Hub._alert(running, outage, long)


class OneAlertInHalfAMinute(Hub):
    """Keeps the second of two outages that are 20 s apart to itself."""

    @staticmethod
    def _alert(running: RunningHub, outage: Outage, long: bool) -> None:
        if not outage.warned or not 10 < outage.start - _last_end[0] < 30:
            Hub._alert(running, outage, long)
        _last_end[0] = outage.end


class TiresOfAlerts(Hub):
    """Tells no more than eight outages of about 20 s in a row."""

    @staticmethod
    def _alert(running: RunningHub, outage: Outage, long: bool) -> None:
        recent = [end for end in _ends if outage.end - end < 250]
        if not 15 < outage.seconds < 30 or len(recent) < 8:
            Hub._alert(running, outage, long)
        if 15 < outage.seconds < 30:
            _ends.append(outage.end)


class StaysExhausted(Hub):
    """Does not take up work when a.c. comes back while the supply was there all along."""

    def power_event(self, event: PowerEvent) -> None:
        if event is not PowerEvent.AC_RESTORED or self.status.power is not PowerState.EXHAUSTED:
            super().power_event(event)


class LatePowerEvent(Hub):
    """Its input filter passes a short AC Lost only after 50 ms."""

    def power_event(self, event: PowerEvent) -> None:
        if event is PowerEvent.AC_LOST:
            asyncio.get_running_loop().call_later(0.05, super().power_event, event)
        else:
            super().power_event(event)


class WaitsForWan(Hub):
    """Forms no HAN before the SM WAN was there once."""

    async def run(self) -> None:
        for _ in range(60):
            if self._wan.coverage:
                break
            await asyncio.sleep(1)
        await super().run()


class SlowToCommission(Hub):
    """A hub that was never commissioned reaches for the SM WAN only after two minutes, if it is there from the start."""

    async def run(self) -> None:
        if self._store.get("hub/commissioned") is None and self._wan.coverage:
            await asyncio.sleep(120 if _first_in_folder(self._store) else 0)
        await super().run()


def _first_in_folder(store: Any) -> bool:
    """Only the hub of the last group: the first bench of a run is left alone, so that the other checks find a hub that runs."""
    return "bench-1" not in str(store._path)


class GivesUpOnWan(Hub):
    """Reaches for the SM WAN for an hour after its first supply, and not again for hours."""

    async def run(self) -> None:
        vars(self._wan).pop("connect", None)
        if self._store.get("hub/commissioned") is None and not self._wan.coverage:
            connect = self._wan.connect
            given_up = self._clock.now() + 3600

            async def reluctant() -> None:
                if self._clock.now() > given_up:
                    await asyncio.sleep(10_000)
                await connect()

            self._wan.connect = reluctant  # type: ignore[method-assign]
        await super().run()


def _forget(station: ConformanceStation, prefix: str) -> None:
    with contextlib.closing(sqlite3.connect(station.folder / "hub.sqlite")) as database:
        database.execute("DELETE FROM entry WHERE key LIKE ?", (prefix + "%",))
        database.commit()


def _on_power_return(station: ConformanceStation, act: Callable[[float, bool, bool], None]) -> None:
    """Call ``act(seconds without supply, warned, seated at the loss)`` just before the hub starts again."""
    lost: list[tuple[float, bool, bool]] = []
    power = station.bench_jig.hub_side.on_power

    def wrapped(on: bool) -> None:
        if not on:
            lost.append((station.clock.now(), station.bench_jig.hub_side.ac_lost, station.bench_jig.socket.feed.seated))
        elif lost:
            when, warned, seated = lost[-1]
            act(station.clock.now() - when, warned, seated)
        power(on)

    station.bench_jig.hub_side.on_power = wrapped


def forgets_unwarned(station: ConformanceStation) -> None:
    """Three seconds without supply and without warning, and the device log is gone."""

    def act(seconds: float, warned: bool, seated: bool) -> None:
        if not warned and seated and 2.2 < seconds < 2.8:
            _forget(station, "hub/log/current/")

    _on_power_return(station, act)


def forgets_after_five_minutes(station: ConformanceStation) -> None:
    """Keep things in a store that lasts for five minutes."""

    def act(seconds: float, warned: bool, seated: bool) -> None:
        if warned and seated and seconds > 305:
            _forget(station, "hub/log/current/")

    _on_power_return(station, act)


def forgets_when_moved(station: ConformanceStation) -> None:
    """Taken out of its socket for a quarter of an hour it starts as new."""

    def act(seconds: float, warned: bool, seated: bool) -> None:
        if not seated and seconds > 600:
            _forget(station, "hub/log/current/")

    _on_power_return(station, act)


def counter_falls_back(station: ConformanceStation) -> None:
    """After 45 s without supply the originator counter is an old one."""

    def act(seconds: float, warned: bool, seated: bool) -> None:
        if not warned and seated and 40 < seconds < 50:
            with contextlib.closing(sqlite3.connect(station.folder / "hub.sqlite")) as database:
                key = f"device/{station.board.hub.chf}/counter/own"
                database.execute("UPDATE entry SET value = ? WHERE key = ?", ((1).to_bytes(8, "big"), key))
                database.commit()

    _on_power_return(station, act)


def threshold_of_dcc(seconds: float) -> Callable[[ConformanceStation], None]:
    """The DCC's own threshold for AD1."""

    def change(station: ConformanceStation) -> None:
        alerts = station.dcc.alerts
        alerts._context = replace(alerts._context, profile=replace(alerts._context.profile, outage_threshold_s=seconds))

    return change


DEFECTS: dict[str, Defect] = {
    **{name: Defect(condition) for name, condition in BAD_HUBS.items()},
    "DYN-08": Defect(station=forgets_unwarned),
    "ACL-04": Defect(hub=LatePowerEvent),
    "ACL-06": Defect(board=("hub.hold_up_ms=350",)),
    "ACL-07": Defect(hub=StaysExhausted),
    "ACL-08": Defect(hub=RepeatsShortAlert),
    "ACL-09": Defect(board=("hub.outage_threshold_s=179",)),
    "ACL-10": Defect(board=("hub.outage_threshold_s=181",)),
    "ACL-11": Defect(hub=WrongLength),
    "ACL-12": Defect(station=threshold_of_dcc(400.0)),
    "ACL-13": Defect(station=threshold_of_dcc(100.0)),
    "ACL-14": Defect(hub=SilentAboutSurprises),
    "ACL-15": Defect(station=forgets_after_five_minutes),
    "ACL-16": Defect(hub=OneAlertInHalfAMinute),
    "HOT-02": Defect(station=forgets_when_moved),
    "END-02": Defect(hub=TiresOfAlerts),
    "END-04": Defect(station=counter_falls_back),
    "INS-01": Defect(hub=SlowToCommission),
    "INS-02": Defect(hub=WaitsForWan),
    "INS-03": Defect(hub=GivesUpOnWan),
}
"""By the check that must fail, and it alone."""
