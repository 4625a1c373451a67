"""Sources of a payload's values: the request, the context, the header that was chosen for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from firmware_emu.gbcs import cosem_time
from firmware_emu.gbcs.envelope import GroupingHeader
from firmware_emu.ids import Eui64
from hil.dcc.duis.request import CANCELLATION, Node, ServiceRequest
from hil.dcc.transform.context import TransformContext, TransformError

NEVER_AFTER = 0xFFFFFFFE
"""The time a second component of one cancellation carries, where the first has used FFFFFFFF (reference gbcs-messages 7A)."""


@dataclass(frozen=True, slots=True)
class Source:
    """One request under transformation: ``body`` reads the service's own element."""

    request: ServiceRequest
    context: TransformContext
    header: GroupingHeader
    use_case: str
    body: Node

    def fail(self, problem: str) -> TransformError:
        """The error to raise for this request."""
        return TransformError(self.request.service_reference_variant, problem)

    @property
    def execution(self) -> datetime | None:
        """ExecutionDateTime, None for at once."""
        return self.body.moment("ExecutionDateTime") if self.body.has("ExecutionDateTime") else None

    def activation(self) -> bytes:
        """ExecutionDateTime as a COSEM date-time; at once and never have values of their own."""
        moment = self.execution
        if moment is None:
            return cosem_time.NOW
        return cosem_time.NEVER if moment == CANCELLATION else cosem_time.encode_date_time(moment)

    def activation_seconds(self, never: int = cosem_time.UTC_NEVER) -> int:
        """ExecutionDateTime in seconds since 2000; 0 at once, ``never`` to cancel."""
        moment = self.execution
        if moment is None:
            return 0
        return never if moment == CANCELLATION else cosem_time.encode_utc_seconds(moment)

    def seconds(self, path: str) -> int:
        """A date-time of the request in seconds since 2000; the open end is FFFFFFFE."""
        moment = self.body.moment(path)
        return NEVER_AFTER if moment == CANCELLATION else cosem_time.encode_utc_seconds(moment)

    def date_time(self, path: str) -> bytes:
        """A date-time of the request as a COSEM date-time."""
        moment = self.body.moment(path)
        return cosem_time.NEVER if moment == CANCELLATION else cosem_time.encode_date_time(moment)

    @property
    def period(self) -> tuple[str, str]:
        """Paths of the period to read."""
        return "ReadLogPeriod/StartDateTime", "ReadLogPeriod/EndDateTime"

    @property
    def reader(self) -> Eui64:
        """Reader as protection parameters name it: the user the access control broker speaks for, else the header's originator
        (RTDS ECS21b)."""
        return self.header.other.supplementary_party or self.header.originator

    def customer_identification_number(self) -> str:
        """The number the DCC drew. Raises TransformError."""
        number = self.context.customer_identification_number
        if number is None or len(number) != 4 or not number.isdecimal():
            raise self.fail("needs a customer identification number of four digits, which the DCC draws")
        return number
