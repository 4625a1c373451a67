"""Firmwares by name or file: values, traits and releases, what a file takes over from another, and files that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_emu.errors import RadioError
from hil.radio.personality import Personality, names, of_version, personality, with_key_establishment


@pytest.mark.parametrize(("stack", "value"), [("7.4.1.0", 0x7410), ("6.10.3.0", 0x6A30), ("8.2.2.0", 0x8220), ("7.1.15.16", 0x71F0)])
def test_a_release_is_shown_with_a_digit_a_number(stack: str, value: int) -> None:
    assert Personality("x", "ezsp", 13, stack, "", {}, {}, {}, {}, {}).stack_version == value


def test_a_trait_is_there_where_its_value_is_not_0() -> None:
    one = Personality("x", "ezsp", 13, "7.4.1.0", "", {}, {}, {}, {}, {"on": 1, "off": 0})
    assert (one.has("on"), one.has("off"), one.has("unknown")) == (True, False, False)
    built = with_key_establishment(one)
    assert (built.has("cbke"), built.has("on"), one.has("cbke")) == (True, True, False)


def test_every_firmware_that_comes_along_can_be_played_but_what_they_share_is_none() -> None:
    assert "ezsp" not in names()
    assert {"ezsp-13", "zbdongle-e-7.4", "cc2652-3.30", "znp"} <= set(names())
    for version in (13, 14):
        assert (of_version(version).version, of_version(version).family) == (version, "ezsp")


BASE = 'name = "base"\nfamily = "ezsp"\nversion = 13\nstack = "7.4.1.0"\nsource = "mine"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = ", "is no TOML"),
        ('name = "x"\nextends = "nobody"', "no personality 'nobody': expected a .toml file, or one of"),
        ('name = "x"\nextends = "../secret"', "no personality '../secret'"),
        ('name = "x"', "KeyError"),
        (BASE.replace("7.4.1.0", "seven"), "ValueError"),
        (BASE + "[configuration.A]\nvalue = 1", "TypeError"),
    ],
)
def test_a_file_that_is_no_personality_is_told_with_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(RadioError, match=said):
        personality(str(tmp_path / "mine.toml"))


def test_a_personality_says_what_differs_from_the_one_it_extends(tmp_path: Path) -> None:
    below = tmp_path / "below.toml"
    below.write_text(
        BASE + "[configuration.A]\nid = 1\nvalue = 5\nmost = 9\n[policies.P]\nid = 3\nvalue = 1\nknown = [1, 2]\n[limits.L]\nvalue = 4\n"
    )
    above = tmp_path / "above.toml"
    above.write_text(f'name = "mine"\nextends = "{below}"\n[configuration.A]\nvalue = 6\n[traits.T]\nvalue = 1\n')
    made = personality(str(above))
    assert (made.name, made.family, made.version, made.limits, made.traits) == ("mine", "ezsp", 13, {"L": 4}, {"T": 1})
    one = made.settings[1]
    assert (one.name, one.value, one.least, one.most, one.fixed, one.read_only) == ("A", 6, 0, 9, False, False)
    assert (made.policies[3].name, made.policies[3].known) == ("P", (1, 2))


def test_files_that_extend_each_other_are_told(tmp_path: Path) -> None:
    for one, other in (("a", "b"), ("b", "c"), ("c", "a")):
        (tmp_path / f"{one}.toml").write_text(f'name = "x"\nextends = "{tmp_path / other}.toml"')
    with pytest.raises(RadioError, match="which extends it"):
        personality(str(tmp_path / "a.toml"))
