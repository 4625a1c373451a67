"""The prompt: history, completion, hints, more than one line, and the live log above it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import HTML, AnyFormattedText
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.patch_stdout import patch_stdout
from rich.console import Console
from rich.markup import escape

from firmware_emu.console.attach import AttachedTalk
from firmware_emu.console.declare import WordError
from firmware_emu.console.offers import Offer
from firmware_emu.console.python_prompt import PythonPrompt
from firmware_emu.console.talk import LocalTalk, Talk
from firmware_emu.console.words import unfinished
from firmware_emu.errors import CommsHubError

PROMPT_WORDS = {
    "python": "a Python prompt with this bench; `await` works",
    "attach": "talk to a hub that runs elsewhere, by its socket",
    "exit": "leave; what is attached first, then the console",
}
"""Words of the prompt itself: not of the bench, hence neither in scripts nor in Python."""


class Prompt:
    """One console on a terminal."""

    def __init__(self, talk: Talk) -> None:
        self._talks = [talk]
        self.console = Console(highlight=False)
        self._session: PromptSession[str] = PromptSession(
            history=history(),
            completer=_Completer(self),
            auto_suggest=AutoSuggestFromHistory(),
            complete_while_typing=False,
            bottom_toolbar=self._foot,
            multiline=Condition(self._unfinished),
            prompt_continuation=". ",
            enable_history_search=True,
        )

    @property
    def talk(self) -> Talk:
        """The partner that the prompt talks to now."""
        return self._talks[-1]

    def run(self) -> None:
        """Until the console is left."""
        with patch_stdout(raw=True):
            self.talk.watch(self.console.print)
            while self._talks:
                try:
                    line = self._session.prompt(f"{self.talk.name}> ")
                except KeyboardInterrupt:
                    continue
                except EOFError:
                    line = "exit"
                if line.strip():
                    self.do(line)

    def do(self, line: str) -> None:
        """One line. Trouble is one line on the screen and never the end of the console."""
        try:
            words = line.split()
            if words[0] in PROMPT_WORDS:
                self._own(words[0], shlex.split(line)[1:])
                return
            for result in self.talk.say(line):
                self.console.print(result)
        except CommsHubError as trouble:
            self.console.print(f"[bold red]{escape(str(trouble))}[/]")
        except KeyboardInterrupt:
            self.console.print("[yellow]interrupted; the bench goes on[/]")
        except Exception:  # a defect of ours must not end a console with hours of bench behind it; it is shown whole
            self.console.print_exception()

    def _own(self, word: str, rest: list[str]) -> None:
        match word, rest:
            case "exit", []:
                gone = self._talks.pop()
                if isinstance(gone, AttachedTalk):
                    gone.close()
            case "python", []:
                if not isinstance(self.talk, LocalTalk):
                    raise WordError("python: the bench is in another process, expected a console that opened it itself")
                PythonPrompt(self.talk.handle, self.console).run()
            case "attach", [socket]:
                talk = AttachedTalk(Path(socket))
                talk.watch(self.console.print)
                self._talks.append(talk)
            case "attach", _:
                raise WordError("attach: expected SOCKET, the path that `chub hub run` or `chub run home` printed")
            case _:
                raise WordError(f"{word}: read {rest[0]!r} too many, expected nothing more")

    def _unfinished(self) -> bool:
        return unfinished(self._session.default_buffer.text)

    def _foot(self) -> AnyFormattedText:
        hint = self.talk.hint(self._session.default_buffer.document.text_before_cursor)
        return HTML("{}").format(hint or f"{self.talk.state()}   help  tab  ^D")


class _Completer(Completer):
    def __init__(self, prompt: Prompt) -> None:
        self._prompt = prompt

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        text = document.text_before_cursor
        begun = "" if not text or text[-1].isspace() else text.split()[-1]
        for offer in self._prompt.talk.offers(text, [Offer(word, about) for word, about in PROMPT_WORDS.items()]):
            yield Completion(offer.word, -len(begun), display_meta=offer.meaning)


def history() -> History:
    """The lines of consoles before, in ``$XDG_STATE_HOME/chub/history`` (mode 0600); kept in memory where that cannot be written."""
    base = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    path = base / "chub" / "history"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(path))
