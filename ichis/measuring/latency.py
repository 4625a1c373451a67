"""The latency of a supply, as a loop-back measured it: from the command that switches it off to the moment at which it is."""

from __future__ import annotations

from dataclasses import dataclass

from ichis.measuring.reading import K


@dataclass(frozen=True, slots=True)
class OffLatency:
    """Seconds from the command to the edge, of so many times; ``answered_s``: the longest until the instrument had confirmed it."""

    times: int
    shortest_s: float
    mean_s: float
    longest_s: float
    deviation_s: float
    answered_s: float

    def acted(self, began: float, ended: float) -> tuple[float, float]:
        """Bench times between which the output went off, of a command that was given and confirmed at these.

        Where the confirmation took longer than any did in the loop-back, only those two are sure.
        """
        if ended - began > self.answered_s:
            return began, ended
        spread = K * self.deviation_s
        return min(ended, began + max(0.0, self.shortest_s - spread)), min(ended, began + self.longest_s + spread)
