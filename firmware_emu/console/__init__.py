"""The console: nouns and verbs that are declared once and used at a prompt, in scripts and from Python.

It knows the firmware alone; the rig adds its nouns by entry points (``chub.console``), and opens the bench (``chub.bench``).
"""

from firmware_emu.console.bench import Bench, BlockingBench
from firmware_emu.console.result import Result

__all__ = ["Bench", "BlockingBench", "Result"]
