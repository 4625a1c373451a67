"""The search finds nothing where the layers hold, and finds within a few trials what a fix that is taken out lets through."""

from __future__ import annotations

import contextlib
import json
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from firmware_emu.crypto import certificate_profile
from firmware_emu.device import checks
from firmware_emu.device.profile import permissions
from hil.attacks.siege import crew as crew_module
from hil.attacks.siege.crew import Crew
from hil.attacks.siege.homes import _full
from hil.attacks.siege.search import Find, Mutation, changes_of, judged, octets_of
from hil.attacks.siege.siege import LAYERS, Siege
from hil.commands.siege import siege as command


@pytest.fixture(scope="module")
def siege(tmp_path_factory: pytest.TempPathFactory) -> Siege:
    return Siege(tmp_path_factory.mktemp("siege"))


def finds(siege: Siege, layer: str, trials: int, seed: int = 1) -> list[Find]:
    return [find for _, find in siege.run([layer], str(seed), lambda done: done >= trials) if find is not None]


@pytest.mark.parametrize(
    ("layer", "trials"),
    [
        ("requests", 150),
        ("meanings", 150),
        ("certificates", 150),
        ("commands", 150),
        ("hub-store", 40),
        ("dcc-store", 40),
        ("air", 100),
        ("home", 2),
    ],
)
def test_the_layers_hold(siege: Siege, layer: str, trials: int) -> None:
    assert finds(siege, layer, trials) == []


def test_the_help_of_the_search_names_every_layer() -> None:
    told = " ".join(CliRunner().invoke(command, ["--help"]).output.split())
    assert f"LAYERS: {', '.join(LAYERS)};" in told


def test_every_layer_has_kinds_of_changes_and_a_judge_that_lets_the_honest_thing_pass(siege: Siege) -> None:
    for name in LAYERS:
        assert siege.layer(name).kinds
        assert name == "home" or judged(siege.layer(name), ()) is None


FOUND = [
    ("hub-store", (Mutation("damage", 0.2392730712890625, 21067),)),
    ("dcc-store", (Mutation("damage", 0.4757537841796875, 18171),)),
    ("hub-store", (Mutation("between", 0.7317352294921875, 39893), Mutation("damage", 0.6781158447265625, 56308))),
    ("hub-store", (Mutation("again", 0.1313323974609375, 38748), Mutation("damage", 0.172760009765625, 36164))),
    ("dcc-store", (Mutation("damage", 0.505889892578125, 32225), Mutation("again", 0.330902099609375, 57850))),
    ("meanings", (Mutation("gone", 0.97930908203125, 63230),)),
    ("meanings", (Mutation("value", 0.7529296875, 1285), Mutation("request", 0.0, 1))),
    ("meanings", (Mutation("value", 0.7529296875, 1280), Mutation("request", 0.0, 1))),
    ("meanings", (Mutation("value", 0.7529296875, 32), Mutation("request", 0.0, 3))),
    ("certificates", (Mutation("field's octet", 0.584228515625, 57016),)),
    ("certificates", (Mutation("field's octet", 0.5865936279296875, 8665),)),
    (
        "hub-store",
        (Mutation("kill", 0.515625, 20224), Mutation("beside", 0.51763916015625, 0), Mutation("kill", 0.5058746337890625, 33156)),
    ),
]
"""Finds of the search, mended since: a header, a text, the name of a column and an owner's epoch, damaged, that ended as tracebacks; a
request that chooses nothing, of which the DCC made a Command; years of less than four digits and the end of a day, which the user's own
reader took for another time or for none; a clock that is set at the end of all years."""
HOMES = {
    "a frame to the dongle that nobody awaits fails with the line": (Mutation("write", 0.6157379150390625, 43508),),
    "an acknowledgement of a fragment fails with the line": (
        Mutation("full", 0.48974609375, 28701),
        Mutation("DCC dies", 0.3284912109375, 63303),
    ),
    "the power goes while the dongle's library hands a frame up": (Mutation("write", 0.2834014892578125, 61083),),
    "a Command that may come again is answered twice": (Mutation("write", 0.6598663330078125, 1143),),
    "the DCC starts again while its medium is full": (
        Mutation("DCC dies", 0.264801025390625, 15573),
        Mutation("full", 0.24163818359375, 56732),
    ),
    "the DCC's clock goes beyond its 32 bits": (
        Mutation("wan", 0.738616943359375, 19027),
        Mutation("clock", 0.519378662109375, 63985),
    ),
    "the DCC's store is full when the hub says hello": (
        Mutation("full", 0.4917755126953125, 25073),
        Mutation("wan", 0.531982421875, 41617),
    ),
    "the mains goes while the hub's store is full": (
        Mutation("full", 0.6646728515625, 33573),
        Mutation("power", 0.7239227294921875, 51519),
    ),
    "the fault of the mains is cleared while it comes": (Mutation("power", 0.99127197265625, 27131),),
    "the first frame to a dongle fails with the line": (
        Mutation("hub dies", 0.7818450927734375, 17758),
        Mutation("dongle", 0.4355010986328125, 41275),
    ),
}
"""The same of homes."""


FULL_THEN_OUT_OF_POWER = [
    (Mutation("full", 0.833343505859375, 32920), Mutation("power", 0.89459228515625, 6001)),
    (Mutation("power", 0.2381439208984375, 18909), Mutation("full", 0.231201171875, 27366)),
    (Mutation("full", 0.32464599609375, 42305), Mutation("power", 0.2017364501953125, 14335)),
    (Mutation("power", 0.69927978515625, 29832), Mutation("full", 0.694915771484375, 27331), Mutation("beside", 0.361328125, 40559)),
    (Mutation("full", 0.00390625, 10240), Mutation("power", 0.0546875, 6), Mutation("between", 0.0, 132)),
]
"""The store of a hub whose medium is full closes itself and syncs its file before it removes its log, as strace shows
(``tests/test_power_loss.py``): power that goes then takes neither. Somebody who had it open beside does so, as the last one to close it."""


@pytest.mark.parametrize("changes", FULL_THEN_OUT_OF_POWER)
def test_power_that_goes_after_the_medium_was_full_takes_nothing_that_was_returned(siege: Siege, changes: tuple[Mutation, ...]) -> None:
    assert judged(siege.layer("hub-store"), changes) is None


@pytest.mark.parametrize(("layer", "changes"), FOUND)
def test_what_was_found_is_found_no_more(siege: Siege, layer: str, changes: tuple[Mutation, ...]) -> None:
    assert judged(siege.layer(layer), changes) is None


@pytest.mark.parametrize("changes", HOMES.values(), ids=HOMES)
def test_what_was_found_in_homes_is_found_no_more(siege: Siege, changes: tuple[Mutation, ...]) -> None:
    assert judged(siege.layer("home"), changes) is None


def test_a_medium_that_is_full_twice_at_once_has_no_limit_afterwards(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with contextlib.ExitStack() as first, contextlib.ExitStack() as second:
        first.enter_context(_full(tmp_path / "log", 10))
        second.enter_context(_full(tmp_path / "log", 20))
        assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == 20
        first.close()
        second.close()
        after = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert after == before


def test_a_rejoin_in_the_hubs_name_makes_no_sleepy_child_of_the_hub(siege: Siege) -> None:
    rejoin = (Mutation("meter", 0.8824310302734375, 19260), Mutation("command", 0.987060546875, 8117))
    assert judged(siege.layer("air"), rejoin) is None


@pytest.mark.parametrize("layer", ["hub-store", "dcc-store"])
def test_a_counter_that_is_read_outside_its_transaction_would_come_twice(siege: Siege, layer: str) -> None:
    for number in range(16):  # each draws the statement before which somebody beside the owner takes a counter
        assert judged(siege.layer(layer), (Mutation("between", 0.4, number),)) is None


def test_a_seed_and_the_octets_of_the_guided_search_say_the_same_changes() -> None:
    kinds = ("a", "b", "c")
    octets = octets_of("x", "1/7")
    assert octets_of("x", "x" + octets.hex()) == octets
    assert changes_of(octets + b"rest", kinds)[: len(octets) // 5] == changes_of(octets, kinds)
    assert changes_of(b"\x04\x80\x00\x01\x02", kinds) == (Mutation("b", 0.5, 0x102),)


def test_the_crew_divides_the_time_over_all_layers_side_by_side_by_both_guides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew_module, "coverage_guides", lambda: True)
    (grammar,), (coverage,) = Crew(tmp_path, (), 1, 1800, 2).turns()
    assert (grammar.guided, set(grammar.layers), grammar.until) == (False, set(LAYERS), 1800)
    assert (coverage.guided, set(coverage.layers), coverage.until) == (True, set(LAYERS) - {"home"}, 1800)


def test_one_worker_takes_the_guides_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew_module, "coverage_guides", lambda: True)
    ((grammar, coverage),) = Crew(tmp_path, (), 1, 600, 1).turns()
    assert [(one.guided, one.until) for one in (grammar, coverage)] == [(False, 300), (True, 600)]
    ((coverage, homes),) = (sorted(turns, key=lambda one: not one.guided) for turns in Crew(tmp_path, (), 1, 600, 1, "coverage").turns())
    assert (coverage.guided, homes.layers) == (True, ("home",))


def test_a_slow_machine_takes_from_the_share_of_every_layer_the_same(tmp_path: Path) -> None:
    crew = Crew(tmp_path, (), 1, 140, 1, "grammar")
    ((turn,),) = crew.turns()
    crew._began = time.monotonic() - 70  # half of the time went into the start of the worker
    shares = {layer: seconds for layer, _, seconds in crew._slices(0, turn)}  # none takes any time here
    assert set(shares) == set(LAYERS)
    assert shares["home"] == pytest.approx(35, abs=5)


def test_a_worker_that_is_ended_tells_its_count_and_the_find_that_it_has_not_shrunk(tmp_path: Path) -> None:
    script = """
import os, signal
from hil.attacks.siege.worker import Worker
class Layer:
    kinds = ("x",)
    asked = 0
    def judge(self, changes):
        self.asked += 1
        if self.asked == 2:  # while the find is shrunk
            os.kill(os.getpid(), signal.SIGTERM)
        return "it broke"
worker = Worker("certificates", Layer(), "1", 3600)
worker.heed()
worker.trials = 41
worker.make("x" + "00" * 10)
print("it went on")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert told["trials"] == 42
    assert (told["find"]["broken"], len(told["find"]["changes"])) == ("it broke", 2)


def test_a_search_that_did_not_try_a_layer_says_so_and_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Crew, "run", lambda crew: iter([None]))
    done = CliRunner().invoke(command, ["certificates", "air"])
    assert done.exit_code == 3
    assert "nothing is known of certificates, air" in done.output
    assert json.loads(CliRunner().invoke(command, ["air", "--json"]).output)["untried"] == ["air"]


def test_workers_search_and_are_counted(tmp_path: Path) -> None:
    crew = Crew(tmp_path, ("certificates",), 1, 3600, 1, "grammar")
    for find in crew.run():
        assert find is None
        if crew.tallies["certificates"].grammar:
            break


def test_a_search_ends_in_its_time_whatever_its_workers_do(tmp_path: Path) -> None:
    crew = Crew(tmp_path, ("certificates",), 1, 0.01, 1, "grammar")
    assert [find for find in crew.run() if find is not None] == []


def test_a_right_that_nobody_granted_is_found_where_the_broker_may_all(siege: Siege, monkeypatch: pytest.MonkeyPatch) -> None:
    def wide(kind):  # type: ignore[no-untyped-def]
        return {
            code: (*rights, *(replace(one, role=checks._BROKER, for_another=True, signature=False) for one in rights[:1]))
            for code, rights in permissions(kind).items()
        }

    monkeypatch.setattr(checks, "permissions", wide)
    found = finds(siege, "commands", 600)
    assert found
    assert "without a right" in found[0].broken
    assert len(found[0].changes) <= 3
    assert "siege.layer('commands')" in found[0].as_test()


def test_an_exception_that_gets_out_is_a_find(siege: Siege, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(octets: bytes) -> None:
        raise IndexError("x")

    monkeypatch.setattr(certificate_profile.certificate_facts, "read", breaks)
    found = finds(siege, "certificates", 5)
    assert found
    assert "IndexError at" in found[0].broken


def test_one_seed_gives_one_search_and_the_command_says_what_it_did(siege: Siege, tmp_path: Path) -> None:
    done = CliRunner().invoke(command, ["certificates", "--trials", "20", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert (told["trials"], told["finds"]) == (20, [])
    assert told["layers"]["certificates"]["grammar"] == 20
    assert CliRunner().invoke(command, ["walls", "--trials", "1"]).exit_code != 0
