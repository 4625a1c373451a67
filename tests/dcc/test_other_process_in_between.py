"""Several processes as one DCC: what another one writes between the reading of a rule and the transaction that relies on it counts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import DeviceType
from firmware_emu.errors import CommsHubError
from firmware_emu.gbcs.alert_contents import WhitelistBackup
from hil.dcc.base.requests import RequestState
from hil.dcc.base.services import UserRole
from hil.dcc.base.store import DccStore
from hil.dcc.dcc import AnsweredLater
from hil.dcc.duis import write_request
from hil.dcc.inventory.device_log import DeviceLogCopy
from hil.dcc.inventory.inventory import Inventory
from hil.dcc.own_services.firmware import AT_HUB, SENDING, VERIFIED
from hil.dcc.parties.users import UserSuspended
from hil.dcc.registration.files import Fuel, Row
from hil.dcc.registration.incidents import FeedIncidentKind, handling
from tests.dcc.far_end import CHF, ESME, MPAN, NETWORK, SECOND, SUPPLIER, FarEnd
from tests.dcc.messages import create
from tests.dcc.registration.feed_bench import RDP
from tests.dcc.registration.feed_bench import Bench as FeedBench
from tests.sec.incidents.incident_bench import Bench as IncidentBench

MOST_TURNS = 8
"""More transactions than one request needs from its execution time to the hub."""


class Turn:
    """Another process's turn with the store: it acts right before the transaction of this number begins, counted from now."""

    def __init__(self, store: DccStore, number: int, act: Callable[[], object]) -> None:
        self._left, self._act, self._begin, self._database = number, act, store._file.begin, store._file
        self.taken = False
        self._database.begin = self._begins  # type: ignore[method-assign]

    def _begins(self) -> None:
        self._left -= 1
        if not self._left:
            self.end()
            self.taken = True
            self._act()
        self._begin()

    def end(self) -> None:
        self._database.begin = self._begin  # type: ignore[method-assign]


def suspended(far_end: FarEnd) -> None:
    far_end.dcc.gateway.suspend(SUPPLIER, "M8")


def decommissioned(far_end: FarEnd) -> None:
    far_end.dcc.store.execute("UPDATE devices SET status = 'Decommissioned' WHERE eui = ?", (str(ESME),))


def put_back(far_end: FarEnd) -> None:
    far_end.dcc.gateway.reinstate(SUPPLIER)
    far_end.dcc.store.execute("UPDATE devices SET status = 'Commissioned' WHERE eui = ?", (str(ESME),))


@pytest.mark.parametrize("change", [suspended, decommissioned])
async def test_a_deferred_request_whose_user_or_device_another_process_has_put_out_of_service_is_not_posted(
    far_end: FarEnd, change: Callable[[FarEnd], None]
) -> None:
    await far_end.in_service()
    ends = []
    for number in range(1, MOST_TURNS):
        at = far_end.clock.datetime() + timedelta(hours=1)
        deferred = far_end.supplier.sign(far_end.dcc.request(far_end.supplier, "11.2", ESME, {"ExecutionDateTime": at}))
        name, found = str(deferred.request_id), list[RequestState | None]()
        assert (await far_end.dcc.take(write_request(deferred))).code == "I99"
        await far_end.clock.sleep(3599)

        def act(name: str = name, found: list[RequestState | None] = found) -> None:
            found.append(far_end.dcc.requests.state(name))
            change(far_end)

        turn = Turn(far_end.dcc.store, number, act)
        await far_end.clock.sleep(60)
        turn.end()
        ends.append((found, far_end.dcc.requests.state(name)))
        put_back(far_end)
    assert ends[0] == ([RequestState.DEFERRED], RequestState.REFUSED)
    for found, state in ends:
        assert state is RequestState.REFUSED or found != [RequestState.DEFERRED], ends
        assert found != [RequestState.ACCEPTED], ends


@pytest.mark.parametrize("change", [suspended, decommissioned])
async def test_a_run_of_a_schedule_is_not_posted_either(far_end: FarEnd, change: Callable[[FarEnd], None]) -> None:
    await far_end.in_service()
    await create(far_end)
    (one,) = far_end.dcc.schedules.all()
    assert one.next_run is not None
    await far_end.clock.sleep(one.next_run - far_end.clock.now() - 1)
    turn = Turn(far_end.dcc.store, 2, lambda: change(far_end))
    await far_end.clock.sleep(60)
    assert turn.taken
    assert far_end.home.received == []


async def test_a_request_that_another_process_cancelled_at_its_execution_time_is_told_once_and_is_no_fault(far_end: FarEnd) -> None:
    await far_end.in_service()
    told: list[AnsweredLater] = []
    far_end.dcc.bus.on(AnsweredLater, told.append)
    at = far_end.clock.datetime() + timedelta(hours=1)
    deferred = far_end.supplier.sign(far_end.dcc.request(far_end.supplier, "11.2", ESME, {"ExecutionDateTime": at}))
    await far_end.dcc.take(write_request(deferred))
    await far_end.clock.sleep(3599)
    name = str(deferred.request_id)

    def cancel() -> None:
        with far_end.dcc.store.transaction():
            far_end.dcc.deferred.cancel(SUPPLIER, far_end.dcc.processing.refused_later, request=name)

    Turn(far_end.dcc.store, 1, cancel)
    await far_end.clock.sleep(60)
    assert far_end.dcc.requests.state(name) is RequestState.CANCELLED
    assert [(one.request, one.answered.refusal and one.answered.refusal.name) for one in told] == [(name, "cancelled")]
    assert [one.event for one in far_end.records if one.event == "failed"] == []
    assert far_end.home.received == []


def test_an_identifier_that_another_process_has_entered_in_another_role_is_refused(far_end: FarEnd) -> None:
    far_end.dcc.store.execute("DELETE FROM users WHERE eui = ?", (str(NETWORK),))
    Turn(far_end.dcc.store, 1, lambda: far_end.dcc.context.users.enter(NETWORK, (UserRole.ED,)))
    with pytest.raises(CommsHubError, match="one identifier stands for one role"):
        far_end.dcc.gateway.enter_user(NETWORK, UserRole.IS)


def test_a_suspension_ends_schedules_in_its_own_transaction(far_end: FarEnd) -> None:
    def cut_off(told: UserSuspended) -> None:
        raise ConnectionAbortedError

    far_end.dcc.bus.on(UserSuspended, cut_off)
    with pytest.raises(ConnectionAbortedError):
        far_end.dcc.gateway.suspend(SUPPLIER, "M8")
    found = far_end.dcc.context.users.find(SUPPLIER)
    assert found is not None
    assert found.suspended is None


Pair = tuple[DccStore, Callable[[], object], Callable[[], object]]


def listed() -> Inventory:
    inventory = Inventory(DccStore(None), lambda: 0.0)
    inventory.certify(DeviceType.ESME, "BENCH", "BENCH", "1")
    return inventory


def notify(inventory: Inventory) -> None:
    inventory.pre_notify(ESME, DeviceType.ESME, manufacturer="BENCH", model="BENCH", firmware="1")


def two_moves(keystore: Keystore) -> Pair:
    inventory = listed()
    notify(inventory)
    return (
        inventory._store,
        lambda: inventory.move(ESME, "decommissioned", reason="8.3"),
        lambda: inventory.move(ESME, "commissioned", reason="8.1.1"),
    )


def deletion_of_what_was_installed(keystore: Keystore) -> Pair:
    inventory = listed()
    notify(inventory)
    return inventory._store, lambda: inventory.move(ESME, "joined", reason="CS14"), lambda: inventory.delete(ESME)


def two_notifications(keystore: Keystore) -> Pair:
    inventory = listed()

    def install() -> None:
        notify(inventory)
        inventory.move(ESME, "joined", reason="CS14")

    return inventory._store, install, lambda: notify(inventory)


def two_disputes(keystore: Keystore) -> Pair:
    bench = FeedBench(keystore)
    bench.registration.register(MPAN, UserRole.IS, SUPPLIER)
    said = Row(MPAN, UserRole.IS, SECOND, bench.now)
    return bench.store, lambda: bench.feed.disputes.open(said), lambda: bench.feed.disputes.open(said)


def two_resolutions(keystore: Keystore) -> Pair:
    bench = FeedBench(keystore)
    number = bench.feed.disputes.open(Row(MPAN, UserRole.IS, SECOND, bench.now)).number
    resolve = bench.feed.disputes.resolve
    return bench.store, lambda: resolve(number, SECOND, 0.0, "agreed"), lambda: resolve(number, SUPPLIER, 0.0, "agreed")


def two_ends_of_a_registration_incident(keystore: Keystore) -> Pair:
    incidents, kind = (bench := FeedBench(keystore)).feed.incidents, FeedIncidentKind.MALFORMED
    number = incidents.open(RDP, Fuel.GAS, kind, "sequence 3", handling()[kind].steps).number
    return bench.store, lambda: incidents.resolve(number, "one"), lambda: incidents.resolve(number, "other")


def two_ends_of_an_incident(keystore: Keystore) -> Pair:
    bench = IncidentBench()
    number = bench.raised("data services")
    bench.log.note(None, number, "begun")
    return bench.store, lambda: bench.log.resolve(None, number, "one"), lambda: bench.log.visit_needed(None, number, "too late")


@pytest.mark.parametrize(
    "made",
    [
        two_moves,
        deletion_of_what_was_installed,
        two_notifications,
        two_disputes,
        two_resolutions,
        two_ends_of_a_registration_incident,
        two_ends_of_an_incident,
    ],
)
def test_of_two_changes_that_exclude_each_other_one_is_refused(keystore: Keystore, made: Callable[[Keystore], Pair]) -> None:
    store, theirs, ours = made(keystore)
    turn = Turn(store, 1, theirs)
    with pytest.raises(CommsHubError):
        ours()
    assert turn.taken


def test_two_processes_that_keep_a_device_log_at_once_keep_two_versions() -> None:
    inventory = listed()
    logs = DeviceLogCopy(inventory._store, inventory, lambda: 0.0)
    ours, theirs = (WhitelistBackup(bytes(12), bytes(8), ((eui, b""),)) for eui in (ESME, CHF))
    Turn(inventory._store, 1, lambda: logs.keep(CHF, theirs, "CS14"))
    logs.keep(CHF, ours, "CS14")
    assert [one.version for one in logs.versions(CHF)] == [1, 2]


def test_the_progress_of_an_image_does_not_go_back_behind_what_another_process_has_heard(far_end: FarEnd) -> None:
    campaign: dict[str, Any] = {"user": str(SUPPLIER), "version": "1", "hash": "", "image": b"", "received": 0.0, "deadline": 1.0}
    far_end.dcc.store.insert("firmware_campaigns", request="r", **campaign)
    far_end.dcc.store.insert("firmware_targets", request="r", device=str(ESME), chf=str(CHF), state=SENDING, total=0, changed=0.0)
    Turn(far_end.dcc.store, 1, lambda: far_end.dcc.firmware._set("r", ESME, VERIFIED))
    far_end.dcc.firmware._set("r", ESME, AT_HUB)
    assert [one.state for one in far_end.dcc.firmware.targets()] == [VERIFIED]
