"""Future-dated parts of Commands that a Device has accepted, kept in the store until they fall due.

Reference gbcs-behaviour 7: the reply says only "accepted"; each later execution sends an alert.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from firmware_emu.device.store import Store
from firmware_emu.ids import Eui64


@dataclass(frozen=True, slots=True)
class FutureAction:
    """One thing to do at ``when`` (bench seconds since 2000).

    ``kind`` says who executes it (the name under which an executor registered), ``key`` what a later command with the
    same key replaces or cancels, ``data`` what it needs. ``message_code``, ``originator`` and ``counter`` name the
    Command, for the execution alert.
    """

    when: float
    kind: str
    key: str
    message_code: int
    originator: Eui64
    counter: int
    data: bytes = b""


class FutureActions:
    """The stored actions of one Device."""

    def __init__(self, store: Store, prefix: str) -> None:
        self._store = store
        self._prefix = prefix + "future/"
        self.changed = True
        """True until somebody arranges for :meth:`next_due` again."""

    def put(self, action: FutureAction) -> None:
        """Store ``action``, replacing one of the same kind and key."""
        fields = {
            "when": action.when,
            "kind": action.kind,
            "key": action.key,
            "code": action.message_code,
            "originator": str(action.originator),
            "counter": action.counter,
            "data": action.data.hex(),
        }
        self.changed = True
        self._store.put(f"{self._prefix}{action.kind}/{action.key}", json.dumps(fields).encode())

    def cancel(self, kind: str, key: str) -> bool:
        """Forget an action; whether there was one."""
        name = f"{self._prefix}{kind}/{key}"
        there = self._store.get(name) is not None
        self.changed = self.changed or there
        self._store.delete(name)
        return there

    def all(self) -> list[FutureAction]:
        """Every stored action, the earliest first."""
        found = []
        for key in self._store.keys(self._prefix):
            octets = self._store.get(key)
            if octets is not None:
                fields = json.loads(octets)
                found.append(
                    FutureAction(
                        float(fields["when"]),
                        str(fields["kind"]),
                        str(fields["key"]),
                        int(fields["code"]),
                        Eui64.parse(fields["originator"]),
                        int(fields["counter"]),
                        bytes.fromhex(fields["data"]),
                    )
                )
        return sorted(found, key=lambda action: (action.when, action.kind, action.key))

    def next_due(self) -> float | None:
        """Bench time of the earliest action, None if there is none."""
        waiting = self.all()
        return waiting[0].when if waiting else None

    def take_due(self, now: float) -> list[FutureAction]:
        """Remove and return the actions with ``when`` <= ``now``."""
        due = [action for action in self.all() if action.when <= now]
        for action in due:
            self.cancel(action.kind, action.key)
        return due
