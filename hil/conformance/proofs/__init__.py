"""Proofs that the checks are right: whole sweeps of ``chub ichis sweep``, each case on benches of its own, on bench time that jumps.

``faults``: no fault of an instrument turns a verdict. ``units``: good units pass and bad ones fail, in any order, on several dialects.
``limits``: a limit moved past the truth fails. ``outages``: an outage near three minutes is told right, or is indeterminate.
"""
