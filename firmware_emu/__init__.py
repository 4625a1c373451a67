"""The hub's firmware, and the languages it speaks. Imports nothing of ``ichis`` or ``hil``."""

__version__ = "0.2.0"
