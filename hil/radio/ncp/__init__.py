"""The virtual dongle: an EZSP network co-processor over real ASH octets, on one simulated ZigBee PRO stack.

Read from the wire inwards: :mod:`ash` (link), :mod:`ezsp` and :mod:`commands` (frames and schemas), :mod:`handlers` (what each
command does), :mod:`stack` (the ZigBee PRO node, of :mod:`aps`, :mod:`nwk`, :mod:`mac`, :mod:`zdo`, :mod:`trust`), and below
it :mod:`hil.radio.air.air`. :mod:`server` puts a dongle on a pseudo-terminal or a TCP port. Knows nothing of Smart Energy.
"""
