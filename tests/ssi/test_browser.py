"""The page in a real browser: by keyboard alone, at desktop and phone width, accessible, live, and from nowhere else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_emu.clock import Clock
from tests.browser import (
    DESKTOP,
    PHONE,
    SERIOUS,
    Keyboard,
    Keys,
    WebDriver,
    WebDriverWait,
    at_width,
    axe_source,
    driver,
    needs_chromium,
)
from tests.dcc.far_end import CHF, ESME, SUPPLIER
from tests.patience import PATIENCE_S
from tests.ssi.page_world import World

__all__ = ["driver"]
pytestmark = needs_chromium


class Served:
    """``chub dcc serve`` as a process of its own on a store that this test writes to."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "dcc.sqlite"
        self.world = World(self.path, now=Clock().now())
        chub = [sys.executable, "-c", "from firmware_emu.cli import main; main()"]
        command = [*chub, "dcc", "serve", "--store", str(self.path), "--port", "0", "--for", f"{PATIENCE_S:g}"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        assert "self-service page at http://127.0.0.1:" in line, line
        self.url = line.split()[-1]
        self.cookies: list[dict[str, str]] = []

    def close(self) -> None:
        self.process.terminate()
        assert self.process.wait(PATIENCE_S) == 0
        self.world.store.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = Served(tmp_path_factory.mktemp("page"))
    yield made
    made.close()


def sign_in(driver: WebDriver, served: Served) -> Keyboard:
    driver.delete_all_cookies()
    driver.get(f"{served.url}/sign-in")
    keyboard = Keyboard(driver)
    keyboard.tab_to("Your token")
    keyboard.press(served.world.tokens[SUPPLIER], Keys.ENTER)
    keyboard.until("Overview")
    return keyboard


def enter(driver: WebDriver, served: Served) -> Keyboard:
    """As :func:`sign_in`, or with a session that was signed in before: a user has but a few at once."""
    driver.get(f"{served.url}/sign-in")
    driver.delete_all_cookies()
    if not served.cookies:
        keyboard = sign_in(driver, served)
        served.cookies = driver.get_cookies()
        return keyboard
    for cookie in served.cookies:
        driver.add_cookie(cookie)
    driver.get(served.url)
    return Keyboard(driver)


def picture(driver: WebDriver, path: Path, record_property: object) -> None:
    height = driver.execute_script("return document.documentElement.scrollHeight")
    width = driver.execute_script("return window.innerWidth")
    at_width(driver, (width, min(max(height, 600), 4000)))
    driver.save_screenshot(str(path))
    assert path.read_bytes().startswith(b"\x89PNG")
    assert callable(record_property)
    record_property("artefact", str(path))


def test_signing_in_reading_a_device_and_its_log_takes_the_keyboard_alone(driver: WebDriver, served: Served) -> None:
    at_width(driver, DESKTOP)
    keyboard = sign_in(driver, served)
    keyboard.press(Keys.TAB)
    assert keyboard.focused == "Skip to the content"
    keyboard.press(Keys.ENTER)
    assert driver.execute_script("return document.activeElement.id") == "main"
    keyboard.press(Keys.HOME)
    driver.execute_script("document.activeElement.blur()")
    keyboard.tab_to("Inventory")
    keyboard.press(Keys.ENTER)
    keyboard.until("Your Devices, 3")
    keyboard.tab_to("Find by identifier, type, status, MPxN, model or postcode")
    keyboard.press("esme", Keys.ENTER)
    keyboard.until("Your Devices, 1")
    keyboard.tab_to(str(ESME))
    keyboard.press(Keys.ENTER)
    keyboard.until("8.1.1 succeeded")
    keyboard.tab_to("Compare its hub's device log")
    keyboard.press(Keys.ENTER)
    keyboard.until(f"Device log of hub {CHF}")
    assert driver.current_url.endswith(f"/device-log/{CHF}")


def test_diagnosing_raising_and_working_on_an_incident_takes_the_keyboard_alone(driver: WebDriver, served: Served) -> None:
    at_width(driver, DESKTOP)
    keyboard = sign_in(driver, served)
    keyboard.tab_to("Incidents")
    keyboard.press(Keys.ENTER)
    keyboard.until("the most urgent first")
    keyboard.tab_to("Diagnose, then raise an incident")
    keyboard.press(Keys.ENTER)
    keyboard.until("Remote diagnostics come first")
    keyboard.tab_to("Device")
    keyboard.press("ESME")
    keyboard.tab_to("Run diagnostics")
    keyboard.press(Keys.ENTER)
    keyboard.until(f"of {ESME}")
    keyboard.tab_to("What is wrong, in a sentence")
    keyboard.press("no readings since noon")
    keyboard.tab_to("Category, 1 is the most severe")
    keyboard.press(Keys.ARROW_UP)
    keyboard.tab_to("A visit is needed")
    keyboard.press(Keys.SPACE)
    keyboard.tab_to("Raise the incident")
    keyboard.press(Keys.ENTER)
    keyboard.until("no readings since noon")
    keyboard.until("allocated to")
    raised = served.world.log.incidents(SUPPLIER)[0]
    assert (raised.category, raised.visit, raised.summary) == (2, True, "no readings since noon")
    keyboard.tab_to("What was done, or why")
    keyboard.press("the fuse was out", Keys.TAB)
    keyboard.press(Keys.ENTER)
    keyboard.until("the fuse was out")
    assert served.world.log.incident(raised.number).state == "investigating"
    driver.execute_script("document.activeElement.blur()")
    keyboard.tab_to("Sign out")
    keyboard.press(Keys.ENTER)
    keyboard.until("Sign in")


def test_a_change_shows_without_a_reload_and_waits_for_the_keyboard_to_leave_the_list(driver: WebDriver, served: Served) -> None:
    at_width(driver, DESKTOP)
    keyboard = enter(driver, served)
    driver.get(f"{served.url}/requests")
    keyboard.until("Your live requests")
    driver.execute_script("window.here = true")
    before = len(driver.find_elements("css selector", "main tbody tr"))
    served.world.request(SUPPLIER, ESME, 100 + before, Clock().now())
    WebDriverWait(driver, PATIENCE_S).until(lambda _: len(driver.find_elements("css selector", "main tbody tr")) == before + 1)
    assert "Updated just now" in driver.find_element("css selector", "[data-live-status]").text
    driver.find_element("css selector", "main tbody a").send_keys("")
    driver.execute_script("document.querySelector('main tbody a').focus()")
    served.world.request(SUPPLIER, ESME, 101 + before, Clock().now())
    keyboard.until("There is news")
    assert len(driver.find_elements("css selector", "main tbody tr")) == before + 1
    driver.execute_script("document.activeElement.blur()")
    WebDriverWait(driver, PATIENCE_S).until(lambda _: len(driver.find_elements("css selector", "main tbody tr")) == before + 2)
    assert driver.execute_script("return window.here")


def test_a_list_that_is_entered_while_its_news_are_on_their_way_is_left_as_it_is(driver: WebDriver, served: Served) -> None:
    at_width(driver, DESKTOP)
    keyboard = enter(driver, served)
    driver.get(f"{served.url}/requests")
    keyboard.until("Your live requests")
    driver.execute_script(
        "const asked = window.fetch; window.fetch = async (...words) => {"
        " const answer = await asked(...words); document.querySelector('main tbody a').focus(); return answer; }"
    )
    before = len(driver.find_elements("css selector", "main tbody tr"))
    served.world.request(SUPPLIER, ESME, 200 + before, Clock().now())
    keyboard.until("There is news")
    assert len(driver.find_elements("css selector", "main tbody tr")) == before
    assert driver.execute_script("return document.activeElement.closest('[data-live]') !== null")


VIEWS = (
    "/",
    "/inventory",
    f"/inventory/{ESME}",
    "/device-log",
    f"/device-log/{CHF}",
    "/requests",
    "REQUEST",
    "/alerts",
    "/incidents",
    "/incidents/new",
    "INCIDENT",
    "/measures",
    "/coverage?postcode=AB12CD",
    "/hubs",
    "/reports",
    "/forms",
    "/guides",
    "/feedback",
    "/accounts",
)


@pytest.mark.parametrize(("name", "size"), [("desktop", DESKTOP), ("phone", PHONE)])
def test_every_view_fits_is_accessible_and_loads_nothing_from_elsewhere(
    driver: WebDriver, served: Served, tmp_path: Path, record_property: object, name: str, size: tuple[int, int]
) -> None:
    axe = axe_source()
    at_width(driver, size)
    enter(driver, served)
    findings: list[str] = []
    for view in VIEWS:
        path = view.replace("REQUEST", f"/requests/{served.world.requests[SUPPLIER]}")
        path = path.replace("INCIDENT", f"/incidents/{served.world.incidents[SUPPLIER]}")
        at_width(driver, size)
        driver.get(served.url + path)
        assert driver.title.endswith("DCC self-service"), path
        assert "That was not done" not in driver.page_source, path
        wide, foreign = driver.execute_script(
            "return [document.documentElement.scrollWidth - innerWidth,"
            " performance.getEntriesByType('resource').map(e => e.name).filter(n => !n.startsWith(location.origin))]"
        )
        assert (wide <= 0, foreign) == (True, []), (path, wide)
        tall, over = driver.execute_script(
            "return [[...document.querySelectorAll('button, .button')].filter(e => e.getBoundingClientRect().height > 60).length,"
            " innerWidth < 700 ? [...document.querySelectorAll('thead')].filter(e => e.getBoundingClientRect().width > 1).length : 0]"
        )
        assert (tall, over) == (0, 0), f"{path}: {tall} buttons break their word, {over} headings lie over the rows"
        driver.execute_script(axe)
        result = driver.execute_async_script(
            "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then(r => done(r.violations))"
        )
        findings += [f"{path}: {one['id']} ({one['impact']}): {one['nodes'][0]['html'][:90]}" for one in result if one["impact"] in SERIOUS]
        word = view.strip("/").split("/")[0].split("?")[0].lower() or "overview"
        picture(driver, tmp_path / f"{name}-{VIEWS.index(view):02}-{word}.png", record_property)
    driver.delete_all_cookies()
    driver.get(f"{served.url}/sign-in")
    driver.execute_script(axe)
    result = driver.execute_async_script("const done = arguments[0]; axe.run().then(r => done(r.violations))")
    findings += [f"/sign-in: {one['id']}" for one in result if one["impact"] in SERIOUS]
    assert findings == []
