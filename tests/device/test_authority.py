"""Rights at the DCC and at the Device agree: no Command that the gateway lets through ends at a meter that refuses its sender."""

from __future__ import annotations

import csv
from importlib import resources

import pytest

from firmware_emu.crypto.roles import DeviceType, RemotePartyRole
from firmware_emu.device.profile import permissions
from firmware_emu.gbcs.use_cases import UseCaseKind, catalogue

ROLES = {"IS": RemotePartyRole.SUPPLIER, "ED": RemotePartyRole.NETWORK_OPERATOR}
OTHER_CODE = {
    "6.22": "events of the supplier and of the network operator are set by Commands of their own (ECS25a, ECS25b families)",
    "6.2.10": "and read by their own",
    "8.5": "the DCC sends Commands of its own",
    "6.13": "the event log of auxiliary load control has a Command for each (ECS35f, ECS35g)",
}
"""Services whose roles send different Commands."""


def services() -> dict[str, list[str]]:
    text = resources.files("hil.dcc.base").joinpath("services.csv").read_text(encoding="utf-8")
    return {row["variant"]: row["roles"].split() for row in csv.DictReader(text.splitlines())}


LATER_DEVICES = frozenset({"6.24.1"})
"""Services whose Command for a load controller's cell is for Devices that have one."""
BY_THE_DCC = frozenset({"8.7.1", "8.8.1"})
"""Which of the joins goes to a Device is the transform's choice by what it is joined with."""

COMMANDS = [
    pytest.param(case.code, variant, id=f"{case.name} {variant}")
    for case in catalogue().values()
    if case.kind is UseCaseKind.COMMAND and case.code is not None and case.critical is False and "ESME" in case.targets
    for variant in case.service_references
    if variant in services()
]


@pytest.mark.parametrize(("code", "variant"), COMMANDS)
def test_an_esme_takes_a_command_from_every_role_whose_service_it_is(code: int, variant: str) -> None:
    held = {permission.role for permission in permissions(DeviceType.ESME).get(code, ())}
    wanted = {ROLES[role] for role in services()[variant] if role in ROLES}
    assert wanted <= held or variant in OTHER_CODE


def transform_rows() -> list[dict[str, str]]:
    text = resources.files("hil.dcc.transform").joinpath("selection.csv").read_text(encoding="utf-8")
    return [row for row in csv.DictReader(text.splitlines()) if "GPF" in row["devices"].split() and row["variant"] not in LATER_DEVICES]


def test_a_gas_proxy_gets_only_services_whose_command_is_one_of_its_own() -> None:
    supported = permissions(DeviceType.GPF)
    unsupported = {f"{row['variant']} {row['use_case']}" for row in transform_rows() if int(row["message_code"], 16) not in supported}
    assert unsupported == set()
    listed = resources.files("hil.dcc.base").joinpath("services.csv").read_text(encoding="utf-8")
    open_to = {row["variant"] for row in csv.DictReader(listed.splitlines()) if "GPF" in row["device_types"].split()}
    assert open_to <= {row["variant"] for row in transform_rows()} | LATER_DEVICES | BY_THE_DCC
    assert "7.4" not in open_to
