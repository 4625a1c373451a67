"""The virtual dongle of TI's family: Z-Stack 3 as a ZNP, MT frames over the same simulated ZigBee PRO stack as the EZSP dongle.

From the wire inwards: :mod:`mt` (frames), :mod:`commands` (their fields), :mod:`nvram` (what the host reads and writes of the stack's
memory), :mod:`firmware` (what each command does) and :mod:`server` (the port). It is a CC2652 with Z-Stack 3.30, coordinator build.
"""
