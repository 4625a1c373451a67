"""A fleet before a DCC of two processes on one PostgreSQL, one of which is killed on the way."""

from __future__ import annotations

import json
import socket

import pytest
from click.testing import CliRunner

from hil.fleet.command import fleet
from hil.fleet.database import programs
from tests.patience import PATIENCE_S


def _free_ports() -> int:
    """A port that is free, as is the one after it."""
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            try:
                two.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


@pytest.mark.timeout(2 * PATIENCE_S)
@pytest.mark.skipif(programs() is None, reason="PostgreSQL's programs are not here (Debian: apt-get install postgresql)")
def test_nothing_is_lost_or_doubled_though_one_process_of_the_dcc_is_killed_half_way() -> None:
    words = ["prove", "--homes", "4", "--reads", "2", "--inbox-port", str(_free_ports()), "--json"]
    done = CliRunner().invoke(fleet, words)
    told = json.loads(done.stdout)
    assert (told["verdict"], told["store"], told["answered_twice"], told["problems"]) == ("pass", [], [], [])
    assert (told["homes"], told["passed"]) == (4, 4)
    assert told["requests"] >= 20
    assert told["killed_at"] is not None
