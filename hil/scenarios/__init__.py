"""Scenarios over a home or an estate of them: each one command and one test."""
