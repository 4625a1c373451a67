"""Partners of a prompt: a bench in this process, or a hub that runs elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from rich.text import Text

from firmware_emu.console.bench import Handle
from firmware_emu.console.offers import Offer, hint, offers
from firmware_emu.console.records import line, quiet
from firmware_emu.console.result import Result


class Talk(Protocol):
    """The other side of a prompt."""

    name: str
    """Stands in the prompt."""

    def check(self, line: str) -> None:
        """Read a line as far as that can be done before anything runs. Raises WordError."""
        ...

    def say(self, line: str) -> Iterator[Result]:
        """Do what a line says, call after call. Raises CommsHubError; an interrupt ends what runs, and nothing else."""
        ...

    def offers(self, line: str, more: Sequence[Offer]) -> list[Offer]: ...

    def hint(self, line: str) -> str: ...

    def state(self) -> str:
        """One line for the foot of the screen."""
        ...

    def watch(self, show: Callable[[Text], None]) -> None:
        """Hand every record that is watched to ``show`` as a line."""
        ...


class LocalTalk:
    """A bench in this process."""

    def __init__(self, handle: Handle) -> None:
        self.handle = handle
        self.name = handle.board.name

    def check(self, line: str) -> None:
        self.handle.core.parse(line)

    def say(self, line: str) -> Iterator[Result]:
        return self.handle.say(line)

    def offers(self, line: str, more: Sequence[Offer]) -> list[Offer]:
        return offers(self.handle.core, line, more)

    def hint(self, line: str) -> str:
        return hint(self.handle.core, line)

    def state(self) -> str:
        return self.handle.core.state()

    def watch(self, show: Callable[[Text], None]) -> None:
        self.handle.show = lambda record: show(line(record))
        self.handle.core.watching = quiet
