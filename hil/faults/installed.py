"""Faults that a package brings: a function by entry point (``commshub.fault``), said with what it is of: ``sluggish response 4.1.1``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import cast

from firmware_emu import extensions
from hil.bench.passages import Passing
from hil.faults.grammar import HOOK_PATTERNS, Sentence, next_words, read_sentence
from hil.faults.values import Arrival

Hook = Callable[[Passing], bytes | Sequence[Arrival] | Awaitable[bytes | Sequence[Arrival] | None] | None]
"""Code of a user's own: gives what goes on in place of what passes (none: an empty sequence), or None: it passes as it is."""


def names() -> list[str]:
    """Faults of packages, by name. A word that the grammar has is the grammar's."""
    return [name for name in extensions.names(extensions.FAULT) if name not in next_words((), ())]


def read(text: str, devices: Sequence[str]) -> tuple[Hook | None, Sentence]:
    """Meaning of a sentence, and the function where its first word names one. Raises SentenceError, NotAvailable."""
    name, _, which = text.strip().partition(" ")
    if name not in names():
        return None, read_sentence(text, devices)
    return cast("Hook", extensions.load(extensions.FAULT, name)), replace(read_sentence(which, devices, HOOK_PATTERNS), text=text)


def next_in(words: Sequence[str], devices: Sequence[str]) -> list[str]:
    """Words that may follow ``words`` in a sentence, for completion."""
    if words and words[0] in names():
        return next_words(words[1:], devices, HOOK_PATTERNS)
    return [*next_words(words, devices), *(() if words else names())]
