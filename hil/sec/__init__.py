"""Obligations of the Smart Energy Code that no message passes through: incidents, charging, demand, maintenance, measures, security."""
