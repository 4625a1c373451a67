"""A hostile peer for every layer: what it sends, at whom, and what must come of it.

Made from the declarations of the codecs and from honest messages of a running bench. May import all of ``hil``. Each attack is a value
(:class:`hil.attacks.attack.Attack`); :mod:`hil.attacks.arena` carries it out on a commissioned home and holds what must be true after it.
"""
