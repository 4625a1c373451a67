#!/usr/bin/env python3
"""Fuzz the decoders of ``firmware_emu.gbcs`` with atheris.

    python -m tests.fuzz.fuzz_gbcs tests/fuzz/corpus/gbcs -max_total_time=600

Options are libFuzzer's. New inputs go to the first folder named: name an empty one before the corpus to leave the corpus as it is. A
crash is written to the working folder as ``crash-*``; put it into ``tests/fuzz/corpus/gbcs`` so that the tests replay it.
"""

from __future__ import annotations

import sys
import time

import atheris

with atheris.instrument_imports(include=["firmware_emu.gbcs"]):
    from tests.fuzz import gbcs_decoders

LONGEST = 10_240
"""Octets of the longest input tried, unless ``-max_len`` says otherwise."""
HANG_S = 0.5
"""Processor time after which one input counts as a hang. Instrumented code runs about four times slower than plain code."""


def run(octets: bytes) -> None:
    """One input of the fuzzer."""
    began = time.process_time()
    gbcs_decoders.decode(octets)
    taken = time.process_time() - began
    if taken > HANG_S:
        raise AssertionError(f"{len(octets)} octets took {taken:.3f} s of processor time")


def main() -> None:
    arguments = sys.argv if any(option.startswith("-max_len=") for option in sys.argv) else [*sys.argv, f"-max_len={LONGEST}"]
    atheris.Setup(arguments, run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
