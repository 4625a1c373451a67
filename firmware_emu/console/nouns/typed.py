"""Types of a bench's nouns for editors and type checkers: ``typed.pyi`` has them. At run time the bench finds its nouns by itself."""

from __future__ import annotations


class BlockingNouns:
    """The nouns of a bench whose verbs return when they are done."""


class AwaitedNouns:
    """The nouns of a bench whose verbs are awaited."""
