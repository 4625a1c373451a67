"""``chub device``: what the emulated Devices answer."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from firmware_emu.crypto.keystore import Keystore
from hil.coverage.check import CoverageReport
from hil.coverage.check import run as check_coverage
from hil.coverage.hollow import hollow

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group()
def device() -> None:
    """Emulated Devices."""


@device.command()
@click.option("--templates", type=_FOLDER, required=True, help="Folder of DUIS requests.")
@click.option("--rtds", type=_FOLDER, required=True, help="Folder of reference messages.")
@click.option("--keys", type=click.Path(exists=True, path_type=Path), help="Keystore that opens what is encrypted in reference responses.")
@click.option("--every-command", is_flag=True, help="Send the reference commands without a request too, errors among them.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def coverage(templates: Path, rtds: Path, keys: Path | None, every_command: bool, as_json: bool) -> None:
    """Send each request to an emulated Device and compare the shape of its answer with the reference response of the same stem.

    The identities get a generated PKI. Without --keys, a folder "keys" in the folder of reference messages or beside it is used.
    """
    found = keys or next((place for place in (rtds / "keys", rtds.parent / "keys") if place.is_dir()), None)
    report = check_coverage(templates, rtds, keys=None if found is None else Keystore.load(found), every_command=every_command)
    click.echo(json.dumps(asdict(report), indent=1) if as_json else _text(report))
    if report.answered < report.use_cases or report.differ:
        raise SystemExit(1)


@device.command()
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def lint(as_json: bool) -> None:
    """Look for hollow places in the Devices: objects that can be set and that no code names, events that are routed and never raised.

    A place that is excused is told with its reason; one that is not, and an excuse that is needed no longer, make the exit status 1.
    """
    places = hollow()
    if as_json:
        click.echo(json.dumps([asdict(place) for place in places], indent=1))
    else:
        for place in places:
            click.echo(f"{place.kind:8} {place.what:16} {place.excuse or 'NOT EXCUSED'}")
    if any(not place.excuse for place in places):
        raise SystemExit(1)


def _text(report: CoverageReport) -> str:
    lines = [f"{report.use_cases} use cases, {report.answered} answered, {report.same_shape} of the reference's shape"]
    if report.sealed_references:
        lines[0] += f", {len(report.sealed_references)} sealed in the reference (--keys opens them), of its shape in what can be read"
    for one in report.differ:
        lines += [f"{one.stem}: {one.why}", f"    expected {one.expected}", f"    got      {one.got or 'no answer'}"]
    lines.append(f"{report.without_reference} requests without a reference response, {report.without_reference_answered} answered")
    lines += [f"{one.stem}: {one.why}" for one in report.without_reference_unanswered]
    if report.other_exchanges:
        lines.append(
            f"{report.other_exchanges} reference commands without a request, {report.other_exchanges_answered} answered, "
            f"{report.other_exchanges_same_shape} of the reference's shape"
        )
        for one in report.other_exchanges_differ:
            lines += [f"{one.stem}: {one.why}", f"    expected {one.expected}", f"    got      {one.got or 'no answer'}"]
    return "\n".join(lines)
