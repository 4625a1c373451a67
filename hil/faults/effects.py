"""Effects: one function starts and ends each kind of fault in a home; :data:`EFFECTS` names it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager

from firmware_emu.errors import NotAvailable
from hil.bench.home import Home
from hil.bench.medium import Torn
from hil.faults.grammar import LINES, Sentence
from hil.faults.values import BrownOut, TornWrite
from hil.radio.port.dongle_server import DongleServer
from ichis.connector import Level, signal
from ichis.jig import Lines, Supply
from ichis.measuring.reading import Reading

Effect = Callable[[Home, Sentence, Callable[..., None]], AbstractAsyncContextManager[None]]
"""Lays a fault on while the context is open; the third argument counts and traces an effect: ``told(verb, **detail)``."""

LASTS_S: dict[tuple[str, str], float] = {
    ("wan", "lost"): 60.0,
    ("supply", "sag"): 1.0,
    ("mains", "lost"): 20.0,
    ("dongle", "stuck"): 5.0,
    ("dongle", "mute"): 5.0,
    ("dongle", "unplugged"): 10.0,
    ("wan", "cut"): 0.0,
    ("dongle", "reset"): 0.0,
    ("supply", "dip"): 0.0,
}
"""Duration of a fault whose sentence does not say: the bench's own figures. Kinds that are not here last until cleared."""


def dongle_of(home: Home) -> DongleServer:
    """The home's virtual dongle. Raises NotAvailable."""
    if home.ncp is None:
        raise NotAvailable("a fault of the dongle", "a real dongle is reset or pulled by hand; or take a board with a virtual one")
    return home.ncp


@contextlib.asynccontextmanager
async def wan_cut(home: Home, sentence: Sentence, told: Callable[..., None]) -> AsyncIterator[None]:
    assert home.wan is not None
    if home.wan.connected:
        told("cut")
    await home.wan.cut("the SM WAN connection was cut")
    yield


@contextlib.asynccontextmanager
async def wan_lost(home: Home, sentence: Sentence, told: Callable[..., None]) -> AsyncIterator[None]:
    assert home.wan is not None
    home.wan.coverage = False
    told("lost coverage")
    await home.wan.cut("no SM WAN coverage")
    try:
        yield
    finally:
        home.wan.coverage = True


@contextlib.asynccontextmanager
async def nvm_dies(home: Home, sentence: Sentence, told: Callable[..., None]) -> AsyncIterator[None]:
    """``nvm torn`` and ``nvm cut``: pending until that write, then over."""
    fault = TornWrite(int(sentence.number("ORDINAL", 1)), 0.5 if sentence.kind == "torn" else None)
    over = asyncio.Event()

    def cut(left: Torn | None) -> None:
        told("torn" if left is not None else "cut", write=fault.nth)
        home.hub_dies(left.lay if left is not None else lambda: None)
        over.set()

    home.medium.cut_at(fault.nth, fault.kept, cut)
    try:
        yield
        await over.wait()
    finally:
        home.medium.sound()


class HeldSupply:
    """The supply of a jig during a fault: what the host asks of it is done when the fault is over."""

    def __init__(self, supply: Supply, volts: float) -> None:
        self._supply = supply
        self._volts = volts
        self._on = True

    async def hold(self, volts: float) -> None:
        """Give ``volts``; 0 is switched off."""
        if volts:
            await self._supply.set_voltage(volts)
        await self._supply.output(volts > 0)

    async def let_go(self) -> None:
        """Give what the host wants."""
        await self._supply.set_voltage(self._volts)
        await self._supply.output(self._on)

    async def identity(self) -> str:
        return await self._supply.identity()

    async def set_voltage(self, volts: float) -> None:
        self._volts = volts

    async def set_current_limit(self, amperes: float) -> None:
        await self._supply.set_current_limit(amperes)

    async def output(self, on: bool) -> None:
        self._on = on

    async def confirm(self) -> None:
        """Confirm that the host's wish is done when the fault is over: there is nothing to confirm before."""

    @property
    def acted(self) -> tuple[float, float]:
        return self._supply.acted

    @property
    def least_step_s(self) -> float:
        return self._supply.least_step_s

    @property
    def least_software_step_s(self) -> float:
        return self._supply.least_software_step_s

    async def measure_voltage(self) -> Reading:
        return await self._supply.measure_voltage()

    async def measure_current(self) -> Reading:
        return await self._supply.measure_current()

    async def measure_peak_current(self) -> Reading:
        return await self._supply.measure_peak_current()

    async def play(self, points: Sequence[tuple[float, float]]) -> None:
        self._volts = points[-1][0] if points else self._volts
        await asyncio.sleep(sum(seconds for _, seconds in points))


@contextlib.asynccontextmanager
async def supply(home: Home, sentence: Sentence, told: Callable[..., None]) -> AsyncIterator[None]:
    """``supply dip`` and ``supply sag``; nothing happens to a supply that is off."""
    sound = home.jig.supply
    volts = (await sound.measure_voltage()).value
    if volts > 0:
        if sentence.kind == "dip":
            out = BrownOut(((0.0, sentence.number("DURATION", 0)),))
        else:
            out = BrownOut(((sentence.number("VOLTS", volts), sentence.number("for", LASTS_S["supply", "sag"])),))
        held = home.jig.supply = HeldSupply(sound, volts)
        try:
            for at, seconds in out.profile:
                told("dipped" if at == 0 else "sagged", volts=at, ms=round(seconds * 1000))
                await held.hold(at)
                await home.clock.sleep(seconds)
        finally:
            home.jig.supply = sound
            await held.let_go()
    yield


@contextlib.asynccontextmanager
async def mains(home: Home, sentence: Sentence, told: Callable[..., None]) -> AsyncIterator[None]:
    told("lost")
    try:  # a fault that is cleared while it comes is restored too
        await home.mains_lost()
        yield
    finally:
        await home.mains_restored()


@contextlib.asynccontextmanager
async def dongle_reset(home: Home, sentence: Sentence, told: Callable[..., None]) -> AsyncIterator[None]:
    dongle_of(home).reset()
    told("reset")
    yield


@contextlib.asynccontextmanager
async def dongle_unplugged(home: Home, sentence: Sentence, told: Callable[..., None]) -> AsyncIterator[None]:
    dongle = dongle_of(home)
    dongle.power(False)
    told("unplugged")
    try:
        yield
    finally:
        dongle.power(home.jig.hub_side.powered)


class StuckLines:
    """The lines of a jig, one of which keeps its level."""

    def __init__(self, lines: Lines, symbol: str, wanted: bool, told: Callable[..., None]) -> None:
        self._lines = lines
        self._symbol = symbol
        self._told = told
        self.wanted = wanted
        """State that the host last wanted of it."""

    @property
    def resolution_s(self) -> float:
        return self._lines.resolution_s

    async def drive(self, symbol: str, active: bool) -> None:
        if symbol == self._symbol:
            self.wanted = active
            self._told("kept its level", symbol=symbol)
        else:
            await self._lines.drive(symbol, active)

    async def release(self, symbol: str) -> None:
        if symbol != self._symbol:
            await self._lines.release(symbol)

    async def read(self, symbol: str) -> Level:
        return await self._lines.read(symbol)

    async def watch(self, symbol: str, seconds: float) -> list[tuple[float, Level]]:
        return await self._lines.watch(symbol, seconds)


@contextlib.asynccontextmanager
async def line(home: Home, sentence: Sentence, told: Callable[..., None]) -> AsyncIterator[None]:
    """``line LINE stuck`` and ``line LINE open``; at its end the line has what the host last wanted."""
    symbol = LINES[str(sentence.values["LINE"])]
    sound = home.jig.lines
    wanted = await sound.read(symbol) is signal(symbol).active
    if sentence.kind == "open":
        await sound.release(symbol)
        told("open", symbol=symbol)
    stuck = home.jig.lines = StuckLines(sound, symbol, wanted, told)
    try:
        yield
    finally:
        home.jig.lines = sound
        await sound.drive(symbol, stuck.wanted)


EFFECTS: dict[tuple[str, str], Effect] = {
    ("wan", "cut"): wan_cut,
    ("wan", "lost"): wan_lost,
    ("nvm", "torn"): nvm_dies,
    ("nvm", "cut"): nvm_dies,
    ("supply", "dip"): supply,
    ("supply", "sag"): supply,
    ("mains", "lost"): mains,
    ("dongle", "reset"): dongle_reset,
    ("dongle", "unplugged"): dongle_unplugged,
    ("line", "stuck"): line,
    ("line", "open"): line,
}
"""Faults that act on a whole part. Faults of frames, and states of the dongle, are kept by :class:`hil.faults.faults.Faults`."""
