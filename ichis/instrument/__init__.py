"""Instruments: their dialects as data, sessions that keep question and answer together, readings with an uncertainty, and stand-ins.

A dialect is one TOML file in a package that the entry point group ``commshub.instrument`` names; a third party ships its own. The same
file tells a stand-in what to understand, so a word that is wrong in it is wrong at both ends: no second party has judged it yet.
"""
