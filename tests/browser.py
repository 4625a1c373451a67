"""Chromium for the tests of pages: a driver, a user without a mouse, and the accessibility checker."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.patience import PATIENCE_S

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not here: pip install selenium")
from selenium.webdriver.chrome.remote_connection import ChromeRemoteConnection  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.remote.client_config import ClientConfig  # noqa: E402
from selenium.webdriver.remote.webdriver import WebDriver  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
needs_chromium = [
    pytest.mark.skipif(not CHROMIUM.exists() or not DRIVER.exists(), reason="no chromium here: apt-get install chromium chromium-driver"),
]
DESKTOP, PHONE = (1200, 900), (390, 844)
SERIOUS = {"serious", "critical"}


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for word in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-component-update",
        "--disable-quic",
        "--disable-background-networking",
        "--disable-sync",
        f"--user-data-dir={tmp_path_factory.mktemp('browser')}",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ):
        options.add_argument(word)
    process = subprocess.Popen([DRIVER, "--port=0"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        started = next(found for line in process.stdout if (found := re.search(r"started successfully on port (\d+)", line)))
        there = ClientConfig(remote_server_addr=f"http://127.0.0.1:{started[1]}", timeout=int(PATIENCE_S))
        made = webdriver.Remote(ChromeRemoteConnection(there.remote_server_addr, client_config=there), options=options)
        tell(made, "Emulation.setFocusEmulationEnabled", enabled=True)  # a window of nobody's has no focus to show
        yield made
        made.quit()
    finally:
        process.terminate()
        process.wait()


def tell(driver: WebDriver, command: str, **values: object) -> None:
    """A command of the browser's own protocol."""
    driver.execute("executeCdpCommand", {"cmd": command, "params": values})


class Keyboard:
    """A user without a mouse: Tab, Enter, arrows and text go to whatever has the focus."""

    def __init__(self, driver: WebDriver) -> None:
        self.driver = driver

    def press(self, *keys: str) -> None:
        webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    @property
    def focused(self) -> str:
        """Name of the focused element for a screen reader: its label, text or name."""
        found = self.driver.execute_script(
            "const e = document.activeElement; const l = e.labels && e.labels[0];"
            "return (e.getAttribute('aria-label') || (l && l.textContent) || e.textContent || e.id || e.tagName).trim()"
        )
        return str(found)

    def tab_to(self, name: str) -> None:
        """Tab until the element of that name has the focus, and see that it shows."""
        for _ in range(120):
            if self.focused == name:
                outline = self.driver.execute_script("return getComputedStyle(document.activeElement).outlineStyle")
                assert outline != "none", f"the focus on {name!r} does not show"
                return
            self.press(Keys.TAB)
        pytest.fail(f"{name!r} is not reached by Tab on {self.driver.current_url}")

    def until(self, words: str) -> None:
        # Read in one step: an element that is found first may belong to the page before.
        shown = "return document.querySelector('main')?.innerText ?? ''"
        WebDriverWait(self.driver, PATIENCE_S).until(lambda driver: words in driver.execute_script(shown), words)


def axe_source() -> str:
    """The accessibility checker's program. Skips the test where it is not installed."""
    for package in ("axe_playwright_python", "axe_core_python"):
        if (spec := find_spec(package)) is not None and spec.origin is not None:
            return (Path(spec.origin).parent / "axe.min.js").read_text(encoding="utf-8")
    pytest.skip("axe is not here: pip install axe-core-python")


def at_width(driver: WebDriver, size: tuple[int, int]) -> None:
    tell(driver, "Emulation.setDeviceMetricsOverride", width=size[0], height=size[1], deviceScaleFactor=1, mobile=size == PHONE)
