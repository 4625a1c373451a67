"""The prompt: history, completion, hints, more than one line, and the live log above it."""

from __future__ import annotations

import os
import select
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import HTML, AnyFormattedText
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input.typeahead import get_typeahead, store_typeahead
from prompt_toolkit.keys import Keys
from prompt_toolkit.patch_stdout import patch_stdout
from rich.console import Console
from rich.markup import escape
from rich.text import Text

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
        self._screen = Lock()
        self._doing = self._interrupted = False
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
        before = signal.signal(signal.SIGINT, self._on_interrupt)
        try:
            self._run()
        finally:
            signal.signal(signal.SIGINT, before)

    def _run(self) -> None:
        self.talk.watch(self._show)
        while self._talks:
            try:
                line = self._line()
            except KeyboardInterrupt:
                continue
            except EOFError:
                line = "exit"
            if line.strip():
                self.do(line)

    def _line(self) -> str:
        """A line that was typed; what is shown meanwhile stands above it.

        Only here does the screen keep what is to be shown. While a verb runs each record goes straight to the terminal, and a bench that
        warps waits for it: a flood kept in memory would hide for minutes that Ctrl-C was heard.
        """
        self._interrupted = False
        above = patch_stdout(raw=True)
        with self._screen:
            above.__enter__()
        try:
            return self._session.prompt(f"{self.talk.name}> ", handle_sigint=False)
        finally:
            with self._screen:
                above.__exit__(None, None, None)

    def _show(self, record: Text) -> None:
        """A watched record, on the thread of its bench; not while the screen changes hands."""
        with self._screen:
            self.console.print(record)

    def do(self, line: str) -> None:
        """One line. Trouble is one line on the screen and never the end of the console."""
        try:
            self._doing = True
            self._hear_interrupt()
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
        finally:
            self._doing = False

    def _on_interrupt(self, *_: object) -> None:
        """Ctrl-C while no keys are read: it ends the line that is done, once; one that comes just before is kept for that line."""
        self._interrupted = True
        if self._doing:
            self._doing = False
            raise KeyboardInterrupt

    def _hear_interrupt(self) -> None:
        """Raises KeyboardInterrupt where Ctrl-C was pressed behind the line while the prompt still read keys: no signal comes of that.

        The keys before it go with it; what was typed ahead otherwise waits for the next prompt.
        """
        if self._interrupted:
            raise KeyboardInterrupt
        keys = get_typeahead(self._session.input)
        while select.select([self._session.input.fileno()], [], [], 0)[0]:
            with self._session.input.raw_mode():
                if not (more := self._session.input.read_keys()):
                    break
            keys += more
        pressed = [press.key for press in keys]
        if Keys.ControlC in pressed:
            store_typeahead(self._session.input, keys[len(keys) - pressed[::-1].index(Keys.ControlC) :])
            raise KeyboardInterrupt
        store_typeahead(self._session.input, keys)

    def _own(self, word: str, rest: list[str]) -> None:
        match word, rest:
            case "exit", []:
                gone = self._talks.pop()
                if isinstance(gone, AttachedTalk):
                    gone.close()
            case "python", []:
                if not isinstance(self.talk, LocalTalk):
                    raise WordError("python: the bench is in another process, expected a console that opened it itself")
                hears = signal.signal(signal.SIGINT, signal.default_int_handler)
                try:
                    PythonPrompt(self.talk.handle, self.console).run()
                finally:
                    signal.signal(signal.SIGINT, hears)
            case "attach", [socket]:
                talk = AttachedTalk(Path(socket))
                talk.watch(self._show)
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
