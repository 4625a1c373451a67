"""The ``chub`` nouns of the rig, on top of everything; nothing imports this package."""
