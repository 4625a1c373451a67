"""A day of a home of six, captured on the air and given to tshark with the exported keys: every cluster of the GB HAN is in it."""

from __future__ import annotations

import os
import struct
import subprocess
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from firmware_emu.clock import Clock
from firmware_emu.crypto import primitives
from firmware_emu.crypto.roles import DeviceType, KeyUsage
from firmware_emu.gbcs import protect
from firmware_emu.gbcs.envelope import GroupingHeader, Message, OtherInformation
from firmware_emu.gbcs.gbz import Component, numbered
from firmware_emu.gbcs.use_cases import by_code
from firmware_emu.han.capture import CaptureWriter, KeyFile
from firmware_emu.hub.ota import ImagePiece
from firmware_emu.ids import CraFlag
from firmware_emu.trace import Record, Trace
from firmware_emu.zse import clusters
from firmware_emu.zse.clusters.calendar import CALENDAR
from firmware_emu.zse.clusters.device_management import DEVICE_MANAGEMENT
from firmware_emu.zse.clusters.events import EVENTS
from firmware_emu.zse.clusters.messaging import MESSAGING
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from firmware_emu.zse.clusters.price import PRICE
from firmware_emu.zse.clusters.sub_ghz import SUB_GHZ
from firmware_emu.zse.declare import Cluster, FieldValue
from hil.bench.station import open_station
from hil.devices.base.ota_client import HARDWARE, image_identity
from hil.devices.esme.esme import Esme
from hil.devices.gsme.gsme import Gsme
from hil.devices.hcalcs import Hcalcs
from hil.devices.ihd import Ihd
from hil.devices.ppmid import Ppmid
from tests.e2e.home_of_six import HomeOfSix, board_of_six
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.needs("tshark")
DAY_S = 24 * 3600
IMAGE = bytes(range(256)) * 8
_ISSUED: dict[str, FieldValue] = {"provider": 7, "event": 1}
_SINCE: dict[str, FieldValue] = {"earliest": 0, "minimum_event": 0, "count": 1}
PUBLISHED: Mapping[int, tuple[tuple[Cluster, str, dict[str, FieldValue]], ...]] = {
    0x006B: (
        (
            CALENDAR,
            "PublishCalendar",
            {
                **_ISSUED,
                "calendar": 9,
                "start": 0,
                "calendar_type": 0,
                "time_reference": 0,
                "name": b"",
                "seasons": 1,
                "weeks": 1,
                "days": 1,
            },
        ),
        (
            CALENDAR,
            "PublishDayProfile",
            {
                **_ISSUED,
                "calendar": 9,
                "day": 1,
                "total": 1,
                "command_index": 0,
                "command_count": 1,
                "calendar_type": 0,
                "entries": ({"minute": 0, "value": 1},),
            },
        ),
        (
            PRICE,
            "PublishTariffInformation",
            {
                **_ISSUED,
                "tariff": 3,
                "start": 0,
                "type_and_scheme": 0,
                "label": b"",
                "price_tiers": 1,
                "block_thresholds": 0,
                "unit": 0,
                "currency": 826,
                "trailing_digit": 0x50,
                "standing_charge": 25_000,
                "tier_block_mode": 0,
                "multiplier": 1,
                "divisor": 1000,
            },
        ),
    ),
    0x0071: (
        (
            MESSAGING,
            "DisplayMessage",
            {"message": 5, "control": 0, "start": 0, "duration_minutes": 60, "text": "Your meter will be read", "extended_control": 0},
        ),
    ),
    0x0088: (
        (
            DEVICE_MANAGEMENT,
            "PublishChangeOfSupplier",
            {
                "current_provider": 0,
                "event": 1,
                "tariff_type": 0,
                "proposed_provider": 7,
                "implementation": 0,
                "control": 0,
                "name": b"Bench Gas",
                "contact": b"0800 000000",
            },
        ),
    ),
}
"""Publications of the gas supplier, by message code."""
WANTED = {cluster.id for cluster in clusters.ALL} - {0x0001, 0x0003, 0x0009, 0x0015}
"""The clusters of reference zigbee-han 3, and Basic; Power Configuration, Identify, Alarms and Commissioning are optional and not used."""


class Household(HomeOfSix):
    """Events of that day in the home."""

    def publish(self) -> None:
        """The gas supplier's Commands leave for the meter."""
        station = self.station
        meter, supplier, broker = self.eui("gsme"), station.gas_supplier.eui64, station.board.parties.access_control_broker
        for code, parts in PUBLISHED.items():
            payload = numbered(
                tuple(
                    Component(cluster.id, 0x09, 0, (command := cluster.command_named(name)).id, command.encode(fields))
                    for cluster, name, fields in parts
                )
            ).encode()
            header = GroupingHeader(CraFlag.COMMAND, station.dcc.counters.next(supplier), supplier, meter, OtherInformation(code))
            message = Message(header, payload)
            if by_code(code).critical:
                message = protect.with_signature(message, station.keystore.private_key(supplier, KeyUsage.DIGITAL_SIGNATURE))
            message = replace(message, mac=protect.mac_of(message, station.keystore.shared_secret(broker, meter)))
            station.dcc.head_end.post(self.chf, message.encode())

    def image(self, target: DeviceType) -> bytes:
        """A firmware file for a Device, signed by its supplier."""
        signer, keystore = self.station.board.parties.supplier, self.station.keystore
        maker, kind = image_identity(target)
        size = 60 + len(IMAGE) + 66
        header = struct.pack("<IHHHHHIH32sIHH", 0x0BEEF11E, 0x0100, 60, 4, maker, kind, 0x02000000, 2, bytes(32), size, HARDWARE, HARDWARE)
        return header + IMAGE + b"\x00\x40" + primitives.sign(keystore.private_key(signer, KeyUsage.DIGITAL_SIGNATURE), IMAGE)

    async def read(self) -> None:
        """Read as the displays do, off the GPF and the meter."""
        ihd, ppmid = self.station.devices["ihd"], self.station.one(Ppmid)
        assert isinstance(ihd, Ihd)
        assert (await ihd.reader.metering(self.gpf)).total == self.station.one(Gsme).register.total
        assert await ihd.reader.published(self.gpf, PRICE, "GetTariffInformation", {**_SINCE, "tariff_type": 0})
        assert await ihd.reader.published(
            self.gpf, CALENDAR, "GetDayProfiles", {"provider": 7, "calendar": 0xFFFFFFFF, "first_day": 1, "count": 1}
        )
        assert await ihd.reader.published(self.gpf, MESSAGING, "GetLastMessage")
        assert await ppmid.reader.published(self.gpf, DEVICE_MANAGEMENT, "GetChangeOfSupplier")
        log: dict[str, FieldValue] = {"control_and_log": 0x13, "event": 0, "from": 0, "to": 0xFFFFFFFF, "count": 1, "offset": 0}
        assert await ppmid.reader.published(self.gpf, EVENTS, "GetEventLog", log)
        (masks,) = await ppmid.node.match_descriptors(self.gpf, SUB_GHZ.id, server=True)
        assert await ppmid.zcl.read_attributes(self.gpf, masks, SUB_GHZ.id, range(1, 5), source_endpoint=0x41)
        assert await ppmid.zcl.request(self.gpf, masks, SUB_GHZ.id, 0x00, source_endpoint=0x41)
        esme = self.station.one(Esme)
        assert (await ppmid.reader.metering(esme.eui64)).total == esme.registers.active_import.total
        balances = await ppmid.zcl.read_attributes(esme.eui64, 0x22, PREPAYMENT.id, (0x0001, 0x0005))
        assert set(balances) == {0x0001, 0x0005}

    async def live(self) -> None:
        station = self.station
        for display in ("ihd", "ppmid"):
            await self.ask("8.7.2", self.gpf, {"OtherDeviceID": self.eui(display)})
        began = station.clock.now()
        self.publish()
        esme, hcalcs = station.one(Esme), station.one(Hcalcs)
        file = self.image(DeviceType.ESME)
        station.dcc.head_end.post_image(self.chf, ImagePiece(esme.eui64, len(file), 0, file).encode())
        await station.clock.sleep(3600)
        assert not esme.ota.under_way
        now = int(esme.now())
        switch = esme.controls.switches[1]
        switch.forced, switch.forced_from, switch.forced_until = 100, now, now + 3600
        esme.update()
        await station.clock.sleep(60)
        assert hcalcs.closed
        await self.read()
        await station.clock.sleep(max(0.0, began + DAY_S - station.clock.now()))


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with ``han.pcapng`` and the keys beside it."""
    folder = tmp_path_factory.mktemp("day")
    board = board_of_six(folder)
    clock = Clock(start=board.clock.start, warp=True)

    async def main() -> None:
        trace, verified = Trace(clock.now), list[Record]()
        trace.subscribe(lambda record: verified.append(record) if record.event == "image verified" else None)
        async with open_station(board, clock, trace, folder) as station:
            with CaptureWriter(folder / "han.pcapng") as capture:
                leave = station.air.capture(capture)
                home = Household(station)
                await home.bring_up()
                assert await home.join() == 0
                await home.commission()
                await home.live()
                leave()
                assert len(verified) == 1
                keys = KeyFile(folder)
                for label, key in station.han_keys().items():
                    keys.add(key, label)

    clock.run(main())
    return folder


def tshark(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["tshark", "-r", str(folder / "han.pcapng"), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
        env={**os.environ, "WIRESHARK_CONFIG_DIR": str(folder)},
    ).stdout


def test_every_cluster_of_the_gb_han_is_in_a_captured_day_and_no_frame_is_malformed_or_stays_encrypted(day: Path) -> None:
    fields = ("zbee_aps.cluster", "_ws.malformed", "zbee_sec.encrypted_payload", "_ws.expert.message")
    rows = [line.split("\t") for line in tshark(day, "-T", "fields", *(part for one in fields for part in ("-e", one))).splitlines()]
    seen = Counter(row[0] for row in rows)
    assert {identifier for identifier in WANTED if not seen[f"0x{identifier:04x}"]} == set()
    assert [row for row in rows if row[1]] == []
    assert [row for row in rows if row[2]] == []
    assert [row for row in rows if "ncrypted" in row[3] or "alformed" in row[3]] == []
    assert len(rows) > 1000
