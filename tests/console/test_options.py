"""Options of all commands of the firmware: what a line gives is what the command's function takes, and what help tells."""

from __future__ import annotations

from tests.chub_words import commands, hidden_defaults, misfits


def test_what_a_line_gives_is_what_the_function_of_the_command_takes() -> None:
    assert [misfit for words, one in commands("firmware_emu.") for misfit in misfits(words, one)] == []


def test_help_tells_the_value_that_an_option_has_by_itself() -> None:
    assert [hidden for words, one in commands("firmware_emu.") for hidden in hidden_defaults(words, one)] == []
