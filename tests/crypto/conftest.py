"""Known answers and a keystore that is made once for all tests of this folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firmware_emu.crypto import libcrypto
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.pki import DEFAULT_DEVICES, make_pki

KNOWN_ANSWERS = Path(__file__).with_name("known_answers.json")


@pytest.fixture(scope="session")
def known() -> dict[str, Any]:
    """Known answers printed in the reference: CBKE suites 1 and 2, a GBCS 18.4 command, AES-GCM."""
    answers: dict[str, Any] = json.loads(KNOWN_ANSWERS.read_text())
    return answers


@pytest.fixture(scope="session")
def bench_pki(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Keystore]:
    """A test PKI with the default identities: its folder and what making it gave."""
    folder = tmp_path_factory.mktemp("made") / "pki"
    return folder, make_pki(folder, devices=DEFAULT_DEVICES)


@pytest.fixture(scope="module", params=["libcrypto", "Python"])
def both_ways(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test of a module twice: points multiplied by libcrypto, and without it."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "Python":
            patch.setattr(libcrypto, "group_of", lambda curve: None)
        elif libcrypto.group_of("sect283k1") is None:
            pytest.skip("this machine has no libcrypto with sect283k1: apt-get install libssl3")
        yield
