"""The reports on a telephone, and labels of a plot beside each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from hil.report.conformance import RunRecord, render
from hil.report.plots import draw, labels
from hil.report.verdict import Plot, Run, Step
from hil.report.write import write_html
from tests.browser import PHONE, WebDriver, at_width, driver, needs_chromium

__all__ = ["driver"]

_CUT = """
const wide = [...document.querySelectorAll('td, th, p, h1, h2, span')].filter(
  (one) => one.getClientRects().length && !one.closest('figure, thead') && one.getBoundingClientRect().right > innerWidth + 1);
return [document.documentElement.scrollWidth, wide.map((one) => one.textContent.trim().slice(0, 40))];
"""
_BROKEN = """
const broken = [];
const walk = document.createTreeWalker(document.querySelector('body'), NodeFilter.SHOW_TEXT);
while (walk.nextNode()) {
  const node = walk.currentNode;
  if (node.parentElement.closest('figure, thead')) continue;
  for (const word of node.data.matchAll(/\\b[A-Za-z]{3,24}\\b/g)) {
    const range = document.createRange();
    range.setStart(node, word.index); range.setEnd(node, word.index + word[0].length);
    if (new Set([...range.getClientRects()].map((one) => Math.round(one.top))).size > 1) broken.push(word[0]);
  }
}
return broken;
"""


def _a_run(folder: Path) -> Path:
    values = {"devices present": "low", "chf": "Commissioned", "state": "InstalledNotCommissioned", "response": "3 components succeeded"}
    why = "the Device sees 02-D0-00-00-00-00-00-F1 cannot join the network (status NO_NETWORK_KEY_RECEIVED): no link key is held for it"
    steps = [Step("a Device not in the log tries to join", "pass", 1439.2, values), Step("reads", "fail", 3.0, values, why)]
    run = Run("A home", {"radio": "ezsp on virtual"}, steps, plots=[Plot("Supply", "V", {"hub": [(0, 0), (1, 12)]})])
    write_html(run, folder / "report.html")
    return folder / "report.html"


@pytest.mark.parametrize("kind", ["run", "conformance"])
@pytest.mark.usefixtures("driver")
class TestOnATelephone:
    pytestmark = needs_chromium

    def test_a_report_cuts_no_column_and_breaks_no_word(self, kind: str, driver: WebDriver, record: RunRecord, tmp_path: Path) -> None:
        page = tmp_path / "report.html"
        if kind == "run":
            _a_run(tmp_path)
        else:
            page.write_text(render(record), encoding="utf-8")
        at_width(driver, PHONE)
        driver.get(page.as_uri())
        width, cut = driver.execute_script(_CUT)
        assert (width <= PHONE[0], cut) == (True, [])
        assert driver.execute_script(_BROKEN) == []


def test_labels_that_would_be_printed_over_each_other_share_one() -> None:
    marks = [(3621.0, "boot"), (3601.0, "ac lost"), (3621.0, "ac lost"), (3621.8, "supply off"), (3630.0, "boot")]
    assert labels(marks, 1.0) == [(3601.0, "ac lost"), (3621.0, "boot, ac lost, supply off"), (3630.0, "boot")]
    drawn = draw(Plot("Supply", "V", {"hub": [(3600.0, 12.0), (3800.0, 12.0)]}, marks))
    assert "ac lost" in drawn
    assert "boot, ac lost, supply off" in drawn
