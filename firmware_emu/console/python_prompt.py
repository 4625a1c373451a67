"""``python``: a Python prompt on the bench, where ``await`` works at the top level."""

from __future__ import annotations

import ast
import builtins
import codeop
import inspect
import traceback
from concurrent.futures import CancelledError

from prompt_toolkit import PromptSession
from prompt_toolkit.filters import Condition
from prompt_toolkit.history import InMemoryHistory
from rich.console import Console

from firmware_emu.console.bench import Bench, Handle
from firmware_emu.console.result import Result

_TOP_LEVEL_AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


class PythonPrompt:
    """Reads, runs on the bench's loop, prints. ``bench`` and each of its nouns are there by name."""

    def __init__(self, handle: Handle, console: Console) -> None:
        self._handle = handle
        self._console = console
        bench = Bench(handle)
        self.names: dict[str, object] = {"bench": bench, "Bench": Bench, "Result": Result}
        self.names |= {name: getattr(bench, name) for name in handle.core.nouns if name not in dir(builtins)}
        self._compile = codeop.CommandCompiler()
        self._compile.compiler.flags |= _TOP_LEVEL_AWAIT

    def run(self) -> None:
        """Until ``exit()`` or Ctrl-D."""
        self._console.print(f'bench, {", ".join(self._handle.core.nouns)}; await bench.dcc.read("esme")', style="dim")
        self._console.print("Ctrl-D goes back", style="dim")
        session: PromptSession[str] = PromptSession(history=InMemoryHistory(), prompt_continuation="... ")
        session.multiline = Condition(lambda: self._unfinished(session.default_buffer.text))
        while True:
            try:
                text = session.prompt(">>> ")
                if text.strip() in ("exit", "exit()", "quit()"):
                    return
                self.do(text)
            except KeyboardInterrupt:
                self._console.print("KeyboardInterrupt", style="yellow")
            except EOFError:
                return

    def do(self, text: str) -> None:
        """Run one statement; an expression's value is printed, and an error its traceback."""
        try:
            code = self._compile(text + ("\n" if "\n" in text else ""), "<console>", "single")
            if code is None:
                raise SyntaxError("the statement is not finished")
            self._handle.wait(self._run(code))
        except KeyboardInterrupt:
            raise
        except SystemExit:
            raise EOFError from None
        except CancelledError:
            self._console.print("cancelled", style="yellow")
        except Exception as trouble:  # whatever was typed: shown as Python shows it
            shown = traceback.TracebackException.from_exception(trouble, limit=-1)
            self._console.print("".join(shown.format()), style="red", markup=False, end="")

    async def _run(self, code: object) -> None:
        with self._handle.core.running():
            found = eval(code, self.names)  # type: ignore[arg-type]
            if inspect.isawaitable(found):
                await found

    def _unfinished(self, text: str) -> bool:
        if not text.strip():
            return False
        if "\n" in text and not text.endswith("\n") and not text.rpartition("\n")[2].strip():
            return False
        try:
            return self._compile(text, "<console>", "single") is None
        except (SyntaxError, ValueError, OverflowError):
            return False
