"""Hubs under test whose fault lies behind the connector: in the firmware, in the store, on the board, or in the DCC that listens.

With :data:`ichis.bad_units.BAD_HUBS` each check of a hub has one unit that must fail it, and it alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from firmware_emu.crypto.roles import RemotePartyRole
from firmware_emu.device.alerting import date_time
from firmware_emu.hub.hub import RESTORED_LONG, RESTORED_LONG_ALERT, RESTORED_SHORT, Hub
from firmware_emu.hub.power import Outage, PowerEvent, PowerState
from firmware_emu.hub.running import RunningHub
from hil.conformance.station import ConformanceStation
from ichis.bad_units import BAD_HUBS
from ichis.condition import Condition


@dataclass(frozen=True)
class Unit:
    """A hub under test. ``settings`` are laid over the board; ``prepare`` is called with each station once it is up."""

    condition: Condition = field(default_factory=Condition)
    settings: tuple[str, ...] = ()
    firmware: type[Hub] = Hub
    prepare: Callable[[ConformanceStation], None] | None = None


# --- alerts of outages


def _raise(running: RunningHub, code: int, outage: Outage, extra_s: int = 0) -> None:
    long = code == RESTORED_LONG
    times = (date_time(int(outage.start)), date_time(int(outage.end) + extra_s)) if long else ()
    running.chf.raise_alert(code, times, message_code=RESTORED_LONG_ALERT if long else None, party=RemotePartyRole.ACCESS_CONTROL_BROKER)


def repeats_short_alert() -> Unit:
    """Tells a short outage twice when it was of about 20 s and a minute of running came before."""
    ends = [0.0]

    class RepeatsShortAlert(Hub):
        @staticmethod
        def _alert(running: RunningHub, outage: Outage, long: bool) -> None:
            Hub._alert(running, outage, long)
            if 15 < outage.seconds < 30 and outage.warned and outage.start - ends[-1] > 50:
                _raise(running, RESTORED_SHORT, outage)
            ends.append(outage.end)

    return Unit(firmware=RepeatsShortAlert)


def wrong_length() -> Unit:
    """Long alerts of five minutes carry a wrong end."""

    class WrongLength(Hub):
        @staticmethod
        def _alert(running: RunningHub, outage: Outage, long: bool) -> None:
            if 295 < outage.seconds < 305:
                _raise(running, RESTORED_LONG, outage, 60)
            else:
                Hub._alert(running, outage, long)

    return Unit(firmware=WrongLength)


def silent_about_surprises() -> Unit:
    """Says nothing of a loss of supply that came without AC Lost."""

    class SilentAboutSurprises(Hub):
        @staticmethod
        def _alert(running: RunningHub, outage: Outage, long: bool) -> None:
            if outage.warned:
                Hub._alert(running, outage, long)

    return Unit(firmware=SilentAboutSurprises)


def one_alert_in_half_a_minute() -> Unit:
    """Keeps the second of two outages that are 20 s apart to itself."""
    ends = [0.0]

    class OneAlertInHalfAMinute(Hub):
        @staticmethod
        def _alert(running: RunningHub, outage: Outage, long: bool) -> None:
            if not outage.warned or not 10 < outage.start - ends[-1] < 30:
                Hub._alert(running, outage, long)
            ends.append(outage.end)

    return Unit(firmware=OneAlertInHalfAMinute)


def tires_of_alerts() -> Unit:
    """Tells no more than eight outages of about 20 s in a row."""
    ends: list[float] = []

    class TiresOfAlerts(Hub):
        @staticmethod
        def _alert(running: RunningHub, outage: Outage, long: bool) -> None:
            about_20_s = 15 < outage.seconds < 30
            if not about_20_s or sum(outage.end - end < 250 for end in ends) < 8:
                Hub._alert(running, outage, long)
            if about_20_s:
                ends.append(outage.end)

    return Unit(firmware=TiresOfAlerts)


# --- power events


def stays_exhausted() -> Unit:
    """Does not take up work when a.c. comes back while the supply was there all along."""

    class StaysExhausted(Hub):
        def power_event(self, event: PowerEvent) -> None:
            if event is not PowerEvent.AC_RESTORED or self.status.power is not PowerState.EXHAUSTED:
                super().power_event(event)

    return Unit(firmware=StaysExhausted)


def late_power_event() -> Unit:
    """Takes AC Lost only after 50 ms."""

    class LatePowerEvent(Hub):
        def power_event(self, event: PowerEvent) -> None:
            if event is PowerEvent.AC_LOST:
                asyncio.get_running_loop().call_later(0.05, super().power_event, event)
            else:
                super().power_event(event)

    return Unit(firmware=LatePowerEvent)


# --- installation


def waits_for_wan() -> Unit:
    """Forms no HAN before the SM WAN was there once, or a minute has passed."""

    class WaitsForWan(Hub):
        async def run(self) -> None:
            for _ in range(60):
                if self._wan.coverage:  # type: ignore[attr-defined]  # the bench's link can lose it
                    break
                await asyncio.sleep(1)
            await super().run()

    return Unit(firmware=WaitsForWan)


def slow_to_commission() -> Unit:
    """Reaches for the SM WAN only after two minutes where it is as it left the factory; the first hub of a bench does not."""
    stations: list[ConformanceStation] = []

    class SlowToCommission(Hub):
        async def run(self) -> None:
            if len(stations) > 1 and self._store.get("hub/commissioned") is None and self._wan.coverage:  # type: ignore[attr-defined]
                await asyncio.sleep(120)
            await super().run()

    return Unit(firmware=SlowToCommission, prepare=stations.append)


def gives_up_on_wan() -> Unit:
    """Reaches for the SM WAN for an hour after its first supply, and not again for hours."""

    class GivesUpOnWan(Hub):
        async def run(self) -> None:
            vars(self._wan).pop("connect", None)
            if self._store.get("hub/commissioned") is None and not self._wan.coverage:  # type: ignore[attr-defined]
                connect = self._wan.connect
                given_up = self._clock.now() + 3600

                async def reluctant() -> None:
                    if self._clock.now() > given_up:
                        await asyncio.sleep(10_000)
                    await connect()

                self._wan.connect = reluctant  # type: ignore[method-assign]
            await super().run()

    return Unit(firmware=GivesUpOnWan)


# --- stores


def _forget(station: ConformanceStation, prefix: str) -> None:
    with contextlib.closing(sqlite3.connect(station.folder / "hub.sqlite")) as database:
        database.execute("DELETE FROM entry WHERE key LIKE ?", (prefix + "%",))
        database.commit()


def _on_power_return(station: ConformanceStation, act: Callable[[float, bool, bool], None]) -> None:
    """Call ``act(seconds without supply, warned, seated at the loss)`` just before the hub starts again."""
    lost: list[tuple[float, bool, bool]] = []

    def before(on: bool) -> None:
        if not on:
            lost.append((station.clock.now(), station.bench_jig.hub_side.ac_lost, station.bench_jig.socket.feed.seated))
        elif lost:
            when, warned, seated = lost[-1]
            act(station.clock.now() - when, warned, seated)

    station.bench_jig.hub_side.listen(power=before, first=True)


def _forgets(where: Callable[[float, bool, bool], bool]) -> Unit:
    """The device log is gone after a loss of supply like that."""

    def prepare(station: ConformanceStation) -> None:
        def act(seconds: float, warned: bool, seated: bool) -> None:
            if where(seconds, warned, seated):
                _forget(station, "hub/log/current/")

        _on_power_return(station, act)

    return Unit(prepare=prepare)


def counter_falls_back() -> Unit:
    """After 45 s without supply the originator counter is an old one, until the next start: or the DCC would refuse every later alert."""

    def prepare(station: ConformanceStation) -> None:
        highest: list[int] = []

        def act(seconds: float, warned: bool, seated: bool) -> None:
            falls = not warned and seated and 40 < seconds < 50
            if not (falls or highest):
                return
            key = f"device/{station.board.hub.chf}/counter/own"
            with contextlib.closing(sqlite3.connect(station.folder / "hub.sqlite")) as database:
                (held,) = database.execute("SELECT value FROM entry WHERE key = ?", (key,)).fetchone()
                highest[:] = [max(int.from_bytes(held, "big"), *highest, 1)]
                now = 1 if falls else highest[0]
                database.execute("UPDATE entry SET value = ? WHERE key = ?", (now.to_bytes(8, "big"), key))
                database.commit()

        _on_power_return(station, act)

    return Unit(prepare=prepare)


def _threshold_of_dcc(seconds: float) -> Unit:
    """The DCC's own threshold for AD1."""

    def prepare(station: ConformanceStation) -> None:
        alerts = station.dcc.alerts
        alerts._context = replace(alerts._context, profile=replace(alerts._context.profile, outage_threshold_s=seconds))

    return Unit(prepare=prepare)


BAD_UNITS: Mapping[str, Callable[[], Unit]] = {
    **{name: partial(Unit, condition) for name, condition in BAD_HUBS.items()},
    "DYN-08": partial(_forgets, lambda seconds, warned, seated: not warned and seated and 2.2 < seconds < 2.8),
    "ACL-04": late_power_event,
    "ACL-06": partial(Unit, settings=("hub.hold_up_ms=350",)),
    "ACL-07": stays_exhausted,
    "ACL-08": repeats_short_alert,
    "ACL-09": partial(Unit, settings=("hub.outage_threshold_s=179",)),
    "ACL-10": partial(Unit, settings=("hub.outage_threshold_s=181",)),
    "ACL-11": wrong_length,
    "ACL-12": partial(_threshold_of_dcc, 400.0),
    "ACL-13": partial(_threshold_of_dcc, 100.0),
    "ACL-14": silent_about_surprises,
    "ACL-15": partial(_forgets, lambda seconds, warned, seated: warned and seated and seconds > 305),
    "ACL-16": one_alert_in_half_a_minute,
    "HOT-02": partial(_forgets, lambda seconds, warned, seated: not seated and seconds > 600),
    "END-02": tires_of_alerts,
    "END-04": counter_falls_back,
    "INS-01": slow_to_commission,
    "INS-02": waits_for_wan,
    "INS-03": gives_up_on_wan,
}
"""By the check that must fail, and it alone; each call makes a unit that remembers nothing of the ones before."""
