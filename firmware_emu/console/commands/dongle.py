"""The network in a hub's dongle: saved, written back, moved to another dongle; and what a hub may do at a stranger's."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from firmware_emu import extensions
from firmware_emu.clock import Clock
from firmware_emu.errors import NotAvailable
from firmware_emu.extras import Choice
from firmware_emu.han.custody import Backup, Custody, DongleContent, read_file, write_file
from firmware_emu.han.zigpy_radio import ZigpyRadio
from firmware_emu.ids import Eui64
from firmware_emu.trace import Trace

F = TypeVar("F", bound=Callable[..., Any])


def custody_options(command: F) -> F:
    """``--take-over`` and ``--restore`` for a command that takes ``settings``: they are laid over the board."""

    @functools.wraps(command)
    def with_custody(*args: Any, take_over: bool, restore: bool, settings: tuple[str, ...], **others: Any) -> Any:
        if take_over and restore:
            raise click.UsageError("--take-over and --restore exclude each other")
        chosen = Custody.TAKE_OVER if take_over else Custody.RESTORE if restore else None
        more = () if chosen is None else (f"radio.custody={chosen.value}",)
        return command(*args, settings=(*settings, *more), **others)

    for name, what in (
        ("--restore", "another dongle: save a backup of it, write the hub's own network into it"),
        ("--take-over", "a dongle that holds another network: save a backup of it, form the hub's own"),
    ):
        with_custody = click.option(name, is_flag=True, help=what)(with_custody)
    return with_custody  # type: ignore[return-value]  # the same function with two options more


_FAMILIES = extensions.names(extensions.RADIO)
_KIND = click.option(
    "--kind",
    type=Choice(_FAMILIES),
    default="ezsp",
    show_default=True,
    help="family of the dongle's firmware",
)
_BAUD = click.option("--baudrate", type=int, default=115200, show_default=True)
_JSON = click.option("--json", "as_json", is_flag=True, help="one JSON object")
_OWN = click.option("--own-eui", is_flag=True, help="leave the dongle its own EUI-64: its Devices have to rejoin")
_BEFORE = click.option(
    "--backups", type=click.Path(file_okay=False, path_type=Path), default=Path("backups"), show_default=True, help="folder of backups"
)


def _radio(path: str, kind: str, baudrate: int, clock: Clock, backups: Path | None = None) -> ZigpyRadio:
    return ZigpyRadio(path, kind=kind, baudrate=baudrate, clock=clock, trace=Trace(clock.now), watchdog_s=0, backups=backups)


def _described(backup: Backup) -> dict[str, object]:
    """Description of a backup, without its keys."""
    devices = backup.get("devices")
    return {
        "dongle": backup.get("coordinator_ieee"),
        "extended_pan_id": backup.get("extended_pan_id"),
        "pan_id": backup.get("pan_id"),
        "channel": backup.get("channel"),
        "devices": len(devices) if isinstance(devices, list) else 0,
    }


def _say(told: dict[str, object], as_json: bool) -> None:
    click.echo(json.dumps(told) if as_json else "  ".join(f"{name} {value}" for name, value in told.items() if value is not None))


@click.command("backup")
@click.argument("radio")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_KIND
@_BAUD
@_JSON
def backup(radio: str, file: Path, kind: str, baudrate: int, as_json: bool) -> None:
    """Save the network of the dongle at RADIO in FILE (open coordinator backup; it holds keys). The dongle is left as it was."""
    clock = Clock()

    async def save() -> Backup:
        dongle = _radio(radio, kind, baudrate, clock)
        try:
            await dongle.start()
            saved = await dongle.backup()
            await dongle.silence()
            return saved
        finally:
            await dongle.stop()

    saved = clock.run(save())
    write_file(saved, file)
    _say({**_described(saved), "file": str(file)}, as_json)


@click.command("restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("radio")
@_KIND
@_BAUD
@_OWN
@_BEFORE
@_JSON
def restore(file: Path, radio: str, kind: str, baudrate: int, own_eui: bool, backups: Path, as_json: bool) -> None:
    """Write the network of FILE into the dongle at RADIO, with its EUI-64. What the dongle holds is saved first."""
    clock, wanted = Clock(), read_file(file)
    _say(clock.run(_restored(wanted, _radio(radio, kind, baudrate, clock, backups), own_eui)), as_json)


async def _restored(wanted: Backup, dongle: ZigpyRadio, own_eui: bool) -> dict[str, object]:
    try:
        await dongle.start()
        held = await dongle.held()
        before = str(await dongle.save_backup()) if held.network is not None and held.coordinator else None
        await dongle.restore(wanted, own_eui64=own_eui)
        now = await dongle.held()
        await dongle.silence()
        return {**_described(wanted), "dongle": str(now.dongle), "saved_before": before}
    finally:
        await dongle.stop()


@click.command("migrate")
@click.argument("old")
@click.argument("new")
@_KIND
@click.option("--new-kind", type=Choice(_FAMILIES), default=None, help="family of NEW, where it is another one")
@_BAUD
@_OWN
@_BEFORE
@_JSON
def migrate(old: str, new: str, kind: str, new_kind: str | None, baudrate: int, own_eui: bool, backups: Path, as_json: bool) -> None:
    """Move the network of the dongle at OLD to the one at NEW, with its EUI-64. Both are saved first; take OLD away afterwards."""
    clock = Clock()
    first = _radio(old, kind, baudrate, clock, backups)
    second = _radio(new, new_kind or kind, baudrate, clock, backups)
    _say(clock.run(move(first, second, own_eui)), as_json)


async def move(first: ZigpyRadio, second: ZigpyRadio, own_eui: bool = False) -> dict[str, object]:
    """Move the network of ``first`` to ``second`` (neither is open); both are saved first and left silent.

    Raises NotAvailable where ``first`` is no coordinator, RadioError where ``second`` cannot take it.
    """
    try:
        await first.start()
        held: DongleContent = await first.held()
        if held.network is None or not held.coordinator:
            raise NotAvailable(f"a network in the dongle at {first.path}", "it is no coordinator: name the dongle that the hub ran on")
        file = await first.save_backup()
        await first.silence()
    finally:
        await first.stop()
    taken = read_file(file)
    moved = await _restored(taken, second, own_eui)
    return {**moved, "backup": str(file), "same_eui": moved["dongle"] == str(_eui(taken))}


def _eui(backup: Backup) -> Eui64:
    return Eui64.parse(str(backup["coordinator_ieee"]))
