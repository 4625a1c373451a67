"""The SM WAN seam: frames, links (in memory, TCP with mutual TLS) and the stored channel over a link.

May import ``crypto`` (for TLS files) and the modules at the root. Invariant: a frame posted is delivered once and in order,
whichever end dies in between.
"""
