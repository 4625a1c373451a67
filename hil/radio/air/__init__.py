"""The shared medium: frames, channels, rooms, and time on the air."""
