"""The rig's nouns of the console, and what opens a bench for it."""
