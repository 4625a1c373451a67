"""The hub's firmware, and the languages it speaks. Imports nothing of ``ichis`` or ``hil``."""

__version__ = "0.1.0"
