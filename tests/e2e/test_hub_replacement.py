"""A hub dies for good and another one takes its place: the home comes back by itself, nobody visits a meter.

Everything is there but the jig of the new hub: Devices on the simulated air, two hubs on a virtual dongle each, the DCC and its users.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from firmware_emu.board import Board, load_board
from firmware_emu.clock import Clock
from firmware_emu.crypto.aes_mmo import aes_mmo
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType
from firmware_emu.device import joins
from firmware_emu.device.store import MemoryStore
from firmware_emu.han.base import NetworkSettings
from firmware_emu.hub.from_board import hub_config, radio_of
from firmware_emu.hub.gas_store import GasStore
from firmware_emu.hub.hub import Hub, PowerState
from firmware_emu.hub.profile import standard_profile
from firmware_emu.ids import Eui64
from firmware_emu.trace import Record, Trace
from firmware_emu.wan.virtual import memory_pair
from firmware_emu.zse.clusters.basic import BASIC
from firmware_emu.zse.clusters.metering import METERING
from hil.bench.dcc_board import addition, certify, hold_and_register, list_hub, notification, supplier_of
from hil.bench.keys import devices, made_pki, organisations
from hil.bench.station import Station
from hil.dcc.answers.alerts import AlertRecord
from hil.dcc.base.results import Outcome
from hil.dcc.duis.document import Content
from hil.dcc.inventory.device_log import LogDifference
from hil.devices import Esme, Gsme, Ihd, Ppmid, Valve
from hil.devices.base.han_device import HanDevice
from hil.devices.esme.esme import LoadSwitch
from hil.radio.dongles import virtual_dongle
from hil.radio.nodes.node import StackNode

HOUR_S = 3600.0
ANSWER_S = 2 * HOUR_S
COMMISSIONING_TOLERANCE_S = 7200
JOIN_TIME_LONGEST_S = 3600
CLOCK_SLACK = timedelta(minutes=1)
"""The hub serves whole seconds."""
NEW_CHANNEL = 15
"""Another than the old hub's: the backup does not tell it."""


def boards(family: str) -> tuple[Board, Board]:
    """The home with its hub, and the same with another hub, on a dongle of ``family``."""
    simulated = load_board("simulated")
    old = simulated.model_copy(update={"name": "hub-replacement"})
    new = old.hub.model_copy(
        update={"chf": Eui64.parse("02c4b00000000011"), "gpf": Eui64.parse("02c4b00000000012"), "channel": NEW_CHANNEL}
    )
    return old, old.model_copy(update={"hub": new, "radio": old.radio.model_copy(update={"kind": family})})


@dataclass
class Replacement:
    """The bench, both boards, and what was seen on the way."""

    station: Station
    old: Board
    new: Board
    records: list[Record] = field(default_factory=list)
    store: MemoryStore = field(default_factory=MemoryStore)
    """Of the new hub."""
    hub: Hub | None = None
    statuses: dict[str, str] = field(default_factory=dict)
    keys: list[dict[Eui64, bytes]] = field(default_factory=list)
    """Link keys of the Devices with their hub: under the old hub, and under the new one."""
    died: int = 0
    """Length of the trace when the old hub died."""
    alerts_before: int = 0
    network_keys: list[bytes | None] = field(default_factory=list)
    mirrored_before_link: dict[tuple[int, int], object] = field(default_factory=dict)
    mirrored_after_link: dict[tuple[int, int], object] = field(default_factory=dict)
    paired: bool = False
    gpf_read: Outcome = field(init=False)
    differences: tuple[LogDifference, ...] = field(init=False)
    owner: Eui64 | None = None
    network: NetworkSettings | None = None
    log: dict[Eui64, bytes] = field(default_factory=dict)
    """Of the new hub at the end: hash of each Device's link key."""
    joined_with: set[Eui64] = field(default_factory=set)
    on_hub: set[Eui64] = field(default_factory=set)
    left_behind: set[Eui64] = field(default_factory=set)
    alerts: tuple[AlertRecord, ...] = ()
    """At the DCC, since the old hub died."""

    @property
    def esme(self) -> Esme:
        return self.station.one(Esme)

    @property
    def gsme(self) -> Gsme:
        return self.station.one(Gsme)

    @property
    def ppmid(self) -> Ppmid:
        return self.station.one(Ppmid)

    @property
    def everybody(self) -> tuple[HanDevice, ...]:
        return self.esme, self.gsme, self.ppmid, self.station.one(Ihd)

    async def ask(
        self,
        variant: str,
        target: Eui64 | None,
        body: dict[str, Content] | None = None,
        *,
        to: Eui64 | None = None,
        board: Board,
    ) -> Outcome:
        party = supplier_of(board, target or to or board.hub.chf)
        station = self.station
        user = next(one for one in (station.supplier, station.gas_supplier) if one.eui64 == party)
        outcome = await station.ask(user, variant, target, body, wait_s=ANSWER_S)
        assert outcome.ok, f"{variant} to {target}: {outcome.why}"
        return outcome

    def status(self, eui: Eui64) -> str:
        device = self.station.dcc.inventory.device(eui)
        return "" if device is None else str(device.status)

    def settled(self, *devices: HanDevice) -> bool:
        """True if they are on the new hub's network with link keys of their own."""
        return all(device.coordinator == self.new.hub.gpf and not device.key_borrowed for device in devices)

    def link_keys(self) -> dict[Eui64, bytes]:
        found = {}
        for device in self.everybody:
            assert isinstance(device.node, StackNode)
            assert device.coordinator is not None
            found[device.eui64] = device.node.stack.link_key(device.coordinator) or b""
        return found

    def paired_both_ways(self) -> bool:
        keys = []
        for device, partner in ((self.esme, self.ppmid), (self.ppmid, self.esme)):
            assert isinstance(device.node, StackNode)
            keys.append(device.node.stack.link_key(partner.eui64))
        return keys[0] is not None and keys[0] == keys[1]

    # --- chapters

    async def install(self) -> None:
        """ESME and GSME in service, PPMID and IHD on the HAN of the old hub."""
        station, board = self.station, self.old
        list_hub(station.dcc, board)
        await station.host.power_up()
        await station.until("the hub's boot", lambda: station.hub is not None and station.hub.status.power is PowerState.RUNNING)
        await station.until("the SM WAN", lambda: self.status(board.hub.chf) == "Commissioned")
        await station.until("the HAN", lambda: station.hub is not None and station.hub.status.network is not None)
        assert station.hub is not None
        assert station.hub.status.network is not None
        self.network_keys.append(station.hub.status.network.network_key)
        for row in board.device:
            certify(station.dcc, row)
            await self.ask("12.2", None, notification(row), to=row.eui, board=board)
            await self.ask("8.11", board.hub.chf, addition(row, 600), board=board)
            await station.devices[row.name].join()
            await station.until(f"{row.name} in the log", lambda eui=row.eui: self.status(eui) == "InstalledNotCommissioned")  # type: ignore[misc]
        for meter in (self.esme, self.gsme):
            began = station.clock.datetime() - CLOCK_SLACK
            await self.ask("8.1.1", meter.eui64, {"CurrentDateTime": began, "TolerancePeriod": COMMISSIONING_TOLERANCE_S}, board=board)
        esme, gsme, ppmid, gpf = self.esme.eui64, self.gsme.eui64, self.ppmid.eui64, board.hub.gpf
        for variant, target, other in (
            ("8.7.1", esme, ppmid),
            ("8.7.1", ppmid, esme),
            ("8.7.2", gsme, gpf),
            ("8.7.2", gpf, gsme),
            ("8.7.2", gpf, ppmid),
        ):
            await self.ask(variant, target, {"OtherDeviceID": other}, board=board)
        await station.until("the key of ESME and PPMID", self.paired_both_ways, 600)
        await station.until("the copy of the GPF's log", lambda: len(station.dcc.device_log_copy.gpf_log(gpf)) == 2)
        await station.clock.sleep(HOUR_S)
        self.keys.append(self.link_keys())

    async def old_hub_dies(self) -> None:
        """Its supply is gone and never comes back; the Devices miss it, but for the display, which has no power. It is decommissioned."""
        self.ppmid.power(False)
        self.died, self.alerts_before = len(self.records), len(self.station.dcc.alerts.records())
        await self.station.jig.supply.output(False)
        await self.station.clock.sleep(2 * HOUR_S)
        for eui in (self.old.hub.chf, self.old.hub.gpf):
            await self.ask("8.3", None, {"DeviceID": eui}, to=eui, board=self.old)

    async def new_hub(self, hub: Hub) -> None:
        """Notified, powered, connected; the lead supplier restores the log, and the Devices are left alone."""
        station, dcc, board, old = self.station, self.station.dcc, self.new, self.old
        self.hub = hub
        list_hub(dcc, board)
        hold_and_register(dcc, board)
        await station.until("the new hub", lambda: self.status(board.hub.chf) == "Commissioned" and hub.status.network is not None)
        await station.clock.sleep(1.5 * HOUR_S)
        assert {entry.device for entry in hub.status.device_log} == set()
        assert not any(device.coordinator == board.hub.gpf for device in self.everybody), "a hub without the log let somebody in"
        await self.ask("8.12.1", board.hub.chf, {"OldCHFID": old.hub.chf}, board=board)
        await station.until(
            "the meters' own keys with the new hub", lambda: self.settled(self.esme, self.gsme, self.station.one(Ihd)), ANSWER_S, 5
        )
        await station.clock.sleep(2 * JOIN_TIME_LONGEST_S)
        self.ppmid.power(True)
        await station.until("the display's own key with the new hub", lambda: self.settled(self.ppmid), ANSWER_S, 5)
        self.keys.append(self.link_keys())
        assert hub.status.network is not None
        self.network_keys.append(hub.status.network.network_key)

    async def go_on(self) -> None:
        """The suppliers read and command; the gas supplier links gas meter and GPF anew."""
        station, board, old = self.station, self.new, self.old
        esme, gsme, gpf = self.esme, self.gsme, board.hub.gpf
        await self.ask("4.1.1", esme.eui64, board=board)
        await self.ask("7.2", esme.eui64, board=board)
        assert esme.load_switch is LoadSwitch.DISABLED
        await self.ask("4.1.1", gsme.eui64, board=board)
        await self.ask("7.2", gsme.eui64, board=board)
        assert gsme.valve is Valve.OFF
        self.mirrored_before_link = self.mirror()
        self.statuses["before the link"] = self.status(gpf)
        await self.ask("8.7.2", gsme.eui64, {"OtherDeviceID": gpf}, board=board)
        self.statuses["after the link"] = self.status(gpf)
        await self.ask("8.12.2", gpf, {"OldGPFID": old.hub.gpf}, board=board)
        await self.ask("8.8.2", gsme.eui64, {"OtherDeviceID": old.hub.gpf}, board=board)
        await station.clock.sleep(2 * HOUR_S)
        self.mirrored_after_link = self.mirror()
        self.gpf_read = await self.ask("4.1.1", gpf, board=board)
        await self.ask("8.9", board.hub.chf, board=board)
        await station.clock.sleep(HOUR_S)
        self.paired = self.paired_both_ways()

    def mirror(self) -> dict[tuple[int, int], object]:
        """Values of the gas meter in the new GPF."""
        gas = GasStore(self.store, standard_profile())
        return {(cluster, one): record.value for cluster in (BASIC.id, METERING.id) for one, record in gas.attributes(cluster).items()}

    @contextlib.asynccontextmanager
    async def powered(self) -> AsyncIterator[Hub]:
        """The new hub on a dongle of its own."""
        station, board = self.station, self.new
        dongle = virtual_dongle(
            board.radio.kind, station.air, board.hub.gpf, board.radio.ezsp_version, station.folder / "new-dongle.tokens", station.clock
        )
        radio = radio_of(board, str(await dongle.serve_pty()), station.clock, station.trace, station.entropy.stream("new radio"))
        wan, dcc_wan = memory_pair(station.clock)
        hub = Hub(hub_config(board), radio, wan, self.store, station.keystore, station.clock, station.trace)
        station.dcc.attach_hub(dcc_wan, board.hub.chf)
        life = asyncio.create_task(hub.run(), name="new hub")
        try:
            yield hub
        finally:
            life.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await life
            await dongle.close()

    async def play(self) -> None:
        await self.install()
        await self.old_hub_dies()
        async with self.powered() as hub:
            await self.new_hub(hub)
            await self.go_on()
            log = hub.status.device_log
            self.differences = self.station.dcc.device_log_copy.compare(self.new.hub.chf, {entry.device: entry.key_hash for entry in log})
            self.owner, self.network = hub.status.mirror_owner, hub.status.network
            self.log = {entry.device: entry.key_hash for entry in log}
            self.joined_with = {entry.device_id for entry in joins.entries(self.gsme.gbcs)}
            inventory = self.station.dcc.inventory
            self.on_hub = set(inventory.on_hub(self.new.hub.chf))
            self.left_behind = set(inventory.on_hub(self.old.hub.chf))
            for board in (self.old, self.new):
                for eui in (board.hub.chf, board.hub.gpf):
                    self.statuses[str(eui)] = self.status(eui)
            for device in self.everybody:
                self.statuses[device.device_type.name] = self.status(device.eui64)
            self.alerts = self.station.dcc.alerts.records()[self.alerts_before :]


@pytest.fixture(scope="module", params=["ezsp", "znp"])
def home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Replacement:
    """The home after everything; what is asserted was noted on the way."""
    old, new = boards(request.param)
    everyone = devices(old) | {new.hub.chf: DeviceType.CHF, new.hub.gpf: DeviceType.GPF}
    keystore = Keystore.load(made_pki(old.name, organisations(old), everyone))
    clock = Clock(start=old.clock.start, warp=True)

    async def main() -> Replacement:
        trace = Trace(clock.now)
        station = Station(old, clock, trace, tmp_path_factory.mktemp("replacement"), keystore, old.seed)
        home = Replacement(station, old, new)
        trace.subscribe(home.records.append)
        try:
            await station.bring_up()
            await home.play()
        finally:
            await station.tear_down()
        return home

    return clock.run(main())


def of(home: Replacement, area: str, event: str) -> list[Record]:
    """Trace records since the old hub died."""
    return [one for one in home.records[home.died :] if (one.area, one.event) == (area, event)]


@pytest.mark.requirement("CH-07")
def test_the_new_hub_has_the_extended_pan_id_of_the_old_one_and_a_channel_and_a_network_key_of_its_own(home: Replacement) -> None:
    assert home.network is not None
    assert (home.network.extended_pan_id, home.network.channel) == (home.old.hub.gpf, NEW_CHANNEL)
    before, after = home.network_keys
    assert before is not None
    assert after is not None
    assert before != after


@pytest.mark.requirement("CH-07")
@pytest.mark.requirement("SVC-8.12")
def test_every_device_comes_back_by_itself_however_late_and_agrees_a_key_that_nobody_else_has(home: Replacement) -> None:
    everybody = {device.eui64 for device in home.everybody}
    back = [one for one in of(home, "han", "rejoined") if one.target == str(home.new.hub.gpf)]
    assert sorted(one.source for one in back) == sorted(device.name for device in home.everybody), "each once"
    assert all(one.detail["swapped"] for one in back)
    names = {device.name for device in home.everybody}
    assert not [one for one in of(home, "han", "joined") if one.source in names], "nobody joined afresh by an install code"
    before, after = home.keys
    assert set(before) == set(after) == everybody
    for eui in everybody:
        assert after[eui] not in (before[eui], aes_mmo(before[eui]), b"")
        assert home.log[eui] == aes_mmo(after[eui])


def test_esme_and_ppmid_have_a_link_key_with_each_other_again(home: Replacement) -> None:
    assert home.paired


@pytest.mark.requirement("CH-06")
@pytest.mark.requirement("INV-10")
@pytest.mark.requirement("INV-22")
@pytest.mark.requirement("SVC-8.3")
def test_copy_hub_and_inventory_agree_and_the_old_hub_is_retired_with_nothing_left_on_it(home: Replacement) -> None:
    assert home.differences == ()
    assert home.on_hub == {home.new.hub.gpf} | {device.eui64 for device in home.everybody}
    assert home.left_behind <= {home.old.hub.gpf}
    assert {name: home.statuses[name] for name in ("ESME", "GSME", "PPMID")} == dict.fromkeys(("ESME", "GSME", "PPMID"), "Commissioned")
    assert [home.statuses[str(eui)] for eui in (home.old.hub.chf, home.old.hub.gpf)] == ["Decommissioned"] * 2
    assert [home.statuses[str(eui)] for eui in (home.new.hub.chf, home.new.hub.gpf)] == ["Commissioned"] * 2


@pytest.mark.requirement("GPF-08")
@pytest.mark.requirement("SVC-8.12")
def test_the_gas_meter_mirrors_to_the_new_gpf_only_after_its_supplier_has_linked_them(home: Replacement) -> None:
    assert home.owner == home.gsme.eui64
    assert {cluster for cluster, _ in home.mirrored_before_link} == {BASIC.id}
    assert home.statuses["before the link"] == "InstalledNotCommissioned"
    assert home.statuses["after the link"] == "Commissioned"
    assert (METERING.id, 0x0000) in home.mirrored_after_link
    assert home.joined_with == {home.new.hub.gpf}
    assert home.gpf_read.ok


@pytest.mark.requirement("GPF-13")
def test_the_gas_supplier_is_told_when_the_gas_proxy_becomes_commissioned(home: Replacement) -> None:
    told = {one.party for one in home.alerts if (one.code, one.device) == ("N16", home.new.hub.gpf)}
    assert home.station.gas_supplier.eui64 in told
    assert home.statuses["before the link"] != "Commissioned", "the link with its meter commissions it"


def test_a_type_2_device_of_the_restored_log_is_asked_for_a_tunnel_only_when_something_changes(home: Replacement) -> None:
    ihd = home.everybody[-1]
    asked = [one for one in of(home, "han", "no tunnel") if one.target == str(ihd.eui64)]
    assert 1 <= len(asked) <= 2 * len(home.everybody), "hours long, and not every three minutes"


def test_nothing_is_told_but_the_new_logs_and_what_the_dcc_says_of_them(home: Replacement) -> None:
    assert not of(home, "device", "refused")
    told = Counter((one.code, one.device) for one in home.alerts if one.kind == "i" or one.code.startswith("8"))
    assert told == {
        ("8F12", home.new.hub.chf): 1 + len(home.everybody),  # as restored, and each key that was agreed
        ("8071", home.new.hub.gpf): 1,
    }
    assert {one.code for one in home.alerts} == {"8F12", "8071", "N16", "N30", "N31"}
