"""Radios of Devices: bound directly to the simulated stack, behind a second dongle, or in memory."""
