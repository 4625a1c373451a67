"""A bench on a page of its own: ``chub watch``.

It asks a bench that runs over its console's socket, or reads a run's folder; the bench does not know that it is watched. Imports everything
of the rig below it; nothing imports it.
"""
