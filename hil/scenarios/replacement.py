"""A hub fails for good and is replaced: its log is restored to the new one, and the home comes back without a visit to any meter."""

from __future__ import annotations

from firmware_emu.ids import Eui64
from hil.dcc.base.results import Outcome
from hil.devices.gsme.gsme import Gsme
from hil.journeys.steps import expect
from hil.scenarios.estate import Dwelling, Plan
from hil.scenarios.scenario import Scenario, Stage

_HOUR_S = 3600.0
_BACK_S = 2 * _HOUR_S
"""The Devices must be back by then: a meter looks for its hub every few minutes, the sleepy one every half hour. The bench's own figure."""


def _need(outcome: Outcome) -> Outcome:
    expect(outcome.ok, outcome.why)
    return outcome


def _hashes(home: Dwelling) -> dict[Eui64, bytes]:
    """The log of the home's hub: Device to hash of its link key."""
    return {} if home.hub is None else {entry.device: entry.key_hash for entry in home.hub.status.device_log}


async def hub_replacement(stage: Stage) -> None:
    """From the failure of the old hub on to where the home is as it was, on the new one."""
    estate, step = stage.estate, stage.steps.step
    home, dcc = estate.dwellings[0], estate.dcc
    old, rows = home.board.hub, home.rows
    esme, gsme, ppmid = (rows[kind].eui for kind in ("ESME", "GSME", "PPMID"))
    async with step("the home is installed, its Devices are joined with each other"):
        await estate.install()
        for variant, target, other in (
            ("8.7.1", esme, ppmid),
            ("8.7.1", ppmid, esme),
            ("8.7.2", gsme, old.gpf),
            ("8.7.2", old.gpf, gsme),
            ("8.7.2", old.gpf, ppmid),
        ):
            _need(await estate.ask(home, variant, target, {"OtherDeviceID": other}, wait_s=_BACK_S))
    async with step("the hub fails; within two hours every Device has missed it and looks for one") as values:
        seen, before, alerts = len(stage.records), _hashes(home), len(dcc.alerts.records())
        home.supply(False)
        await estate.clock.sleep(_BACK_S)
        looked = {record.source for record in stage.noted("han", "not rejoined", seen)}
        values["looked for a hub"] = len(looked)
        expect(len(looked) == len(rows), f"only {', '.join(sorted(looked)) or 'nobody'} has looked for a hub")
        values["keys in the DCC's copy"] = 0 if (copy := dcc.device_log_copy.copy(old.chf)) is None else len(copy.entries)
    async with step("8.3: the old hub is decommissioned") as values:
        for eui in (old.chf, old.gpf):
            _need(await estate.ask(home, "8.3", None, {"DeviceID": eui}, of=eui))
            values[str(eui)] = estate.status(eui)
            expect(estate.status(eui) == "Decommissioned", f"status of {eui} is {estate.status(eui)}")
    async with step("another hub is put in and connects; nobody gets onto its HAN") as values:
        await estate.replace_hub(home)
        new = home.board.hub
        await estate.clock.sleep(_HOUR_S)
        values["chf"], values["Devices in its log"] = str(new.chf), len(_hashes(home))
        expect(not _hashes(home), "a hub without a log has let somebody in")
    async with step("8.12.1: its log is restored from the DCC's copy of the old one's") as values:
        restored = estate.clock.now()
        _need(await estate.ask(home, "8.12.1", new.chf, {"OldCHFID": old.chf}))
        values["Devices in its log"] = len(_hashes(home))
        expect(set(_hashes(home)) == set(before), "the restored log is not that of the old hub")
    async with step("every Device finds it by itself and agrees a new key with it") as values:
        devices = [home.devices[kind] for kind in rows]
        await estate.until(
            "every Device on the new hub", lambda: all(one.coordinator == new.gpf and not one.key_borrowed for one in devices), _BACK_S, 5
        )
        await estate.until("the new keys in the log", lambda: all(_hashes(home)[eui] != before[eui] for eui in before))
        back = [record for record in stage.noted("han", "rejoined") if record.target == str(new.gpf)]
        values["the last after, s"] = round(back[-1].time - restored)
        expect(len(back) == len(devices), f"{len(back)} have rejoined, expected {len(devices)}, each once")
    async with step("meters are read and obey critical Commands") as values:
        for meter in (esme, gsme):
            _need(await estate.ask(home, "4.1.1", meter, wait_s=_BACK_S))
            _need(await estate.ask(home, "7.2", meter, wait_s=_BACK_S))
        values["Commands"] = 4
    await _gas(stage, home, old.gpf)
    async with step("the DCC's copy, the hub's log and the inventory agree") as values:
        _need(await estate.ask(home, "8.9", new.chf))
        found = dcc.device_log_copy.compare(new.chf, _hashes(home))
        expect(not found, "; ".join(one.sentence for one in found))
        values["Devices"] = len(_hashes(home))
    async with step("nobody was told anything but of the logs") as values:
        told = sorted({record.code for record in dcc.alerts.records()[alerts:]})
        values["codes"] = ", ".join(told)
        expect(set(told) <= _EXPECTED, f"told: {', '.join(sorted(set(told) - _EXPECTED))}")


_EXPECTED = {"8F12", "8071", "N16", "N30", "N31"}
"""The two logs as the hub backs them up, what the DCC says of their restore, and of the new GPF in service."""


async def _gas(stage: Stage, home: Dwelling, old: Eui64) -> None:
    estate, step, new = stage.estate, stage.steps.step, home.board.hub.gpf
    gsme = home.devices["GSME"]
    assert isinstance(gsme, Gsme)
    async with step("the gas supplier links gas meter and new GPF, and restores the GPF's log") as values:
        expect(not gsme.knows_gpf(), "the gas meter mirrors to a GPF that it was not joined with")
        _need(await estate.ask(home, "8.7.2", gsme.eui64, {"OtherDeviceID": new}, wait_s=_BACK_S))
        _need(await estate.ask(home, "8.12.2", new, {"OldGPFID": old}, wait_s=_BACK_S))
        _need(await estate.ask(home, "8.8.2", gsme.eui64, {"OtherDeviceID": old}, wait_s=_BACK_S))
        values["gpf"] = estate.status(new)
        expect(estate.status(new) == "Commissioned", f"status of the GPF is {estate.status(new)}")
    async with step("an hour later the new GPF answers for the gas meter") as values:
        await estate.clock.sleep(_HOUR_S)
        _need(await estate.ask(home, "4.1.1", new))
        owner = None if home.hub is None else home.hub.status.mirror_owner
        values["mirror of"] = str(owner)
        expect(owner == gsme.eui64, f"the mirror is that of {owner}")


SCENARIOS = (
    Scenario("hub-replacement", "Hub failure and replacement", Plan(1, 1, ("ESME", "GSME", "PPMID"), spare_hub=True), hub_replacement),
)
