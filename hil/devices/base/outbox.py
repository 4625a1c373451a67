"""Messages a Device still has to send, kept in its store so that an alert raised before a power cut is not lost."""

from __future__ import annotations

from firmware_emu.device.store import Store

CAPACITY = 64
"""Messages kept; the oldest goes first. The bench's own figure: no source states one."""


class Outbox:
    """First in, first out."""

    def __init__(self, store: Store, prefix: str) -> None:
        self._store = store
        self._prefix = prefix + "outbox/"

    def __len__(self) -> int:
        return len(self._store.keys(self._prefix))

    def put(self, message: bytes) -> None:
        """Append ``message``."""
        keys = self._store.keys(self._prefix)
        number = int(keys[-1].removeprefix(self._prefix)) + 1 if keys else 0
        with self._store.transaction():
            if len(keys) >= CAPACITY:
                self._store.delete(keys[0])
            self._store.put(f"{self._prefix}{number:012d}", message)

    def first(self) -> tuple[str, bytes] | None:
        """The oldest message and its key, None if there is none."""
        for key in self._store.keys(self._prefix):
            message = self._store.get(key)
            if message is not None:
                return key, message
        return None

    def done(self, key: str) -> None:
        """Forget a message that was delivered."""
        self._store.delete(key)
