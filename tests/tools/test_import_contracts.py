"""The import contracts of pyproject.toml hold, and one import turned round breaks the one that forbids it."""

from __future__ import annotations

from copy import deepcopy

import pytest
from grimp import ImportGraph, build_graph
from importlinter import api
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.layers import LayersContract

KINDS = {"layers": LayersContract, "forbidden": ForbiddenContract}


@pytest.fixture(scope="module")
def graph() -> ImportGraph:
    return build_graph("firmware_emu", "ichis", "hil", include_external_packages=False)


def broken(graph: ImportGraph) -> set[str]:
    """The names of the contracts that do not hold."""
    options = api.read_configuration()
    found = set()
    for one in options["contracts_options"]:
        contract = KINDS[one["type"]](one["name"], options["session_options"], one)
        if not contract.check(deepcopy(graph), verbose=False).kept:
            found.add(one["name"])
    return found


def test_every_contract_holds(graph: ImportGraph) -> None:
    assert broken(graph) == set()


@pytest.mark.parametrize(
    ("lower", "upper", "contract"),
    [
        ("hil.radio.air.air", "hil.bench.home", "the rig is a house of floors"),
        ("hil.dcc.dcc", "hil.devices.esme.esme", "the rig is a house of floors"),
        ("hil.sec.demand.demand", "hil.ssi.views", "the rig is a house of floors"),
        ("hil.bench.home", "hil.journeys.demo", "the rig is a house of floors"),
        ("hil.journeys.demo", "hil.commands.run", "nothing imports the commands"),
        ("hil.dcc.gateway.gateway", "hil.dcc.answers.answers", "the DCC is a path with one direction"),
        ("hil.dcc.base.requests", "hil.dcc.gateway.arrival", "the DCC is a path with one direction"),
        ("hil.parse_correlate.correlate", "hil.dcc.transform", "parse and correlate stand apart"),
        ("hil.dcc.gateway.gateway", "hil.dcc.parties.cos_party", "the main DCC systems cannot reach the CoS Party's signing"),
        ("firmware_emu.gbcs.envelope", "firmware_emu.hub.hub", "imports point one way"),
        ("firmware_emu.hub.hub", "hil.bench.home", "the firmware knows neither the rig nor the jig"),
        ("ichis.connector", "firmware_emu.gbcs.envelope", "ichis knows volts and pins only"),
    ],
)
def test_one_import_turned_round_is_found(graph: ImportGraph, lower: str, upper: str, contract: str) -> None:
    assert lower in graph.modules
    assert upper in graph.modules
    turned = deepcopy(graph)
    turned.add_import(importer=lower, imported=upper)
    assert contract in broken(turned)
