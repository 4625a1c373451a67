"""Readings with their accuracy, calibration, and what an instrument of which make answers: below every jig and instrument."""
