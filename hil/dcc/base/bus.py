"""Events inside one DCC: a part tells what happened, and who listens is decided where the DCC is put together.

An event is a frozen dataclass, declared beside the part that tells it. Listeners of one kind are called in the order in which they were
added, inside the transaction in which the event was told; an error of a listener ends that transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import TypeVar

E = TypeVar("E")


class Bus:
    """Listeners by the kind of event."""

    def __init__(self) -> None:
        self._listeners: defaultdict[type[object], list[Callable[[object], None]]] = defaultdict(list)

    def on(self, kind: type[E], take: Callable[[E], None]) -> None:
        """``take`` is called with every event of this kind."""

        def listener(event: object) -> None:
            assert isinstance(event, kind)
            take(event)

        self._listeners[kind].append(listener)

    def tell(self, event: object) -> None:
        """An event has happened. Of a kind that nobody listens to, nothing follows."""
        for listener in self._listeners[type(event)]:
            listener(event)
