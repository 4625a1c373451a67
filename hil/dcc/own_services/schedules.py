"""Schedules: recurring reads that the DCC itself builds, checks and sends at each execution time.

Source: sec2-rules SCH-01 to SCH-05 [122-125, 404].

The checks of section 4 are made again for every run (CK-12), but for the signature, which was that of the 5.1 (choice). A run carries
the owner's next originator counter, which the DCC hands out (choice). A run that the DCC slept through is made once when it is back.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from lxml import etree

from firmware_emu.clock import EPOCH
from firmware_emu.errors import NotAvailable, fault_named
from firmware_emu.ids import Eui64
from firmware_emu.supervised import supervised, tell_fault
from hil.dcc.answers.effects import TenancyChanged
from hil.dcc.base.refusals import OwnServiceRefused
from hil.dcc.base.results import Refusal
from hil.dcc.base.services import Service, UserRole, schedule
from hil.dcc.base.store import Bus, DccStore, Row, outliving
from hil.dcc.duis import RequestError, ServiceRequest, new_request, read_request, write_request
from hil.dcc.duis.document import Content
from hil.dcc.duis.element_types import element_type
from hil.dcc.duis.request import VARIANTS, Node
from hil.dcc.gateway import arrival as checks
from hil.dcc.gateway.arrival import Arrival, GatewayContext
from hil.dcc.inventory.inventory import AuditLine, Device
from hil.dcc.own_services.recurrence import Recurrence, period
from hil.dcc.parties.acb import OriginatorCounters
from hil.dcc.parties.users import UserSuspended

SIX = frozenset({"4.8", "4.10", "4.12", "4.15", "4.16", "4.17"})
"""Services that the consultation lets be scheduled (SCH-01 [404])."""
MOST_PER_DEVICE = 99
"""DSPSchedules of one reply to 5.2 (DUIS 5.4)."""
Run = Callable[[ServiceRequest, Service, float], Awaitable[Refusal | None]]
"""Takes the request of a run, due then, through checks and out; returns why it went no further."""
_WITHDRAWN, _DECOMMISSIONED = "Withdrawn", "Decommissioned"


@dataclass(frozen=True, slots=True)
class RequestSchedule:
    """One schedule. ``removal`` says which event removed it (SCH-05) or that it came to its end; None while it lasts."""

    number: int
    user: Eui64
    device: Eui64
    variant: str
    frequency: str
    created: float
    next_run: float | None
    runs: int
    removed: float | None
    removal: str | None

    def as_json(self) -> dict[str, object]:
        """For 5.2 and ``--json``."""
        return {
            "DSPScheduleID": self.number,
            "user": str(self.user),
            "device": str(self.device),
            "variant": self.variant,
            "frequency": self.frequency,
            "created": self.created,
            "next_run": self.next_run,
            "runs": self.runs,
            "removed": self.removed,
            "removal": self.removal,
        }


@dataclass
class Schedules:
    """The schedules of all users."""

    context: GatewayContext
    bus: Bus
    counters: OriginatorCounters
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _task: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self.bus.on(TenancyChanged, self._tenancy_changed)
        self.bus.on(AuditLine, self._status_changed)
        self.bus.on(UserSuspended, self._suspended)

    # 5.1, 5.2, 5.3

    def create(self, arrival: Arrival) -> Mapping[str, object]:
        """5.1. Raises OwnServiceRefused, RequestError."""
        body, sender = Node(arrival.request.body), arrival.sender
        variant = body.text("DSPScheduledServiceReferenceVariant")
        allowed = sorted(name for name, one in schedule().items() if self._schedulable(one))
        if variant not in allowed:
            raise OwnServiceRefused("schedule-service", variant=variant, allowed=", ".join(allowed))
        self._fits(body, variant)
        device, recurrence = body.eui("DeviceID"), Recurrence.of(body)
        if (count := len(self.of(sender, device))) >= MOST_PER_DEVICE:
            raise OwnServiceRefused("schedule-too-many", sender=sender, count=count, device=device)
        first = recurrence.next_run(0, self.context.clock.datetime() - timedelta(seconds=1))
        if first is None:
            raise OwnServiceRefused("schedule-content", problem="it ends before its first run")
        inner = self._request(sender, variant, body, _seconds(first[1].timestamp()), 0)
        run = Arrival(inner, schedule()[variant], self.context.inventory.device(device))
        if run.device is None:
            raise OwnServiceRefused("own-not-listed", eui=device)
        for check in (checks.user, checks.registration):
            if (refusal := check(self.context, run)) is not None:
                raise OwnServiceRefused.of(refusal)
        number = self.context.store.insert(
            "schedules",
            user=str(sender),
            device=str(device),
            variant=variant,
            frequency=recurrence.frequency,
            xml=write_request(arrival.request),
            created=self.context.clock.now(),
            first_run=_seconds(recurrence.first.timestamp()),
            runs=first[0],
            next_run=_seconds(first[1].timestamp()),
        )
        self.changed()
        self.context.store.tell("schedules")
        return {"DSPScheduleID": number}

    def _schedulable(self, service: Service) -> bool:
        return service.schedulable and (bool(self.context.profile.schedule_duis_54) or service.reference in SIX)

    def _fits(self, body: Node, variant: str) -> None:
        wanted = f"DSP{VARIANTS[variant].element}"
        if body.text("DSPScheduledServiceReference") != VARIANTS[variant].service:
            problem = f"service reference {body.text('DSPScheduledServiceReference')} with variant {variant}"
            raise OwnServiceRefused("schedule-content", problem=problem)
        if not body.has(wanted):
            raise OwnServiceRefused("schedule-content", problem=f"service {variant} without {wanted}")

    def read(self, arrival: Arrival) -> Mapping[str, object]:
        """5.2: the requester's own schedules, by number or for a Device. Raises OwnServiceRefused."""
        return {"schedules": [one.as_json() for one in self._named(arrival)]}

    def delete(self, arrival: Arrival) -> Mapping[str, object]:
        """5.3: no more runs of the schedules named. Raises OwnServiceRefused."""
        for one in self._named(arrival):
            self._remove(one, "SCH-05a: its owner asked (5.3)")
        return {}

    def _named(self, arrival: Arrival) -> tuple[RequestSchedule, ...]:
        body, sender = Node(arrival.request.body), arrival.sender
        if body.has("DeviceID"):
            return self.of(sender, body.eui("DeviceID"))
        number = body.integer("DSPScheduleID")
        found = tuple(one for one in self.of(sender) if one.number == number)
        if not found:
            raise OwnServiceRefused("schedule-unknown", what=number, sender=sender)
        return found

    # Reading

    def of(self, user: Eui64, device: Eui64 | None = None) -> tuple[RequestSchedule, ...]:
        """The schedules of a user that last, all or those for one Device."""
        rows = self.context.store.rows("SELECT * FROM schedules WHERE user = ? AND removed IS NULL ORDER BY number", (str(user),))
        return tuple(one for one in map(_schedule, rows) if device in (None, one.device))

    def all(self) -> tuple[RequestSchedule, ...]:
        """Every schedule there ever was, oldest first."""
        return schedules_in(self.context.store)

    def made_from(self, number: int) -> etree._Element | None:
        """The body of the 5.1 that a schedule was made from."""
        row = self.context.store.row("SELECT xml FROM schedules WHERE number = ?", (number,))
        return None if row is None else read_request(row["xml"]).body

    def of_run(self, request: str) -> int | None:
        """The schedule whose run this request is, None for any other request."""
        row = self.context.store.row("SELECT schedule FROM schedule_runs WHERE request = ?", (request,))
        return None if row is None else int(row["schedule"])

    # Removal (SCH-05)

    def _tenancy_changed(self, told: TenancyChanged) -> None:
        """b: a change of tenancy (3.2) was done for these MPxNs: schedules of Other Users for them go (X-25, X-26)."""
        for one in self._lasting():
            device = self.context.inventory.device(one.device)
            other_user = self.context.users.roles(one.user) == {UserRole.OU}
            if other_user and device is not None and set(told.mpxns) & set(self._mpxns(device)):
                self._remove(one, f"SCH-05b: change of tenancy for {' '.join(told.mpxns)}")

    def _mpxns(self, device: Device) -> tuple[str, ...]:
        meters = (self.context.inventory.device(eui) for eui in self.context.inventory.meters_of(device.eui))
        return tuple(mpxn for meter in meters if meter is not None for mpxn in meter.mpxns)

    def _status_changed(self, line: AuditLine) -> None:
        """c: the Device was decommissioned, or its system withdrawn."""
        if line.to_status not in (_WITHDRAWN, _DECOMMISSIONED) or line.from_status == line.to_status:
            return
        gone = {line.device}
        if line.to_status == _WITHDRAWN:
            gone |= set(self.context.inventory.on_hub(line.device)) | set(self.context.inventory.neighbours(line.device))
        for one in self._lasting():
            if one.device in gone:
                self._remove(one, f"SCH-05c: {line.device} is {line.to_status}")

    def _suspended(self, told: UserSuspended) -> None:
        """d: the owner's rights are suspended (M8)."""
        for one in self._lasting():
            if one.user == told.eui:
                self._remove(one, "SCH-05d: its owner's rights are suspended (M8)")

    def _lasting(self) -> tuple[RequestSchedule, ...]:
        return tuple(map(_schedule, self.context.store.rows("SELECT * FROM schedules WHERE removed IS NULL ORDER BY number")))

    def _remove(self, one: RequestSchedule, event: str) -> None:
        self.context.store.execute(
            "UPDATE schedules SET removed = ?, removal = ?, next_run = NULL WHERE number = ?", (self.context.clock.now(), event, one.number)
        )
        self.context.trace.emit(
            "dcc", "schedules", "removed", target=str(one.user), schedule=one.number, device=str(one.device), reason=event
        )
        self._changed.set()
        self.context.store.tell("schedules")

    def changed(self) -> None:
        """A schedule came or went: look when the next run is."""
        self._changed.set()

    # Running

    def start(self, run: Run) -> None:
        """Run what is due, now and from now on."""
        if self._task is None:
            self._task = supervised(
                outliving(lambda: self._keep_running(run), "the schedules", self.context.clock, self.context.trace),
                "the schedules",
                self.context.trace,
                area="dcc",
            )

    async def _keep_running(self, run: Run) -> None:
        while True:
            self._changed.clear()
            row = self.context.store.row(
                "SELECT * FROM schedules WHERE next_run IS NOT NULL AND removed IS NULL ORDER BY next_run, number LIMIT 1"
            )
            wait = None if row is None else max(0.0, row["next_run"] - self.context.clock.now())
            try:
                async with asyncio.timeout(wait):
                    if wait != 0.0:
                        await self._changed.wait()
                        continue
            except TimeoutError:
                pass
            if row is not None:
                await self._run_or_set_aside(row, run)

    async def _run_or_set_aside(self, row: Row, run: Run) -> None:
        try:
            await self._run(row, run)
        except NotAvailable:
            raise  # the store itself: no schedule can run
        except Exception as fault:  # at one schedule: it must end neither the others nor the DCC, now and at each start
            tell_fault(f"schedule {row['number']} was set aside", fault, self.context.trace, "dcc", None)
            self._remove(_schedule(row), f"set aside: {fault_named(fault)}")

    async def _run(self, row: Row, run: Run) -> None:
        body, due = Node(read_request(row["xml"]).body), float(row["next_run"])
        recurrence = Recurrence.of(body)
        following = recurrence.next_run(row["runs"] + 1, max(EPOCH + timedelta(seconds=due), self.context.clock.datetime()))
        with self.context.store.transaction():
            runs = row["runs"] + 1 if following is None else following[0]
            still = self.context.store.execute(
                "UPDATE schedules SET runs = ?, next_run = ? WHERE number = ? AND next_run = ? AND removed IS NULL",
                (runs, following and _seconds(following[1].timestamp()), row["number"], due),
            )
            if not still:
                return  # another process has removed or run it since it was read
            if following is None:
                self._remove(_schedule(row), "it came to its last day")
            sender = Eui64.parse(row["user"])
            request = self._request(sender, row["variant"], body, due, self.counters.next(sender))
            self.context.store.insert("schedule_runs", request=str(request.request_id), schedule=row["number"], due=due)
        refusal = await run(request, schedule()[row["variant"]], due)
        if refusal is not None:
            self.context.store.execute("UPDATE schedule_runs SET refusal = ? WHERE request = ?", (str(refusal), str(request.request_id)))

    def _request(self, sender: Eui64, variant: str, body: Node, due: float, counter: int) -> ServiceRequest:
        """The request of the run that is due then. Raises RequestError."""
        name = VARIANTS[variant].element
        kind = element_type("Request").part("Body")
        part = element_type(kind.type).part(name) if kind is not None else None
        if part is None:
            raise RequestError(name, body.line, "is no element of a request")
        content: dict[str, Content] = {}
        if element_type(part.type).part("ReadLogPeriod") is not None:
            content["ReadLogPeriod"] = period(body.node(f"DSP{name}"), EPOCH + timedelta(seconds=due))
        if body.has("KAPublicSecurityCredential") and element_type(part.type).part("KAPublicSecurityCredentials") is not None:
            content["KAPublicSecurityCredentials"] = body.base64("KAPublicSecurityCredential")
        return new_request(variant, sender, body.eui("DeviceID"), counter, content)

    async def close(self) -> None:
        """Stop running; the schedules stay in the store."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None


def schedules_in(store: DccStore) -> tuple[RequestSchedule, ...]:
    """Every schedule there ever was, oldest first."""
    return tuple(map(_schedule, store.rows("SELECT * FROM schedules ORDER BY number")))


def _schedule(row: Row) -> RequestSchedule:
    return RequestSchedule(
        row["number"],
        Eui64.parse(row["user"]),
        Eui64.parse(row["device"]),
        row["variant"],
        row["frequency"],
        row["created"],
        row["next_run"],
        row["runs"],
        row["removed"],
        row["removal"],
    )


def _seconds(timestamp: float) -> float:
    return timestamp - EPOCH.timestamp()
