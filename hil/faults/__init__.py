"""Faults as values and as sentences, on every seam of a home: air, serial line, SM WAN, NVM, supply, jig lines, time.

May import all of ``hil``. The firmware does not know of them: each works on a seam that it stands on anyway.
"""

from hil.bench.passages import Passing
from hil.faults.faults import Fault, Faults, check_sentences
from hil.faults.grammar import FAULT_PATTERNS, FAULT_WORDS, HOOK_PATTERNS, SentenceError, next_words
from hil.faults.installed import Hook, next_in

__all__ = [
    "FAULT_PATTERNS",
    "FAULT_WORDS",
    "HOOK_PATTERNS",
    "Fault",
    "Faults",
    "Hook",
    "Passing",
    "SentenceError",
    "check_sentences",
    "next_in",
    "next_words",
]
