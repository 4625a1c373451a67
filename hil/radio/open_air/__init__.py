"""The open air: a socket by which programs of third parties join the simulated air as nodes. ``protocol.md`` is its description."""
