"""Scenarios in one home: installation with and without SM WAN, change of supplier, of meter, of tenancy, a storm, an anomaly."""

from __future__ import annotations

from datetime import timedelta

from cryptography.hazmat.primitives.serialization import Encoding

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import CellUsage, KeyUsage, RemotePartyRole
from firmware_emu.errors import CommsHubError
from firmware_emu.ids import Eui64
from firmware_emu.trace import Scalar
from hil.dcc.base.results import Outcome, Verdict
from hil.dcc.base.services import UserRole
from hil.dcc.duis.document import Content
from hil.devices.esme.esme import Esme
from hil.journeys.steps import expect
from hil.scenarios.estate import Dwelling, Plan
from hil.scenarios.scenario import Scenario, Stage

_DAY_S = 86400.0


def _home(stage: Stage) -> Dwelling:
    return stage.estate.dwellings[0]


def _meter(home: Dwelling, name: str = "ESME") -> Esme:
    meter = home.devices[name]
    assert isinstance(meter, Esme)
    return meter


def _need(outcome: Outcome) -> Outcome:
    expect(outcome.ok, outcome.why)
    return outcome


async def _as(stage: Stage, supplier: int, variant: str, target: Eui64, body: dict[str, Content] | None = None) -> Outcome:
    """A request of one of the estate's suppliers, the home's or another."""
    estate = stage.estate
    user = estate.users[estate.suppliers[supplier]]
    return await estate.dcc.send(user, estate.dcc.request(user, variant, target, body))


async def install(stage: Stage) -> None:
    """Everything there: supply, SM WAN, Devices one after the other."""
    estate, home, step = stage.estate, _home(stage), stage.steps.step
    async with step("the hub connects, which commissions it") as values:
        await estate.until("the CHF's status Commissioned", lambda: estate.status(home.board.hub.chf) == "Commissioned" and home.on_han)
        values["chf"], values["gpf"] = estate.status(home.board.hub.chf), estate.status(home.board.hub.gpf)
    for row in home.board.device:
        async with step(f"{row.type}: pre-notified, listed, joined") as values:
            await estate.install_device(home, row.type)
            values["status"] = estate.status(row.eui)
    async with step("the meter is read"):
        _need(await estate.ask(home, "4.1.1", _meter(home).eui64))


async def install_and_leave(stage: Stage) -> None:
    """No SM WAN on the day of the visit: hub and meter are left, and come into service by themselves once there is coverage."""
    estate, home, step = stage.estate, _home(stage), stage.steps.step
    row = home.rows["ESME"]
    async with step("the hub is powered without coverage: it forms its HAN, and is not commissioned") as values:
        await estate.until("the HAN", lambda: home.on_han)
        values["chf"] = estate.status(home.board.hub.chf)
        expect(values["chf"] != "Commissioned", "a hub that never reached the DCC is commissioned")
    async with step("the meter cannot join: the hub was told of no Device") as values:
        try:
            await home.devices["ESME"].join()
        except CommsHubError as refused:
            values["the meter sees"] = str(refused)
        expect(not home.devices["ESME"].node.joined, "a Device that is not in the log was let in")
    async with step("work for a Device whose hub is not commissioned is refused") as values:
        outcome = await estate.ask(home, "8.1.1", row.eui, {"CurrentDateTime": estate.clock.datetime(), "TolerancePeriod": 60})
        expect(outcome.verdict is Verdict.REFUSED, f"it was not refused but {outcome.verdict}")
        values["reason"] = outcome.reason
    async with step("a day later there is coverage: the hub connects, which commissions it") as values:
        await estate.clock.sleep(_DAY_S)
        home.wan.coverage = True
        await estate.until("the CHF's status Commissioned", lambda: estate.status(home.board.hub.chf) == "Commissioned", 4000)
        values["chf"] = estate.status(home.board.hub.chf)
    async with step("the meter that was left joins and is commissioned") as values:
        await estate.install_device(home, "ESME")
        values["status"] = estate.status(row.eui)
        expect(values["status"] == "Commissioned", f"status is {values['status']}")


def credentials_of(keystore: Keystore, supplier: Eui64, mpxn: str) -> dict[str, Content]:
    cells = (
        ("DigitalSigningCertificate", KeyUsage.DIGITAL_SIGNATURE, CellUsage.MANAGEMENT),
        ("KeyAgreementCertificate", KeyUsage.KEY_AGREEMENT, CellUsage.MANAGEMENT),
        ("KeyAgreementTopUpCertificate", KeyUsage.KEY_AGREEMENT, CellUsage.PREPAYMENT_TOP_UP),
    )
    path = keystore.authority(RemotePartyRole.ISSUING_AUTHORITY).public_bytes(Encoding.DER)
    return {
        "SupplierFloorSeqNumber": 0,
        "SupplierPrepaymentTopUpFloorSeqNumber": 0,
        "SupplierReplacementCertificates": {
            name: keystore.certificate(supplier, usage, cell).public_bytes(Encoding.DER) for name, usage, cell in cells
        },
        "CertificationPathCertificates": {"Certificate": path},
        "ApplyTimeBasedCPVChecks": True,
        "ImportMPxN": mpxn,
    }


async def change_of_supplier(stage: Stage) -> None:
    """The gaining supplier is registered, asks, and the CoS Party signs; the losing one loses the meter."""
    estate, home, step = stage.estate, _home(stage), stage.steps.step
    row, meter = home.rows["ESME"], _meter(home)
    losing, gaining = estate.suppliers
    await _installed(stage)
    async with step("before: the losing supplier reads, the gaining one is refused, by the gateway and by the meter") as values:
        _need(await _as(stage, 0, "4.1.1", meter.eui64))
        await _kept_out(stage, 1, meter, values)
    async with step("registration data name the gaining supplier from now on; it asks for 6.23"):
        estate.dcc.register_supply(str(row.mpxn), UserRole.IS, gaining, estate.clock.now())
        told = [len(estate.users[eui].inbox) for eui in (losing, gaining)]
        _need(await _as(stage, 1, "6.23", meter.eui64, credentials_of(estate.keystore, gaining, str(row.mpxn))))
    async with step("the meter holds the gaining supplier, and both suppliers are told") as values:
        holds = meter.gbcs.credentials.party(RemotePartyRole.SUPPLIER)
        values["the meter holds"] = str(holds)
        expect(holds == gaining, f"the meter holds {holds}")
        for eui, before in zip((losing, gaining), told, strict=True):
            codes = [delivery.code for delivery in estate.users[eui].inbox[before:]]
            expect("N42" in codes, f"{eui} was told {', '.join(map(str, codes)) or 'nothing'}, expected N42")
    async with step("after: the gaining supplier disables and enables the supply; the losing one may not") as values:
        _need(await _as(stage, 1, "7.2", meter.eui64))
        _need(await _as(stage, 1, "7.1", meter.eui64))
        await _kept_out(stage, 0, meter, values)


async def _kept_out(stage: Stage, supplier: int, meter: Esme, values: dict[str, Scalar]) -> None:
    """A supplier that is not the meter's: its read ends at the gateway, its critical Command (which no gateway checks) at the meter."""
    read = await _as(stage, supplier, "4.1.1", meter.eui64)
    expect(read.verdict is Verdict.REFUSED, f"a read was not refused but {read.verdict}")
    values["read"] = read.reason
    seen, switch = len(stage.records), meter.load_switch
    estate = stage.estate
    user = estate.users[estate.suppliers[supplier]]
    await estate.dcc.send(user, estate.dcc.request(user, "7.2", meter.eui64), wait_s=30)
    refusals = [record for record in stage.noted("device", "refused", seen) if record.source.startswith("esme")]
    expect(bool(refusals) and meter.load_switch is switch, "the meter did not refuse a Command of a supplier it does not hold")
    values["Command"] = refusals[0].detail.get("reason")


async def meter_exchange(stage: Stage) -> None:
    """The old meter is taken out of service, another one is put on the wall."""
    estate, home, step = stage.estate, _home(stage), stage.steps.step
    old, new = home.rows["ESME"], home.rows["spare ESME"]
    await _installed(stage)
    async with step("the last reading of the old meter") as values:
        await estate.clock.sleep(_DAY_S)
        _need(await estate.ask(home, "4.1.1", old.eui))
        meter = _meter(home)
        meter.update()
        values["Wh"] = meter.registers.active_import.total
    async with step("the old meter leaves the hub's log and is decommissioned") as values:
        chf = home.board.hub.chf
        _need(await estate.ask(home, "8.11", chf, {"DeviceID": old.eui, "RequestType": "Remove"}))
        home.devices["ESME"].power(False)
        _need(await estate.ask(home, "8.3", None, {"DeviceID": old.eui}))
        values["status"] = estate.status(old.eui)
        expect(values["status"] == "Decommissioned", f"status is {values['status']}")
    async with step("the new meter is installed at the same meter point") as values:
        await estate.install_device(home, "spare ESME")
        values["status"] = estate.status(new.eui)
    async with step("requests for the meter point go to the new meter; the old one is refused") as values:
        _need(await estate.ask(home, "4.1.1", new.eui))
        refused = await estate.ask(home, "4.1.1", old.eui)
        expect(refused.verdict is Verdict.REFUSED, f"a decommissioned meter was not refused but {refused.verdict}")
        values["reason"] = refused.reason


async def change_of_tenancy(stage: Stage) -> None:
    """A new tenant is not shown what was used before he came; the supplier still reads all of it."""
    estate, home, step = stage.estate, _home(stage), stage.steps.step
    meter = _meter(home)
    await _installed(stage)
    async with step("three days pass, which the consumer sees") as values:
        await estate.clock.sleep(3 * _DAY_S)
        meter.update()
        values["days shown"], values["half hours shown"] = len(meter.consumer.days()), len(meter.consumer.half_hours())
        expect(len(meter.consumer.days()) >= 2, "the consumer sees no history to be hidden")
    async with step("3.2 from now on"):
        _need(await estate.ask(home, "3.2", meter.eui64, {"RestrictionDateTime": estate.clock.datetime()}))
    async with step("the consumer sees nothing of the time before; the supplier reads it") as values:
        values["days shown"], values["half hours shown"] = len(meter.consumer.days()), len(meter.consumer.half_hours())
        expect(not meter.consumer.days() and not meter.consumer.half_hours(), "the time before the change is still shown")
        ends, begins = estate.clock.datetime(), estate.clock.datetime() - timedelta(days=3)
        _need(await estate.ask(home, "4.8.1", meter.eui64, {"ReadLogPeriod": {"StartDateTime": begins, "EndDateTime": ends}}))
    async with step("a day later the new tenant's own day is shown") as values:
        await estate.clock.sleep(1.5 * _DAY_S)
        meter.update()
        values["days shown"], values["half hours shown"] = len(meter.consumer.days()), len(meter.consumer.half_hours())
        expect(0 < len(meter.consumer.half_hours()) <= 72, "the new tenant's use is not shown, or more than it")


async def alert_storm(stage: Stage) -> None:
    """A meter that tells the same thing over and over: the first pass, then one in ten with its number and count, nobody else suffers."""
    estate, home, step = stage.estate, _home(stage), stage.steps.step
    meter = _meter(home)
    await _installed(stage)
    user = estate.user(home)
    tampers, settings = 120, estate.dcc.settings
    async with step(f"the meter tells {tampers} times in a minute that somebody is at its terminals") as values:
        before, inbox = len(estate.dcc.alerts.records()), len(user.inbox)
        for _ in range(tampers):
            meter.events.tell(TAMPER)
            await estate.clock.sleep(0.5)
        await estate.until(
            "the alerts at the DCC", lambda: sum(one.code == f"{TAMPER:04X}" for one in estate.dcc.alerts.records()[before:]) == tampers
        )
        found = [one for one in estate.dcc.alerts.records()[before:] if one.code == f"{TAMPER:04X}"]
        values["delivered"] = sum(one.state == "delivered" for one in found)
        values["throttled"] = sum(one.state == "throttled" for one in found)
    async with step("as many reach the supplier as the rule lets through, with sequence and count") as values:
        passed = int(settings.storm_threshold) + (tampers - int(settings.storm_threshold)) // int(settings.storm_one_in)
        told = [one for one in user.inbox[inbox:] if one.code == f"{TAMPER:04X}"]
        values["told"], values["expected"] = len(told), passed
        expect(len(told) == passed, f"{len(told)} reached the supplier, expected {passed}")
        values["sequence of the last"], values["each stands for"] = told[-1].sequence, told[-1].count
        expect(told[-1].sequence == passed - int(settings.storm_threshold), f"the last one has sequence {told[-1].sequence}")
        expect(told[-1].count == int(settings.storm_one_in), f"the last one stands for {told[-1].count} alerts")
    async with step("meanwhile another alert and a read pass"):
        meter.events.tell(_OTHER)
        await estate.until("the other alert", lambda: any(one.code == f"{_OTHER:04X}" for one in user.inbox[inbox:]))
        _need(await estate.ask(home, "4.1.1", meter.eui64))


TAMPER, _OTHER = 0x8F3F, 0x8F1D


async def anomaly(stage: Stage) -> None:
    """A user sends more of a service than was agreed: the rest is held until somebody looks."""
    estate, home, step = stage.estate, _home(stage), stage.steps.step
    meter, dcc = _meter(home), stage.estate.dcc
    await _installed(stage)
    user = estate.user(home)
    async with step("three supplies may be disabled in an hour; the fourth request is held") as values:
        dcc.context.thresholds.agree(user.eui64, "7.2", 3, 3600)
        for _ in range(3):
            _need(await estate.ask(home, "7.2", meter.eui64))
        held = await estate.ask(home, "7.2", meter.eui64)
        expect(held.verdict is Verdict.QUARANTINED, f"the fourth was not held but {held.verdict}")
        values["reason"] = held.reason
    async with step("an operator releases it, and it is carried out") as values:
        number = dcc.quarantine.messages()[-1].number
        outcome = await dcc.release(number)
        assert outcome is not None
        values["number"] = number
        _need(outcome)
    async with step("the fifth is held too, and discarded: the meter never hears of it") as values:
        held = await estate.ask(home, "7.2", meter.eui64)
        expect(held.verdict is Verdict.QUARANTINED, f"the fifth was not held but {held.verdict}")
        seen = len(stage.records)
        dcc.discard(dcc.quarantine.messages()[-1].number)
        await estate.clock.sleep(60)
        values["executed since"] = len(stage.noted("device", "executed", seen))
        expect(not values["executed since"], "a discarded Command was carried out")
    async with step("reads are not counted with them"):
        _need(await estate.ask(home, "4.1.1", meter.eui64))


async def _installed(stage: Stage) -> None:
    async with stage.steps.step("the home is installed"):
        await stage.estate.install()


SCENARIOS = (
    Scenario("install", "Installation with SM WAN", Plan(1, 1, ("ESME", "PPMID", "IHD")), install),
    Scenario("install-and-leave", "Installation without SM WAN", Plan(1, coverage=False), install_and_leave),
    Scenario("change-of-supplier", "Change of supplier", Plan(1, 2, registered=1), change_of_supplier),
    Scenario("meter-exchange", "Meter exchange", Plan(1, 1, ("ESME",), ("ESME",)), meter_exchange),
    Scenario("change-of-tenancy", "Change of tenancy", Plan(1), change_of_tenancy),
    Scenario("alert-storm", "Alert storm", Plan(1), alert_storm),
    Scenario("anomaly", "Anomaly quarantine", Plan(1), anomaly),
)
