"""The hub's firmware: CHF and GPF over a HAN radio, a SM WAN link and a store that survives.

May import ``device``, ``han``, ``wan``, ``gbcs``, ``zse``, ``crypto`` and the modules at the root; never ``hil`` or ``ichis``.
Two invariants: what a message leads to is durable in the same commit as the record of its receipt, and everything in RAM can
be built again from the store.
"""
