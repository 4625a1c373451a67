"""The command ``chub``: nouns, then verbs. Each noun is an entry point of the group ``chub.nouns``, loaded when it is asked for.

Exit codes: 0 done and good; 1 done and the verdict is bad; 2 it could not be done (one line on stderr says why and what to do).
"""

from __future__ import annotations

import platform
import re
import sys
import traceback
from collections.abc import Callable
from itertools import pairwise

import click

from firmware_emu import __version__
from firmware_emu.errors import CommsHubError
from firmware_emu.extras import OpenGroup, lacking

_EMPTY = re.compile(r"--[\w-]+=")


class _Nouns(OpenGroup):
    """Loads a noun's module only when it is used, so that ``chub gbcs`` does not import a radio."""

    entries = "chub.nouns"

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse an empty word, which as a path would be this folder. Raises UsageError."""
        for before, word in pairwise(["chub", *args]):
            if not word or _EMPTY.fullmatch(word):
                raise click.UsageError(
                    f"read an empty word after {word or before}, expected a value; a variable of the shell may not be set"
                )
        return super().parse_args(ctx, args)


def _tell_version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    click.echo(f"chub, version {__version__}")
    if ctx.params["verbose"]:
        _tell_machinery()
    ctx.exit()


def _tell_machinery() -> None:
    from cryptography import __version__ as cryptography_version
    from cryptography.hazmat.backends.openssl import backend

    from firmware_emu.crypto import libcrypto
    from firmware_emu.crypto.binary_curve import SECT163K1, SECT283K1

    click.echo(f"Python {platform.python_version()} on {platform.system()} {platform.machine()}")
    click.echo(f"signatures, key agreement, ciphers: cryptography {cryptography_version} ({backend.openssl_version_text()})")
    for curve in (SECT163K1, SECT283K1):
        by = (
            f"libcrypto ({libcrypto.version()})"
            if libcrypto.group_of(curve.name)
            else "this package's own Python: no libcrypto here has it"
        )
        click.echo(f"key establishment on {curve.name}: {by}")


@click.group(cls=_Nouns, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-v", "--verbose", is_flag=True, is_eager=True, help="With --version: tell what the cryptography is computed by too.")
@click.option("--version", is_flag=True, expose_value=False, callback=_tell_version, help="Show the version and exit.")
def chub(verbose: bool) -> None:
    """A Communications Hub of GB smart metering on a bench."""


def main() -> None:
    """Run ``chub``; every expected error becomes one line and exit code 2."""
    sys.exit(exit_code(lambda: chub.main(standalone_mode=False)))


_READERS = {"json": "JSON", "tomllib": "TOML"}
"""Libraries that read a file by calling themselves, once a level, and what they read."""


def exit_code(call: Callable[[], object]) -> int:
    """Run a command, tell every expected error in one line, and return the exit code."""
    try:
        code = call()
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as wrong:
        wrong.show()
        return 2
    except click.Abort:
        return 130
    except CommsHubError as trouble:
        click.echo(f"chub: {trouble}", err=True)
        return 2
    except ModuleNotFoundError as missing:
        if (known := lacking(missing)) is None:
            raise
        click.echo(f"chub: {known}", err=True)
        return 2
    except UnicodeDecodeError as wrong:
        click.echo(f"chub: read octet 0x{wrong.object[wrong.start]:02x} at offset {wrong.start}, expected text in UTF-8", err=True)
        return 2
    except RecursionError as wrong:
        *_, (frame, _) = traceback.walk_tb(wrong.__traceback__)
        if (reader := frame.f_globals["__name__"].partition(".")[0]) not in _READERS:
            raise
        click.echo(f"chub: read {_READERS[reader]} nested deeper than it can be, expected what a program of this project writes", err=True)
        return 2
    except OSError as trouble:
        click.echo(f"chub: {trouble.filename or 'system'}: {trouble.strerror or trouble}", err=True)
        return 2
    return code if isinstance(code, int) else 0
