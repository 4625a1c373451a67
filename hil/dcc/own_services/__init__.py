"""The services that the DCC answers or carries out itself: inventory, schedules, firmware, hub reports, coverage."""
