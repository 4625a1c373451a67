"""The plugin, in runs of pytest of its own."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

pytest_plugins = ["pytester"]

EXAMPLES = sorted((Path(__file__).parent / "examples").glob("test_*.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_shorter_than_sixty_lines_and_says_what_it_shows(example: Path) -> None:
    text = example.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 60
    assert text.startswith('"""')


def test_board_seed_and_faults_reach_the_bench_and_the_junit_file(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("""
        import pytest

        @pytest.mark.requirement("CH-02")
        @pytest.mark.clause("GBCS 10.2")
        def test_it(bench, fault, clock):
            assert bench.seed == 11
            assert [row[1] for row in fault.list().rows] == ["wan duplicate", "han drop 5% to gsme"]
            before = clock.now()
            bench.go("90s")
            assert 90 <= clock.now() - before < 91
    """)
    ran = pytester.runpytest_inprocess(
        "--seed", "11", "--fault", "wan duplicate", "--fault", "han drop 5% to gsme", "--junitxml", "out.xml", "-p", "no:cacheprovider"
    )
    ran.assert_outcomes(passed=1)
    suite = ElementTree.parse(pytester.path / "out.xml").getroot().find("testsuite")
    assert suite is not None
    properties = {one.get("name"): one.get("value") for one in suite.iter("property")}
    assert properties["board"] == "simulated"
    assert properties["seed"] == "11"
    assert properties["requirement"] == "CH-02"
    assert properties["clause"] == "GBCS 10.2"


def test_what_a_board_does_not_provide_or_is_not_here_is_skipped_with_the_reason(pytester: pytest.Pytester) -> None:
    pytester.makefile(
        ".toml",
        bare='name = "bare"\nextends = "simulated"\nprovides = ["wan"]',
        away="""
        name = "away"
        extends = "simulated"
        [radio]
        path = "/dev/no-dongle-here"
    """,
    )
    pytester.makepyfile("""
        import pytest

        @pytest.mark.needs("radio")
        def test_with_radio(bench):
            raise AssertionError("not reached")

        @pytest.mark.needs("no-such-program")
        def test_with_program(bench):
            raise AssertionError("not reached")
    """)
    ran = pytester.runpytest_inprocess("--board", "bare.toml", "-rs", "-p", "no:cacheprovider")
    ran.assert_outcomes(skipped=2)
    ran.stdout.fnmatch_lines(["*needs radio: board bare.toml provides wan*", "*needs no-such-program*"])
    pytester.makepyfile("def test_it(bench): raise AssertionError('not reached')")
    ran = pytester.runpytest_inprocess("--board", "away.toml", "-rs", "-p", "no:cacheprovider")
    ran.assert_outcomes(skipped=1)
    ran.stdout.fnmatch_lines(["*dongle at /dev/no-dongle-here is not available: plug it in*"])


def test_a_board_that_is_none_ends_the_run_in_one_line(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(bench): pass")
    ran = pytester.runpytest_inprocess("--board", "nonsense", "-p", "no:cacheprovider")
    assert "no board is named 'nonsense'" in "\n".join(ran.outlines + ran.errlines)
    assert ran.ret != 0
