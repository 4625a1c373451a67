"""The commands of ``chub dcc``."""
