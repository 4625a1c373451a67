"""The command ``chub``: nouns, then verbs. Each noun is an entry point of the group ``chub.nouns``, loaded when it is asked for.

Exit codes: 0 done and good; 1 done and the verdict is bad; 2 it could not be done (one line on stderr says why and what to do).
"""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint, entry_points

import click

from firmware_emu import __version__
from firmware_emu.errors import CommsHubError
from firmware_emu.extras import lacking, load


class _Nouns(click.Group):
    """Loads a noun's module only when it is used, so that ``chub gbcs`` does not import a radio."""

    def _entry_points(self) -> dict[str, EntryPoint]:
        return {entry.name: entry for entry in entry_points(group="chub.nouns")}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *self._entry_points()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        known = super().get_command(ctx, cmd_name)
        if known is not None:
            return known
        entry = self._entry_points().get(cmd_name)
        if entry is None:
            return None
        command = load(entry)
        assert isinstance(command, click.Command), f"{entry.value} is not a click command"
        return command


@click.group(cls=_Nouns, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="chub")
def chub() -> None:
    """A Communications Hub of GB smart metering on a bench."""


def main() -> None:
    """Run ``chub``; every expected error becomes one line and exit code 2."""
    try:
        code = chub.main(standalone_mode=False)
    except click.exceptions.Exit as leaving:
        sys.exit(leaving.exit_code)
    except click.ClickException as wrong:
        wrong.show()
        sys.exit(2)
    except click.Abort:
        sys.exit(130)
    except CommsHubError as trouble:
        click.echo(f"chub: {trouble}", err=True)
        sys.exit(2)
    except ModuleNotFoundError as missing:
        if (known := lacking(missing)) is None:
            raise
        click.echo(f"chub: {known}", err=True)
        sys.exit(2)
    except OSError as trouble:
        click.echo(f"chub: {trouble.filename or 'system'}: {trouble.strerror or trouble}", err=True)
        sys.exit(2)
    sys.exit(code if isinstance(code, int) else 0)
