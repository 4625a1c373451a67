"""Each element of MMC holds the datum that the mapping of SMETS gives it, told by reference responses whose values are their places.

``places.csv`` was made from the reference responses and held against the mapping of SMETS to COSEM and ZCL: by hand for what stands in
structures, tables and logs, by the last two tests for whatever one attribute holds.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from hil.parse_correlate import KeyFolder, parse
from tests.parse_correlate.numbered import CONTENTS, ITEM, OPENED, numbered, shown

_REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference"
_ROWS = list(csv.DictReader(Path(__file__).with_name("places.csv").read_text(encoding="utf-8").splitlines()))
_ALIASES = {"avg": "average", "maxdemand": "maximumdemand", "registers": "register", "mprn": "meterpointreferencenumber"}
_NAMED_OTHERWISE = {
    "MaxDemandActiveEnergyExport/Value": "MaximumDemandActivePowerExportValue",
    "MaxDemandConfigurableTimeActivePowerImport/Value": "MaximumDemand(ConfigurableTime)ActivePowerImportValue",
    "CreditMaxCreditThreshold": "PrepaymentCredit(MaximumCreditThreshold)",
    "MaxCreditMaxMeterBalance": "PrepaymentCredit(MaxMeterBalance)",
    "TimeDebtRegister1": "TimeDebtRegisters[1]",
    "TimeDebtRegister2": "TimeDebtRegisters[2]",
    "FlowStabilisationPeriod": "UncontrolledGasFlowRate: stabilisationPeriod",
    "FlowMeasurementPeriod": "UncontrolledGasFlowRate: measurementPeriod",
    "Gas/MeterBalancePrepaymentMode": "MeterBalance: valuePrepaymentMode",
}
"""Elements that the schema names otherwise than SMETS does."""


def plain(name: str) -> str:
    found = re.sub(r"[^a-z0-9]", "", name.lower())
    for short, long in _ALIASES.items():
        found = found.replace(short, long)
    return found


@pytest.fixture(scope="module")
def keys(rtds: Path) -> KeyFolder:
    return KeyFolder.load(rtds / "keys")


@pytest.mark.parametrize("response", sorted({row["response"] for row in _ROWS}))
def test_an_element_holds_the_datum_of_its_place(rtds: Path, keys: KeyFolder, response: str) -> None:
    file = next(rtds.rglob(f"{response}_RESPONSE_GBCS.HEX"))
    parsed = parse(bytes.fromhex(file.read_text().strip()), keys)
    expected = [(row["element"], row["value"]) for row in _ROWS if row["response"] == response]
    assert shown(CONTENTS[parsed.use_case](numbered(parsed))) == expected


def reference(name: str) -> list[dict[str, str]]:
    if not _REFERENCE.is_dir():
        pytest.skip("no reference facts: ../shared/reference is not here")
    return list(csv.DictReader((_REFERENCE / name).read_text(encoding="utf-8").splitlines()))


def of_mapping(element: str, items: list[str]) -> bool:
    wanted = _NAMED_OTHERWISE.get(element) or element.removesuffix("/Value").rpartition("/")[2]
    return any(plain(re.sub(r"\[.*", "", wanted) if wanted == element else wanted) in plain(item) for item in items)


def test_an_element_of_electricity_is_read_from_the_object_that_smets_maps_to_it() -> None:
    mapped: dict[tuple[str, str, str], list[str]] = {}
    for row in reference("smets-mapping.csv"):
        member = row["dlms_attr_or_method__zcl_command"].removeprefix("A ")
        mapped.setdefault((row["dlms_class_or_zcl_cluster"].removeprefix("class "), row["obis"], member), []).append(row["item"])
    read = {
        (row["use_case"], row["index"]): (row["class_id"], row["obis"], row["attribute_or_method"]) for row in reference("dlms-access.csv")
    }
    checked = 0
    for row in _ROWS:
        number = int(row["value"]) if re.fullmatch("0|[1-9][0-9]*", row["value"]) else OPENED
        place = read.get((row["response"].partition("_")[0], str(number // ITEM)))
        if number % ITEM or number >= OPENED or place not in mapped or row["element"].endswith(("Phase", "Day", "]")):
            continue
        assert of_mapping(row["element"], mapped[place]), (row, place, mapped[place])
        checked += 1
    assert checked > 30, "the objects of scalar elements"


def test_an_element_of_gas_is_read_from_the_attribute_that_smets_maps_to_it() -> None:
    mapped: dict[int, list[str]] = {}
    for row in reference("smets-mapping.csv"):
        if row["protocol"] == "GBZ":
            for identifier in re.findall(r"0x([0-9A-Fa-f]{4})", row["constant_or_attribute"]):
                mapped.setdefault(int(identifier, 16), []).append(row["item"])
    checked = 0
    for row in _ROWS:
        if (
            row["response"].startswith(("GCS14_", "GCS21b_", "GCS60", "GCS21a_"))
            and row["value"].isdecimal()
            and "/" not in row["element"][4:]
        ):
            items = mapped.get(int(row["value"]))
            if items is not None:
                assert of_mapping(row["element"], items), (row, items)
                checked += 1
    assert checked > 14, "the attributes of scalar elements"
