"""The local socket between a command of ``chub dcc`` and the DCC that runs: nobody stands between them."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

import pytest

from firmware_emu.errors import NotAvailable
from firmware_emu.ownership import own_places, places
from hil.commands.dcc import visiting
from hil.commands.dcc.visiting import ask, socket_of

STORE = Path("postgresql://chub:secret@localhost/dcc")


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def test_a_command_is_not_told_to_another_users_process(monkeypatch: pytest.MonkeyPatch) -> None:
    path = socket_of(STORE)
    path.parent.mkdir()
    heard: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def answer() -> None:
            link, _ = listening.accept()
            with link:
                heard.append(link.recv(1000))
                if heard[-1]:
                    link.sendall(b'{"exit": 0}\n')

        stranger = threading.Thread(target=answer)
        stranger.start()
        with monkeypatch.context() as other:
            other.setattr(visiting, "_user_at", lambda link: os.getuid() + 4321)
            with pytest.raises(NotAvailable, match="is another user's: remove it"):
                ask(STORE, ["status", "--store", str(STORE)])
        stranger.join()
        assert heard == [b""]
        own = threading.Thread(target=answer)
        own.start()
        assert ask(STORE, ["status"]) == 0
        own.join()


def test_a_folder_that_others_may_write_to_is_not_used() -> None:
    places().mkdir()
    places().chmod(0o777)
    with pytest.raises(NotAvailable, match="is open to other users: remove it"):
        own_places("the DCC's socket")
    places().chmod(0o700)
    assert own_places("the DCC's socket") == places()


def test_a_folder_that_leads_elsewhere_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    places().symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NotAvailable, match="is open to other users: remove it"):
        own_places("the DCC's socket")
