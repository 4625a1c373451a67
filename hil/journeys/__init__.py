"""The demo's journey, its steps and forgeries, and the sweep of power cuts."""
