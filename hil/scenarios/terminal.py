"""Local Commands: a home that the SM WAN does not reach is brought into service by an installer with a hand-held terminal."""

from __future__ import annotations

from firmware_emu.errors import CommsHubError
from firmware_emu.hub.profile import standard_profile
from firmware_emu.ids import Eui64, InstallCode
from hil.bench.dcc_board import addition
from hil.dcc.base.results import Outcome, Verdict
from hil.dcc.base.services import schedule
from hil.dcc.duis.document import Content
from hil.dcc.duis.request import CommandVariant
from hil.devices.esme.esme import Esme
from hil.devices.esme.metering import LoadSwitch
from hil.devices.hand_held import HandHeldTerminal, certify_terminal
from hil.journeys.steps import expect
from hil.journeys.strategy import CLOCK_SLACK, JOIN_TIME_S, TOLERANCE_S, State
from hil.scenarios.estate import Dwelling, Plan
from hil.scenarios.scenario import Scenario, Stage

TERMINAL = Eui64.parse("024847000000f001")
_CODE = InstallCode.parse("A1A2A3A4A5A6A7A8A9AAABACADAEAFB0")


async def _command(stage: Stage, variant: str, target: Eui64, body: dict[str, Content] | None = None) -> tuple[Outcome, bytes]:
    """Answer to the home's supplier when it asks for local delivery."""
    estate = stage.estate
    user = estate.user(estate.dwellings[0])
    request = estate.dcc.request(
        user, variant, target, body, command_variant=None if schedule()[variant].critical else CommandVariant.RETURN
    )
    outcome = await estate.dcc.send(user, request, returns=CommandVariant.SIGNED_RETURN)
    expect(outcome.verdict is Verdict.RETURNED, outcome.why)
    return outcome, next(one.octets for one in outcome.messages if one.kind == "d")


async def _bring_back(stage: Stage, response: bytes) -> Outcome:
    outcome = await stage.estate.ask(stage.estate.dwellings[0], "8.13", None, {"DeviceGBCSResponse": response})
    expect(outcome.ok, outcome.why)
    return outcome


async def _locally(
    stage: Stage,
    terminal: HandHeldTerminal,
    variant: str,
    target: Eui64,
    body: dict[str, Content] | None = None,
) -> Outcome:
    """Asked for, handed over at the home, brought back."""
    _, command = await _command(stage, variant, target, body)
    terminal.load(command)
    responses = await terminal.deliver()
    expect(len(responses) == 1, f"{len(responses)} Responses to {variant}")
    return await _bring_back(stage, responses[0])


def _terminal(home: Dwelling) -> HandHeldTerminal:
    certify_terminal(home.keystore, TERMINAL)
    return HandHeldTerminal(TERMINAL, _CODE, home.keystore, home.visitor(TERMINAL), home.clock, home.trace, hub=home.board.hub.gpf)


async def local_command(stage: Stage) -> None:
    """No coverage on the day of the visit, and yet a meter that is installed, read and switched before it is over."""
    terminal = _terminal(stage.estate.dwellings[0])
    await terminal.start()
    try:
        await _visit(stage, terminal)
    finally:
        await terminal.stop()


async def _visit(stage: Stage, terminal: HandHeldTerminal) -> None:
    estate, home, step = stage.estate, stage.estate.dwellings[0], stage.steps.step
    row, chf = home.rows["ESME"], home.board.hub.chf
    meter = home.devices["ESME"]
    assert isinstance(meter, Esme)
    async with step("the hub is powered without coverage; a terminal introduces itself and is let onto the HAN") as values:
        await estate.until("the HAN", lambda: home.on_han)
        await terminal.join()
        values["basis"] = "profile-supplied: how a terminal introduces itself"
    async with step("8.11 by the terminal: the hub lets the meter in, and 8.13 tells the DCC") as values:
        await estate.strategy(home).bring(row, State.NOTIFIED)
        await _locally(stage, terminal, "8.11", chf, addition(row, JOIN_TIME_S))
        await meter.join()
        values["status"] = estate.status(row.eui)
        expect(values["status"] == "Whitelisted", f"status is {values['status']}")
    async with step("8.1.1 by the terminal; its Response is kept until the hub is known") as values:
        began = estate.clock.datetime() - CLOCK_SLACK
        _, command = await _command(stage, "8.1.1", row.eui, {"CurrentDateTime": began, "TolerancePeriod": TOLERANCE_S})
        terminal.load(command)
        (commissioned,) = await terminal.deliver()
        values["the meter's clock is set"] = meter.clock_reliable
        expect(meter.clock_reliable, "the meter has not set its clock")
    async with step("the meter is read and its supply disabled, by local Commands"):
        await _locally(stage, terminal, "4.1.1", row.eui)
        await _locally(stage, terminal, "7.2", row.eui)
        expect(meter.load_switch is LoadSwitch.DISABLED, "the supply is on")
    async with step("the same Command once more is discarded without an answer"):
        await _locally(stage, terminal, "7.1", row.eui)
        seen = len(stage.records)
        _, disable = await _command(stage, "7.2", row.eui)
        for wait_s, answers in ((60.0, 1), (30.0, 0)):
            terminal.load(disable)
            expect(len(await terminal.deliver(wait_s=wait_s)) == answers, f"expected {answers} answers")
        executed = stage.noted("device", "executed", seen)
        expect(len(executed) == 1, f"it was carried out {len(executed)} times")
        terminal.loaded.clear()
    async with step("an hour after power-on the terminal is put out, and is not let in again") as values:
        await estate.clock.sleep(standard_profile().hand_held_window_s)
        assert home.hub is not None
        expect(not terminal.node.joined, "it is on the HAN")
        expect(TERMINAL not in {one.device for one in home.hub.status.device_log}, "it is in the log")
        try:
            await terminal.introduce()
        except CommsHubError as refused:
            values["the terminal sees"] = str(refused)
        expect("the terminal sees" in values, "it was let in")
    async with step("with coverage the hub is commissioned; the Response that was kept commissions the meter") as values:
        expect(not estate.dcc.head_end.connected(chf), "the SM WAN was there all the time")
        home.wan.coverage = True
        await estate.until("the CHF's status Commissioned", lambda: estate.status(chf) == "Commissioned", 7200)
        await _bring_back(stage, commissioned)
        values["status"] = estate.status(row.eui)
        expect(values["status"] == "Commissioned", f"status is {values['status']}")
        outcome = await estate.ask(home, "7.1", row.eui)
        expect(outcome.ok, outcome.why)


SCENARIOS = (Scenario("local-command", "Local Commands by hand-held terminal", Plan(1, coverage=False), local_command),)
