"""``explain`` against octets of every layer: each octet with its field, its value and what it stands for (explained.txt)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_emu.console.layers import LayerKnowledge, explain_any
from firmware_emu.errors import DecodeError
from firmware_emu.gbcs.tree import TreeNode


def _cases() -> dict[str, tuple[str, list[str]]]:
    """The question and the lines that are told, by what the octets are."""
    text = Path(__file__).with_name("explained.txt").read_text(encoding="utf-8")
    found = {}
    for section in text.split("\n# ")[1:]:
        about, asked, *told = section.rstrip().splitlines()
        found[about] = (asked.removeprefix("> "), told)
    return found


CASES = _cases()


def _lines(nodes: tuple[TreeNode, ...], depth: int = 0) -> Iterator[str]:
    for node in nodes:
        words = " | ".join((node.field, node.value, node.meaning)).rstrip(" |")
        yield f"{'  ' * depth}{node.offset} {node.octets.hex() or '-'} {words}"
        yield from _lines(node.children, depth + 1)
        if node.decrypted:
            yield f"{'  ' * depth}= decrypted"
            yield from _lines(node.decrypted, depth + 1)


@pytest.mark.parametrize("about", CASES)
def test_each_octet_is_told_with_what_it_stands_for(about: str) -> None:
    asked, told = CASES[about]
    how, _, octets = asked.partition(":")
    layer, *facts = how.split()
    given = [fact.partition("=")[::2] for fact in facts]
    keys = tuple(bytes.fromhex(value) for name, value in given if name == "key")
    known = LayerKnowledge(
        None,
        keys,
        *(int(value) for name, value in given if name == "version"),
        cluster=next((int(value, 16) for name, value in given if name == "cluster"), None),
    )
    try:
        found = explain_any(bytes.fromhex(octets), known, None if layer == "?" else layer)
    except DecodeError as wrong:
        lines = [f"! {wrong}"]
    else:
        others = f"; could be {', '.join(found.others)}" if found.others else ""
        lines = [f"{found.layer.name}{others}: {found.tree.title}", *_lines(found.tree.nodes)]
    assert lines == told


_LEAVE = "091000003412050904030201004b12000440"
"""A NWK command, ZigBee PRO 3.3.1: version 2, with the sender's EUI-64."""
_DATA = "61880d3412000034124800000034121e07400104070901020901050006ffff00dc05"


@pytest.mark.parametrize(
    ("octets", "forms"),
    [
        (_LEAVE, "nwk zcl"),
        ("090000003412050904", "nwk zcl"),  # a command of NWK has 9 octets or more
        ("0900000034120509", "zcl"),
        ("05" + _LEAVE[2:], "zcl"),  # version 1
        ("0d" + _LEAVE[2:], "zcl"),  # version 3
        ("19" + _LEAVE[2:], "zcl"),  # version 6
        ("29" + _LEAVE[2:], "aps"),  # version 10
        ("0a" + _LEAVE[2:], ""),  # a frame type that is reserved
        ("0911" + _LEAVE[4:], "zcl"),  # multicast, which nobody here sends
        ("0930" + _LEAVE[4:], "zcl"),  # reserved bits
        ("0950" + _LEAVE[4:], "zcl"),
        ("0990" + _LEAVE[4:], "zcl"),
        (_DATA, "mac aps"),
        ("69" + _DATA[2:], "aps"),  # security of the MAC, which ZigBee has not
        ("e1" + _DATA[2:], "aps"),  # the reserved bit
        ("6189" + _DATA[4:], "aps"),  # reserved bits of the second octet
        ("618a" + _DATA[4:], "aps"),
        ("6198" + _DATA[4:], "aps"),  # a later version of the MAC
        ("61a8" + _DATA[4:], "aps"),
        ("0700011800", "ezsp"),
        ("07000118", "ezsp"),
        ("0700ff0018", "ezsp"),
        ("0700ff00ee", ""),
        ("07800018", ""),
        ("7e7e8160597e", "ash"),
        ("1a8160597e", "ash"),
        ("8160587e", ""),
        ("816059", ""),
        ("7e", ""),
        ("fe00210120", "mt"),
        ("fe00210121", ""),
        ("000500", "zcl"),
        ("0005ee", ""),
        ("200500", ""),
        ("020500", ""),
        ("0105", ""),
        ("0105ee", "zcl"),
    ],
)
def test_octets_are_taken_for_what_their_standard_lets_them_be(octets: str, forms: str) -> None:
    try:
        found = explain_any(bytes.fromhex(octets), LayerKnowledge())
    except DecodeError:
        taken = ""
    else:
        taken = " ".join((found.layer.name, *found.others)) if found.fault is None else ""
    assert taken == forms
