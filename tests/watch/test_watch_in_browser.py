"""``chub watch`` in a real browser: by keyboard alone, at two widths, accessible, growing while it is looked at, and from nowhere else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_emu.console import BlockingBench
from tests.browser import DESKTOP, PHONE, SERIOUS, Keyboard, Keys, WebDriver, WebDriverWait, at_width, axe_source, driver, needs_chromium
from tests.patience import PATIENCE_S

__all__ = ["driver"]
pytestmark = needs_chromium


@pytest.fixture(scope="module")
def url(bench: BlockingBench, socket: Path) -> Iterator[str]:
    """``chub watch`` as a process of its own on a bench that runs, with a fault that has acted."""
    bench.fault.add("han drop 40% to esme")
    bench.esme.read("Basic.zcl_version")
    chub = [sys.executable, "-c", "from firmware_emu.cli import main; main()"]
    process = subprocess.Popen([*chub, "watch", str(socket), "--for", f"{PATIENCE_S:g}"], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    line = process.stderr.readline()
    assert line.startswith("watching simulated@"), line
    yield line.split()[-1]
    process.terminate()
    assert process.wait(PATIENCE_S) == 0
    bench.fault.clear()


def _open(driver: WebDriver, url: str, size: tuple[int, int]) -> None:
    at_width(driver, size)
    driver.get(url)
    WebDriverWait(driver, PATIENCE_S).until(lambda one: one.execute_script("return document.body.dataset.ready === 'yes'"))


def _count(driver: WebDriver) -> int:
    return int(driver.execute_script("return document.querySelectorAll('#hops button').length"))


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_the_page_fits_is_accessible_and_loads_nothing_from_elsewhere(driver: WebDriver, url: str, size: tuple[int, int]) -> None:
    _open(driver, url, size)
    wide, foreign, broken = driver.execute_script(
        "return [document.documentElement.scrollWidth - innerWidth,"
        " performance.getEntriesByType('resource').map(e => e.name).filter(n => !n.startsWith(location.origin)),"
        " [...document.querySelectorAll('main button:not(#hops button)')].filter(e => e.getBoundingClientRect().height > 60).length]"
    )
    assert (wide <= 0, foreign, broken) == (True, [], 0)
    driver.execute_script(axe_source())
    result = driver.execute_async_script("const done = arguments[0]; axe.run().then(r => done(r.violations))")
    assert [one["id"] for one in result if one["impact"] in SERIOUS] == []


def test_a_hop_is_chosen_by_keyboard_and_why_is_told(driver: WebDriver, url: str) -> None:
    _open(driver, url, DESKTOP)
    keyboard = Keyboard(driver)
    keyboard.tab_to("Hops, oldest first; Enter on one tells why")
    keyboard.press(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ENTER)
    WebDriverWait(driver, PATIENCE_S).until(lambda one: one.execute_script("return document.querySelector('#why .plain') !== null"))
    assert driver.execute_script("return document.activeElement.id") == "why-title"


def test_the_ladder_grows_is_filtered_and_a_fault_is_added_and_lifted(driver: WebDriver, url: str, bench: BlockingBench) -> None:
    _open(driver, url, DESKTOP)
    keyboard, before = Keyboard(driver), _count(driver)
    assert bench.dcc.send("7.2", "esme") is not None
    WebDriverWait(driver, PATIENCE_S).until(lambda one: _count(one) > before)
    keyboard.tab_to("only what went wrong")
    keyboard.press(Keys.SPACE)
    assert 0 < _count(driver) < before
    driver.execute_script("document.getElementById('sentence').focus()")
    keyboard.press("han delay 7ms to esme", Keys.ENTER)
    keyboard.until("han delay 7ms to esme, acted")
    driver.execute_script("document.querySelector('#faults li:last-child button').focus()")
    assert keyboard.focused == "Lift han delay 7ms to esme"
    keyboard.press(Keys.ENTER)
    WebDriverWait(driver, PATIENCE_S).until(
        lambda one: "delay 7ms" not in one.execute_script("return document.getElementById('faults').innerText")
    )
    assert len(bench.fault.list().rows) == 1
