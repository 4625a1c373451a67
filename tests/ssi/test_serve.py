"""``chub dcc serve --board``: a home, its DCC and the page in one process."""

from __future__ import annotations

import re
import subprocess
import sys

import httpx

from tests.patience import PATIENCE_S


def test_the_page_opens_a_home_of_its_own_and_shows_its_journey_live() -> None:
    chub = [sys.executable, "-c", "from firmware_emu.cli import main; main()"]
    words = ["dcc", "serve", "--board", "simulated", "--port", "0", "--speed", "40", "--for", f"{PATIENCE_S:g}"]
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
