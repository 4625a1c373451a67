"""The hub's profile values (``profile.toml``) and what one hub is configured with."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from enum import Enum
from functools import cache
from importlib import resources

from firmware_emu.errors import BoardError
from firmware_emu.han.custody import Custody
from firmware_emu.ids import Eui64


@dataclass(frozen=True, slots=True)
class HubProfile:
    """Capacities and times (``_s`` seconds, ``_min`` minutes); each has its source in ``profile.toml``."""

    device_log_capacity: int
    historic_log_capacity: int
    join_time_longest_s: int
    mailbox_retention_s: int
    mailbox_capacity: int
    tunnel_busy_retry_s: int
    tunnel_lifetime_s: int
    delivery_retry_s: int
    delivery_given_up_s: int
    outage_threshold_s: int
    hold_up_s: int
    alive_mark_s: int
    keep_alive_base_min: int
    keep_alive_jitter_s: int
    profile_data_log_capacity: int
    daily_read_log_capacity: int
    daily_consumption_log_capacity: int
    ota_transfers_at_once: int
    ota_wait_s: int
    ota_block_delay_ms: int
    network_key_period_s: int
    network_key_spread_s: int
    hand_held_window_s: int
    hand_held_cluster: int
    hand_held_at_once: int
    earliest_time: int
    latest_time: int
    time_jump_longest_s: int
    sub_ghz_look_s: int
    sub_ghz_settle_s: int
    sub_ghz_suspend_min: int
    sub_ghz_scans_a_day: int
    sub_ghz_devices: int
    sub_ghz_regulated: int
    gas_wake_s: int

    @classmethod
    def read(cls, text: str, name: str) -> HubProfile:
        """Read a profile's TOML text. Raises BoardError naming file and key."""
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise BoardError(name, "", str(error)) from error
        values: dict[str, int] = {}
        for one in fields(cls):
            entry = data.get(one.name)
            if not isinstance(entry, dict) or not isinstance(entry.get("value"), int) or not entry.get("source"):
                raise BoardError(name, one.name, "expected a table with an integer value and a source")
            values[one.name] = entry["value"]
        return cls(**values)


@cache
def standard_profile() -> HubProfile:
    """The profile that comes with the package."""
    return HubProfile.read(resources.files("firmware_emu.hub").joinpath("profile.toml").read_text(encoding="utf-8"), "profile.toml")


class HanVariant(Enum):
    """Which bands the hub's HAN has (requirements CH-24)."""

    SINGLE_BAND = "2.4 GHz"
    DUAL_BAND = "2.4 GHz and sub-GHz"


@dataclass(frozen=True, slots=True)
class HubConfig:
    """One hub: its two entity identifiers, the channel of its HAN, and the parties whose certificates it leaves the factory with.

    ``manufacturer`` (4 octets), ``model`` (8) and ``firmware_version`` (4) are what ECS26i, ECS26n and ECS52 read (CHTS 4.6.1.2,
    4.6.1.3, 4.6.3.4). ``custody``: what it does at a dongle that holds another network than it remembers. ``gbcs``: version
    of GBCS that it keeps to. ``hold_up_s`` None and ``outage_threshold_s`` None: as the profile says.
    """

    chf: Eui64
    gpf: Eui64
    access_control_broker: Eui64
    wan_provider: Eui64 | None = None
    supplier: Eui64 | None = None
    network_operator: Eui64 | None = None
    root: Eui64 | None = None
    recovery: Eui64 | None = None
    transitional_cos: Eui64 | None = None
    channel: int = 11
    variant: HanVariant = HanVariant.DUAL_BAND
    custody: Custody = Custody.REFUSE
    gbcs: str = "4.x"
    hold_up_s: float | None = None
    outage_threshold_s: float | None = None
    manufacturer: bytes = b"BNCH"
    model: bytes = b"COMMSHUB"
    firmware_version: bytes = b"\x00\x01\x00\x00"
    profile: HubProfile = field(default_factory=standard_profile)
