"""The columns of the terminal that somebody looks at, piped or not."""

from __future__ import annotations

import os
import sys

WITHOUT_TERMINAL = 160
"""Columns where no terminal is near: tables of a log are read by programs."""


def columns(otherwise: int = WITHOUT_TERMINAL) -> int:
    """``COLUMNS``, or those of the terminal behind standard output, error or input: a pipe in front of it does not widen it."""
    if (told := os.environ.get("COLUMNS", "")).isdecimal() and int(told):
        return int(told)
    for stream in (sys.__stdout__, sys.__stderr__, sys.__stdin__):
        try:
            if stream is not None and (found := os.get_terminal_size(stream.fileno()).columns):
                return found
        except (OSError, ValueError):
            continue
    return otherwise
