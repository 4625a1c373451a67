"""The datasheet of the modelled unit: connector, input stage, serial pair. The default is healthy; a defect is one value changed.

Every figure here belongs to the model, not to any specification, and none is taken from the profile that judges the unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ichis.uart import HubUart, LineProfile


@dataclass(frozen=True, slots=True)
class Condition:
    """Volts, amperes, ohms, seconds. ``None``: the unit has no such thing."""

    # supply path
    cable_ohm: float = 0.15
    """Supply cable and contacts, there and back."""
    supply_gain: float = 1.0
    """Volts given over volts asked for, of the supply instrument."""
    ripple_v: float = 0.03

    # the hub's input stage
    load_w: float = 2.4
    """Power of the running hub, from the supply or from its own store."""
    input_loss_w: float = 0.0
    """Power lost ahead of the store, only above 11.5 V."""
    low_volts_extra_a: float = 0.0
    """More current below 11 V."""
    leakage_a: float = 0.003
    start_peak_a: float = 0.0
    """A supply limited below this collapses when the hub starts from empty, and the hub does not start."""
    inrush_a: float = 1.1
    """Peak current when the store is charged from empty."""
    nominal_v: float = 12.0
    """Volts at which the store holds for ``holdup_s``."""
    holdup_s: float = 0.5
    capacitance_f: float | None = None
    """Of the store; as much as ``holdup_s`` wants at ``load_w`` if None."""
    cut_off_v: float = 8.5
    """The hub stops where its store has fallen to this."""
    brownout_v: float = 8.5
    """The running hub resets where its supply is below this."""
    recovery_v: float = 9.8
    cold_start_v: float = 10.0
    overvoltage_trip_v: float | None = None
    slow_ramp_lockout_s: float | None = None
    """A cold start fails when the rise to the starting voltage takes longer."""
    glitch_reset_s: tuple[float, float] | None = None
    """Interruptions of a length between these reset the hub."""
    short_dip_latch_s: float | None = None
    """After a brown-out dip shorter than this the hub stays off until the supply was switched off."""
    overload_latch: bool = False
    """After the supply collapsed under its current limit the hub stays off until the supply was switched off."""
    starts_in_window: tuple[int, float] | None = None
    """No start after so many within so many seconds."""
    hot_insertion_lockup: bool = False
    needs_host_present: bool = False
    needs_data_pair: bool = False
    open_data_extra_a: float = 0.0

    # contacts and lines
    open_pins: frozenset[int] = frozenset()
    shorts: frozenset[tuple[int, int]] = frozenset()
    """Pairs of pins, the lower number first."""
    pin_volts: Mapping[int, float] = field(default_factory=dict)
    """Volts on a contact whatever its logic level says."""
    level_volts: Mapping[str, float] = field(default_factory=dict)
    """``"AC LO high"``: volts of that level of that line."""
    missing_pull_ups: frozenset[str] = frozenset()
    device_present_hardwired: bool = False
    """The contact is joined to Common inside the unit, whether it runs or not."""
    device_present_delay_s: float = 0.0
    device_present_bounce_s: float = 0.012
    device_present_flicker_s: float = 0.0
    """The line drops once for so long, one second after it was driven."""
    device_present_drift_v: float | None = None
    """Volts that the host's contact drifts to once the hub has been out for half a second."""
    device_present_release_s: float = 0.0
    """Seconds for which the host's contact hangs between the levels after the hub was taken out."""
    removal_touch_s: float = 0.0
    """The contact touches again for so long, half a second after the hub was taken out."""
    ac_lost_delay_s: float = 0.0
    ac_restored_delay_s: float = 0.0
    ac_lost_needs_data_pair: bool = False

    # the serial pair
    line_settings: LineProfile = field(default_factory=LineProfile)
    told_eui: str | None = None
    """The EUI-64 that the unit says it has over the bench link; its own if None."""
    hub_baud_error: float = 0.0
    """Relative error of the hub's bit clock."""
    swallowed_octets: frozenset[int] = frozenset()
    deaf_octets_after_error: int = 0
    """Octets that the hub's UART loses after one that it could not read."""
    hub_repeats_sequence: bool = False
    hub_counts_errors: bool = True
    hub_reading_gain: float = 1.0
    """Of the hub's own reading of its supply."""

    @property
    def line(self) -> LineProfile:
        """The settings that the unit's UART really has."""
        return replace(self.line_settings, baud=self.line_settings.baud * (1 + self.hub_baud_error))

    @property
    def uart(self) -> HubUart:
        """The unit's UART, just switched on."""
        return HubUart(self.line, self.swallowed_octets, self.deaf_octets_after_error)
