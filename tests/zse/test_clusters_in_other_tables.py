"""The declared clusters beside the tables of zigpy and of the field's parser: numbers, names, types, and which command answers which."""

from __future__ import annotations

import re

import pytest
import zigpy.zcl.clusters  # noqa: F401 (it registers them)
from zigpy.zcl import Cluster as ZigpyCluster

from firmware_emu.zse import clusters
from firmware_emu.zse.declare import Cluster
from tests.source_numbers import rows_of

OTHER_NAMES = {
    ("0702", "0608"): "supply_depletion_state",
    ("0702", "0b11"): "uncontrolled_flow_threshold_unit",
    ("0705", "0211"): "debt_amount_1",
    ("0705", "0221"): "debt_amount_2",
    ("0705", "0231"): "debt_amount_3",
}
"""Attributes that the parser calls otherwise."""


def test_an_attribute_that_the_parser_names_has_its_number_and_its_name() -> None:
    wrong = []
    for row in rows_of("hil.parse_correlate.names", "zcl.csv"):
        if row["kind"] == "attribute":
            cluster = clusters.BY_ID[int(row["cluster"], 16)]
            declared = cluster.attribute(int(row["id"], 16))
            name = OTHER_NAMES.get((row["cluster"], row["id"]), row["name"].lower().replace(" ", "_").replace("-", "_"))
            if declared is None or declared.name != name:
                wrong.append((row["cluster"], row["id"], row["name"]))
    assert wrong == []


def words(name: str) -> str:
    """A name without the ways in which the two spell it."""
    spelt = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower().replace("_", "")
    for ours, theirs in (
        ("summation", "summ"),
        ("centre", "center"),
        ("attributereporting", "reporting"),
        ("application", "app"),
        ("manufacturername", "manufacturer"),
        ("modelidentifier", "model"),
        ("description", "desc"),
        ("environment", "env"),
        ("tckeepalive", "keepalive"),
        ("identifier", "id"),
        ("notificationflags", "notificationflag"),
        ("dailyfreezetime", "dft"),
        ("carrier", "carr"),
        ("generic", "gen"),
        ("partialprofileinterval", "curpartprofileint"),
        ("iambient", "ambient"),
        ("lifeindays", "lifedays"),
        ("current", "cur"),
    ):
        spelt = spelt.replace(ours, theirs)
    return re.sub("^(billtodate.*)delivered$", r"\1", spelt.removesuffix("request"))


ZIGPYS = [clusters.BY_ID[number] for number in (0x0000, 0x0001, 0x0003, 0x0009, 0x000A, 0x0015, 0x0019, 0x0025, 0x0702)]
"""Clusters that zigpy declares; of the others of Smart Energy it has the number alone."""


@pytest.mark.parametrize("cluster", ZIGPYS, ids=lambda cluster: cluster.name)
def test_attributes_and_commands_have_the_numbers_that_zigpy_gives_their_names(cluster: Cluster) -> None:
    theirs = ZigpyCluster._registry[cluster.id]
    named = {int(one.id): words(one.name) for one in theirs.AttributeDefs}
    ours = {one.id: words(one.name) for one in cluster.attributes if one.id in named}
    assert ours == {number: named[number] for number in ours}
    for declared, defined in ((cluster.to_server, theirs.ServerCommandDefs), (cluster.to_client, theirs.ClientCommandDefs)):
        commands = {int(one.id): words(one.name) for one in defined}
        assert {number: words(one.name) for number, one in declared.items() if number in commands} == {
            number: commands[number] for number in declared if number in commands
        }
        assert set(declared) <= set(commands) or cluster.id == 0x0000


@pytest.mark.parametrize("cluster", ZIGPYS, ids=lambda cluster: cluster.name)
def test_attributes_have_the_types_that_zigpy_gives_them(cluster: Cluster) -> None:
    theirs = {int(one.id): int(one.zcl_type) for one in ZigpyCluster._registry[cluster.id].AttributeDefs}
    ours = {one.id: one.type.identifier for one in cluster.attributes if one.id in theirs}
    assert {hex(number): (hex(kind), hex(theirs[number])) for number, kind in ours.items() if theirs[number] != kind} == {}


ANSWERS = {
    "GetCurrentPrice": ["PublishPrice"],
    "GetScheduledPrices": ["PublishPrice"],
    "GetTariffCancellation": ["CancelTariff"],
    "GetScheduledEvents": ["LoadControlEvent"],
    "GetSampledData": ["GetSampledDataResponse"],
    "GetProfile": ["GetProfileResponse"],
    "GetAlarm": ["GetAlarmResponse"],
    "ChangeSupply": ["SupplyStatusResponse"],
    "RemoveMirror": ["MirrorRemoved"],
    "GetLastMessage": ["DisplayMessage", "DisplayProtectedMessage"],
    "GetMessageCancellation": ["CancelAllMessages"],
    "ImagePageRequest": ["ImageBlockResponse"],
    "TransferDataClient": ["TransferDataErrorServer"],
    "TransferDataServer": ["TransferDataErrorClient"],
    "GetSupportedTunnelProtocols": ["SupportedTunnelProtocolsResponse"],
    "GetDebtRepaymentLog": ["PublishDebtLog"],
    "ManageEvent": ["ReportEventStatus"],
    "GetCalendarCancellation": ["CancelCalendar"],
    "GetSiteId": ["UpdateSiteId"],
    "GetCin": ["UpdateCin"],
    "GetEventConfiguration": ["ReportEventConfiguration"],
    "GetSuspendZclMessagesStatus": ["SuspendZclMessages"],
    **{
        f"{name}Request": [f"{name}Response", "TerminateKeyEstablishment"]
        for name in ("InitiateKeyEstablishment", "EphemeralData", "ConfirmKeyData")
    },
}
"""Answers that are called otherwise than the rule has it."""


def answer_of(name: str) -> list[str]:
    """Get X is answered by Publish X, X Request by X Response, and any other X by X Response."""
    if name in ANSWERS:
        return ANSWERS[name]
    if name.startswith("Get"):
        return ["Publish" + name.removeprefix("Get")]
    return [name.removesuffix("Request") + "Response"]


def test_a_command_is_answered_by_the_one_of_its_name() -> None:
    """ZCL and Smart Energy name them so, save those of the table."""
    met = set()
    for cluster in clusters.ALL:
        for asking, answering in ((cluster.to_server, cluster.to_client), (cluster.to_client, cluster.to_server)):
            for command in asking.values():
                if command.answered_by:
                    told = [answering[number].name for number in command.answered_by]
                    expected = answer_of(command.name)
                    plural = [name.removesuffix("s") for name in expected]
                    assert told in (expected, plural), f"{cluster.name} {command.name}"
                    met.add(command.name)
    assert set(ANSWERS) <= met
    assert len(met) > 60
