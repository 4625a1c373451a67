"""A search for what nobody thought of: a grammar of changes at the edges of the layers, a seed, and invariants as judge.

:mod:`.search` has changes, finds and shrinking, :mod:`.siege` the layers by name, :mod:`.crew` the workers; each other module is one layer.
Not searched: the web service's HTTP, serial ports, instruments.
"""
