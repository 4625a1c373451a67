"""Channels and how long a frame takes on them: O-QPSK at 2.4 GHz, and the pages of the GB sub-GHz HAN.

A channel is one octet, as EZSP has it: 11..26 at 2.4 GHz; below 1 GHz bit 7, the page above 28 in bits 6 and 5, and the number.
"""

from __future__ import annotations

from dataclasses import dataclass

CHANNELS = tuple(range(11, 27))
SUB_GHZ = 0x80
PAGES = {28: 27, 29: 9, 30: 27, 31: 27}
"""Sub-GHz pages and their number of channels: 28 to 30 in 863-876 MHz, 31 in 915-921 MHz (Zigbee 3.0 r22 annex D, recalled)."""


@dataclass(frozen=True, slots=True)
class Phy:
    """``octet_s``: one octet; ``overhead``: preamble, delimiter, length and FCS in octets; ``turnaround_s``: from hearing to sending."""

    name: str
    octet_s: float
    overhead: int
    turnaround_s: float
    backoff_s: float

    def air_s(self, octets: int) -> float:
        """An MPDU of so many octets without FCS on the air."""
        return (octets + self.overhead) * self.octet_s


OQPSK = Phy("O-QPSK 250 kb/s", 32e-6, 4 + 1 + 1 + 2, 192e-6, 320e-6)
"""IEEE 802.15.4-2006 6.5: 62,500 symbols/s, 2 symbols an octet; aTurnaroundTime 12 symbols, aUnitBackoffPeriod 20."""
GFSK = Phy("GFSK 100 kb/s", 80e-6, 8 + 2 + 2 + 2, 1e-3, 1e-3)
"""Sub-GHz of GB Smart Energy (IEEE 802.15.4g SUN FSK at 100 kb/s; preamble, turnaround and backoff recalled)."""


def sub_ghz(page: int, number: int) -> int:
    """The channel octet of a sub-GHz channel. Raises ValueError for one that there is not."""
    if not 0 <= number < PAGES.get(page, 0):
        raise ValueError(f"channel {number} of page {page} is none: expected pages 28..31 with 27, 9, 27 and 27 channels")
    return SUB_GHZ | page - 28 << 5 | number


def page_of(channel: int) -> tuple[int, int]:
    """(page, number); page 0 is 2.4 GHz."""
    return (28 + (channel >> 5 & 3), channel & 0x1F) if channel & SUB_GHZ else (0, channel)


def known(channel: int) -> bool:
    """True if there is such a channel."""
    page, number = page_of(channel)
    return number < PAGES[page] if page else channel in CHANNELS


def in_mask(mask: int) -> tuple[int, ...]:
    """Channels of a 32-bit mask: page in the upper 5 bits, 0 is 2.4 GHz."""
    page = mask >> 27
    if page in PAGES:
        return tuple(sub_ghz(page, number) for number in range(PAGES[page]) if mask >> number & 1)
    return tuple(channel for channel in CHANNELS if mask >> channel & 1)


ALL_SUB_GHZ = tuple(SUB_GHZ | page - 28 << 5 | number for page, count in PAGES.items() for number in range(count))
"""Every channel below 1 GHz."""


def of_band(channel: int) -> tuple[int, ...]:
    """The channels of the band of ``channel``: a Device that joined on one band comes back on no other (GBCS 4.2 10.6.3)."""
    return ALL_SUB_GHZ if channel & SUB_GHZ else CHANNELS


def below_1_ghz(channels: tuple[int, ...]) -> bool:
    """True if all of them are."""
    return all(channel & SUB_GHZ for channel in channels)


def energy_octet(dbm: int) -> int:
    """An energy level as an energy scan's octet: 0 at -100 dBm, 255 at 0 dBm; a scale of this bench."""
    return max(0, min(255, round(2.55 * (dbm + 100))))


def phy_of(channel: int) -> Phy:
    return GFSK if channel & SUB_GHZ else OQPSK
