"""Scenarios over many homes: a power cut, a storm of alerts."""

from __future__ import annotations

from hil.scenarios.scenario import Scenario, Stage
from hil.steps import expect
from hil.street import Dwelling, Plan

_LONG_S, _SHORT_S = 240.0, 60.0


async def power_cut(stage: Stage) -> None:
    """50 homes lose their mains for four minutes, half of them once more for one."""
    street, step = stage.street, stage.steps.step
    async with step(f"{len(street.dwellings)} homes are installed") as values:
        await street.install()
        values["commissioned meters"] = sum(street.status(row.eui) == "Commissioned" for one in street.boards for row in one.device)
    before = len(street.dcc.alerts.records())
    async with step("the mains goes everywhere, for four minutes") as values:
        await street.each(lambda one: one.mains_lost())
        await street.clock.sleep(_LONG_S)
        values["outages that the DCC tells (AD1)"] = _devices(stage, before, "AD1")
        expect(_devices(stage, before, "AD1") == len(street.dwellings), "not every hub that is silent for three minutes is told")
    async with step("the mains is back: each hub and each meter tells its outage once") as values:
        await street.each(lambda one: one.mains_restored())
        told = 2 * len(street.dwellings)  # each hub tells the DCC, each meter its supplier
        await street.until("every hub's and meter's alert 8F36", lambda: _devices(stage, before, "8F36") == told, 600)
        values["alerts 8F36"], values["alerts 8F35"] = _alerts(stage, before, "8F36"), _devices(stage, before, "8F35")
        expect(_alerts(stage, before, "8F36") == told, "an outage was told more than once")
        expect(_devices(stage, before, "8F35") == 0, "a long outage was told as a short one")
    half = street.dwellings[::2]
    before = len(street.dcc.alerts.records())
    async with step(f"{len(half)} of them lose it again, for one minute") as values:
        await street.each(lambda one: one.mains_lost(), half)
        await street.clock.sleep(_SHORT_S)
        await street.each(lambda one: one.mains_restored(), half)
        await street.until("the alerts 8F35", lambda: _devices(stage, before, "8F35") == 2 * len(half), 600)
        await street.clock.sleep(_LONG_S)
        values["alerts 8F35"], values["alerts AD1"] = _alerts(stage, before, "8F35"), _devices(stage, before, "AD1")
        values["alerts 8F36"] = _alerts(stage, before, "8F36")
        expect(_devices(stage, before, "AD1") + _devices(stage, before, "8F36") == 0, "a short outage was told as a long one")
    async with step("every home answers a read") as values:
        read = 0

        async def ask(one: Dwelling) -> None:
            nonlocal read
            outcome = await street.ask(one, "4.1.1", one.devices["ESME"].eui64)
            expect(outcome.ok, outcome.why)
            read += 1

        await street.each(ask)
        values["answers"] = read


def _devices(stage: Stage, before: int, code: str) -> int:
    return len({record.device for record in stage.street.dcc.alerts.records()[before:] if record.code == code})


def _alerts(stage: Stage, before: int, code: str) -> int:
    return sum(record.code == code for record in stage.street.dcc.alerts.records()[before:])


SCENARIOS = (
    Scenario("power-cut", "A power cut across 50 homes", Plan(50, 4), power_cut),
)
