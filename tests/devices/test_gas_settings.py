"""Writing then reading gives the value back for everything that can be set on a gas meter, by Commands of the catalogue alone."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import pytest

from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import CellUsage
from firmware_emu.gbcs.gbz import Component
from firmware_emu.gbcs.use_cases import CATALOGUE, GbzItem, by_code
from firmware_emu.gbcs.utrn import make_utrn
from firmware_emu.zse import clusters
from firmware_emu.zse.declare import ClusterCommand, Field, FieldValue, Layout, Repeat
from firmware_emu.zse.zcl import ZclStatus, decode_read_response, encode_attribute_ids
from tests.devices.device_home import NETWORK_OPERATOR, SUPPLIER
from tests.devices.gas_bench import GSME, GasBench

Json: TypeAlias = "str | int | list[Json] | dict[str, Json]"
TABLE = tomllib.loads(Path(__file__).with_name("gas_settings.toml").read_text(encoding="utf-8"))
NOTHING: dict[str, str | bytes] = {"string": "", "date": bytes(4), "octets": b""}
START_SAMPLING, TOP_UP, READ_NON_DISABLEMENT = 0x0080, 0x0097, 0x00B5
TO_ITSELF = {0x0090, 0x009B}
"""PCS02 and PCS01: what a PPMID sends, as GCS06 and CS01b."""


def command_of(item: GbzItem) -> ClusterCommand:
    cluster = clusters.BY_ID.get(item.cluster)
    assert cluster is not None
    command = cluster.command(item.command, to_client=bool(item.frame_control & 0x08))
    assert command is not None
    return command


def leaves(layout: Layout | None, prefix: str = "") -> Iterator[str]:
    """Names of the fields, those of groups with the group's."""
    for item in layout or ():
        if isinstance(item, Repeat):
            yield from leaves(item.fields, f"{prefix}{item.name}.")
        else:
            yield prefix + item.name


def names(fields: Json, prefix: str = "") -> Iterator[str]:
    """The same of a table of values."""
    for name, value in fields.items() if isinstance(fields, dict) else ():
        if isinstance(value, list):
            for one in value:
                yield from names(one, f"{prefix}{name}.")
        else:
            yield prefix + name


def settable() -> set[tuple[str, str, str]]:
    """Use case, command and field of everything that is written by Commands of the catalogue."""
    found = set()
    for use_case in CATALOGUE.values():
        if use_case.code is None or use_case.code in TO_ITSELF:
            continue
        for item in (item for form in use_case.gbz_lists for item in form.items):
            if item.frame_control & 0x03 and not command_of(item).name.startswith("Get"):
                key = f"{item.cluster:04x}/{item.command:02x}"
                found |= {(f"{use_case.code:04x}", key, name) for name in leaves(command_of(item).layout)}
    return found


def test_every_field_that_a_command_sets_has_a_case_or_a_reason() -> None:
    everything = settable()
    assert len(everything) > 200
    listed = {(code, case["command"], name) for case in TABLE["case"] for code in case["codes"] for name in names(case["set"])}
    excused = {
        (code, command, name)
        for code, command, name in everything
        for row in TABLE["unread"]
        if command in row["commands"] and name in row["fields"] and row["why"]
    }
    assert everything - listed - excused == set()
    assert listed - everything == set()
    for row in TABLE["unread"]:
        assert all(any((command, name) == key[1:] for key in everything) for command in row["commands"][:1] for name in row["fields"][:1])


def value(given: Json, part: Field) -> FieldValue:
    if isinstance(given, str):
        if part.type.name == "string":
            return given
        return bytes.fromhex(given[1:]) if given.startswith("x") else given.encode()
    assert isinstance(given, int)
    return given


def filled(layout: Layout | None, given: Mapping[str, Json]) -> dict[str, FieldValue]:
    """Every field: as given, else nothing."""
    fields: dict[str, FieldValue] = {}
    for item in layout or ():
        if isinstance(item, Repeat):
            groups = given.get(item.name, [{}] * item.count if isinstance(item.count, int) else [])
            assert isinstance(groups, list)
            fields[item.name] = tuple(filled(item.fields, one) for one in groups if isinstance(one, dict))
        elif item.name in given:
            fields[item.name] = value(given[item.name], item)
        else:
            fields[item.name] = NOTHING.get(item.type.name, 0)
    return fields


def components(code: int, command: str, given: Mapping[str, Json], nth: int = 0, variant: str = "") -> list[Component]:
    """The components of a use case, its ``nth`` of this command with the fields given."""
    forms = [form for form in by_code(code).gbz_lists if not variant or form.variant == variant]
    form = next(form for form in forms if not command or command in {f"{item.cluster:04x}/{item.command:02x}" for item in form.items})
    found = []
    for item in form.items:
        time = 0 if item.from_date_time else None
        if not item.frame_control & 0x03:
            found.append(Component(item.cluster, item.frame_control, 0, item.command, encode_attribute_ids(item.attributes), time))
            continue
        declared = command_of(item)
        mine = command == f"{item.cluster:04x}/{item.command:02x}"
        fields: dict[str, Json] = dict(WANTED.get((item.cluster, item.command), {}))
        if code == READ_NON_DISABLEMENT and "calendar" in fields:
            fields["calendar"] = 0xFFFFFFFE
        if mine:
            if nth == 0:
                fields |= given
            nth -= 1
        if declared.name == "ChangeDebt" and not (mine and nth == -1):
            fields["amount_type"] = 1
        found.append(Component(item.cluster, item.frame_control, 0, item.command, declared.encode(filled(declared.layout, fields)), time))
    return found


WANTED: dict[tuple[int, int], dict[str, Json]] = {
    (0x0707, 0x01): {"calendar": 0xFFFFFFFF},
    (0x0707, 0x02): {"calendar": 0xFFFFFFFF},
    (0x0707, 0x03): {"calendar": 0xFFFFFFFF},
    (0x0707, 0x04): {"calendar": 0xFFFFFFFF},
    (0x0705, 0x08): {"latest_end": 0xFFFFFFFE, "count": 5},
}
"""Arguments of the catalogue's reads: the calendar in force, every top-up."""


def write(bench: GasBench, code: int, parts: list[Component]) -> None:
    originator = NETWORK_OPERATOR if code == START_SAMPLING else SUPPLIER
    for part in bench.ask(code, parts, originator):
        assert part.command != 0x0B or part.payload[1] == ZclStatus.SUCCESS, f"{part.cluster:04x}: {part.payload.hex()}"


def first_command(code: int) -> str:
    return next(f"{item.cluster:04x}/{item.command:02x}" for item in by_code(code).gbz_lists[0].items if item.frame_control & 0x03)


def cases() -> list[tuple[str, dict[str, Json]]]:
    return [(code, case) for case in TABLE["case"] for code in case["codes"]]


def only(code: int, command: str, given: Mapping[str, Json], nth: int, variant: str) -> list[Component]:
    """The components of a Command that sets one thing: the others of its list, which would set something else too, are left out."""
    kept = [part for part in components(code, command, given, nth, variant) if f"{part.cluster:04x}/{part.command:02x}" == command]
    return [kept[nth]]


@pytest.mark.parametrize(("code", "case"), cases(), ids=lambda one: one if isinstance(one, str) else f"{one['command']}-{one['read']}")
def test_what_is_set_is_read_back(device_pki: Keystore, code: str, case: dict[str, Json]) -> None:
    bench = GasBench(device_pki)
    number, command, given, nth = int(code, 16), str(case["command"]), case["set"], case.get("nth", 0)
    assert isinstance(given, dict)
    assert isinstance(nth, int)
    before = case.get("before")
    if isinstance(before, dict):
        first = int(str(before.get("code", code)), 16)
        assert isinstance(before["set"], dict)
        write(bench, first, only(first, str(before["command"]), before["set"], 0, ""))
    if number == TOP_UP:
        z = device_pki.shared_secret(SUPPLIER, GSME, CellUsage.PREPAYMENT_TOP_UP)
        counter = bench.counter + (1 << 32)
        given = given | {"code": make_utrn(z, supplier=SUPPLIER, meter=GSME, counter=counter, value=12)}
    bench.gsme.gbcs.log(0x8145)
    written = only(number, command, given, nth, str(case.get("variant", "")))
    write(bench, number, written)
    bench.go(float(str(case.get("after_s", 1))))
    bench.build()
    reader = int(str(case["read"]), 16)
    read_set = case.get("read_set", {})
    assert isinstance(read_set, dict)
    answers = bench.ask(reader, components(reader, first_command(reader) if read_set else "", read_set))
    expected = case["expect"]
    if expected == "payload":
        assert written[0].payload in [part.payload for part in answers if part.cluster == written[0].cluster]
    elif expected == "nothing from before":
        codes = [part.payload for part in answers]
        assert not any(b"\x45\x81" in payload for payload in codes)
    else:
        assert isinstance(expected, dict)
        compare(answers, expected, str(given.get("code", "")))


def compare(answers: list[Component], expected: Mapping[str, Json], token: str) -> None:
    """Attributes and fields of the answers, by the names of the table."""
    attributes: dict[str, object] = {}
    fields: dict[str, list[object]] = {}
    for part in answers:
        if part.profile_wide and part.command == 0x01:
            attributes |= {f"{part.cluster:04x}.{one.attribute:04x}": one.value for one in decode_read_response(part.payload)}
        elif not part.profile_wide:
            flat(f"{part.cluster:04x}/{part.command:02x}.", decoded(part), fields)
    for name, wanted in expected.items():
        told = token.encode() if wanted == "the token" else wanted
        if isinstance(told, str):
            told = bytes.fromhex(told[1:])
        assert told == attributes[name] if name in attributes else told in fields.get(name, []), f"{name}: {attributes} {fields}"


def decoded(part: Component) -> Mapping[str, FieldValue]:
    cluster = clusters.BY_ID.get(part.cluster)
    assert cluster is not None
    declared = cluster.command(part.command, to_client=part.from_server)
    assert declared is not None
    return declared.decode(part.payload)


def flat(prefix: str, given: Mapping[str, FieldValue], into: dict[str, list[object]]) -> None:
    for name, one in given.items():
        if isinstance(one, tuple):
            for group in one:
                flat(prefix, group, into)
        else:
            into.setdefault(prefix + name, []).append(one)
