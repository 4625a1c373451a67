"""Patience of a test with another process, or with something that takes real time, before it calls it hung."""

PATIENCE_S = 300.0
"""Far more than any of it takes on a machine that is busy with other work, so that load alone fails no test."""
