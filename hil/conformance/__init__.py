"""Runs the conformance checks of :mod:`ichis.conformance` on a bench, with the emulated hub as the thing under test."""
