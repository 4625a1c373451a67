"""The SM WAN variant of a board's hub, and where it stands, as the prompt meets them."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_emu.console import Bench
from firmware_emu.errors import NotAvailable


def formed(tmp_path: Path, *wan: str) -> bool:
    """True if a hub of such a board reaches the DCC. Raises NotAvailable where it is never commissioned."""
    board = tmp_path / "variant.toml"
    lines = "\n".join(wan)
    board.write_text(f'name = "variant"\nextends = "simulated"\ndevice = []\n[wan]\n{lines}\n', encoding="utf-8")
    with Bench.open(str(board), seed=7) as bench:
        bench.hub.form()
        return bench.hub.status()["WAN connected"] is True


@pytest.mark.requirement("CH-25")
def test_without_a_signal_a_single_mode_hub_is_never_commissioned(tmp_path: Path) -> None:
    assert formed(tmp_path, 'variant = "cellular"')
    with pytest.raises(NotAvailable, match="the CHF's status commissioned"):
        formed(tmp_path, 'variant = "cellular"', "signal = false", "neighbour = true")


@pytest.mark.requirement("CH-26")
def test_without_a_signal_a_dual_mode_hub_goes_by_a_neighbour_with_power_and_signal_or_not_at_all(tmp_path: Path) -> None:
    assert formed(tmp_path, 'variant = "dual mode"', "signal = false", "neighbour = true")
    with pytest.raises(NotAvailable, match="the CHF's status commissioned"):
        formed(tmp_path, 'variant = "dual mode"', "signal = false")
