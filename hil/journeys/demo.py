"""The journey of the demo: a home from supply on to a Device removed, every hop real, every refusal with its reason."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Mapping, Sequence

from firmware_emu.board import BENCH_AIR, DeviceTable
from firmware_emu.crypto.aes_mmo import install_code_link_key
from firmware_emu.crypto.roles import DeviceType
from firmware_emu.errors import RadioError
from firmware_emu.han.family import family
from firmware_emu.hub.hub import PowerState
from firmware_emu.ids import Eui64, InstallCode
from firmware_emu.trace import Record, Scalar
from firmware_emu.zse.clusters.metering import METERING
from hil.bench.dcc_board import list_hub
from hil.bench.foreign import ForeignDevice
from hil.bench.household import wake_when_kept
from hil.bench.station import Station
from hil.dcc.base.results import Outcome, Verdict
from hil.dcc.duis.document import Content
from hil.dcc.inventory.inventory import METERS
from hil.devices.base.han_device import HanDevice
from hil.devices.esme.esme import Esme, LoadSwitch
from hil.devices.gsme.gsme import Gsme
from hil.devices.ihd import Ihd
from hil.devices.kinds import device_type
from hil.devices.ppmid import Ppmid
from hil.journeys.forgery import signed_by_another, with_flipped_mac_bit
from hil.journeys.steps import StepFailed, Steps, expect
from hil.journeys.strategy import State, Strategy
from hil.parse_correlate import Value, ZclCommand
from hil.radio.nodes.node import StackNode

CURRENT_SUMMATION = 0x0000
"""Metering attribute."""
_FORGERIES = "replayed command", "flipped MAC bit", "command signed by another supplier"
_SET_CLOCK = {DeviceType.ESME: "ECS70", DeviceType.GSME: "GCS28"}
"""The use case of 8.1.1 by type of meter."""
SPARE_HUB = (Eui64.parse("02c4b000000000f1"), Eui64.parse("02c4b000000000f2"))
SPARE_METER = Eui64.parse("02e53e00000000f1")
SCANS = 4
"""Active scans after which a Device hears no network. The bench's own figure."""
STRANGER = Eui64.parse("021dd000000000f1")
STRANGER_CODE = InstallCode.parse("F1F2F3F4F5F6F7F8F9FAFBFCFDFEFFF0")


def need(outcome: Outcome) -> Outcome:
    """The outcome, if it is a success; else the step fails with its why."""
    expect(outcome.ok, outcome.why)
    return outcome


def _opened(outcome: Outcome) -> Value | ZclCommand:
    """Content of the response that the user's key opened. Raises StepFailed."""
    values = outcome.parsed.opened[0].values if outcome.parsed is not None and outcome.parsed.opened else None
    expect(values is not None, "nothing in the response could be decrypted")
    assert values is not None
    return values


def _first_number(outcome: Outcome) -> int:
    """The first register of a protected DLMS read (ECS17b: active import, Wh)."""
    value = _opened(outcome)
    expect(isinstance(value, Value), "the decrypted attributes are not a structure")
    assert isinstance(value, Value)
    while value.values:
        value = value.values[0]
    if value.kind != "double-long-unsigned" or not isinstance(value.content, int):
        raise StepFailed(f"the first decrypted item is {value.text()}, expected a register")
    return value.content


def _summation(outcome: Outcome) -> int:
    """Current summation delivered of an encrypted gas read (GCS13a)."""
    values = _opened(outcome)
    assert isinstance(values, ZclCommand)
    found = values.attributes().get(CURRENT_SUMMATION)
    if not isinstance(found, int):
        raise StepFailed("the response holds no current summation")
    return found


class HomeJourney(Strategy):
    """Runs on an open station; ``records`` is the run's growing trace. Each step on the way is shown, measured and judged."""

    def __init__(self, station: Station, steps: Steps, records: Sequence[Record]) -> None:
        super().__init__(station)
        self.station = station
        self.steps = steps
        self.records = records
        station.on_gone = steps.break_off
        self.round_trips_ms: list[float] = []
        self.read_command = b""
        self.critical_command = b""
        self._answer: asyncio.Task[Outcome] | None = None

    @property
    def esme(self) -> Esme:
        """The home's only electricity meter. Raises BoardError."""
        return self.station.one(Esme)

    @property
    def gsme(self) -> Gsme:
        """The home's only gas meter. Raises BoardError."""
        return self.station.one(Gsme)

    @property
    def ppmid(self) -> Ppmid:
        """The home's only prepayment interface. Raises BoardError."""
        return self.station.one(Ppmid)

    @property
    def ihd(self) -> Ihd:
        """The home's only display. Raises BoardError."""
        return self.station.one(Ihd)

    def allows(self, kind: type[HanDevice], *names: str) -> bool:
        """True if the home has a Device of that kind here; else the steps of those names are recorded as skipped."""
        if any(isinstance(device, kind) for device in self.station.devices.values()):
            return True
        for name in names:
            self.steps.skip(name, f"no {kind.__name__.upper()} of this bench is on the board")
        return False

    async def run(self) -> None:
        """All chapters in order, the steps that the board's Devices allow. Raises StepFailed at the first step that does not show what
        it must."""
        await self.reach(State.PAIRED)
        await self.use()
        await self.refuse()
        await self.outages()
        await self.restart()
        await self.remove()

    def median_round_trip_ms(self) -> float:
        """Median time from request to response over the whole chain, real milliseconds."""
        return statistics.median(self.round_trips_ms) if self.round_trips_ms else 0.0

    async def ask(self, variant: str, target: Eui64, body: Mapping[str, Content] | None = None, *, wait_s: float | None = None) -> Outcome:
        """A service request by the supplier of the target; a success counts into the round trip times."""
        gas = {self.gpf, *(row.eui for row in self.station.board.device if device_type(row.type) is DeviceType.GSME)}
        user = self.station.gas_supplier if target in gas else self.station.supplier
        outcome = await self.station.ask(user, variant, target, body, wait_s=wait_s)
        if outcome.ok and outcome.legs:
            self.round_trips_ms.append(sum(outcome.legs.values()))
        return outcome

    async def send(
        self, about: Eui64, variant: str, target: Eui64 | None, body: Mapping[str, Content], wait_s: float | None = None
    ) -> Outcome:
        """As every strategy; on a wall clock, nobody waits half an hour for a gas meter: it is woken as soon as something waits for it."""
        sleeper = next((one for one in self.station.devices.values() if isinstance(one, Gsme) and one.eui64 == target), None)
        if sleeper is None or self.station.clock.warp:
            return await super().send(about, variant, target, body, wait_s)
        waker = asyncio.create_task(wake_when_kept(self.station, sleeper))
        try:
            return await super().send(about, variant, target, body, wait_s)
        finally:
            waker.cancel()
            await asyncio.wait({waker})

    # --- the way into service

    async def reach(self, state: State) -> None:
        """As every strategy; on the way a Device that nobody has listed tries to join too."""
        if self.state < State.JOINED <= state:
            await super().reach(State.LISTED)
            await self.refuse_stranger()
        await super().reach(state)

    async def power(self) -> None:
        station, step = self.station, self.steps.step
        async with step("the DCC lists the hub"):
            list_hub(station.dcc, station.board)
        async with step("supply on") as values:
            await station.power_up()
            expect(station.jig.hub_side.powered, "the hub did not start from the nominal supply")
            values["volts at the hub"] = round(station.jig.pin_volts(), 2)
            values["amperes"] = round((await station.jig.supply.measure_current()).value, 3)

    async def form(self) -> None:
        station, step = self.station, self.steps.step
        async with step("boot") as values:
            await station.until("the hub's boot", lambda: station.hub is not None and station.hub.status.power is PowerState.RUNNING)
            values["device present"] = (await station.jig.lines.read("CH_PR")).value
            await station.jig.data.write(b"\x00hub?")
            data = station.jig.hub_side.data
            assert data is not None
            expect(await data.read(5, 5) == b"\x00hub?", "octets on the serial pair did not reach the hub's end")
        async with step("SM WAN"):
            await station.until("the SM WAN connection", lambda: station.dcc.head_end.connected(self.chf))
        async with step("CHF Commissioned") as values:
            await station.until("the CHF's status Commissioned", lambda: self.status(self.chf) == "Commissioned")
            values["chf"], values["gpf"] = self.status(self.chf), self.status(self.gpf)
        async with step("HAN formed") as values:
            await station.until("the HAN", lambda: station.hub is not None and station.hub.status.network is not None)
            assert station.hub is not None
            network = station.hub.status.network
            assert network is not None
            expect(network.extended_pan_id == self.gpf, f"extended PAN id is {network.extended_pan_id}, expected the GPF's id {self.gpf}")
            values["extended PAN id"], values["channel"] = str(network.extended_pan_id), network.channel

    def _expect_status(self, values: dict[str, Scalar], eui: Eui64, wanted: str) -> None:
        values["status"] = status = self.status(eui)
        expect(status == wanted, f"status of {eui} is {status or 'none'}, expected {wanted}")

    async def notify(self, row: DeviceTable) -> Outcome | None:
        async with self.steps.step(f"12.2 pre-notify {row.name}") as values:
            outcome = await super().notify(row)
            values["status"] = self.status(row.eui)
            return outcome

    async def list_device(self, row: DeviceTable) -> Outcome | None:
        async with self.steps.step(f"8.11 add {row.name}") as values:
            before = self.versions()
            outcome = await super().list_device(row)
            await self._new_backup(before, row.eui, present=True)
            values["device log versions at the DCC"] = self.versions()
            return outcome

    async def join_device(self, row: DeviceTable) -> Outcome | None:
        async with self.steps.step(f"{row.name} joins") as values:
            before = self.versions()
            await self.join(row.name)
            if isinstance(self.station.device(row.name), ForeignDevice):  # which joins when it likes, as soon as it is listed
                await self.station.until(f"{row.name} in the log", lambda: self.status(row.eui) == "InstalledNotCommissioned")
            else:
                await self._new_backup(before, row.eui, present=True)
            self._expect_status(values, row.eui, "InstalledNotCommissioned")
        return None

    async def join(self, name: str) -> None:
        """The Device of that name joins the HAN."""
        await self.station.device(name).join()

    async def commission_device(self, row: DeviceTable) -> Outcome | None:
        kind = device_type(row.type)
        if kind not in METERS:
            return None
        async with self.steps.step(f"8.1.1 commission {kind.name.lower()}") as values:
            outcome = await super().commission_device(row)
            values["use case"] = _SET_CLOCK[kind]
            self._expect_status(values, row.eui, "Commissioned")
            return outcome

    async def associate(self, variant: str, target: Eui64, other: Eui64) -> Outcome:
        types = {self.gpf: "GPF"} | {row.eui: row.type for row in self.station.board.device}
        async with self.steps.step(f"{variant} join {types[target]} with {types[other]}"):
            return need(await super().associate(variant, target, other))

    async def gas_pushes(self) -> None:
        """The gas meter wakes and tells the hub what it has."""
        await self.gsme.wake()

    async def refuse_stranger(self) -> None:
        """While joining is open for the Devices in the log, one that is not in it tries too."""
        station = self.station
        name = "refused: a Device not in the log that tries to join"
        if station.board.hub_air != BENCH_AIR or not station.board.device:
            missing = (
                "Device is let in" if station.board.hub_air == BENCH_AIR else "radio of this bench is free to play one on the hub's air"
            )
            self.steps.skip(name, f"no {missing}")
            return
        async with self.steps.step(name) as values:
            seen = len(self.records)
            stranger = StackNode(station.air, STRANGER)
            expect(
                await self._hears_open_hub(stranger),
                "the Device hears no beacon of the hub that lets anybody in: it was not refused, it never asked",
            )
            try:
                await stranger.join(install_code_link_key(STRANGER_CODE))
            except RadioError as refused:
                values["the Device sees"] = str(refused)
            expect(not stranger.joined, "a Device that is not in the log was let in")
            told = [record for record in self.records[seen:] if record.event == "refused" and record.target == str(STRANGER)]
            if not family(station.board.radio.kind).tells_refusals:
                values["the hub"] = "not told: Z-Stack refuses without a word to its host"
                return
            expect(bool(told), "the hub did not record that it refused the Device")
            values["hop"], values["reason"] = told[0].source, told[0].detail.get("reason")

    async def _hears_open_hub(self, node: StackNode) -> bool:
        """True if a beacon of the hub's network that lets somebody in reaches the node; a scan's beacons may be lost."""
        for _ in range(SCANS):
            if any(one.beacon.extended_pan == self.gpf and one.beacon.permit for one in await node.beacons()):
                return True
        return False

    async def _hub_runs(self) -> None:
        await self.station.until("the hub", lambda: self.station.hub is not None and self.station.hub.status.power is PowerState.RUNNING)

    def versions(self) -> int:
        """Number of versions of the hub's log that the DCC has."""
        return len(self.station.dcc.device_log_copy.versions(self.chf))

    async def _new_backup(self, before: int, device: Eui64, *, present: bool) -> None:
        def there() -> bool:
            copy = self.station.dcc.device_log_copy.copy(self.chf)
            return self.versions() > before and copy is not None and (device in copy.entries) is present

        await self.station.until(f"a verified CS14 {'with' if present else 'without'} {device}", there)

    async def use(self) -> None:
        names = "4.1.1 import registers of the ESME", "GPF read equals what the gas meter pushed", "7.2 disable supply"
        if self.allows(Esme, names[0]):
            await self._read_esme(names[0])
        if self.allows(Gsme, names[1]):
            await self._read_gpf(names[1])
        await self._compare_logs()
        if self.allows(Esme, names[2]):
            await self._disable(names[2])

    async def _read_esme(self, name: str) -> None:
        async with self.steps.step(name) as values:
            self.esme.update()
            before = self.esme.registers.active_import.total
            outcome = need(await self.ask("4.1.1", self.esme.eui64))
            self.read_command = next(message.octets for message in outcome.messages if message.name == "command")
            self.esme.update()
            own = self.esme.registers.active_import.total
            read = _first_number(outcome)
            values["read, Wh"], values["the meter's own, Wh"] = read, own
            expect(before <= read <= own, f"decrypted register says {read} Wh, the meter's own {before} Wh before and {own} Wh after")
            values["ms"] = round(sum(outcome.legs.values()), 1)

    async def _read_gpf(self, name: str) -> None:
        async with self.steps.step(name) as values:
            await self.gas_pushes()
            pushed = self.gsme.mirror.pushed(METERING.id, CURRENT_SUMMATION)
            if not isinstance(pushed, int):
                raise StepFailed("the hub has confirmed no summation that the gas meter pushed")
            outcome = need(await self.ask("4.1.1", self.gpf))
            read = _summation(outcome)
            values["read"], values["pushed"] = read, pushed
            expect(read == pushed, f"the GPF says {read}, the gas meter pushed {pushed}")

    async def _compare_logs(self) -> None:
        station = self.station
        async with self.steps.step("8.9 device log, compared three ways") as values:
            need(await self.ask("8.9", self.chf))
            await self._hub_runs()
            assert station.hub is not None
            hub = {entry.device: entry.key_hash for entry in station.hub.status.device_log}
            differences = station.dcc.device_log_copy.compare(self.chf, hub)
            values["entries"], values["differences"] = len(hub), len(differences)
            expect(not differences, "; ".join(difference.sentence for difference in differences))

    async def _disable(self, name: str) -> None:
        async with self.steps.step(name) as values:
            outcome = need(await self.ask("7.2", self.esme.eui64))
            self.critical_command = next(message.octets for message in outcome.messages if message.name == "command")
            values["load switch"] = self.esme.load_switch.name
            expect(self.esme.load_switch is not LoadSwitch.ENABLED, "the contactor is still closed")
            values["messages"] = " -> ".join(message.name for message in outcome.messages)

    async def refuse(self) -> None:
        station = self.station
        broker, keystore = station.board.parties.access_control_broker, station.keystore
        counters = station.dcc.counters
        replayed, flipped, signed = (f"refused: a {what}" for what in _FORGERIES)
        if self.allows(Esme, replayed, flipped, signed):
            async with self.steps.step(replayed) as values:
                await self._injected(values, self.critical_command)
            async with self.steps.step(flipped) as values:
                counter = counters.next(station.supplier.eui64)
                await self._injected(values, with_flipped_mac_bit(self.read_command, counter, keystore, broker))
            async with self.steps.step(signed) as values:
                other = station.other_supplier.eui64
                await self._injected(values, signed_by_another(self.critical_command, counters.next(other), other, keystore, broker))
        async with self.steps.step("refused: a commission of a Device whose hub is not commissioned") as values:
            inventory = station.dcc.inventory
            station.dcc.pre_notify(SPARE_HUB[0], DeviceType.CHF, gpf=SPARE_HUB[1])
            station.dcc.pre_notify(SPARE_METER, DeviceType.ESME)
            inventory.associate(SPARE_METER, "chf", SPARE_HUB[0])
            outcome = await station.ask(
                station.supplier, "8.1.1", SPARE_METER, {"CurrentDateTime": station.clock.datetime(), "TolerancePeriod": 60}
            )
            expect(outcome.verdict is Verdict.REFUSED, f"it was not refused but {outcome.verdict}")
            values["hop"], values["reason"] = outcome.hop, outcome.reason

    async def _injected(self, values: dict[str, Scalar], octets: bytes) -> None:
        """Post ``octets`` to the hub; the ESME must refuse them and say why."""
        seen, state = len(self.records), self.esme.load_switch
        self.station.dcc.head_end.post(self.chf, octets)

        def refusals() -> list[Record]:
            return [record for record in self.records[seen:] if record.area == "device" and record.event == "refused"]

        await self.station.until("the ESME's refusal", lambda: bool(refusals()))
        refusal = refusals()[0]
        values["hop"], values["step"], values["reason"] = refusal.source, refusal.detail.get("step"), refusal.detail.get("reason")
        expect(self.esme.load_switch is state, "the load switch moved")

    async def outages(self) -> None:
        for seconds, long in ((20, False), (200, True)):
            async with self.steps.step(f"AC lost for {seconds} s") as values:
                seen = len(self.records)
                wanted, raised = await self.outage(seconds, long)
                values["alerts"] = ", ".join(sorted(raised))
                stopped = [record for record in self.records[seen:] if record.area == "ichis" and record.event == "unpowered"]
                expect(bool(stopped), "the supply was not lost")
                of_long = {"8F36", "AD1"}
                expect(raised & of_long == wanted & of_long, f"alerts {sorted(raised)} do not tell the outage's length")

    async def outage(self, seconds: float, long: bool) -> tuple[set[str], set[str]]:
        """The mains goes for that long: the alerts that have to tell of it, and the codes at the DCC once all of them are there."""
        station, began, before = self.station, self.station.clock.now(), len(self.station.dcc.alerts.records())
        await station.mains_lost()
        await station.until("the hub's stop", lambda: station.hub is None)
        await station.clock.sleep(max(0.0, began + seconds - station.clock.now()))
        wanted = self.told_of_outage(long)
        await station.mains_restored()
        return wanted, await self._alerts(wanted, before)

    def told_of_outage(self, long: bool) -> set[str]:
        """The alerts that tell an outage; ``long``: of three minutes or more. AD1 goes to the users of the home's meters, if it has any."""
        if not long:
            return {"8F35"}
        return {"8F36", "AD1"} if self.station.dcc.alerts.relevant(self.chf) else {"8F36"}

    async def _alerts(self, wanted: set[str], before: int) -> set[str]:
        """Codes of the alerts about the hub since ``before`` at the DCC, once all of ``wanted`` are there. A meter tells its own outage."""

        def codes() -> set[str]:
            return {record.code for record in self.station.dcc.alerts.records()[before:] if record.device == self.chf}

        await self.station.until(f"the alerts {', '.join(sorted(wanted))}", lambda: wanted <= codes(), 600)
        return codes()

    async def restart(self) -> None:
        station, delivered = self.station, "the waiting message is delivered to the gas meter"
        gas = self.allows(Gsme, delivered)
        async with self.steps.step("restart keeps log, keys and counters") as values:
            await self._hub_runs()
            assert station.hub is not None
            before = {entry.device: entry.key_hash for entry in station.hub.status.device_log}
            if gas:
                waiting = station.dcc.request(self.station.gas_supplier, "4.1.1", self.gsme.eui64)
                self._answer = asyncio.create_task(station.dcc.send(self.station.gas_supplier, waiting, wait_s=7200))
                await station.until("the message in the gas meter's mailbox", lambda: self._mailbox() == 1)
            await station.jig.supply.output(False)
            await station.until("the hub's stop", lambda: station.hub is None)
            await station.jig.supply.output(True)
            await station.until("the hub's return", lambda: station.hub is not None and station.hub.status.network is not None)
            await self._hub_runs()
            assert station.hub is not None
            after = {entry.device: entry.key_hash for entry in station.hub.status.device_log}
            expect(before == after, "the device log is not what it was")
            values["entries"], values["boots"] = len(after), station.hub.status.boots
            if gas:
                expect(self._mailbox() == 1, f"{self._mailbox()} messages wait for the gas meter, expected 1")
                values["mailbox"] = self._mailbox()
            await station.until("the SM WAN connection", lambda: station.dcc.head_end.connected(self.chf))
            if self.allows(Esme):
                need(await self.ask("7.4", self.esme.eui64))
        if not gas:
            return
        async with self.steps.step(delivered) as values:
            await self.gsme.wake()
            assert self._answer is not None
            outcome = need(await self._answer)
            values["response"] = outcome.reason
            expect(self._mailbox() == 0, "the message is still in the mailbox")

    def _mailbox(self) -> int:
        hub = self.station.hub
        return 0 if hub is None else hub.status.mailbox.get(self.gsme.eui64, 0)

    async def remove(self) -> None:
        name = "8.11 remove the IHD"
        if not self.allows(Ihd, name):
            return
        async with self.steps.step(name) as values:
            before = self.versions()
            need(await self.ask("8.11", self.chf, {"DeviceID": self.ihd.eui64, "RequestType": "Remove"}))
            await self._new_backup(before, self.ihd.eui64, present=False)
            values["entries left"] = len(self.station.dcc.device_log_copy.copy(self.chf).entries)  # type: ignore[union-attr]
