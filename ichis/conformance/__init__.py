"""Conformance checks of the interface as data: what is done, what is measured, against which limit of which source.

Imports nothing of the bench: whoever runs the checks gives each step and reading its meaning.
"""
