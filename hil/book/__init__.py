"""The book: numbered behaviours of the Devices and the hub, each with its clause, as data, and what plays them at the console."""

from __future__ import annotations

from hil.book.play import BookFinding, Report, play, play_with
from hil.book.rows import BookError, BookRow, load_book

__all__ = ["BookError", "BookFinding", "BookRow", "Report", "load_book", "play", "play_with"]
