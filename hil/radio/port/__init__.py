"""The serial side of every virtual dongle: pseudo-terminal or TCP, line faults, request fields."""
