"""Recordings line by line: each written and read, played back at its time to the command it answered, and told in words."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from firmware_emu.clock import Clock
from firmware_emu.errors import NotAvailable
from hil.radio.air.air import Air
from hil.radio.ncp.ezsp import encode_frame, schemas
from hil.radio.port.faults import Crowd, NcpFaults
from hil.radio.recording import PlayedNcp, PlayedZnp, Recorder, Recording, Spoken, conversation, load_recording
from hil.radio.znp.mt import MtFrame, MtKind

NOP, ECHO = schemas(13)["nop"].frame_id, schemas(13)["echo"].frame_id


def ask(sequence: int, frame_id: int, parameters: bytes = b"", version: int = 13) -> bytes:
    return encode_frame(sequence, frame_id, parameters, version, control=0)


def answer(sequence: int, frame_id: int, parameters: bytes = b"", version: int = 13) -> bytes:
    return encode_frame(sequence, frame_id, parameters, version)


TALK = Recording(
    13,
    False,
    (
        Spoken(0.0, "host", other="rst"),
        Spoken(0.5, "dongle", other="rstack", code=11),
        Spoken(1.0, "host", ask(1, NOP)),
        Spoken(1.25, "dongle", answer(1, NOP)),
        Spoken(2.0, "host", ask(2, ECHO, b"\x01a")),
        Spoken(2.5, "dongle", answer(2, ECHO, b"\x01a")),
        Spoken(3.5, "dongle", answer(9, NOP, b"callback")),
        Spoken(3.75, "dongle", other="rstack", code=2),
        Spoken(4.0, "dongle", other="error", code=0x51),
        Spoken(5.0, "host", other="rst"),
        Spoken(6.0, "host", ask(3, NOP)),
        Spoken(6.0, "dongle", answer(3, NOP, b"again")),
    ),
)


class Stage:
    """A played dongle and all that it says, with the seconds since it began."""

    def __init__(self, clock: Clock, recording: Recording = TALK) -> None:
        self.begun = asyncio.get_running_loop().time()
        self.said: list[tuple[float, bytes]] = []
        self.restarts: list[tuple[float, int]] = []
        self.dongle = PlayedNcp(
            recording,
            Air(clock, 1),
            lambda frame: self.said.append((self._now(), frame)),
            lambda code: self.restarts.append((self._now(), code)),
        )

    def _now(self) -> float:
        return round(asyncio.get_running_loop().time() - self.begun, 6)


async def test_a_played_dongle_says_what_it_said_as_long_after_the_command_under_the_new_sequence(clock: Clock) -> None:
    stage = Stage(clock)
    stage.dongle.receive(ask(0x41, ECHO, b"\x01z"))
    await clock.sleep(10)
    assert stage.said == [(0.5, answer(0x41, ECHO, b"\x01a")), (1.5, answer(9, NOP, b"callback"))], "a callback keeps its sequence"
    assert stage.restarts == [(1.75, 2)]
    assert (stage.dongle.place, stage.dongle.unanswered) == (9, [])


async def test_a_command_is_looked_for_from_where_the_recording_stands(clock: Clock) -> None:
    stage = Stage(clock)
    for sequence in (0x41, 0x42):
        stage.dongle.receive(ask(sequence, NOP))
        await clock.sleep(1)
    assert stage.said == [(0.25, answer(0x41, NOP)), (1.0, answer(0x42, NOP, b"again"))]
    stage.dongle.receive(ask(0x43, NOP))
    stage.dongle.receive(ask(0x44, ECHO, b"\x01z"))
    stage.dongle.receive(ask(0x45, 0x3FFF))
    assert stage.dongle.unanswered == ["nop", "echo", "0x3fff"]
    assert stage.dongle.place == len(TALK.spoken)
    stage.dongle.receive(b"\x01")
    assert len(stage.dongle.unanswered) == 3, "what is no frame is no command"


@pytest.mark.parametrize(("asked", "place"), [(True, 10), (False, 0)])
async def test_a_reset_goes_on_behind_the_recorded_one_and_what_was_due_is_not_said(clock: Clock, asked: bool, place: int) -> None:
    stage = Stage(clock)
    if asked:
        stage.dongle.receive(ask(0x41, ECHO, b"\x01z"))
    for _ in range(2):
        stage.dongle.reset()
    await clock.sleep(10)
    assert (stage.said, stage.dongle.place) == ([], place)
    stage.dongle.receive(ask(0x42, NOP))
    stage.dongle.reset()
    assert stage.dongle.place == (len(TALK.spoken) if asked else 10)


def mt(kind: MtKind, command: int, data: bytes = b"") -> bytes:
    return MtFrame(kind, 1, command, data).encode()


ZNP_TALK = Recording(
    0,
    False,
    (
        Spoken(1.0, "host", mt(MtKind.SREQ, 0x01)),
        Spoken(1.5, "dongle", mt(MtKind.SRSP, 0x01, b"\x59\x06")),
        Spoken(3.0, "dongle", mt(MtKind.AREQ, 0x80, b"\x00") + mt(MtKind.AREQ, 0x81)),
        Spoken(4.0, "host", mt(MtKind.SREQ, 0x02)),
        Spoken(4.0, "dongle", mt(MtKind.SRSP, 0x02, b"\x02")),
        Spoken(5.0, "host", mt(MtKind.SREQ, 0x01)),
        Spoken(5.0, "dongle", mt(MtKind.SRSP, 0x01, b"\x79\x07")),
    ),
    "znp",
)


@pytest.mark.parametrize("reset_s", [None, 1.0])
async def test_a_played_znp_says_what_it_said_and_nothing_after_a_reset(clock: Clock, reset_s: float | None) -> None:
    begun = asyncio.get_running_loop().time()
    said: list[tuple[float, int, bytes]] = []

    def say(frame: MtFrame) -> None:
        said.append((round(asyncio.get_running_loop().time() - begun, 6), frame.command, frame.data))

    dongle = PlayedZnp(ZNP_TALK, Air(clock, 1), say, lambda: None, Crowd(NcpFaults()))
    dongle.receive(MtFrame(MtKind.SREQ, 1, 0x01, b""))
    if reset_s is not None:
        await clock.sleep(reset_s)
        dongle.reset()
    await clock.sleep(10)
    later = [] if reset_s else [(2.0, 0x80, b"\x00"), (2.0, 0x81, b"")]
    assert said == [(0.5, 0x01, b"\x59\x06"), *later]
    assert dongle.place == 3
    said.clear()
    for wrong in (MtFrame(MtKind.AREQ, 1, 0x01, b""), MtFrame(MtKind.SREQ, 4, 0x02, b"")):
        dongle.receive(wrong)
    assert dongle.unanswered == ["1/01", "4/02"]
    dongle.receive(MtFrame(MtKind.SREQ, 1, 0x01, b""))
    await clock.sleep(1)
    assert [data for _, _, data in said if data == b"\x79\x07"] == [b"\x79\x07"], "the next of its kind, past another"
    assert dongle.place == len(ZNP_TALK.spoken)


def test_a_conversation_is_told_with_times_ends_and_names() -> None:
    version = ask(0, 0, b"\x0d", 4)
    told = conversation(Recording(13, False, (Spoken(0.0, "host", version), *TALK.spoken[1:4], Spoken(12.3456, "host", ask(5, 0x3FFF)))))
    assert told == [
        f"     0.000 host   version {version.hex()}",
        "     0.500 dongle rstack",
        f"     1.000 host   nop {ask(1, NOP).hex()}",
        f"     1.250 dongle nop {answer(1, NOP).hex()}",
        f"    12.346 host   0x3fff {ask(5, 0x3FFF).hex()}",
    ]
    assert [line.split()[2] for line in conversation(ZNP_TALK)[:2]] == ["SYS_PING", "SYS_PING"]


@pytest.mark.parametrize(
    ("spoken", "line"),
    [
        (Spoken(1.23456789, "host", b"\x01\x02"), {"t": 1.234568, "from": "host", "frame": "0102"}),
        (Spoken(0.0, "host", other="rst"), {"t": 0.0, "from": "host", "rst": 0}),
        (Spoken(2.0, "dongle", other="rstack", code=11), {"t": 2.0, "from": "dongle", "rstack": 11}),
        (Spoken(2.0, "dongle", other="error", code=0x51), {"t": 2.0, "from": "dongle", "error": 0x51}),
    ],
)
def test_a_line_of_a_recording_is_read_as_it_was_written(tmp_path: Path, spoken: Spoken, line: dict[str, object]) -> None:
    assert json.loads(spoken.as_json()) == line
    head = {"format": "chub-recording", "version": 1, "kind": "serial", "ezsp": 13, "secrets": True}
    (tmp_path / "one.jsonl").write_text(json.dumps(head) + "\n" + spoken.as_json() + "\n")
    read = load_recording(tmp_path / "one.jsonl")
    assert (read.ezsp, read.secrets, read.family) == (13, True, "ezsp")
    (one,) = read.spoken
    assert json.loads(one.as_json()) == line


@pytest.mark.parametrize(("family", "head"), [("ezsp", {"ezsp": 13}), ("znp", {"family": "znp"})])
@pytest.mark.parametrize("secrets", [False, True])
async def test_a_recording_begins_with_its_head_and_counts_from_its_beginning(
    clock: Clock, tmp_path: Path, family: str, head: dict[str, object], secrets: bool
) -> None:
    await clock.sleep(5)
    file = tmp_path / "talk.jsonl"
    recorder = Recorder(file, clock, 13 if family == "ezsp" else 0, family=family, secrets=secrets)
    await clock.sleep(1.5)
    recorder.heard("dongle", b"\xc1\x02\x0b\x0a\x52\x7e" if family == "ezsp" else mt(MtKind.AREQ, 0x80, bytes(6)))
    recorder.close()
    first, line = (json.loads(one) for one in file.read_text().splitlines())
    assert first == {"format": "chub-recording", "version": 1, "kind": "serial", "secrets": secrets, **head}
    assert (line["t"], line["from"]) == (1.5, "dongle")
    assert not secrets or file.stat().st_mode & 0o077 == 0


def test_a_recording_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotAvailable, match="name a file that can be written"):
        Recorder(tmp_path / "none" / "talk.jsonl", Clock(warp=True), 13)
