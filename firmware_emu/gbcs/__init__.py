"""GBCS messages: octets to values and back. No I/O, no clock, no event loop.

May import ``firmware_emu.crypto``, ``zse``, ``ids`` and ``errors``. Invariants:

- decoding raises :class:`firmware_emu.errors.DecodeError` alone, its offset counted from the start of the outermost message;
- what decodes encodes again to the same octets; a form that could not be reproduced is refused;
- what the companion specification fixes per use case is data in the ``.csv`` files beside the code, read through :mod:`.use_cases`.
"""
