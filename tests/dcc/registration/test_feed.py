"""The registration data feed: signed numbered files in, gaps and repeats noticed, row by row validation, refreshes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from firmware_emu.clock import EPOCH
from firmware_emu.crypto.keystore import Keystore
from firmware_emu.crypto.roles import KeyUsage
from firmware_emu.errors import ProtectionError
from firmware_emu.ids import Eui64
from hil.dcc.base.services import UserRole
from hil.dcc.registration.files import FileError, Fuel, Row, decode
from hil.dcc.registration.settings import feed_setting_sources, feed_settings
from tests.dcc.far_end import ACB, MPAN, NETWORK, SECOND, SUPPLIER
from tests.dcc.registration.feed_bench import MPAN_2, MPRN, NEW_YEAR, RDP, Bench, row


@pytest.fixture
def bench(keystore: Keystore) -> Bench:
    return Bench(keystore)


@pytest.mark.requirement("REG-01")
def test_supplier_agent_and_network_operator_of_an_mpxn_are_answered(bench: Bench) -> None:
    receipt = bench.send(bench.file(1, row(), row(NETWORK, role=UserRole.ED), row(ACB, role=UserRole.RSA)))
    assert (receipt.state, receipt.taken_rows, receipt.problems) == ("taken", 3, ())
    assert bench.registration.parties(MPAN, bench.now) == {UserRole.IS: SUPPLIER, UserRole.RSA: ACB, UserRole.ED: NETWORK}


@pytest.mark.requirement("REG-12")
def test_the_supplier_of_a_past_and_of_a_future_date_is_answered(bench: Bench) -> None:
    gain = bench.now + 7 * 86400
    bench.send(bench.file(1, row(), row(SECOND, begins=gain)))
    party = bench.registration.party
    assert [party(MPAN, UserRole.IS, at) for at in (bench.now, gain - 1, gain, gain + 1)] == [SUPPLIER, SUPPLIER, SECOND, SECOND]


@pytest.mark.requirement("REG-03")
def test_an_operator_names_one_provider_and_a_provider_serves_several_operators(bench: Bench) -> None:
    bench.feed.nominate(SECOND, Fuel.ELECTRICITY, RDP)
    assert bench.feed.operators_of(RDP) == tuple(sorted((NETWORK, SECOND)))
    bench.feed.nominate(SECOND, Fuel.ELECTRICITY, SUPPLIER)
    assert (bench.feed.provider_of(SECOND), bench.feed.operators_of(RDP)) == (SUPPLIER, (NETWORK,))
    refused = bench.send(bench.file(1, provider=NETWORK), NETWORK)
    assert refused.state == "rejected"
    assert "nominated by no network operator" in refused.problems[0]


@pytest.mark.requirement("REG-05")
def test_a_repeated_number_is_not_taken_again(bench: Bench) -> None:
    assert bench.send(bench.file(1, row())).state == "taken"
    again = bench.send(bench.file(1, row(SECOND)))
    assert (again.state, again.problems) == ("repeated", ("sequence 1 was taken before, expected 2",))
    assert bench.supplier() == SUPPLIER


@pytest.mark.requirement("REG-05")
def test_a_file_that_comes_before_its_turn_is_held_until_the_gap_is_filled(bench: Bench) -> None:
    bench.send(bench.file(1, row()))
    early = bench.send(bench.file(4, row(SECOND, mpxn=MPAN_2)))
    assert (early.state, early.problems) == ("held", ("sequence 4 came before 2, 3: held until they come, or a refresh",))
    assert bench.feed.missing(RDP, Fuel.ELECTRICITY, 4) == (2, 3)
    assert bench.send(bench.file(3, row(SECOND))).state == "held"
    assert bench.supplier() == SUPPLIER
    assert bench.send(bench.file(2, row(NETWORK, role=UserRole.ED))).state == "taken"
    assert (bench.supplier(), bench.supplier(MPAN_2)) == (SECOND, SECOND)
    assert bench.send(bench.file(5)).state == "taken"


@pytest.mark.requirement("REG-05")
def test_a_refresh_ends_a_gap_and_overtakes_what_was_held(bench: Bench) -> None:
    bench.send(bench.file(1, row()))
    bench.send(bench.file(3, row(SECOND)))
    assert bench.send(bench.file(7, row(), row(SECOND, mpxn=MPAN_2), refresh=True)).state == "taken"
    assert (bench.supplier(), bench.supplier(MPAN_2)) == (SUPPLIER, SECOND)
    assert bench.send(bench.file(8)).state == "taken"


@pytest.mark.requirement("REG-09")
def test_a_refresh_is_due_two_calendar_days_after_it_was_asked_for(bench: Bench) -> None:
    asked = bench.feed.refreshes.ask(RDP, Fuel.ELECTRICITY, "a gap that the provider cannot fill")
    assert (EPOCH + timedelta(seconds=asked.due)) == datetime(2026, 1, 8, tzinfo=UTC)
    bench.now = asked.due - 1
    assert bench.feed.refreshes.overdue() == ()
    bench.now = asked.due
    assert [one.number for one in bench.feed.refreshes.overdue()] == [asked.number]
    bench.send(bench.file(1, row(), refresh=True))
    assert bench.feed.refreshes.overdue() == ()
    assert bench.feed.refreshes.all()[0].given == bench.now


@pytest.mark.requirement("REG-11")
def test_each_fuel_has_its_own_interface_and_numbers_and_its_files_are_signed(bench: Bench) -> None:
    gas = Row(MPRN, UserRole.GS, SUPPLIER, 0.0)
    assert "nominated by no network operator for gas" in bench.send(bench.file(1, gas, fuel=Fuel.GAS)).problems[0]
    bench.feed.nominate(SECOND, Fuel.GAS, RDP)
    assert bench.send(bench.file(1, row())).state == "taken"
    assert bench.send(bench.file(1, fuel=Fuel.GAS)).state == "taken"
    forged = bench.send(bench.file(2, row(SECOND)), SUPPLIER)
    assert forged.state == "rejected"
    assert "credentials do not hold" in forged.problems[0]
    octets, signature = bench.file(2, row(SECOND)).sign(bench.keystore.private_key(RDP, KeyUsage.DIGITAL_SIGNATURE))
    assert bench.feed.receive(octets.replace(str(SECOND).encode(), str(SUPPLIER).encode()), signature).state == "rejected"
    assert bench.feed.receive(octets, signature).state == "taken"


@pytest.mark.requirement("REG-22")
def test_sender_and_receiver_authenticate_each_other(bench: Bench) -> None:
    receipt = bench.send(bench.file(1, row()))
    dcc = bench.keystore.public_key(ACB, KeyUsage.DIGITAL_SIGNATURE)
    receipt.prove(dcc)
    with pytest.raises(ProtectionError):
        replace(receipt, state="rejected").prove(dcc)
    with pytest.raises(ProtectionError):
        receipt.prove(bench.keystore.public_key(SUPPLIER, KeyUsage.DIGITAL_SIGNATURE))
    assert bench.send(bench.file(2, row()), SUPPLIER).state == "rejected"


@pytest.mark.requirement("REG-18")
def test_each_faulty_row_is_named_with_its_line_and_the_sound_ones_are_taken(bench: Bench) -> None:
    receipt = bench.send(
        bench.file(
            1,
            row(),
            row(mpxn=MPRN),
            row(role=UserRole.GS),
            row(NETWORK),
            row(Eui64(bytes(8)), mpxn=MPAN_2),
            row(),
        )
    )
    assert (receipt.state, receipt.taken_rows) == ("taken", 1)
    assert receipt.problems == (
        f"line 3: MPxN {MPRN} is of gas, expected electricity",
        "line 4: role GS, expected ED or ES or IS or RSA in a file of electricity",
        f"line 5: {NETWORK} is ED, expected a user in role IS",
        f"line 6: {'0' * 16} is no user, expected a user in role IS",
        f"line 7: {MPAN} IS from the same moment stands in the file twice, expected once",
    )
    assert bench.supplier() == SUPPLIER


@pytest.mark.requirement("REG-18")
@pytest.mark.parametrize(
    ("octets", "says"),
    [
        (b"", "line 1: read ''"),
        (b"\xff", "no lines of comma separated text"),
        (b"chub-registration-1,90b3d51f30010000,steam,change,1,0\n", "line 1: 'steam'"),
        (b"chub-registration-1,90b3d51f30010000,gas,change,one,0\n", "a sequence number"),
        (b"chub-registration-1,90b3d51f30010000,gas,change,1,2\n7400012345,GS,90b3d51f30010000,2026-01-01,,\n", "announced, 1 found"),
        (b"chub-registration-1,90b3d51f30010000,gas,change,1,1\n74,GS,90b3d51f30010000,2026-01-01,,\n", "line 2: '74' is not an MPxN"),
        (b"chub-registration-1,90b3d51f30010000,gas,change,1,1\n7400012345,XX,90b3d51f30010000,2026-01-01,,\n", "line 2: 'XX'"),
        (b"chub-registration-1,90b3d51f30010000,gas,change,1,1\n7400012345,GS,90b3d51f30010000,soon,,\n", "line 2:"),
        (b"chub-registration-1,90b3d51f30010000,gas,change,1,1\n7400012345,GS,90b3d51f30010000,2026-01-01,9,\n", "profile class '9'"),
        (b"chub-registration-1,90b3d51f30010000,gas,change,1,1\n7400012345,GS\n", "line 2: read 2 columns"),
    ],
)
def test_what_is_no_file_is_malformed_and_nothing_of_it_is_taken(bench: Bench, octets: bytes, says: str) -> None:
    with pytest.raises(FileError, match="malformed"):
        decode(octets)
    receipt = bench.feed.receive(octets, b"")
    assert receipt.state == "malformed"
    assert any(says in problem for problem in receipt.problems), receipt.problems
    assert bench.registration.all_at(bench.now) == ()


def test_a_file_reads_back_as_it_was_written(bench: Bench) -> None:
    file = bench.file(9, row(), Row(MPAN_2, UserRole.IS, SECOND, NEW_YEAR, 3, "non-domestic"), refresh=True)
    assert decode(file.encode()) == file


@pytest.mark.requirement("REG-13")
@pytest.mark.requirement("REG-20")
def test_volume_average_and_peak_load_of_the_interface_are_limited(keystore: Keystore) -> None:
    limited = replace(feed_settings(), rows_per_file=1, files_per_window=4, window_s=86400.0, peak_files=2, peak_s=3600.0)
    bench = Bench(keystore, limited)
    big = bench.send(bench.file(1, row(), row(mpxn=MPAN_2)))
    assert (big.state, big.problems) == ("overload", ("2 rows, at most 1 in a file [390]: send it in parts",))
    assert [bench.send(bench.file(number)).state for number in (1, 2)] == ["taken", "taken"]
    assert bench.feed.load(RDP) == (2, 2)
    assert "a peak of 2 at most" in bench.send(bench.file(3)).problems[0]
    bench.now += 3601
    assert [bench.send(bench.file(number)).state for number in (3, 4)] == ["taken", "taken"]
    bench.now += 3601
    assert "4 files in 86400 s" in bench.send(bench.file(5)).problems[0]
    bench.now += 86400
    assert bench.send(bench.file(5)).state == "taken"


@pytest.mark.requirement("REG-04")
def test_frequency_format_and_transfer_are_settings_and_a_late_feed_is_noticed(bench: Bench) -> None:
    settings = bench.feed.settings
    assert (settings.format, settings.frequency_s) == ("chub-registration-1", 86400)
    assert "chub dcc registration receive" in settings.transfer
    assert all(source.startswith(("profile-supplied", "choice", "SEC stage 2")) for source in feed_setting_sources().values())
    bench.send(bench.file(1, row()))
    bench.now += settings.overdue_after_s
    assert bench.feed.overdue() == ()
    bench.now += 1
    assert bench.feed.overdue() == ((RDP, Fuel.ELECTRICITY, settings.overdue_after_s + 1),)


def test_a_file_of_which_nothing_is_taken_is_answered_with_its_number_and_no_row(bench: Bench) -> None:
    assert bench.send(bench.file(1, row(), row(SECOND, mpxn=MPAN_2))).taken_rows == 2
    forged = bench.send(bench.file(2, row(SECOND)), SUPPLIER)
    assert (forged.sequence, forged.state, forged.taken_rows) == (2, "rejected", 0)
    repeated = bench.send(bench.file(1, row(SECOND)))
    assert (repeated.sequence, repeated.state, repeated.taken_rows) == (1, "repeated", 0)
    assert repeated.problems == ("sequence 1 was taken before, expected 2",)
    held = bench.send(bench.file(4, row(SECOND)))
    assert (held.sequence, held.state, held.taken_rows) == (4, "held", 0)
    assert held.problems == ("sequence 4 came before 2, 3: held until they come, or a refresh",)
    malformed = bench.feed.receive(b"rubbish", b"")
    assert (malformed.sequence, malformed.state, malformed.taken_rows) == (0, "malformed", 0)
    assert bench.supplier() == SUPPLIER
