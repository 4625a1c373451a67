from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_emu.errors import DecodeError
from firmware_emu.zse import clusters
from firmware_emu.zse.clusters.metering import GB_SNAPSHOT, METERING
from firmware_emu.zse.clusters.price import PRICE
from firmware_emu.zse.declare import TRAILING, Cluster, ClusterCommand, Repeat, commands, fields, number, repeat

COMMANDS = [(cluster, command) for cluster in clusters.ALL for command in (*cluster.to_server.values(), *cluster.to_client.values())]


def test_ids_and_names_are_unique_within_each_cluster() -> None:
    assert len({cluster.id for cluster in clusters.ALL}) == len(clusters.ALL) == 20
    for cluster in clusters.ALL:
        for side in (cluster.attributes, cluster.client_attributes):
            assert len({one.id for one in side}) == len({one.name for one in side}) == len(side), cluster.name


def test_the_clusters_that_need_the_link_key_are_those_of_zse_5_4_6() -> None:
    open_ones = {cluster.name for cluster in clusters.ALL if not cluster.secured}
    assert open_ones == {"Basic", "Identify", "PowerConfiguration", "Alarms", "KeyEstablishment"}


def test_every_declared_answer_is_a_command_of_the_opposite_direction() -> None:
    for cluster in clusters.ALL:
        for asking, answering in ((cluster.to_server, cluster.to_client), (cluster.to_client, cluster.to_server)):
            for command in asking.values():
                assert set(command.answered_by) <= set(answering), f"{cluster.name} {command.name}"


@given(st.sampled_from(COMMANDS), st.binary(max_size=120))
def test_any_payload_read_as_any_command_encodes_to_the_same_octets(one: tuple[Cluster, ClusterCommand], payload: bytes) -> None:
    _, command = one
    try:
        values = command.decode(payload)
    except DecodeError:
        return
    assert command.encode(values) == payload


def test_a_price_matrix_names_its_tiers() -> None:
    payload = bytes.fromhex("01000000804a371c0000000002000000000101018813000002a00f0000")
    values = PRICE.command_named("PublishPriceMatrix").decode(payload)
    assert values["event"] == 0x1C374A80
    assert values["prices"] == ({"tier_block": 1, "price": 5000}, {"tier_block": 2, "price": 4000})
    assert PRICE.command_named("PublishPriceMatrix").encode(values) == payload


def test_groups_stand_within_groups() -> None:
    head = bytes.fromhex("01000000804a371c0000000002000000000100")
    payload = head + b"\x02" + (5).to_bytes(6, "little") + (6).to_bytes(6, "little") + b"\x00"
    command = PRICE.command_named("PublishBlockThresholds")
    values = command.decode(payload)
    assert values["tiers"] == (
        {"count": 2, "thresholds": ({"threshold": 5}, {"threshold": 6})},
        {"count": 0, "thresholds": ()},
    )
    assert command.encode(values) == payload
    with pytest.raises(DecodeError, match=r"tiers\[0\]\.thresholds\[1\]\.threshold"):
        command.decode(payload[:-3])


def test_octets_after_the_declared_fields_are_kept_and_ignored() -> None:
    command = METERING.command_named("StartSamplingResponse")
    assert command.decode(b"\x01\x00later") == {"sample": 1, TRAILING: b"later"}


def test_a_gb_snapshot_has_its_counters_by_name() -> None:
    payload = (1234).to_bytes(6, "little") + b"\x01" + (7).to_bytes(6, "little") + b"\x00" + (9).to_bytes(6, "little")
    values = GB_SNAPSHOT.decode(payload)
    assert (values["summation"], values["tier_summations"], values["block_summations"]) == (1234, ({"value": 7},), ({"value": 9},))


def test_a_wrong_declaration_fails_where_it_stands() -> None:
    with pytest.raises(KeyError):
        fields("amount int20")
    with pytest.raises(ValueError, match="field declaration"):
        fields("amount int32 optional")
    with pytest.raises(ValueError, match="twice"):
        commands(ClusterCommand(1, "A"), ClusterCommand(1, "B"))


def test_a_missing_unknown_or_miscounted_field_is_named() -> None:
    command = ClusterCommand(1, "Example", fields("first uint8", repeat("pair", 2, "value uint8")))
    assert isinstance(command.layout and command.layout[1], Repeat)
    with pytest.raises(ValueError, match="first is missing"):
        command.encode({"pair": ()})
    with pytest.raises(ValueError, match="expected 2"):
        command.encode({"first": 1, "pair": ({"value": 1},)})
    with pytest.raises(ValueError, match="no field other"):
        command.encode({"first": 1, "pair": ({"value": 1}, {"value": 2}), "other": 1})


def test_names_and_ids_are_those_of_the_reference_table() -> None:
    for cluster, names in {
        0x0700: {0x0301: "standing_charge", 0x0410: "tier_1_block_1_price", 0x0440: "tier_4_block_1_price", 0x0616: "currency"},
        0x0702: {
            0x0106: "current_tier_4_summation_delivered",
            0x0703: "current_no_tier_block_4_summation_delivered",
            0x0B10: "uncontrolled_flow_threshold",
        },
        0x0705: {0x0211: "debt_amount_1", 0x0226: "debt_recovery_frequency_2", 0x0239: "debt_recovery_top_up_percentage_3"},
    }.items():
        declared = clusters.BY_ID.get(cluster)
        assert declared is not None
        for identifier, name in names.items():
            attribute = declared.attribute(identifier)
            assert attribute is not None
            assert attribute.name == name


def test_a_field_that_is_to_be_a_number_is_told_where_it_is_none() -> None:
    assert number({"count": 5, "flag": True}, "count") == 5
    for given_fields, read in (({}, "None"), ({"count": None}, "None"), ({"count": b"x"}, "b'x'"), ({"count": ()}, "()")):
        with pytest.raises(DecodeError) as refused:
            number(given_fields, "count")  # type: ignore[arg-type]
        assert str(refused.value) == f"at offset 0, count: read {read}, expected a number"
