"""The plugin, in runs of pytest of its own."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

pytest_plugins = ["pytester"]

INNER = ("--disable-plugin-autoload", "-p", "firmware_emu.pytest_chub", "-p", "no:cacheprovider")
"""The plugin alone: others that are installed, as one that shuffles the tests, do as they like with a run."""
EXAMPLES = sorted((Path(__file__).parent / "examples").glob("test_*.py"))


def run(pytester: pytest.Pytester, *words: str) -> pytest.RunResult:
    """A run of pytest in this process. The modules that it is the first to import stay, but its own tests: pytester would take them away,
    and numpy cannot be loaded a second time."""
    found: dict[str, ModuleType] = {}

    class Keeper:
        def pytest_unconfigure(self) -> None:
            found.update(sys.modules)

    ran = pytester.runpytest_inprocess(*INNER, *words, plugins=[Keeper()])
    own = str(pytester.path)
    found = {name: module for name, module in found.items() if not str(getattr(module, "__file__", "")).startswith(own)}
    sys.modules.update(found | dict(sys.modules))
    return ran


def test_a_run_within_this_process_takes_no_module_away(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    pytester.makepyfile("import colorsys\n\ndef test_it(): pass")
    run(pytester).assert_outcomes(passed=1)
    assert "colorsys" in sys.modules
    assert "test_a_run_within_this_process_takes_no_module_away" not in sys.modules


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_shorter_than_sixty_lines_and_says_what_it_shows(example: Path) -> None:
    text = example.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 60
    assert text.startswith('"""')


def test_board_seed_and_faults_reach_the_bench_and_the_junit_file(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest

        @pytest.mark.chub_requirement("CH-02")
        @pytest.mark.chub_clause("GBCS 10.2")
        def test_it(chub_bench, chub_fault, chub_clock):
            assert chub_bench.seed == 11
            assert [row[1] for row in chub_fault.list().rows] == ["wan duplicate", "han drop 5% to gsme"]
            before = chub_clock.now()
            chub_bench.go("90s")
            assert 90 <= chub_clock.now() - before < 91
    """)
    ran = run(
        pytester,
        "--chub-seed",
        "11",
        "--chub-fault",
        "wan duplicate",
        "--chub-fault",
        "han drop 5% to gsme",
        "--junitxml",
        "out.xml",
    )
    ran.assert_outcomes(passed=1)
    suite = ElementTree.parse(pytester.path / "out.xml").getroot().find("testsuite")
    assert suite is not None
    properties = {one.get("name"): one.get("value") for one in suite.iter("property")}
    assert properties["board"] == "simulated"
    assert properties["seed"] == "11"
    assert properties["requirement"] == "CH-02"
    assert properties["clause"] == "GBCS 10.2"


@pytest.mark.requirement("SHP-02")
def test_what_a_board_does_not_provide_or_is_not_here_is_skipped_with_the_reason(pytester: pytest.Pytester) -> None:
    pytester.makefile(
        ".toml",
        bare='name = "bare"\nextends = "simulated"\nprovides = ["wan"]',
        away="""
        name = "away"
        extends = "simulated"
        device = []
        [radio]
        path = "/dev/no-dongle-here"
    """,
    )
    pytester.makepyfile("""
        import pytest

        @pytest.mark.chub_needs("radio")
        def test_with_radio(chub_bench):
            raise AssertionError("not reached")

        @pytest.mark.chub_needs("no-such-program")
        def test_with_program(chub_bench):
            raise AssertionError("not reached")
    """)
    ran = run(pytester, "--chub-board", "bare.toml", "-rs")
    ran.assert_outcomes(skipped=2)
    ran.stdout.fnmatch_lines(["*needs radio: board bare provides wan*", "*needs no-such-program*"])
    pytester.makepyfile("def test_it(chub_bench): raise AssertionError('not reached')")
    ran = run(pytester, "--chub-board", "away.toml", "-rs")
    ran.assert_outcomes(skipped=1)
    ran.stdout.fnmatch_lines(["*dongle at /dev/no-dongle-here is not available: plug it in*"])


def test_a_board_that_is_none_ends_the_run_in_one_line(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(chub_bench): pass")
    ran = run(pytester, "--chub-board", "nonsense")
    assert "no board is named 'nonsense'" in "\n".join(ran.outlines + ran.errlines)
    assert ran.ret == pytest.ExitCode.USAGE_ERROR


def test_a_refusal_is_a_warning_with_its_time_in_the_log_of_the_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import re

        def test_it(chub_open, caplog):
            bench = chub_open(faults=["response 4.1.1 with a wrong MAC"])
            bench.hub.form(), bench.esme.add()
            assert not [one for one in caplog.records if one.name == "chub"]
            assert not bench.dcc.read("esme")
            first, *_ = [one.getMessage() for one in caplog.records if one.name == "chub"]
            assert re.match(r"\\d\\d:\\d\\d:\\d\\d[.]\\d+ @\\d+ dcc +responses refused .*the MAC does not hold", first), first
    """)
    run(pytester).assert_outcomes(passed=1)


def test_two_benches_of_one_test_are_two_homes_with_a_seed_each(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        def test_it(chub_open):
            one, other = chub_open(seed=1), chub_open(seed=2, faults=["wan duplicate"])
            one.go("1m")
            assert (one.seed, other.seed) == (1, 2)
            assert one.clock.now() > other.clock.now()
    """)
    run(pytester).assert_outcomes(passed=1)


def test_a_project_with_a_folder_hil_an_option_seed_and_fixtures_of_these_names_runs_beside_the_plugin(pytester: pytest.Pytester) -> None:
    """In workers of xdist, with strict asyncio and random order, as where it is installed and pytest loads the plugin by itself."""
    if find_spec("pytest_randomly") is None:
        pytest.skip("pytest-randomly is not here: pip install 'commshub[test]'")
    pytester.makeconftest("""
        import pytest

        def pytest_addoption(parser):
            parser.addoption("--seed", default="0")
            parser.addoption("--board", default="mine")

        @pytest.fixture
        def bench(request):
            return request.config.getoption("--seed"), request.config.getoption("--board")
    """)
    folder = pytester.mkpydir("hil")
    (folder / "radio.py").write_text("NAME = 'their own'\n", encoding="utf-8")
    (folder / "test_own.py").write_text(
        "from hil.radio import NAME\n\n\ndef test_it(bench):\n    assert (*bench, NAME) == ('5', 'mine', 'their own')\n", encoding="utf-8"
    )
    plugins = [word for name in ("asyncio", "xdist", "pytest_randomly", "firmware_emu.pytest_chub") for word in ("-p", name)]
    words = ["-n", "1", "--seed", "5", "-o", "asyncio_mode=strict", "-p", "no:cacheprovider"]
    ran = pytester.runpytest_subprocess("--disable-plugin-autoload", *plugins, *words)
    ran.stdout.fnmatch_lines(["Using --randomly-seed=*"])
    ran.assert_outcomes(passed=1)


def test_a_test_that_fails_tells_the_earliest_cause_the_last_hops_and_where_the_run_is_kept_and_no_words_of_the_radio(
    pytester: pytest.Pytester,
) -> None:
    pytester.makepyfile("""
        def test_it(chub_bench, chub_hub, chub_esme, chub_dcc):
            chub_hub.form()
            chub_esme.add()
            chub_bench.say("fault add response 4.1.1 with a wrong MAC")
            assert chub_dcc.read("esme")
    """)
    ran = run(pytester, "--log-level", "INFO")
    ran.assert_outcomes(failed=1)
    told = ran.stdout.str()
    assert "the MAC does not hold" in told
    assert "on this message @" in told
    assert "run folder: " in told
    assert "capture: " in told
    assert "zigpy" not in told
