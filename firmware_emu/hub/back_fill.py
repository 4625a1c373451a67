"""Back-fill: what the mirror missed while no push came is read out of the gas meter's own logs (reference chts 5, zigbee-han 6).

The notification flags tell the meter that there is something to be asked for; it fetches the question with GetNotifiedMessage and is
awake for it. A GPF that is new, as after the replacement of its hub, so asks for all that the meter still has.
"""

from __future__ import annotations

from collections.abc import Callable

from firmware_emu.errors import CommsHubError
from firmware_emu.han.zcl_port import ZclPort
from firmware_emu.hub.billing_log import GENERAL, BillingLog
from firmware_emu.hub.endpoints import ESI_ENDPOINT
from firmware_emu.hub.gas_store import HALF_HOUR_S, PAYMENT_DEPTH, TOP_UP_DEPTH, GasStore, Missing
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.clusters.prepayment import PREPAYMENT
from firmware_emu.zse.declare import Cluster, FieldValue, number

FUNCTIONAL_FLAGS, FLAGS_4 = 0x0000, 0x0003
"""Attributes of notification flags: the first and the fourth of scheme B."""
GET_SNAPSHOT, GET_SAMPLED_DATA = 1 << 22, 1 << 23
"""Functional flags."""
GET_PREPAY_SNAPSHOT, GET_TOP_UP_LOG, GET_DEBT_LOG = 1 << 6, 1 << 7, 1 << 9
"""Of flags 4 (which is which is recalled from ZigBee; reference gbcs-spec-notes 10.4 has these three as those that a GSME acts on)."""
_ASKED = {
    Missing.SNAPSHOTS: (FUNCTIONAL_FLAGS, GET_SNAPSHOT),
    Missing.SAMPLES: (FUNCTIONAL_FLAGS, GET_SAMPLED_DATA),
    Missing.PREPAYMENT_SNAPSHOTS: (FLAGS_4, GET_PREPAY_SNAPSHOT),
    Missing.TOP_UPS: (FLAGS_4, GET_TOP_UP_LOG),
    Missing.DEBT_PAYMENTS: (FLAGS_4, GET_DEBT_LOG),
}
_LOGS = {
    Missing.TOP_UPS: (0x08, 0x05, {"count": TOP_UP_DEPTH}),
    Missing.DEBT_PAYMENTS: (0x0A, 0x06, {"count": PAYMENT_DEPTH, "debt_type": 2}),
}
"""Command that asks for a log, the one that answers, and what it asks for: GBCS knows payments of debt of type 2 alone."""
_SAMPLES_AT_ONCE = 250
"""Samples asked for at a time: an answer stays below what a tunnel carries. The bench's own figure."""
_PROFILE_SAMPLE = 0
_BILLING = 0xFFFFFFFF ^ GENERAL
"""Every cause but a midnight's."""
_SNAPSHOTS_KEPT = 31
_NOW = 0xFFFFFFFE


class BackFill:
    """Asks one gas meter. ``now``: the hub's time, seconds since 2000."""

    def __init__(self, zcl: ZclPort, gas: GasStore, billing: BillingLog, now: Callable[[], float], trace: Trace) -> None:
        self._zcl = zcl
        self._gas = gas
        self._billing = billing
        self._now = now
        self._trace = trace

    def flags(self, attribute: int) -> int:
        """The flags of one attribute that announce a question."""
        wanted = [bits for what, (flag, bits) in _ASKED.items() if flag == attribute and self._gas.missing(what) is not None]
        return sum(wanted)

    async def ask(self, meter: Eui64, endpoint: int, attribute: int, bits: int) -> None:
        """Ask what the meter has fetched the flags for."""
        for what, (flag, bit) in _ASKED.items():
            since = self._gas.missing(what)
            if flag != attribute or not bits & bit or since is None:
                continue
            try:
                filled = await self._fill(meter, endpoint, what, since)
            except CommsHubError as error:  # asked again after the next push
                self._trace.emit("han", "gpf", "not filled", target=str(meter), what=what.value, reason=str(error))
                continue
            if filled or what is not Missing.SAMPLES:  # the first half hour of a new meter has to end first
                self._gas.found(what)
            self._trace.emit("hub", "gpf", "filled", target=str(meter), what=what.value, entries=filled)

    async def _fill(self, meter: Eui64, endpoint: int, what: Missing, since: int) -> int:
        if what is Missing.SAMPLES:
            return await self._samples(meter, endpoint, since)
        if what in _LOGS:
            command, answer, asked = _LOGS[what]
            payload = await self._request(meter, endpoint, PREPAYMENT, command, {"latest_end": _NOW, **asked})
            return 0 if payload is None else self._take(PREPAYMENT, answer, payload)
        cluster, command, answer = (METERING, 0x06, 0x06) if what is Missing.SNAPSHOTS else (PREPAYMENT, 0x07, 0x01)
        filled = 0
        for causes in (_BILLING, GENERAL):  # the meter goes to sleep after the last of the general ones
            for offset in range(_SNAPSHOTS_KEPT):
                payload = await self._request(
                    meter, endpoint, cluster, command, {"from": since, "to": _NOW, "offset": offset, "cause": causes}
                )
                if payload is None:
                    break
                filled += self._take(cluster, answer, payload)
                if offset + 1 >= number(cluster.to_client[answer].decode(payload), "total_found"):
                    break
        return filled

    def _take(self, cluster: Cluster, answer: int, payload: bytes) -> int:
        self._billing.take(cluster.id, answer, payload)
        return 1

    async def _samples(self, meter: Eui64, endpoint: int, since: int) -> int:
        filled = 0
        while since < self._now():
            payload = await self._request(
                meter, endpoint, METERING, 0x08, {"sample": _PROFILE_SAMPLE, "earliest": since, "sample_type": 0, "count": _SAMPLES_AT_ONCE}
            )
            if payload is None:
                break
            answer = METERING.to_client[0x07].decode(payload)
            samples = answer["samples"]
            volumes = [number(dict(one), "value") for one in (samples if isinstance(samples, tuple) else ())]
            start = number(answer, "start")
            self._gas.fill_samples(start, volumes)
            filled += len(volumes)
            since = start + len(volumes) * HALF_HOUR_S
            if len(volumes) < _SAMPLES_AT_ONCE:
                break
        return filled

    async def _request(
        self,
        meter: Eui64,
        endpoint: int,
        cluster: Cluster,
        command: int,
        fields: dict[str, FieldValue],
    ) -> bytes | None:
        """One question and the payload of its answer; None if the meter has none."""
        answer = await self._zcl.request(
            meter, endpoint, cluster.id, command, cluster.to_server[command].encode(fields), source_endpoint=ESI_ENDPOINT
        )
        return None if answer.default_response is not None else answer.payload
