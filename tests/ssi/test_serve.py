"""``chub dcc serve --board``: a home, its DCC and the page in one process."""

from __future__ import annotations

import re
import subprocess
import sys

import httpx
import pytest

from firmware_emu.clock import Clock
from firmware_emu.errors import CommsHubError
from hil.commands.dcc.serve import JourneyTold, page_on
from hil.dcc.base.store import DccStore
from hil.journeys.strategy import State
from hil.report.verdict import Step
from tests.patience import PATIENCE_S


async def test_a_page_tells_stage_step_and_the_reason_of_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    page = page_on(DccStore(None), Clock(warp=True))
    told = JourneyTold(page)
    assert page.under_way == "The home of this page is being opened."
    state = State.LISTED
    told.reached = lambda: state
    told.begun("esme joins")
    assert page.under_way == "The home of this page is being commissioned, stage 5 of 7; step 1: esme joins."
    told.ended(Step("esme joins", "fail", 1.0, why="nobody answers"))
    state = State.PAIRED
    told.begun("4.1.1 import registers")
    assert page.under_way.startswith("The home of this page is commissioned, and the journey of the demo goes on; step 2: 4.1.1")

    async def journey() -> None:
        raise CommsHubError("4.1.1 import registers: no Response came")

    await told.play(journey())
    assert told.failed
    assert "failed at step 2: 4.1.1 import registers: no Response came. The pages show what was reached" in page.under_way
    assert "fail esme joins: nobody answers\n" in capsys.readouterr().err


async def test_a_journey_that_ends_well_is_told_as_over() -> None:
    told = JourneyTold(page := page_on(DccStore(None), Clock(warp=True)))
    told.begun("supply on")

    async def journey() -> None:
        pass

    await told.play(journey())
    assert (told.failed, page.under_way) == (False, "The journey of the demo is over: steps passed: 1.")


def test_the_page_opens_a_home_of_its_own_and_shows_its_journey_live() -> None:
    # Time that passes faster than the wall's lets timeouts run out on a machine that is busy with other work.
    chub = [sys.executable, "-c", "from firmware_emu.cli import main; main()"]
    words = ["dcc", "serve", "--board", "simulated", "--port", "0", "--speed", "5", "--for", f"{PATIENCE_S:g}"]
    process = subprocess.Popen([*chub, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    try:
        url, token = "", ""
        while not token:
            line = process.stdout.readline()
            assert line, "the process ended"
            url = line.split()[-1] if "self-service page at" in line else url
            token = line.split()[-1] if re.match(r"[0-9a-f]{16} IS ", line) else token
        with httpx.Client(base_url=url, timeout=PATIENCE_S) as browser:
            assert browser.post("/sign-in", data={"token": token}).status_code == 303
            assert "The home of this page is" in browser.get("/").text
            found: list[str] = []
            with browser.stream("GET", "/live") as live:
                news = live.iter_lines()
                while not found:
                    next(news)  # "retry" at first, then a line when something of this user's has changed
                    html = browser.get("/requests").text
                    found = re.findall(r'href="(/requests/[^"]+)">8\.11 [^<]*</a></td>[^/]*/td><td[^>]*>responded<', html)
            html = browser.get(found[0]).text
            assert "<svg" in html
            assert ">hub</text>" in html
            assert "the Response came from the Device" in html
    finally:
        process.terminate()
        said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, said[-3000:]
