"""Commands under which processes and hubs die."""
