"""Words of ``chub dcc send``, ``listen`` and ``capture``: what they mean, and what is told on the way."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import click
import pytest

from firmware_emu.trace import Record
from hil.commands import capture
from hil.commands.dcc import options, send
from hil.dcc.duis.request import CommandVariant


@pytest.mark.parametrize(
    ("text", "place"), [("127.0.0.1:0", ("127.0.0.1", 0)), ("::1:4059", ("::1", 4059)), ("hub.local:1", ("hub.local", 1))]
)
def test_a_place_is_a_host_and_a_port(text: str, place: tuple[str, int]) -> None:
    assert send.place_of(text) == place


@pytest.mark.parametrize("text", [":1", "host", "host:", "host:x", "host:-1", "host:1.5", ""])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="expected HOST:PORT"):
        send.place_of(text)


@pytest.mark.parametrize(
    ("local", "both", "way", "returned"),
    [
        (False, False, None, CommandVariant.SIGNED_SEND),
        (True, False, CommandVariant.RETURN, CommandVariant.SIGNED_RETURN),
        (False, True, CommandVariant.SEND_AND_RETURN, CommandVariant.SIGNED_SEND_AND_RETURN),
        (True, True, CommandVariant.RETURN, CommandVariant.SIGNED_RETURN),
    ],
)
def test_a_command_goes_to_the_hub_to_its_user_or_to_both(
    local: bool, both: bool, way: CommandVariant | None, returned: CommandVariant
) -> None:
    """DUIS command variants: for local delivery, to the SM WAN and back to the user, or the SM WAN alone."""
    assert send._way(local, both) == way
    assert send._returns(local, both) == returned


def _record(area: str, event: str, **detail: object) -> Record:
    return Record(number=1, time=2.0, area=area, source="dcc", event=event, target="hub", detail=detail)


def test_listen_tells_connections_and_what_the_dcc_does_and_nothing_of_the_han(capsys: pytest.CaptureFixture[str]) -> None:
    send._tell(_record("han", "received", code="1"), False)
    send._tell(_record("wan", "sent"), False)
    send._tell(_record("wan", "connected", code="8f35", reason=None), False)
    send._tell(_record("dcc", "refused"), False)
    send._tell(_record("dcc", "changed", status="Commissioned"), True)
    first, second, third = capsys.readouterr().out.splitlines()
    assert (first, second) == ("dcc connected hub code=8f35", "dcc refused hub")
    assert '"Commissioned"' in third


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2000-01-01T00:01Z", 60.0), ("2000-01-02", 86400.0), ("2000-01-01T01:00+01:00", 0.0), ("1999-12-31T23:59:59Z", -1.0)],
)
def test_a_time_without_a_zone_is_utc(text: str, seconds: float) -> None:
    assert options.MOMENT.convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["inf", "nan", "one"])
def test_a_number_is_finite(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"expected a number as 99\.5"):
        options.DECIMAL.convert(text, None, None)
    assert str(options.DECIMAL.convert("99.50", None, None)) == "99.50"


def test_rows_are_a_table_a_block_or_json_and_none_is_said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"name": "a", "good": True, "value": None, "many": ["x", "y"]}, {"name": "b", "good": False, "value": 0, "many": ()}]
    monkeypatch.setenv("COLUMNS", "80")
    options.show(rows, "Things", False)
    table = capsys.readouterr().out
    assert table.startswith("Things")
    assert "x; y" in table
    assert [word for word in ("yes", "no", "-") if word not in table] == []
    options.show([], "Things", False)
    assert capsys.readouterr().out == "Things: nothing\n"
    options.show([], "Things", True)
    assert capsys.readouterr().out == "[]\n"
    monkeypatch.setenv("COLUMNS", "10")
    options.show([{"name": "a" * 30, "good": True}], "Things", False)
    assert capsys.readouterr().out == f"Things\n- name: {'a' * 30}\n  good: yes\n"


def test_a_captures_end_is_a_fifo_that_is_taken_away_or_a_file_that_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fifo, file = tmp_path / "fifo", tmp_path / "capture.pcapng"
    heard: list[bytes] = []

    def read() -> None:
        with fifo.open("rb") as reader:
            heard.append(reader.read())

    os.mkfifo(fifo, 0o600)
    reader = threading.Thread(target=read)
    reader.start()
    with capture._opened(str(fifo)) as out:
        out.write(b"octets")
    reader.join()
    assert heard == [b"octets"]
    assert stat.S_ISFIFO(fifo.stat().st_mode), "it was there before"
    with capture._opened(str(file)) as out:
        out.write(b"octets")
    assert file.read_bytes() == b"octets"
    fifo.unlink()

    made = os.mkfifo
    reader = threading.Thread(target=read)

    def make(path: Path, mode: int) -> None:
        made(path, mode)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        reader.start()

    monkeypatch.setattr(capture.os, "mkfifo", make)
    with capture._opened(str(fifo)) as out:
        out.write(b"more")
    reader.join()
    assert heard == [b"octets", b"more"]
    assert not fifo.exists(), "made here, taken away here"
