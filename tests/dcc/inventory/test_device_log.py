"""The DCC's copy of a hub's device log, and the comparison of copy, hub and inventory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_emu.crypto.roles import DeviceType
from firmware_emu.gbcs.alert_contents import WhitelistBackup
from firmware_emu.gbcs.axdr import Array, BitString, Data, OctetString, Structure
from firmware_emu.gbcs.dlms import AccessOutcome, AccessRequest, AccessResponse, AccessResult, Choice
from firmware_emu.gbcs.envelope import Message
from firmware_emu.gbcs.use_cases import UseCase, decode_payload
from firmware_emu.ids import Eui64
from hil.commands.dcc.stored import device_log
from hil.dcc.base.results import Verdict
from hil.dcc.base.store import DccStore
from hil.dcc.inventory.device_log import DeviceLogCopy
from hil.dcc.inventory.inventory import Inventory
from tests.dcc.far_end import CHF, ESME, GPF, GSME, PPMID, FarEnd
from tests.dcc.messages import send

KEY, OTHER_KEY = bytes(16), bytes(range(16))
NEW_CHF = Eui64.parse("00db1234567890f2")


def desk(path: Path | None = None) -> tuple[Inventory, DeviceLogCopy]:
    store = DccStore(path)
    inventory = Inventory(store, lambda: 0.0)
    for eui, kind in ((CHF, DeviceType.CHF), (ESME, DeviceType.ESME), (GSME, DeviceType.GSME), (GPF, DeviceType.GPF)):
        inventory.certify(kind, "AB01", "M", "01")
        inventory.pre_notify(eui, kind, manufacturer="AB01", model="M", firmware="01", gpf=GPF if eui == CHF else None)
    return inventory, DeviceLogCopy(store, inventory, lambda: 0.0)


def keep(logs: DeviceLogCopy, entries: dict[Eui64, bytes]) -> None:
    logs.keep(CHF, WhitelistBackup(bytes(12), bytes(8), tuple(entries.items())), "CS14")


@pytest.mark.requirement("INV-30")
def test_three_that_agree_have_no_difference() -> None:
    _, logs = desk()
    keep(logs, {ESME: KEY})
    assert logs.compare(CHF, {ESME: KEY}) == ()
    assert logs.compare(CHF, {ESME: None}) == ()
    assert logs.compare(CHF) == ()


@pytest.mark.requirement("INV-30")
@pytest.mark.parametrize(
    ("copy", "hub", "kinds", "says"),
    [
        ({}, {ESME: KEY}, ["missing in copy", "associated elsewhere"], "a CS14 was missed"),
        ({ESME: KEY}, {}, ["missing on hub", "missing in log"], "restore it (8.12.1)"),
        ({ESME: KEY}, {ESME: OTHER_KEY}, ["credential mismatch"], "different link keys"),
        ({ESME: b""}, {ESME: KEY}, ["credential mismatch"], "the hub has a link key and the copy none"),
        ({ESME: KEY}, {ESME: b""}, ["credential mismatch"], "the copy has a link key and the hub none"),
        ({ESME: KEY, PPMID: KEY}, {ESME: KEY, PPMID: KEY}, ["not in inventory"], "pre-notify it (12.2)"),
    ],
)
def test_every_difference_is_named_and_explained(
    copy: dict[Eui64, bytes], hub: dict[Eui64, bytes | None], kinds: list[str], says: str
) -> None:
    _, logs = desk()
    keep(logs, copy)
    found = logs.compare(CHF, hub)
    assert [difference.kind for difference in found] == kinds
    assert any(says in difference.sentence for difference in found)
    assert all(str(difference.device) in difference.sentence for difference in found)


def test_a_device_the_inventory_puts_on_the_hub_and_no_log_has_is_told() -> None:
    inventory, logs = desk()
    keep(logs, {ESME: KEY})
    inventory.associate(GSME, "chf", CHF)
    (difference,) = logs.compare(CHF, {ESME: KEY})
    assert (difference.device, difference.kind) == (GSME, "missing in log")


@pytest.mark.requirement("INV-23")
@pytest.mark.requirement("GPF-06")
def test_the_copy_holds_identifiers_and_hashes_alone() -> None:
    _, logs = desk()
    keep(logs, {ESME: KEY})
    copy = logs.copy(CHF)
    assert copy is not None
    assert copy.backup == WhitelistBackup(bytes(12), bytes(8), ((ESME, KEY),))
    assert logs.copy(GPF) is None


@pytest.mark.requirement("INV-23")
@pytest.mark.requirement("INV-30")
def test_the_command_shows_the_copy_by_its_devices_alone_and_each_difference_with_its_explanation(tmp_path: Path) -> None:
    path = tmp_path / "dcc.sqlite"
    inventory, logs = desk(path)
    keep(logs, {ESME: KEY})
    inventory.associate(ESME, "chf", CHF)
    words = [str(CHF), "--store", str(path), "--json"]
    same = CliRunner().invoke(device_log, words, catch_exceptions=False)
    told = json.loads(same.output)
    assert (same.exit_code, told["differences"]) == (0, [])
    assert [(one["source"], one["devices"]) for one in told["versions"]] == [("CS14", str(ESME))]
    inventory.associate(GSME, "chf", CHF)
    inventory.associate(GPF, "chf", CHF)
    other = CliRunner().invoke(device_log, words, catch_exceptions=False)
    found = json.loads(other.output)["differences"]
    assert (other.exit_code, [(one["device"], one["kind"]) for one in found]) == (1, [(str(GSME), "missing in log")])
    assert str(GSME) in found[0]["explanation"]


class Lists:
    """A CHF that answers reads of its log with ``entries``, and records what it is told to restore."""

    def __init__(self, entries: tuple[tuple[Eui64, bytes], ...]) -> None:
        self.entries = entries
        self.restored: list[Data] = []

    def execute(self, use_case: UseCase, message: Message) -> bytes:
        request = decode_payload(message)
        assert isinstance(request, AccessRequest)
        self.restored += request.data
        backup = WhitelistBackup(bytes(12), bytes(8), self.entries).structure()
        rows = Array(tuple(Structure((OctetString(eui.octets), BitString.of("00000000"))) for eui, _ in self.entries))
        data = tuple(rows if one.choice is Choice.GET else backup for one in request.specifications)
        results = tuple(AccessOutcome(one.choice, AccessResult.SUCCESS) for one in request.specifications)
        return AccessResponse(request.invoke_id, data, results).encode()


@pytest.mark.requirement("SVC-8.9")
@pytest.mark.requirement("CH-06")
async def test_a_read_of_the_hubs_log_tells_every_difference_in_the_trace(far_end: FarEnd) -> None:
    await far_end.in_service()
    far_end.home.devices[CHF].executor = Lists(((ESME, KEY), (PPMID, KEY)))
    outcome = await send(far_end, "8.9", CHF)
    assert outcome.verdict is Verdict.SUCCESS, outcome.why
    told = [str(record.detail["kind"]) for record in far_end.records if record.source == "device log"]
    assert "not in inventory" in told
    assert "missing in copy" in told


@pytest.mark.requirement("INV-22")
@pytest.mark.requirement("SVC-8.12")
async def test_a_restore_sends_the_old_hubs_copy_and_moves_its_devices(far_end: FarEnd) -> None:
    await far_end.in_service()
    old = NEW_CHF
    far_end.dcc.pre_notify(old, DeviceType.CHF)
    far_end.dcc.inventory.associate(ESME, "chf", old)
    far_end.dcc.device_log_copy.keep(old, WhitelistBackup(bytes(12), bytes(range(8)), ((ESME, OTHER_KEY),)), "CS14")
    far_end.home.devices[CHF].executor = restoring = Lists(())
    outcome = await send(far_end, "8.12.1", CHF, {"OldCHFID": old})
    assert outcome.verdict is Verdict.SUCCESS, outcome.why
    entries = Array((Structure((OctetString(ESME.octets), OctetString(OTHER_KEY))),))
    assert restoring.restored == [Structure((OctetString(bytes(range(8))), entries))]
    assert far_end.dcc.inventory.hub_of(ESME) == CHF
    assert "N30" in [delivery.code for delivery in far_end.supplier.inbox]
