"""The ground of the DCC: store, schedule of services, refusals, profile, outcome."""
