"""General block transfer: blocks, splitting and joining."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_emu.errors import DecodeError, IdentifierError
from firmware_emu.gbcs.gbt import BlockReassembly, TransferBlock, segment
from tests.gbcs.gbcs_strategies import outcome

numbers = st.integers(0, 0xFFFF)


@given(st.builds(TransferBlock, numbers, st.binary(max_size=300), st.booleans(), numbers, st.booleans(), st.integers(0, 63)))
def test_every_block_decodes_to_itself(block: TransferBlock) -> None:
    assert TransferBlock.decode(block.encode()) == block


@given(st.binary(max_size=60))
def test_arbitrary_octets_raise_decode_errors_only(tail: bytes) -> None:
    result = outcome(lambda: TransferBlock.decode(b"\xe0" + tail, 4))
    assert 4 <= result.offset <= 5 + len(tail) if isinstance(result, DecodeError) else result.encode() == b"\xe0" + tail


@given(st.binary(max_size=3000), st.integers(1, 400))
def test_a_message_in_blocks_joins_to_the_same_message(message: bytes, size: int) -> None:
    joined = BlockReassembly()
    results = [joined.add(block) for block in segment(message, size)]
    assert results[-1] == message
    assert set(results[:-1]) <= {None}


def test_a_block_that_is_repeated_is_taken_once() -> None:
    first, second = segment(b"abcd", 2)
    joined = BlockReassembly()
    assert joined.add(first) is None
    assert joined.add(first) is None
    assert joined.received == 1
    assert joined.add(second) == b"abcd"
    assert joined.add(second) == b"abcd"


def test_a_gap_and_too_much_data_are_refused() -> None:
    with pytest.raises(DecodeError, match="expected 1"):
        BlockReassembly().add(TransferBlock(2, b"x", last=False))
    with pytest.raises(DecodeError, match="more than 3"):
        BlockReassembly(max_octets=3).add(TransferBlock(1, b"abcd", last=True))


@pytest.mark.parametrize("size", [0, -1, 70_000])
def test_a_block_size_that_cannot_be_is_refused(size: int) -> None:
    with pytest.raises(IdentifierError):
        segment(b"abc", size)
