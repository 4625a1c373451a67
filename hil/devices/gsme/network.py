"""The network data log of a gas meter: what flowed in each of so many equal intervals since GCS31 started it.

GCS31 asks for 41 samples of six minutes, and the log holds 41 (SMETS 4.6.5.12); four hours are 40 intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from firmware_emu.device.gbz_server import ZclAnswer
from firmware_emu.device.store import Store
from firmware_emu.zse.clusters.metering import METERING
from firmware_emu.zse.zcl import ZclStatus
from hil.devices.gsme.published import Published
from hil.devices.metering.registers import RecordRing

NETWORK_DEPTH = 41
NETWORK_SAMPLE = 2
"""Sample id of the network data log (RTDS GCS18)."""
_START_SAMPLING = 0x07


@dataclass(frozen=True, slots=True)
class Sampling:
    """One recording: its start and interval in seconds, and how many samples it takes."""

    start: int
    interval: int
    samples: int

    @classmethod
    def read(cls, published: Published) -> Sampling | None:
        """The one that was started last; None if none was."""
        started = published.latest(METERING.id, _START_SAMPLING)
        if started is None:
            return None
        fields = METERING.to_server[_START_SAMPLING].decode(started)
        start, interval, most = (value if isinstance(value := fields[name], int) else 0 for name in ("start", "interval", "max_samples"))
        return cls(start, max(1, interval), min(most or NETWORK_DEPTH, NETWORK_DEPTH))

    def takes(self, moment: int) -> bool:
        """True if the register is noted at ``moment``: at the start, and at the end of each interval."""
        number, rest = divmod(moment - self.start, self.interval)
        return not rest and 0 <= number <= self.samples

    def next_moment(self, now: int) -> int | None:
        """The first such moment after ``now``; None if it is over."""
        number = max(0, (now - self.start) // self.interval + 1)
        return self.start + number * self.interval if number <= self.samples else None


class NetworkLog:
    """Readings of the register, of which the log's samples are the differences."""

    def __init__(self, store: Store, prefix: str) -> None:
        self._readings = RecordRing(store, prefix + "log/gas/network", "IIQ", NETWORK_DEPTH + 1)

    def note(self, sampling: Sampling, moment: int, total: int) -> None:
        """Note the register, which shows ``total`` at ``moment``."""
        self._readings.append(sampling.start, moment, total)

    def read(self, sampling: Sampling | None, count: int, sample_type: int) -> ZclStatus | Sequence[ZclAnswer]:
        """GetSampledData: the samples of ``sampling``, the oldest first; none before the first interval has ended."""
        if sampling is None:
            return ZclStatus.NOT_FOUND
        totals = [total for start, _, total in self._readings if start == sampling.start][-(sampling.samples + 1) :]
        samples = tuple({"value": after - before} for before, after in pairwise(totals))[: count or None]
        if not samples:
            return ZclStatus.NOT_FOUND
        return [
            ZclAnswer(
                0x07,
                METERING.to_client[0x07].encode(
                    {
                        "sample": NETWORK_SAMPLE,
                        "start": sampling.start,
                        "sample_type": sample_type,
                        "interval": sampling.interval,
                        "count": len(samples),
                        "samples": samples,
                    }
                ),
            )
        ]
