"""Board files: found by name, each laid over the one that it extends, and settings over all of them.

``extends = "name"`` takes another board of the same folder (or the installed ones) and changes what is written here: tables merge, arrays
and values replace. What the keys mean is a matter of :mod:`firmware_emu.board`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib import resources
from pathlib import Path

from firmware_emu.errors import BoardError, in_toml, in_words, one_of

TomlValue = str | int | float | bool | datetime | list["TomlValue"] | dict[str, "TomlValue"]


def board_folders() -> list[Path]:
    """Folders that are searched for boards by name: ``board_configs`` of the checkout, else those of the installed wheel."""
    checkout = Path(__file__).resolve().parent.parent / "board_configs"
    if checkout.is_dir():
        return [checkout]
    return [Path(str(resources.files("firmware_emu") / "_boards"))]


def board_names() -> list[str]:
    """Names that :func:`load_board` finds without a path. Files of other kinds (``ichis_*``) are profiles, not boards."""
    return sorted(path.stem for folder in board_folders() for path in folder.glob("*.toml") if not path.stem.startswith("ichis_"))


def _find(name: str, beside: Path | None, asked_in: str, key: str) -> Path:
    if name.endswith(".toml") or "/" in name:
        path = Path(name) if beside is None else beside / name
        if path.is_file():
            return path
        raise BoardError(asked_in, key, f"{path} is not there: expected a board file, or {one_of(path.stem, board_names())}")
    for folder in [*([beside] if beside else []), *board_folders()]:
        if (folder / f"{name}.toml").is_file():
            return folder / f"{name}.toml"
    raise BoardError(asked_in, key, f"no board is named {name!r}: expected a path to a .toml file, or {one_of(name, board_names())}")


def _read(path: Path) -> dict[str, TomlValue]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as wrong:
        raise BoardError(str(path), "", f"not TOML: {wrong}") from wrong
    except (OSError, UnicodeDecodeError) as wrong:
        raise BoardError(str(path), "", f"cannot be read: {in_words(wrong)}") from wrong


def _merge(below: Mapping[str, TomlValue], above: Mapping[str, TomlValue]) -> dict[str, TomlValue]:
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = _merge(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return merged


def _resolve(path: Path, seen: tuple[Path, ...] = ()) -> dict[str, TomlValue]:
    if path.resolve() in seen:
        raise BoardError(str(path), "extends", "the boards extend each other in a circle: " + " -> ".join(p.stem for p in (*seen, path)))
    table = _read(path)
    base = table.get("extends")
    if base is None:
        return table
    if not isinstance(base, str):
        raise BoardError(str(path), "extends", f"{in_toml(base)} is not the name of a board")
    below = _resolve(_find(base, path.parent, str(path), "extends"), (*seen, path.resolve()))
    return _merge(below, table)


def _set(table: dict[str, TomlValue], assignment: str) -> None:
    key, equals, text = assignment.partition("=")
    if not equals:
        raise BoardError("--set", assignment, "expected KEY=VALUE, as radio.path=/dev/ttyUSB0")
    try:
        value: TomlValue = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *parents, last = key.split(".")
    place = table
    for parent in parents:
        under = place.setdefault(parent, {})
        if not isinstance(under, dict):
            raise BoardError("--set", key, f"{parent} is not a table")
        place = under
    place[last] = value


def read_board(name: str, settings: Sequence[str]) -> tuple[Path, dict[str, TomlValue]]:
    """The file of the board of that name or path, and all that it says, with ``settings`` (``radio.path=/dev/ttyUSB0``) laid over it.

    Raises BoardError: file not there, not TOML, boards that extend each other in a circle, a setting that is none.
    """
    path = _find(name, None, "--board", "board")
    table = _resolve(path)
    for assignment in settings:
        _set(table, assignment)
    return path, table
