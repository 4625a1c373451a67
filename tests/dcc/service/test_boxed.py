"""Board ``boxed``: the published templates, posted as they are, are answered without a step before."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree

from firmware_emu.board import load_board
from firmware_emu.clock import Clock
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.trace import Trace
from hil.bench import dcc_board as from_board
from hil.bench.far_end import BenchKeys, open_far_end
from hil.bench.standing_dcc import Places, stand
from hil.dcc.duis.document import load_schema
from hil.dcc.duis.request import CommandVariant
from hil.dcc.service.exchange import SERVED
from tests.dcc.service.duis_client import texts
from tests.dcc.service.templates import SPOILS, in_order

REFUSED = {
    "11.1": "the image is of another version than the request names",
    "11.4": "the image is of another version than the request names",
    "12.2": "the Device is listed already",
    "5.2": "no such schedule",
    "5.3": "no such schedule",
    "8.1.1": "the Device is commissioned already",
    "8.13": "no Command was returned for local delivery",
    "9.1": "not a supplier's service",
}
"""Services of the templates that a home in service refuses, and why."""
OF_THE_DCC = "90-B3-D5-1F-30-00-00-02:00-DB"
OF_ANOTHER_SUPPLIER = "90-B3-D5-1F-30-03-00-00:"


@pytest.fixture
def clock(follow: Callable[[Clock], Clock]) -> Clock:
    return follow(Clock())


async def test_every_published_template_is_answered_as_it_is(
    rtds: Path, duis: Path, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    bench = BenchKeys.of(rtds / "keys", "boxed")
    board = load_board("boxed")
    schema, codes, wrong = load_schema(duis / "xsd" / "DUIS.xsd"), Counter[str](), []
    async with open_far_end(bench, tmp_path / "dcc.sqlite", clock, Trace(clock.now), from_board.settings_of(board)) as end:
        end.stays_up = True
        from_board.prepare(end.dcc, board)
        async with stand(end, Places()) as standing:
            files = in_order(duis)
            for path in files:
                octets = path.read_bytes()
                found = re.search(rb"CommandVariant>(\d)", octets)
                assert found is not None
                place = next(one for one, variants in SERVED.items() if CommandVariant(int(found[1])) in variants)
                document = etree.fromstring(await standing.exchange.answer(place, octets))
                assert schema.validate(document), path.name
                said = texts(document)
                codes[said["ResponseCode"][0]] += 1
                ours = said["RequestID"].startswith((OF_THE_DCC, OF_ANOTHER_SUPPLIER))
                if said["ResponseCode"][0] == "E" and said["ServiceReferenceVariant"] not in REFUSED and not ours:
                    wrong.append((path.name, said["ResponseCode"]))
    assert [name for name, _ in wrong if not name.startswith(SPOILS)] == []
    assert (sum(codes.values()), codes["I"] > 220) == (len(files), True)


def test_the_published_keys_take_the_place_of_the_bench_s_own(rtds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    bench = BenchKeys.of(rtds / "keys", "boxed")
    parties = load_board("boxed").parties
    assert bench.keystore.certificate(parties.supplier, KeyUsage.DIGITAL_SIGNATURE).issuer.rfc4514_string() == "CN=Z1,OU=07"
    assert bench.keystore.has_private_key(load_board("boxed").hub.chf, KeyUsage.KEY_AGREEMENT)
    assert not bench.keystore.has_xml_signing_certificate(parties.supplier), "it signs with its digital signature pair"
    assert BenchKeys.of(rtds / "keys", "boxed").folder == bench.folder


def test_a_party_in_several_roles_is_one_user() -> None:
    roles = from_board.user_roles(load_board("boxed"))
    assert [" ".join(some) for some in roles.values()] == ["IS GS ES", "IS", "ED GT", "LC", "RSA", "OU"]
