"""Entropy that a seed foretells, for benches where every part is simulated. It never leaves ``hil``: a real dongle gets the system's."""

from __future__ import annotations

from random import Random


class SeededEntropy:
    """A :class:`firmware_emu.crypto.entropy.Entropy` that gives the same for the same seed, each purpose from a stream of its own."""

    def __init__(self, seed: int, purpose: str = "") -> None:
        self._seed = seed
        self._purpose = purpose
        self._random = Random(f"{seed}:{purpose}")
        self._streams: dict[str, SeededEntropy] = {}

    def octets(self, count: int) -> bytes:
        return self._random.randbytes(count)

    def below(self, limit: int) -> int:
        return self._random.randrange(limit)

    def stream(self, purpose: str) -> SeededEntropy:
        """The stream of that purpose: the same object each time, so that what a reboot draws goes on where the last life stopped."""
        if purpose not in self._streams:
            self._streams[purpose] = SeededEntropy(self._seed, f"{self._purpose}/{purpose}")
        return self._streams[purpose]
