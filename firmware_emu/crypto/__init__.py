"""Keys, certificates and the primitives of GBCS and of key establishment. No knowledge of any protocol.

May import :mod:`firmware_emu.errors` and :mod:`firmware_emu.ids` only. Private keys, link keys and shared secrets never appear in a
``repr``, a warning or an error sentence. Failed checks raise ProtectionError, unreadable octets DecodeError, missing or unusable keys
KeystoreError.
"""
