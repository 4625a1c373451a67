"""Any hub with any host: the modelled input stage of one maker's hub in the modelled port of another's host.

What it does not model: the hub's firmware (the hub shows itself while it has power), and all that the two models leave out.
"""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path

from firmware_emu.clock import Clock
from firmware_emu.errors import BoardError, in_toml, one_of
from firmware_emu.supervised import supervised
from firmware_emu.trace import Trace
from ichis.bad_units import BAD_HUBS
from ichis.condition import Condition
from ichis.connector import Level, signal
from ichis.host_port import HostCondition, HostPort
from ichis.port import SerialPort
from ichis.profile import InterfaceProfile
from ichis.simulated_jig import HubSocket

_OUTAGE_S, _DIP_S, _SETTLE_S = 200.0, 0.3, 2.0
_KINDS = ("meter", "hot shoe")


@dataclass(frozen=True, slots=True)
class Makers:
    """Hosts and hubs by name."""

    hosts: Mapping[str, HostCondition]
    kinds: Mapping[str, str]
    """``meter`` or ``hot shoe``, by the host's name."""
    hubs: Mapping[str, Condition]


@dataclass(frozen=True, slots=True)
class PortPairing:
    """Observations of one hub in one host's port. ``problems`` is empty where they work together."""

    host: str
    hub: str
    started_s: float | None
    """From the host's mains to Device Present at the host."""
    volts: float
    """At the hub's pins while it runs."""
    warned_s: float | None
    """From AC Lost at the hub to its stop in an outage."""
    problems: tuple[str, ...]


def unit_under_test(name: str) -> Condition:
    """The modelled hub of that name in ``units.toml``. Raises BoardError naming those there are."""
    units = {**load_makers(file="units.toml").hubs, **{f"bad-{check}": condition for check, condition in BAD_HUBS.items()}}
    if name not in units:
        known = one_of(name, [one for one in units if not one.startswith("bad-")])
        raise BoardError("ichis/units.toml", "jig.unit", f"no unit is named {name!r}: expected bad- and a check's id, or {known}")
    return units[name]


def load_makers(path: Path | None = None, file: str = "makers.toml") -> Makers:
    """A file of hosts and hubs; one of the bench's own if None. Raises BoardError with the key."""
    own, file = file, f"ichis/{file}" if path is None else str(path)
    try:
        text = resources.files("ichis").joinpath(own).read_text(encoding="utf-8") if path is None else path.read_text("utf-8")
        table = tomllib.loads(text)
    except OSError as wrong:
        raise BoardError(file, "", f"cannot be read ({wrong.strerror})") from wrong
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        raise BoardError(file, "", f"not TOML: {wrong}") from wrong
    hosts, kinds = {}, {}
    for name, row in _rows(file, table, "host").items():
        kind = row.pop("kind", None)
        if kind not in _KINDS:
            raise BoardError(file, f"host.{name}.kind", f"{in_toml(kind)}: expected {one_of(kind, _KINDS)}")
        kinds[name] = str(kind)
        hosts[name] = HostCondition(**_figures(file, f"host.{name}", row, HostCondition))  # type: ignore[arg-type]  # checked there
    hubs = {
        name: Condition(**_figures(file, f"hub.{name}", row, Condition))  # type: ignore[arg-type]  # checked there
        for name, row in _rows(file, table, "hub").items()
    }
    return Makers(hosts, kinds, hubs)


def _rows(file: str, table: Mapping[str, object], kind: str) -> dict[str, dict[str, object]]:
    rows = table.get(kind)
    if not isinstance(rows, dict) or not rows or not all(isinstance(row, dict) for row in rows.values()):
        raise BoardError(file, kind, f"expected tables [{kind}.NAME]")
    return {name: dict(row) for name, row in rows.items()}


def _figures(file: str, key: str, row: Mapping[str, object], model: type[HostCondition] | type[Condition]) -> dict[str, object]:
    known = {field.name for field in fields(model) if str(field.type).startswith(("float", "bool", "str"))}
    for name, value in row.items():
        if name not in known:
            raise BoardError(file, f"{key}.{name}", f"no such figure: expected {one_of(name, sorted(known))}")
        kind = next(str(field.type) for field in fields(model) if field.name == name)
        fits = {"b": isinstance(value, bool), "s": isinstance(value, str)}.get(
            kind[0], isinstance(value, int | float) and not isinstance(value, bool)
        )
        if not fits:
            raise BoardError(file, f"{key}.{name}", f"{in_toml(value)}: expected a {kind.split(' ')[0]}")
    return dict(row)


class _Mated:
    """A hub in a host's port: what one drives the other sees, at once."""

    def __init__(self, profile: InterfaceProfile, clock: Clock, trace: Trace, host: HostCondition, hub: Condition) -> None:
        self.data = SerialPort("loop://", clock, line=profile.line, inverts=profile.line.inverted)
        self.port = HostPort(clock, trace, host, self._changed)
        self.socket = HubSocket(clock, trace, hub, self.data)
        self._clock = clock
        self.present_at: float | None = None
        self.ac_lost_at: float | None = None
        self.stops: list[float] = []
        self.socket.hub_side.listen(power=self._power, ac_lost=self._ac_lost)
        self._tasks: set[asyncio.Task[None]] = set()

    def _power(self, on: bool) -> None:
        self.socket.hub_side.drive_device_present(on)
        if not on:
            self.stops.append(self._clock.now())

    def _ac_lost(self, lost: bool) -> None:
        if lost:
            self.ac_lost_at = self._clock.now()

    def _changed(self) -> None:
        task = supervised(self._carry(), "the mated port")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self) -> None:
        port, socket = self.port, self.socket
        socket.feed.source(port.open_volts(), port.limit_a, port.fed)
        for symbol in ("MT_PR", "AC LO"):
            pin = signal(symbol)
            await socket.lines.drive(symbol, port.level(pin) is pin.active)

    async def watch(self, seconds: float) -> None:
        """Let time pass, as the host sees Device Present and as the hub loads the port."""
        until = self._clock.now() + seconds
        while self._clock.now() < until - 1e-9:
            await self._clock.sleep(min(0.01, until - self._clock.now()) if seconds < 30 else 0.5)
            seen = await self.socket.lines.read("CH_PR") is Level.LOW
            self.port.seat(seen)
            self.port.load(self.socket.feed.amperes())
            if seen and self.present_at is None:
                self.present_at = self._clock.now()

    def forget(self) -> None:
        """Forget everything seen so far."""
        self.ac_lost_at, self.stops = None, []

    def close(self) -> None:
        self.port.close()
        self.socket.close()
        self.data.close()


async def pair(profile: InterfaceProfile, makers: Makers, host: str, hub: str, clock: Clock, trace: Trace) -> PortPairing:
    """Mains on, a dip, an outage of 200 s, mains back: does this hub work in this host's port?"""
    mated = _Mated(profile, clock, trace, makers.hosts[host], makers.hubs[hub])
    problems: list[str] = []
    try:
        began = clock.now()
        mated.port.mains(True)
        await mated.watch(profile["host_start_time"] + profile["power_on_delay_after_presence"])
        started_s = None if mated.present_at is None else mated.present_at - began
        if started_s is None:
            problems.append("the hub did not show itself after the host's mains came")
        volts = mated.socket.feed.pin_volts()
        if not profile["supply_tolerance_low"] <= volts <= profile["supply_tolerance_high"]:
            low, high = profile["supply_tolerance_low"], profile["supply_tolerance_high"]
            problems.append(f"{volts:.2f} V at the hub's pins: expected {low:g} to {high:g} V")
        mated.port.mains(False)
        await mated.watch(_DIP_S)
        mated.port.mains(True)
        await mated.watch(_SETTLE_S)
        if mated.stops:
            problems.append(f"a loss of mains of {_DIP_S:g} s stopped the hub")
        mated.forget()
        mated.port.mains(False)
        await mated.watch(10.0)
        warned_s = mated.stops[0] - mated.ac_lost_at if mated.stops and mated.ac_lost_at is not None else None
        if warned_s is None or warned_s < profile["last_gasp_time"]:
            shown = "no warning" if warned_s is None or warned_s < 0 else f"{warned_s:.3f} s"
            problems.append(f"{shown} from AC Lost to the hub's stop: expected {profile['last_gasp_time']:g} s at least")
        await mated.watch(_OUTAGE_S)
        mated.port.mains(True)
        await mated.watch(profile["host_start_time"] + profile["power_on_delay_after_presence"])
        if await mated.socket.lines.read("CH_PR") is not Level.LOW:
            problems.append(f"the hub did not come back after an outage of {_OUTAGE_S:g} s")
        return PortPairing(host, hub, started_s, volts, warned_s, tuple(problems))
    finally:
        mated.close()
