"""Scenarios over a home or a street of them: each one command and one test."""
