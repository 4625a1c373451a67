"""The radio seam: what the hub and the Devices see of the HAN. Imports ``zse``, ``ids`` and below.

Only ``han/zigpy_radio.py`` imports bellows or zigpy.
"""
